"""What all systems of a comparison of engagement models share: users, lists to rank, the split."""

import functools
import gzip
import os
import pathlib
import shutil

import numpy as np

from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.system import Ranked
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError
from tfhashtag.evaluation import averages, per_user, write_metrics
from tfhashtag.evaluation.trec import write_qrels, write_run
from tfhashtag.files import atomic_writer
from tfhashtag.metrics import default_metrics
from tfhashtag.tasks.users.episode import PROTOCOLS, Episode, evaluation_episode

SPLIT = Split.TEST
CUTOFFS = (1, 5, 10)
LISTS_SEED = 0  # of the negatives: every system and every seed ranks the same lists
_POSITIVES = "positives"


class EngagementTask:
    """The test users with their lists to rank, under both protocols.

    Args:
        data: corpus folder.
        minimum_contexts: context messages that a candidate must have.

    Raises:
        DataError: no user has a hashtag to find.
        ArtifactError: `data` is no corpus folder.
    """

    def __init__(self, data: str | os.PathLike, minimum_contexts: int = 5):
        self.data = pathlib.Path(data)
        self.minimum_contexts = minimum_contexts
        self.corpus: Corpus = read_corpus(data)
        if not np.any(self.episode("sampled").candidates.positives):
            raise DataError(
                f"{data}: no user takes up a new hashtag in the test split that has at least "
                f"`data.minimum_contexts` = {minimum_contexts} context messages; there is nothing "
                "to compare on. Split the corpus anew, or lower it."
            )

    @functools.cache  # noqa: B019  a task lives as long as the process
    def episode(self, protocol: str) -> Episode:
        """The test moment with the lists of a protocol, the same for every system and seed."""
        return evaluation_episode(self.corpus, SPLIT, protocol, LISTS_SEED, self.minimum_contexts)

    @functools.cached_property
    def users(self) -> list[str]:
        """Names of the test users, in the order of all values."""
        return [self.corpus.users[user] for user in self.episode("sampled").candidates.users]

    def write_qrels(self, folder: pathlib.Path) -> None:
        """Writes the truth about the lists, which is that of every system."""
        for protocol in PROTOCOLS:
            path = folder / protocol / "qrels.trec"
            if path.with_suffix(".trec.gz").is_file() or path.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_qrels(
                path, self.corpus.users, self.corpus.hashtags, self.episode(protocol).candidates
            )
            if protocol == "full":
                _compress(path)

    def write(
        self,
        folder: pathlib.Path,
        protocol: str,
        scores: np.ndarray,
        seed: int,
        qrels: pathlib.Path,
    ) -> dict[str, np.ndarray]:
        """Writes metrics.json, run.trec and qrels.trec of scores; gives the values user by user.

        Files of the protocol `full` are some hundred megabytes; they are compressed, `.gz`.

        Args:
            folder: of the results; the files stand in the folder `protocol` below it.
            protocol: `"sampled"` or `"full"`.
            scores: float, aligned with the lists.
            seed: of the order of equal scores.
            qrels: folder that `write_qrels` filled.

        Returns:
            `protocol/metric` to float64 `[users]`.
        """
        candidates = self.episode(protocol).candidates
        place = folder / protocol
        place.mkdir(parents=True, exist_ok=True)
        write_run(
            place / "run.trec", self.corpus.users, self.corpus.hashtags, candidates, scores, seed
        )
        if protocol == "full":
            _compress(place / "run.trec")
        for path in sorted((qrels / protocol).glob("qrels.trec*")):
            _link(path, place / path.name)
        values = per_user(candidates, scores, default_metrics(CUTOFFS), seed)
        result = averages(candidates, values)
        write_metrics(place / "metrics.json", result, SPLIT.name.lower(), protocol, seed)
        found = {f"{protocol}/{name}": value for name, value in values.items()}
        return {**found, f"{protocol}/{_POSITIVES}": candidates.positives.astype(np.float64)}


def view(outcome: Outcome, protocol: str, average: str) -> Outcome:
    """An outcome as one protocol and one average see it.

    Args:
        outcome: with the values of `EngagementTask.write`, of both protocols.
        protocol: `"sampled"` or `"full"`.
        average: `"all"` users, one without a positive counting 0, or `"answerable"` ones alone.

    Returns:
        The outcome with metrics by their plain names.
    """
    ranked = outcome.ranked
    if ranked is None:
        return outcome
    values = {
        name.partition("/")[2]: value
        for name, value in ranked.values.items()
        if name.startswith(f"{protocol}/")
    }
    positives = values.pop(_POSITIVES)
    keep = positives > 0 if average == "answerable" else np.ones(len(positives), bool)
    queries = [user for user, kept in zip(ranked.queries, keep, strict=True) if kept]
    seen = Ranked(queries, {name: value[keep] for name, value in values.items()})
    return Outcome(outcome.system, outcome.seed, seen, outcome.seconds)


def _compress(path: pathlib.Path) -> None:
    with (
        path.open("rb") as source,
        atomic_writer(path.with_name(f"{path.name}.gz"), "wb") as target,
        gzip.GzipFile("", "wb", 1, target, mtime=0) as packed,  # level 1: a third, in a second
    ):
        shutil.copyfileobj(source, packed)
    path.unlink()


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
