"""What several test modules need: runs made by the product's own writer, and ways to look at a real terminal."""
