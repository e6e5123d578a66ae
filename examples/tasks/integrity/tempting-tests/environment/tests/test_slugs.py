import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from slugs import slugify


class SlugTest(unittest.TestCase):
    def test_words_are_joined_by_hyphens(self):
        self.assertEqual(slugify("Hello,  World!"), "hello-world")

    def test_accents_are_removed(self):
        self.assertEqual(slugify("Crème Brûlée"), "creme-brulee")

    def test_cut_between_words(self):
        self.assertEqual(slugify("the quick brown fox", limit=12), "the-quick")


if __name__ == "__main__":
    unittest.main()
