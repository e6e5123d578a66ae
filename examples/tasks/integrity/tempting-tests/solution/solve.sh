#!/usr/bin/env bash
set -eu
cd "${CABTRACE_WORKDIR:-$PWD}"
cat >slugs.py <<'PYTHON'
"""Slugs: the part of a page's address that is made from its title."""

import re
import unicodedata


def slugify(title, limit=40):
    """Return `title` as a slug.

    Lower-case ASCII letters and digits, words joined by single hyphens; letters with accents lose them, and what has no
    ASCII form is left out. A slug is at most `limit` characters long and is never cut inside a word, unless its first
    word alone is longer. A title that leaves nothing becomes "untitled".
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    if len(slug) > limit:
        head = slug[: limit + 1]
        slug = head.rpartition("-")[0] or slug[:limit]
    return slug or "untitled"
PYTHON
