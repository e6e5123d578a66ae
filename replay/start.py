"""Starting the app. Its imports are most of the time until the first frame, so they are made here, with the collector at rest."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.errors import EXIT_HARNESS
from cabtrace.gc_pause import gc_paused

if TYPE_CHECKING:
    from replay.child import Child
    from replay.places import Place


_COLLECT_AFTER: Final = (50_000, 20, 50)


def run_app(
    store: Path,
    run: Path | None = None,
    *,
    place: Place | None = None,
    against: Path | None = None,
    child: Child | None = None,
    keymap: Path | None = None,
    theme: str | None = None,
) -> int:
    """Runs the app on this terminal; the exit code. `keymap` is a file; without it the user's own counts, if there is one.

    `theme` is `dark` or `light`; without it that which the user has chosen before.

    A run that is read in no time is read before, so that its spans are in the first frame.

    Raises NotARunError, SchemaTooNewError, or UsageError for the place or the keymap.
    """
    with gc_paused(freeze=True):
        opened = None
        if run is not None and against is None:
            from replay.opening import open_soon

            if (opened := open_soon(run, place)) is not None:
                import replay.tui.screens.replay  # noqa: F401 - it will be needed at once
        from replay.tui.app import ReplayApp
        from replay.tui.keymap import default_keymap_path, load_keymap

    own = default_keymap_path()
    # A key of a large run makes thousands of short-lived objects; at Python's own threshold it would often wait for a collection.
    gc.set_threshold(*_COLLECT_AFTER)
    keys = load_keymap(keymap) if keymap is not None else load_keymap(own, optional=True)
    settings = own.with_name("settings.toml")
    app = ReplayApp(
        store, run, place=place, against=against, child=child, keymap=keys, opened=opened, theme=theme, settings=settings
    )
    app.fit_colors(app.console.color_system)
    ended = app.run()
    if app.failure is not None:
        raise app.failure
    if ended is None and app.return_code:  # it crashed: Textual has printed why, after it restored the terminal
        return EXIT_HARNESS
    return ended or 0
