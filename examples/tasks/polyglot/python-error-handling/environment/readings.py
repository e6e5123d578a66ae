"""Averages of sensor readings: text with one `name: number` a line."""


def average(text):
    """Return the mean of all readings in `text`."""
    total = 0.0
    count = 0
    for line in text.splitlines():
        try:
            name, number = line.split(":")
            total += float(number)
            count += 1
        except:
            pass
    return total / count
