"""The systems of Tables 2 and 3 of the engagement paper (EMNLP 2021), and our own model."""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.engagement_task import EngagementTask
from tfhashtag.comparison.names import chosen_names
from tfhashtag.comparison.outcome import flat
from tfhashtag.comparison.own_process import run_module
from tfhashtag.comparison.run_data import complete_runs, tidy
from tfhashtag.comparison.system import Ranked, System
from tfhashtag.errors import ConfigError
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.settings import RecommenderSettings, dump_settings
from tfhashtag.tasks.users.episode import PROTOCOLS

REFERENCE = "FULL MODEL"
ATTENTIVE = "LSTM-ATT"
RECOMMENDED = "RECOMMENDED"

_TIES = "nothing is drawn but the order of equal scores"


@dataclasses.dataclass(frozen=True)
class Described:
    """A system by its configuration.

    Attributes:
        config: name of the shipped configuration, also of its folder.
        about: one line for people.
        drawn: what differs from seed to seed.
        published: the paper's figures under `sampled`, average `all`.
    """

    config: str
    about: str
    drawn: str
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)


def _paper(map_: float, p5: float, ndcg5: float) -> dict[str, float]:
    return {"MAP": map_, "P@5": p5, "nDCG@5": ndcg5}


_FEATURES = "trees, imitated futures"
_WEIGHTS = "weights, examples, dropout"

# In the order of rows; the paper's figures are those of its Tables 2 and 3.
SYSTEMS: dict[str, Described] = {
    "RANDOM": Described("random", "by lot", "scores", _paper(0.0741, 0.0200, 0.0467)),
    "POPULAR": Described("popular", "train posts", _TIES, _paper(0.0814, 0.0233, 0.0564)),
    "POPULAR (contexts)": Described("popular_contexts", "context messages", _TIES),
    "BERT-SIM": Described(
        "bert_sim",
        "cosine of the mean history and the mean context",
        _TIES,
        _paper(0.2264, 0.0800, 0.2251),
    ),
    "LDA": Described(
        "lda", "LDA features, LambdaMART", f"topics, {_FEATURES}", _paper(0.1107, 0.0360, 0.0882)
    ),
    "TF-IDF": Described(
        "tfidf", "TF-IDF features, LambdaMART", _FEATURES, _paper(0.1555, 0.0560, 0.1424)
    ),
    "CF": Described(
        "cf",
        "collaborative filtering on train taggings",
        "starting factors",
        _paper(0.1085, 0.0424, 0.1009),
    ),
    "MLP": Described("mlp", "mean history, mean context", _WEIGHTS, _paper(0.2624, 0.0994, 0.2677)),
    "LSTM": Described("lstm", "Bi-LSTM over the history", _WEIGHTS, _paper(0.2659, 0.1004, 0.2763)),
    "LSTM-ATT": Described(
        "lstm_att",
        "attention over the history (Zeng et al. 2020)",
        _WEIGHTS,
        _paper(0.2765, 0.1043, 0.2873),
    ),
    "+ TOPICS": Described(
        "topics",
        "LSTM-ATT with the topic vector, no personalised attention",
        _WEIGHTS,
        _paper(0.2912, 0.1063, 0.2993),
    ),
    "W/O JOINT": Described(
        "without_joint",
        "the full model, topics frozen after their own training",
        _WEIGHTS,
        _paper(0.2947, 0.1092, 0.3067),
    ),
    REFERENCE: Described(
        "full", "personalised topic attention", _WEIGHTS, _paper(0.3114, 0.1148, 0.3257)
    ),
    RECOMMENDED: Described(
        "engagement", "ours: who writes of a hashtag, and of what", "weights, imitated futures"
    ),
}
NAMES = tuple(SYSTEMS)
FOOTNOTE = (
    f"{', '.join(name for name, found in SYSTEMS.items() if found.drawn == _TIES)}: nothing is "
    "drawn but the order of equal scores, their deviation is of that alone"
)
ALIASES = {found.config: name for name, found in SYSTEMS.items()}
PUBLISHED = {name: found.published for name, found in SYSTEMS.items() if found.published}
_ABLATIONS = ("+ TOPICS", "W/O JOINT")
TABLES = (
    ("table2", "Table 2", tuple(name for name in NAMES if name not in _ABLATIONS)),
    ("table3", "Table 3", (ATTENTIVE, *_ABLATIONS, REFERENCE)),
)

# The same for all, so that they are asked the same and are given the same.
SHARED = ("text_encoder", "data.minimum_contexts")
# What tells systems apart: never set for all of them.
SWITCHES = ("model", "score_by", "data.features", "network.user", "network.attention")
# Where a system is without such a part, a value for all leaves it without.
PARTS = (
    "network.topics",
    "training.epochs.topics",
    "training.epochs.warmup",
    "training.epochs.joint",
)


def chosen(asked: Iterable[str] | None) -> list[str]:
    """Names as they stand in `NAMES`, in that order; names of configurations will do.

    Example:

    >>> chosen(["without_joint", "bert-sim"])
    ['BERT-SIM', 'W/O JOINT']
    """
    names = chosen_names(asked, NAMES, ALIASES)
    return [name for name in NAMES if name in names]


class EngagementSettingsOf:
    """The settings of every system.

    Args:
        names: of the systems.
        overrides: `key=value` for all systems that have the key, `SYSTEM:key=value` for one.

    Raises:
        ConfigError: an unknown key or system, a switch set for all, or a protocol that is not the
            same for all.
    """

    def __init__(self, names: Sequence[str], overrides: Iterable[str] = ()):
        base = {name: flat(load_settings(SYSTEMS[name].config).model_dump()) for name in NAMES}
        common, own = self._parted(overrides, base)
        self._of: dict[str, RecommenderSettings] = {}
        for name in names:
            fitting = [
                override
                for key, override in common
                if key in base[name] and not (key in PARTS and not base[name][key])
            ]
            settings = load_settings(SYSTEMS[name].config, [*fitting, *own.get(name, [])])
            if isinstance(settings, PostSettings):
                raise ConfigError(f"{name}: `model` is {settings.model!r}, a model of posts.")
            self._of[name] = settings
        first = self._of[names[0]]
        for name, settings in self._of.items():
            for key in SHARED:
                ours, theirs = flat(settings.model_dump())[key], flat(first.model_dump())[key]
                if ours != theirs:
                    raise ConfigError(
                        f"`{key}` is {ours!r} of {name} and {theirs!r} of {names[0]}; it must be "
                        f"the same for all: `--set {key}=...`."
                    )
        self.text_encoder: str = first.text_encoder
        self.minimum_contexts: int = flat(first.model_dump())["data.minimum_contexts"]
        self.seed: int = first.seed

    def __getitem__(self, name: str) -> RecommenderSettings:
        """The settings of a system."""
        return self._of[name]

    @staticmethod
    def _parted(overrides, base) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
        common: list[tuple[str, str]] = []
        own: dict[str, list[str]] = {}
        for override in overrides:
            head, equals, _ = override.partition("=")
            system, colon, key = head.partition(":")
            key = (key if colon else head).strip()
            if not equals:
                raise ConfigError(f"--set {override}: expected [SYSTEM:]KEY=VALUE.")
            if colon and key in (*SHARED, "seed"):
                raise ConfigError(
                    f"--set {override}: `{key}` is the same for all systems; set it without "
                    f"`{system}:`."
                )
            if colon:
                name = chosen_names([system], NAMES, ALIASES)[0]
                own.setdefault(name, []).append(override[len(system) + 1 :])
                continue
            if key in SWITCHES:
                raise ConfigError(
                    f"--set {override}: `{key}` is what tells systems apart; set it of one, "
                    f"`SYSTEM:{override}`."
                )
            if not any(key in keys for keys in base.values()):
                load_settings("engagement", [override])  # tells the nearest right key
                raise ConfigError(f"--set {override}: no system has `{key}`.")
            common.append((key, override))
        return common, own


class TrainedEngagement:
    """Trains, goes on with what was interrupted, and ranks, each time in a process of its own.

    Graphs, tables and optimisers of one system after the other would pile up in one process: no
    library gives all of it back. A process does, and one that is killed takes no other with it.

    Args:
        task: users and lists.
        name: of the system.
        settings: of the model; the seed is set anew for each run.
        qrels: folder that `EngagementTask.write_qrels` filled.
        cases: seed with which the pairs of Figure 6 are explained; None: not this system.
        note: called with a line about what is going on.
        apart: whether in processes of their own; else all in this one.
    """

    def __init__(
        self,
        task: EngagementTask,
        name: str,
        settings: RecommenderSettings,
        qrels: pathlib.Path,
        cases: int | None,
        note: Callable[[str], None],
        apart: bool = True,
    ):
        self.apart = apart
        self.task = task
        self.name = name
        self.settings = settings
        self.qrels = qrels
        self.cases = cases
        self.note = note

    def rank(self, seed: int, folder: pathlib.Path) -> Ranked:
        """Trains in `folder/training` and ranks the lists of both protocols."""
        with atomic_writer(folder / "settings.yaml") as file:
            file.write(dump_settings(self.settings.model_copy(update={"seed": seed})))
        job = {
            "data": str(self.task.data.absolute()),
            "folder": str(folder.absolute()),
            "minimum_contexts": self.task.minimum_contexts,
            "cases": seed == self.cases,
        }
        if self.apart:
            watch = functools.partial(_tell, self.note, folder / "training" / "training.jsonl")
            run_module("tfhashtag.comparison.engagement_job", job, folder, watch)
        else:
            _here(job)
        self.note("measuring")
        started = time.monotonic()
        values: dict[str, np.ndarray] = {}
        for protocol in PROTOCOLS:
            scores = np.load(folder / f"scores-{protocol}.npy")
            values |= self.task.write(folder, protocol, scores, seed, self.qrels)
        (folder / "scores-full.npy").unlink()  # the run has them, and no figure asks for them
        tidy(folder / "training", complete_runs(folder.parent.parent))
        _add_timing(folder, "measure", time.monotonic() - started)
        return Ranked(self.task.users, values)


def engagement_systems(
    names: Sequence[str],
    settings: EngagementSettingsOf,
    task: EngagementTask,
    qrels: pathlib.Path,
    first_seed: int,
    note: Callable[[str], None] = lambda line: None,
    apart: bool = True,
) -> list[System]:
    """The systems of those names over the task.

    Args:
        names: out of `NAMES`.
        settings: of each.
        task: users and lists.
        qrels: folder that `EngagementTask.write_qrels` filled.
        first_seed: the one whose reference is explained in Figure 6.
        note: called with a line about what is going on.
        apart: see `TrainedEngagement`.
    """
    systems = []
    for name in names:
        described = SYSTEMS[name]
        plain = settings[name].model_copy(update={"seed": 0}).model_dump()
        cases = first_seed if name == REFERENCE else None
        trained = TrainedEngagement(task, name, settings[name], qrels, cases, note, apart)
        systems.append(
            System(
                name,
                described.about,
                trained.rank,
                {"data": task.corpus.digest, "settings": plain},
                folder=described.config,
            )
        )
    return systems


def folder_of(runs: pathlib.Path, name: str, seed: int) -> pathlib.Path:
    """Folder of the results of a system with a seed."""
    return runs / SYSTEMS[name].config / f"seed-{seed}"


def _here(job: dict[str, Any]) -> None:
    import gc

    import keras

    from tfhashtag.comparison.engagement_job import train_and_rank

    # Variables are named by what the process made before; a checkpoint must not know that.
    keras.backend.clear_session()
    gc.collect()
    train_and_rank(job)


def _tell(note: Callable[[str], None], log: pathlib.Path) -> None:
    note(_newest(log))


def _newest(log: pathlib.Path) -> str:
    """The last line of a training's log, for people."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        record = json.loads(lines[-1])
    except (OSError, ValueError, IndexError):  # not there yet, or a line half written
        return ""
    if "epoch" not in record:
        return "ranking"
    text = f"{record.get('phase', 'epoch')} {record['epoch'] + 1}"
    if isinstance(record.get("valid_MAP"), float):
        text += f", valid MAP {record['valid_MAP']:.4f}"
    return text


def _add_timing(folder: pathlib.Path, name: str, seconds: float) -> None:
    path = folder / "timing.json"
    timing = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**timing, name: round(seconds, 2)})
