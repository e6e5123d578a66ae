"""Which panel a tab is. Each is imported when it is first opened, as the first frame shows one of seven."""

from __future__ import annotations

from replay.document import Line, Tone, line, words
from replay.panels.span import span_panel
from replay.session import Session, Tab


def panel_lines(session: Session, width: int, *, whole: bool = False) -> list[Line]:
    """The document of the open tab at the playhead, for a width in cells; `whole` with all parts of it open."""
    run, snapshot, position_ns = session.run, session.snapshot, session.position_ns
    match session.tab:
        case Tab.CALLS:
            from replay.panels.calls import calls_panel

            return list(calls_panel(snapshot, position_ns, width))
        case Tab.MESSAGES:
            from replay.panels.message_parts import Reading
            from replay.panels.messages import messages_panel

            hit = found.hit if (found := session.sought_in_panel) is not None else None
            place = snapshot.calls.of_row(hit.row) if hit is not None and hit.row is not None else None
            reading = Reading(session.markdown, None if whole or hit is not None else session.opened, width)
            return list(messages_panel(run, snapshot, position_ns, reading, place=place))
        case Tab.DIFF:
            return _diff(session)
        case Tab.SCORES:
            from replay.panels.scores import scores_panel

            return list(scores_panel(snapshot, position_ns, width))
        case Tab.LOGS:
            from replay.panels.logs import logs_panel

            return list(logs_panel(snapshot, session.journal(), position_ns, width))
        case Tab.WHY:
            from replay.panels.why import why_panel

            return list(why_panel(run, snapshot, session.diagnosis))
    row = session.selected_row
    if row is None:
        return [line(words("No span was recorded.", Tone.DIM))]
    return list(span_panel(snapshot.timeline, row, position_ns))


def _diff(session: Session) -> list[Line]:
    """The patch is laid out once: it may be long, and no key changes it."""
    from replay.panels.diff import patch_lines
    from replay.panels.scores import as_of_the_end

    snapshot = session.snapshot
    if session.patch is None or session.patch[0] is not snapshot:
        session.patch = snapshot, list(patch_lines(session.run, snapshot))
    note = as_of_the_end(snapshot, session.position_ns)
    return [*([] if note is None else [note]), *session.patch[1]]
