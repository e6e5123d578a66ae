import unittest

import readings


class AverageTest(unittest.TestCase):
    def test_mean_of_all_readings(self):
        self.assertEqual(readings.average("north: 1.5\nsouth: 2.5\n"), 2.0)

    def test_blank_lines_are_skipped(self):
        self.assertEqual(readings.average("north: 1\n\nsouth: 3\n"), 2.0)

    def test_bad_line_is_reported(self):
        with self.assertRaises(ValueError):
            readings.average("north: 1\nsouth: warm\n")


if __name__ == "__main__":
    unittest.main()
