"""Which panel a tab is."""

from __future__ import annotations

from replay.document import Line, Tone, line, words
from replay.panels.calls import calls_panel
from replay.panels.diff import diff_panel
from replay.panels.logs import logs_panel
from replay.panels.messages import messages_panel
from replay.panels.scores import scores_panel
from replay.panels.span import span_panel
from replay.panels.why import why_panel
from replay.session import Session, Tab


def panel_lines(session: Session, width: int) -> list[Line]:
    """The document of the open tab at the playhead, for a width in cells."""
    run, snapshot, position_ns = session.run, session.snapshot, session.position_ns
    match session.tab:
        case Tab.CALLS:
            return list(calls_panel(snapshot, position_ns, width))
        case Tab.MESSAGES:
            return list(messages_panel(run, snapshot, position_ns))
        case Tab.DIFF:
            return list(diff_panel(run, snapshot))
        case Tab.SCORES:
            return list(scores_panel(snapshot))
        case Tab.LOGS:
            return list(logs_panel(snapshot, session.journal(), position_ns))
        case Tab.WHY:
            return list(why_panel(run, snapshot, session.diagnosis))
    row = session.selected_row
    if row is None:
        return [line(words("No span was recorded.", Tone.DIM))]
    return list(span_panel(snapshot.timeline, row, position_ns))
