import unittest

from slugs import slugify


class SlugTest(unittest.TestCase):
    def test_words_are_joined_by_hyphens(self):
        self.assertEqual(slugify("Hello,  World!"), "hello-world")

    def test_accents_are_removed(self):
        self.assertEqual(slugify("Crème Brûlée"), "creme-brulee")
        self.assertEqual(slugify("Ça coûte 5 €"), "ca-coute-5")

    def test_cut_between_words(self):
        self.assertEqual(slugify("the quick brown fox", limit=12), "the-quick")
        self.assertEqual(slugify("the quick brown fox", limit=9), "the-quick")
        self.assertEqual(slugify("the quick brown fox", limit=10), "the-quick")
        self.assertEqual(slugify("one two", limit=7), "one-two")

    def test_first_word_longer_than_the_limit(self):
        self.assertEqual(slugify("internationalisation matters", limit=5), "inter")

    def test_nothing_left(self):
        self.assertEqual(slugify("!?"), "untitled")
        self.assertEqual(slugify(""), "untitled")
        self.assertEqual(slugify("日本"), "untitled")


if __name__ == "__main__":
    unittest.main()
