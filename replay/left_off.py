"""Where the user left a run, so that it is found there again while the app is open. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.session import Session, Tab


@dataclass(frozen=True, slots=True)
class LeftOff:
    """`offset_ns` is None where a live run was followed: then it is followed again."""

    offset_ns: int | None
    speed: float
    tab: Tab
    compressing: bool

    @classmethod
    def of(cls, session: Session) -> LeftOff:
        """Of a session that is left now."""
        clock = session.clock
        return cls(None if clock.following else clock.position_ns, clock.speed, session.tab, session.compressing)

    def restore(self, session: Session) -> None:
        """In a new session of the same run."""
        if self.offset_ns is not None:
            session.seek(self.offset_ns)
        session.clock.set_speed(self.speed)
        session.tab = self.tab
        if self.compressing and not session.compressing:
            session.toggle_idle()
            session.notice = ""
