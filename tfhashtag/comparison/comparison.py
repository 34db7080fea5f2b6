"""What was compared, and what came out."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.beside import beside_accuracy
from tfhashtag.comparison.job import POSITIVES, place_of
from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.settings_of import SettingsOf
from tfhashtag.comparison.study import LISTS_SEED, Study, View
from tfhashtag.comparison.summary import Summary, summarize
from tfhashtag.comparison.system import folder_name
from tfhashtag.comparison.tables import Table, figures_of, note
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ComparisonError
from tfhashtag.settings import flat
from tfhashtag.tasks import Queries


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was compared, and what came out.

    Attributes:
        study: systems and tables.
        data: corpus folder.
        folder: of all files.
        corpus: the posts.
        settings: of every system.
        seeds: that were asked for.
        queries: protocol to what was asked.
        outcomes: of every seed of every system.
        views: summaries of all systems by `View`.
        tables: those with a system that was asked for.
    """

    study: Study
    data: pathlib.Path
    folder: pathlib.Path
    corpus: Corpus
    settings: SettingsOf
    seeds: Sequence[int]
    queries: Mapping[str, Queries]
    outcomes: Sequence[Outcome]
    views: Mapping[View, Sequence[Summary]]
    tables: Sequence[Table]

    def for_trackers(self) -> dict[str, Any]:
        """What `tfhashtag.tracking.told.tell_study` takes."""
        names = ("report.html", "comparison.json", "timing.json", "tables.csv", "tables.md")
        return {
            "name": f"compare {self.study.name}",
            "parameters": {
                "systems": ", ".join(system.name for system in self.settings.systems),
                "seeds": ", ".join(map(str, self.seeds)),
            },
            "tags": {"corpus": self.corpus.name, "data_digest": self.corpus.digest},
            "files": [self.folder / name for name in names],
            "parts": [
                {
                    "name": f"{outcome.system}-{outcome.seed}",
                    "parameters": flat(self.settings[outcome.system].model_dump(mode="json"))
                    | {"seed": outcome.seed},
                    "metrics": {
                        name: float(values.mean()) for name, values in outcome.values.items()
                    },
                }
                for outcome in self.outcomes
                if not outcome.error
            ],
        }

    @property
    def summaries(self) -> Sequence[Summary]:
        """All systems, as the paper averages."""
        return self.views[self.study.views[0]]

    @property
    def failed(self) -> list[tuple[str, int, str]]:
        """(system, seed, message) of those that failed."""
        return [(o.system, o.seed, o.error) for o in self.outcomes if o.error]

    @functools.cached_property
    def ranked(self) -> dict[str, Summary]:
        """The systems that were ranked, by name, as the paper averages."""
        return {row.name: row for row in self.summaries if row.means}

    @property
    def footnote(self) -> str:
        """One more sentence under the tables: whose deviation is of ties alone; or ""."""
        systems = [system for system in self.settings.systems if system.name in self.ranked]
        names = ", ".join(system.name for system in systems if not system.drawn)
        what = "nothing is drawn but the order of equal scores, their deviation is of that alone"
        return f"{names}: {what}" if names else ""

    def files_of(self, name: str, file: str) -> dict[int, pathlib.Path]:
        """Files of that name that a system has left, by its seeds."""
        row = self.ranked.get(name)
        folder = self.folder / "runs" / folder_name(name)
        found = {seed: folder / f"seed-{seed}" / file for seed in (row.seeds if row else ())}
        return {seed: path for seed, path in found.items() if path.is_file()}

    def why_not(self, name: str) -> str:
        """Why a system has left nothing to show."""
        row = next((row for row in self.summaries if row.name == name), None)
        if row is None:
            return f"{name} is not among the systems of this comparison."
        return f"{name}: {note(row)}." if note(row) else f"{name} got nothing right."

    @functools.cached_property
    def figures(self) -> dict[str, Any]:
        """The data of the study's figures, as JSON values."""
        return self.study.figures(self)

    @functools.cached_property
    def beside(self) -> dict[str, dict[str, dict[str, float]]]:
        """What the lists of each system are beside right, see `beside_accuracy`."""
        return beside_accuracy(self)

    @functools.cached_property
    def times(self) -> dict[str, dict[str, float]]:
        """Mean seconds of a seed by step, for each system that was ranked."""
        found = {}
        for name in self.ranked:
            paths = self.files_of(name, "timing.json").values()
            parts = [json.loads(path.read_text("utf-8")) for path in paths]
            found[name] = {
                step: round(float(np.mean([part.get(step, 0.0) for part in parts])), 1)
                for step in parts[0]
            }
        return found

    @functools.cached_property
    def memory(self) -> dict[str, float]:
        """Mean peak of a process in MiB, of each system that has told it."""
        found = {}
        for name in self.ranked:
            paths = self.files_of(name, "memory.json").values()
            peaks = [json.loads(path.read_text("utf-8"))["peak_mib"] for path in paths]
            if peaks:
                found[name] = float(round(np.mean(peaks)))
        return found

    def check(self) -> None:
        """Nothing where all went well.

        Raises:
            ComparisonError: a system failed; the message names all that did.
        """
        if not self.failed:
            return
        names = ", ".join(f"{name} (seed {seed})" for name, seed, _ in self.failed)
        raise ComparisonError(
            f"{self.folder}: failed: {names}; the other systems are done. First: "
            f"{self.failed[0][2]}\nThe same command tries again what failed; tracebacks are in "
            "runs/*/*/failed.txt."
        )

    def as_json(self) -> dict[str, Any]:
        """Everything for programs, the content of comparison.json."""
        by_name = {view: {row.name: row for row in rows} for view, rows in self.views.items()}
        systems = {}
        for row, system in zip(self.summaries, self.settings.systems, strict=True):
            figures: dict[str, dict[str, Any]] = {}
            for view, rows in by_name.items():
                figures.setdefault(view.protocol, {})[view.average] = figures_of(rows[row.name])
            systems[row.name] = {
                "about": row.about,
                "drawn": system.drawn,
                "published": dict(system.published),
                "not_applicable": row.missing,
                "seeds": list(row.seeds),
                "failed": [{"seed": seed, "message": message} for seed, message in row.failed],
                "settings": {} if row.missing else self.settings[row.name].model_dump(),
                **figures,
            }
        return {
            "corpus": self.corpus.name,
            "data_digest": self.corpus.digest,
            "split": "test",
            **self.study.counts(self),
            "seeds": list(self.seeds),
            "lists_seed": LISTS_SEED,
            "reference": self.study.against,
            "tables": {table.key: [row.name for row in table.rows] for table in self.tables},
            "systems": systems,
            "figures": self.figures,
            "beside": self.beside,
        }


def summaries_of(
    study: Study, view: View, settings: SettingsOf, outcomes: Sequence[Outcome]
) -> list[Summary]:
    """All systems as a view sees them."""
    seen = [_seen(study, view, outcome) for outcome in outcomes]
    missing = dict(settings.missing) | {
        outcome.system: f"its run has no lists of {view.protocol}"
        for outcome in seen
        if not outcome.error and not outcome.values
    }
    seen = [outcome for outcome in seen if outcome.system not in missing]
    return summarize(settings.systems, seen, study.against, study.tested, missing)


def _seen(study: Study, view: View, outcome: Outcome) -> Outcome:
    """An outcome with the metrics of a view by their plain names."""
    if outcome.error:
        return outcome
    _, head = place_of(study, pathlib.Path(), view.protocol)
    values = {
        name.removeprefix(head): each
        for name, each in outcome.values.items()
        if name.startswith(head)
    }
    positives = values.pop(POSITIVES, None)
    queries = np.array(outcome.queries)
    if view.average == "answerable" and positives is not None:
        queries = queries[positives > 0]
        values = {name: each[positives > 0] for name, each in values.items()}
    return dataclasses.replace(outcome, queries=queries.tolist(), values=values)


def tables_of(
    study: Study, settings: SettingsOf, views: Mapping[View, Sequence[Summary]]
) -> list[Table]:
    """Tables with a system of their own, view by view; systems of no table stand in the first."""
    published = {system.name: system.published for system in study.systems if system.published}
    asked = {system.name: None for system in settings.systems}
    known = {name for table in study.tables for name in table.systems}
    seen = {study.against} if len(asked) > 1 else set()
    several = len(views) > 1
    tables: list[Table] = []
    for number, table in enumerate(study.tables):
        others = [name for name in asked if name not in known and number == 0]
        names = [name for name in (*table.systems, *others) if name in asked]
        if set(names) <= seen:
            continue
        seen |= set(names)
        for view, rows in views.items():
            by_name = {row.name: row for row in rows}
            tables.append(
                Table(
                    f"{table.key}-{view.protocol}-{view.average}" if several else table.key,
                    f"{table.short}, {view.title}" if several else table.title,
                    [by_name[name] for name in names],
                    study.tested,
                    study.against,
                    published if view is study.views[0] else {},
                )
            )
    return tables
