"""Run folders of a comparison: what a complete one does not need, and what all have alike."""

import filecmp
import pathlib
import shutil
from collections.abc import Iterable


def complete_runs(runs: pathlib.Path) -> list[pathlib.Path]:
    """Data folders of the complete trainings below the folder of all results."""
    return [weights.parent / "data" for weights in sorted(runs.glob("*/seed-*/training/weights"))]


def tidy(run: pathlib.Path, others: Iterable[pathlib.Path]) -> None:
    """Frees what a complete run does not need: checkpoints, and data that another run has too.

    A file of `run/data` that is byte for byte a file of another run becomes a hard link to it.
    """
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    for other in others:
        if other == run / "data":
            continue
        for path in sorted((run / "data").rglob("*")):
            twin = other / path.relative_to(run / "data")
            if not path.is_file() or not twin.is_file() or path.samefile(twin):
                continue
            if filecmp.cmp(path, twin, shallow=False):
                link = path.with_name(f".{path.name}.link")
                link.unlink(missing_ok=True)
                try:
                    link.hardlink_to(twin)
                except OSError:  # a file system without hard links keeps the copy
                    return
                link.replace(path)
        return  # all runs of a comparison have the same data
