"""Very many records at once, without the collector looking through all of them again and again while they are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused(*, freeze: bool = False) -> Iterator[None]:
    """No cyclic collection meanwhile; as it was before afterwards. Records have no cycles, so that nothing is kept longer.

    `freeze`: what is alive afterwards stays until the process ends, so that no collection looks at it again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if freeze:
            gc.freeze()
        if was_enabled:
            gc.enable()
