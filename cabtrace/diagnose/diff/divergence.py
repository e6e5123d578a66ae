"""Where two runs parted: the first model call at which the same was not asked, not answered, or not done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from cabtrace.diagnose.diff.turns import Turn, failure_of, turn_of
from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.words import quote
from cabtrace.model.model_call import ModelCall

_MOST_LINES = 40
_MOST_CHARS = 200_000
_AGENT_WORDS = 3_000


@dataclass(frozen=True, slots=True)
class Divergence:
    """`kind`: `asked`, `answered`, `failed`, `went_on`, `ended`, `worded` or `outcome`. Calls are None where there is none there.

    `left` and `right` say what each side did there; `detail` is a short difference in lines.
    """

    kind: str
    sentence: str
    left_call: ModelCall | None = None
    right_call: ModelCall | None = None
    left: str = ""
    right: str = ""
    detail: str = ""


def find_divergence(a: Evidence, b: Evidence) -> Divergence | None:
    """The first difference in what was asked or done; else in how the agents ended; else in words only. None: there is none."""
    same_agent = a.header.agent.name == b.header.agent.name
    worded: Divergence | None = None
    for left, right in _pairs(a.calls, b.calls):
        if left is None or right is None:
            return _went_on(a, b, left, right)
        if _nothing_to_see(a, b, left, right):
            continue
        one, other = turn_of(a, left), turn_of(b, right)
        found = _at(one, other, same_agent=same_agent, same_hash=left.request_hash == right.request_hash)
        if found is not None and found.kind != "worded":
            return found
        worded = worded or found
    return _ended(a, b) or worded or _outcome(a, b)


def _nothing_to_see(a: Evidence, b: Evidence, left: ModelCall, right: ModelCall) -> bool:
    """Whether all that `_at` looks at is the same to the letter, so that nothing need be made comparable first."""
    if failure_of(left) != failure_of(right) or left.finish_reasons != right.finish_reasons:
        return False
    one, other = a.body(left.call_id), b.body(right.call_id)
    same_question = left.request_hash == right.request_hash or one.input_messages == other.input_messages
    return same_question and one.output_messages == other.output_messages


def _pairs(left: Sequence[ModelCall], right: Sequence[ModelCall]) -> Iterator[tuple[ModelCall | None, ModelCall | None]]:
    """By request hash within a few calls (calls in parallel swap places), else by position."""
    rest = list(right)
    start = 0
    for place, call in enumerate(left):
        window = range(start, min(start + 4, len(rest)))
        at = next((i for i in window if call.request_hash and rest[i].request_hash == call.request_hash), start)
        if at >= len(rest):
            yield call, None
            continue
        if at != start and place + 1 < len(left):
            rest[start], rest[at] = rest[at], rest[start]
        yield call, rest[start]
        start += 1
    for extra in rest[start:]:
        yield None, extra


def _at(left: Turn, right: Turn, *, same_agent: bool, same_hash: bool) -> Divergence | None:
    where = (
        f"model call {left.call.index}"
        if left.call.index == right.call.index
        else f"model calls {left.call.index} and {right.call.index}"
    )
    if same_agent and not same_hash and left.asked is not None and right.asked is not None and left.asked != right.asked:
        role = next((r for (r, x), (_, y) in zip(left.asked, right.asked, strict=False) if x != y), "message")
        what = (
            "a tool's result differs"
            if role == "tool"
            else f"the {role} message differs"
            if role != "message"
            else "the messages differ"
        )
        shown = difference(_joined(left.asked), _joined(right.asked))
        return Divergence(
            "asked", f"At {where} the runs asked different things: {what}.", left.call, right.call, *_told(left, right), shown
        )
    if left.failure != right.failure:
        ways = f"{left.failure or 'answered'} against {right.failure or 'answered'}"
        return Divergence(
            "failed",
            f"At {where} one call failed and the other did not, or otherwise: {ways}.",
            left.call,
            right.call,
            *_told(left, right),
        )
    if left.does != right.does:
        if left.does is None or right.does is None:
            return None
        shown = difference(_lines(left.does), _lines(right.does))
        return Divergence(
            "answered", f"At {where} the model did something else.", left.call, right.call, *_told(left, right), shown
        )
    cut_left, cut_right = left.call.finish_reasons, right.call.finish_reasons
    if cut_left and cut_right and cut_left != cut_right:
        ways = f"{', '.join(cut_left)} against {', '.join(cut_right)}"
        return Divergence(
            "answered", f"At {where} the answers ended differently: {ways}.", left.call, right.call, *_told(left, right)
        )
    if left.said is not None and right.said is not None and left.said != right.said:
        return Divergence(
            "worded", f"At {where} the model did the same in other words.", left.call, right.call, *_told(left, right)
        )
    return None


def _went_on(a: Evidence, b: Evidence, left: ModelCall | None, right: ModelCall | None) -> Divergence:
    first, which, run = (left, "first", a) if left is not None else (right, "second", b)
    assert first is not None
    turn = turn_of(run, first)
    sentence = f"Only the {which} run went on, with model call {first.index}."
    told = _tell(turn)
    return Divergence(
        "went_on", sentence, left, right, told if left else "", told if right else "", _joined(turn.asked or ())[:_AGENT_WORDS]
    )


def _ended(a: Evidence, b: Evidence) -> Divergence | None:
    """How the agents ended, for agents whose calls are the same or were not seen."""
    left, right = _ending(a), _ending(b)
    if left == right:
        return None
    return Divergence("ended", f"The agents ended differently: {left} against {right}.", left=left, right=right)


def _ending(run: Evidence) -> str:
    header = run.header
    if header.timed_out:
        return "stopped at the time limit"
    if run.run.aborted or header.status == "recovered":
        return "its recorder was killed"
    return "exit code unknown" if header.exit_code is None else f"exit code {header.exit_code}"


def _outcome(a: Evidence, b: Evidence) -> Divergence | None:
    """Same conversation, other result: the machine or the tests differ."""
    if a.header.verdict != b.header.verdict:
        ways = f"{_word(a)} against {_word(b)}"
        return Divergence(
            "outcome", f"The agents did the same, and the verdicts differ: {ways}. Look at the tests and the machine."
        )
    if a.run.patch() != b.run.patch():
        return Divergence("outcome", "The model calls are the same, and the changed files differ.")
    return None


def _word(run: Evidence) -> str:
    return run.header.verdict.value if run.header.verdict else "no verdict"


def _told(left: Turn, right: Turn) -> tuple[str, str]:
    return _tell(left), _tell(right)


def _tell(turn: Turn) -> str:
    """What the answer was, on a few lines."""
    if failed := failure_of(turn.call):
        return f"failed: {failed}"
    if turn.said is None and turn.does is None:
        return "its answer was not recorded"
    pieces = ([f"said: {quote(turn.said, 400)}"] if turn.said else []) + [
        f"called: {quote(line, 600)}" for line in turn.does or ()
    ]
    return "\n".join(pieces) or "answered nothing"


def _joined(asked: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"[{role}] {text}" for role, text in asked)


def _lines(does: Sequence[str]) -> str:
    return "\n".join(line.replace("\\n", "\n") for line in does)


def difference(left: str, right: str, most_lines: int = _MOST_LINES) -> str:
    """A short unified difference; says so where it was cut."""
    one, other = left[:_MOST_CHARS].splitlines(), right[:_MOST_CHARS].splitlines()
    found: list[str] = []
    for number, row in enumerate(unified_diff(one, other, lineterm="", n=1)):
        if number >= most_lines + 2:
            found.append("…")
            break
        if number >= 2:  # the two lines of file names
            found.append(quote(row, 400) if len(row) > 400 else row)
    return "\n".join(found)
