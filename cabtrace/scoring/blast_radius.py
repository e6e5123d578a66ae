"""How much of what changed should not have."""

from __future__ import annotations

from cabtrace.globs import matching
from cabtrace.model.score import AxisResult
from cabtrace.scoring.base import ScoredRun, changed_paths, flag, paths


class BlastRadius:
    """Unexpected changes as a share of all changes: 0 is clean, 1 means that nothing expected was touched.

    0 when nothing changed; unknown when the changes were not recorded or the task does not say what it expects.
    """

    name = "blast_radius"
    version = "1"

    def score(self, run: ScoredRun) -> AxisResult:
        """Headline: `blast_radius`."""
        changes = run.changes()
        task = run.header.task
        changed = changed_paths(changes)
        expected = unexpected = radius = None
        if changed is not None and task.changes_declared:
            expected = list(matching(task.expected_changes, changed))
            unexpected = [path for path in changed if path not in set(expected)]
            radius = len(unexpected) / len(changed) if changed else 0.0
        return AxisResult(
            axis=self.name,
            version=self.version,
            value=radius,
            values={
                "blast_radius": radius,
                "added": paths(changes, "added"),
                "removed": paths(changes, "removed"),
                "modified": paths(changes, "modified"),
                "unexpected_changes": unexpected,
                "expected_changes": expected,
                "total_changes": None if changed is None else len(changed),
                "extra_git_dir": flag(changes, "extra_git_dir"),
            },
            inputs={
                "expected_globs": list(task.expected_changes) if task.changes_declared else None,
                "cut": flag(changes, "cut"),
            },
        )
