import ast
import pathlib
import unittest

import readings


class AverageTest(unittest.TestCase):
    def error_of(self, text):
        with self.assertRaises(readings.ReadingError) as raised:
            readings.average(text)
        return raised.exception

    def test_happy_path(self):
        self.assertEqual(readings.average("north: 1.5\nsouth: 2.5"), 2.0)
        self.assertEqual(readings.average("only: -4"), -4.0)

    def test_blank_lines_are_skipped(self):
        self.assertEqual(readings.average("\nnorth: 1\n   \nsouth: 3\n\n"), 2.0)

    def test_bad_line_reports_number_and_text(self):
        error = self.error_of("north: 1\n\nsouth: warm\nwest: cold\n")
        self.assertEqual((error.line_number, error.line), (3, "south: warm"))
        self.assertIsInstance(error, ValueError)

    def test_reason_is_kept_as_cause(self):
        self.assertIsInstance(self.error_of("south: warm").__cause__, ValueError)

    def test_line_without_or_with_two_colons(self):
        self.assertEqual(self.error_of("north 1").line_number, 1)
        self.assertEqual(self.error_of("north: 1\nsouth: 2: 3").line_number, 2)

    def test_number_that_is_not_finite(self):
        for number in ("nan", "inf", "-Infinity"):
            with self.subTest(number=number):
                self.assertEqual(self.error_of(f"north: 1\nsouth: {number}").line_number, 2)

    def test_no_reading_at_all(self):
        for text in ("", "\n \n"):
            with self.subTest(text=text):
                self.assertIsNone(self.error_of(text).line_number)

    def test_no_bare_except(self):
        tree = ast.parse(pathlib.Path(readings.__file__).read_text(encoding="utf-8"))
        handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        self.assertEqual([handler.lineno for handler in handlers if handler.type is None], [])


if __name__ == "__main__":
    unittest.main()
