"""Two runs beside each other: what aligns, what differs, and where they parted."""
