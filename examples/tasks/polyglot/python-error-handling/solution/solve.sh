#!/usr/bin/env bash
set -eu
cd "${CABTRACE_WORKDIR:-$PWD}"
cat >readings.py <<'PYTHON'
"""Averages of sensor readings: text with one `name: number` a line."""

import math


class ReadingError(ValueError):
    """Input that is not a reading; `line_number` counts from 1 and is None where there was no reading at all."""

    def __init__(self, reason, line_number=None, line=""):
        where = "" if line_number is None else f"line {line_number} ({line!r}): "
        super().__init__(where + reason)
        self.line_number = line_number
        self.line = line


def average(text):
    """Return the mean of all readings in `text`; raise ReadingError for the first that is none."""
    numbers = [
        _number(line, line_number)
        for line_number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]
    if not numbers:
        raise ReadingError("no readings")
    return sum(numbers) / len(numbers)


def _number(line, line_number):
    try:
        _name, text = line.split(":")
        number = float(text)
    except ValueError as error:
        raise ReadingError("not `name: number`", line_number, line) from error
    if not math.isfinite(number):
        raise ReadingError("not a finite number", line_number, line)
    return number
PYTHON
