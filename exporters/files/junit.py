"""JUnit XML: the cell as a test case, and each of the task's own tests as one beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from cabtrace.model.outcome import Verdict
from cabtrace.text import safe

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_OUTPUT_CHARS = 16_000


class JunitExporter:
    """A failed cell is a `failure`, one that the harness could not run an `error`, one without a verdict `skipped`."""

    name = "junit"
    suffix = ".xml"

    def export(self, run: RunView, out: BinaryIO) -> None:
        header = run.header
        tests = [t for t in run.verification().get("tests") or () if isinstance(t, dict)]
        failed = sum(not t.get("passed") for t in tests)
        counts = {
            "tests": 1 + len(tests),
            "failures": failed + (header.verdict == Verdict.FAILED),
            "errors": int(header.verdict == Verdict.ERROR),
            "skipped": int(header.verdict is None),
        }
        numbers = "".join(f' {key}="{value}"' for key, value in counts.items())
        seconds = f' time="{header.duration_s:.3f}"' if header.duration_s is not None else ""
        suite_name = _attribute(header.marked(header.sweep_id))
        suite = f"<testsuite name={suite_name}{numbers}{seconds} timestamp={_attribute(header.started_at[:19])}>"
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", suite, _properties(run), _cell(run, seconds)]
        name = _attribute(f"{header.cell_id}/tests")
        for test in tests:
            inner = "/>" if test.get("passed") else '><failure message="failed"/></testcase>'
            lines.append(f"<testcase classname={name} name={_attribute(test.get('name'))}{inner}")
        lines += ["</testsuite>", "</testsuites>", ""]
        out.write("\n".join(lines).encode("utf-8", "replace"))


def _properties(run: RunView) -> str:
    header = run.header
    values = {
        "cell": header.marked(header.cell_id),
        "attempt": header.attempt,
        "agent": header.agent.name,
        "model": header.model,
        "trace_id": header.trace_id,
        "run_id": header.run_id,
    }
    values |= {f"score.{axis}": score.get("label") or score.get("value") for axis, score in header.scores.items()}
    shown = "".join(f"<property name={_attribute(k)} value={_attribute(v)}/>" for k, v in values.items() if v is not None)
    return f"<properties>{shown}</properties>"


def _cell(run: RunView, seconds: str) -> str:
    header = run.header
    head = f"<testcase classname={_attribute(f'{header.agent.name}.{header.model}')} name={_attribute(header.task.id)}{seconds}"
    message = _attribute(header.cause_detail or header.cause or "no verdict: the run was not closed")
    kind = _attribute(header.cause or "unknown")
    output = f"<system-out>{_text(run.verification().get('stdout_tail') or '')}</system-out>"
    if header.verdict == Verdict.PASSED:
        return f"{head}>{output}</testcase>"
    if header.verdict is None:
        return f"{head}><skipped message={message}/>{output}</testcase>"
    tag = "error" if header.verdict == Verdict.ERROR else "failure"
    return f"{head}><{tag} type={kind} message={message}/>{output}</testcase>"


def _attribute(value: object) -> str:
    return quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", safe(value, max_chars=2_000, newlines=False)))


def _text(value: object) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", safe(value, max_chars=_OUTPUT_CHARS)))
