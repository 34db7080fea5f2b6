"""The run folder: everything that evaluating, recommending and exporting a trained model needs."""

import functools
import importlib.metadata
import json
import math
import os
import pathlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfhashtag import __version__
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.corpus.store import source_of
from tfhashtag.corpus.user_hashes import UserHashes
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.export.writer import check_models_dir
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.settings import RecommenderSettings
from tfhashtag.tasks import TASKS
from tfhashtag.tasks.names import check_names

if TYPE_CHECKING:
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus
    from tfhashtag.explain.explanation import Explanation
    from tfhashtag.recommenders.base import Recommender
    from tfhashtag.records import Records
    from tfhashtag.runs.answers import Answers
    from tfhashtag.runs.evaluation import Evaluation
    from tfhashtag.runs.reach_report import ReachReport
    from tfhashtag.runs.status import Status
    from tfhashtag.runs.update import UpdateReport
    from tfhashtag.tasks.base import Task
    from tfhashtag.training.options import TrainingOptions

FILES = ("config.yaml", "run.json")


class Run:
    """A folder with the resolved configuration, the data, the weights and the logs of one training.

    What is read stays: the first question loads the model, the next is answered in milliseconds.

    ```
    RUN/
      config.yaml          resolved configuration
      run.json             library versions, machine, digest of the data, times
      data/                the corpus and its vectors, a corpus folder by itself
      checkpoints/         the state to resume from
      weights/             the trained model; its presence says that the training is complete
      servable/            what answers `recommend`: one signature of the export
      states/N/            data/, weights/ and servable/ after the N-th update
      updates.jsonl        what came in when, and how well the model ranked it before it came in
      hashtag_reach.json   what hashtags add to reach, once it was asked for; of an update beside
                           its data/
      reach.json           of the last `reach`
      training.jsonl       one line an epoch
      tensorboard/         the same for TensorBoard
      metrics.json, run.trec, qrels.trec    of the last `eval`
    ```

    Args:
        folder: the run folder; use `Run.open` or `tfhashtag.train`.
        settings: the resolved configuration.
        info: the content of `run.json`.
        hashes: of users, where the import hashed them: then questions name them as they are called.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        settings: RecommenderSettings,
        info: dict[str, Any],
        hashes: UserHashes | None = None,
    ) -> None:
        self.hashes = hashes
        self.folder = pathlib.Path(folder)
        self.settings = settings
        self.info = info

    @classmethod
    def open(cls, folder: str | os.PathLike, hash_users: str | os.PathLike | None = None) -> "Run":
        """Opens a run folder.

        Args:
            folder: of the run.
            hash_users: file of the key by which the import hashed the users, see `UserHashes`.

        Raises:
            ConfigError: the key is another one.
            ArtifactError: it is not a run folder, or one of its files is missing or damaged.
        """
        folder = pathlib.Path(folder)
        _check_folder(folder)
        settings = load_settings(folder / "config.yaml")
        try:
            info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtifactError(f"{folder / 'run.json'}: not readable as JSON: {error}.") from error
        if not isinstance(info, dict) or "data_digest" not in info:
            raise ArtifactError(
                f"{folder / 'run.json'}: no `data_digest`; not what a training writes. Copy it "
                "from where the run was made, or train again."
            )
        _check_version(folder, info)
        run = cls(folder, settings, info, None if hash_users is None else UserHashes(hash_users))
        if not (run.place / "data" / "corpus.json").is_file():
            raise ArtifactError(
                f"{run.place}: `data/corpus.json` is missing; not a complete run folder. "
                "Copy it from where the run was made, or train again."
            )
        if run.hashes is not None:
            run.hashes.check(source_of(run.place / "data").get("hashed_users"), str(folder))
        return run

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, model={self.settings.model!r})"

    # What it can be asked

    def evaluate(self, **options: Any) -> "Evaluation":
        """Metrics of a split, as a table; arguments and errors of `evaluate_run`.

        Writes metrics.json, run.trec and qrels.trec.
        """
        from tfhashtag.runs.evaluation import evaluate_run

        return evaluate_run(self, **options)

    def retrieval(self, **options: Any) -> "Records":
        """How much of the truth each candidate source names, as a table.

        Arguments and errors of `evaluate_retrieval`. Writes retrieval.json.
        """
        from tfhashtag.runs.evaluation import evaluate_retrieval

        return evaluate_retrieval(self, **options)

    def recommend(
        self,
        *,
        user: str | None = None,
        history: Sequence[str] | None = None,
        text: str | None = None,
        image: str | os.PathLike | bytes | Sequence[str | os.PathLike | bytes] | None = None,
        users: Iterable[str] | None = None,
        queries: Any = None,
        k: int = 10,
        new_only: bool = False,
        reach: float = 0.0,
    ) -> "Records":
        """The best hashtags, best first, as a table: `rank`, `hashtag`, `score`.

        Args:
            user: of the corpus; of posts: who posts, None for somebody new.
            history: of users: messages, oldest first, that may carry their `#hashtags`.
            text: of posts: the post's text, without its hashtags.
            image: of posts: the picture or clip, a file or its bytes, or a list of them.
            users: several users of the corpus.
            queries: several at once: a list of dicts with these fields, or a pandas or Arrow table
                with them as columns.
            k: how many of each, at least 1.
            new_only: of users: leave out the hashtags that the history holds, of a user of the
                corpus those of all their posts.
            reach: weight of expected reach against fit, from 0, fit alone, to 1, see
                `tfhashtag.reach.blend`; then rows have `fit`, the probability that the hashtag is
                right, and `reach`, times the author's usual, and `score` is their blend.

        Raises:
            ConfigError, DataError: what does not go together, what the task does not know, somebody
                unknown, a picture that cannot be decoded.
            ArtifactError: the training is not complete.
        """
        from tfhashtag.runs.recommendation import recommend

        fields = {"user": user, "history": history, "text": text, "image": image}
        return recommend(self, _asked(fields, users, queries, new_only), k, reach)

    def explain(
        self,
        user: str | None = None,
        hashtag: str | None = None,
        *,
        post: str | None = None,
        split: str = "now",
        **options: Any,
    ) -> "Explanation":
        """What the model looked at, and what carried its scores; shows itself in a notebook.

        Args:
            user: of users: a user of the corpus.
            hashtag: of users: the hashtag that is explained for the user.
            post: of posts: id of a post of the corpus.
            split: of users: the moment, `now` as in `recommend`, or that of the evaluation of
                `valid` or `test`.
            options: what the recommender's `explain` takes besides.

        Raises:
            ConfigError: the query is not one of the run's task, or its model does not explain.
            DataError: an unknown user, hashtag or post.
        """
        if user is not None and self.hashes is not None:
            user = self.hashes.of_user(user)
        query = _explained(self, user, post)
        self.check_complete()
        # A wrong name is told before a model is loaded.
        check_names(self.corpus, {self.task.query: query, "hashtag": hashtag})
        return self.recommender.explain(query, hashtag, split=split, **options)

    def export(
        self,
        out: str | os.PathLike,
        *,
        k: int = 50,
        check: bool = True,
        warm_up: str = "all",
        target: str | None = None,
        step: Callable[[str], None] = lambda what: None,
    ) -> pathlib.Path:
        """Writes a SavedModel as the next version folder under `out`, whole or not at all.

        It holds no name of a user and no text of a post; that is looked at. `exports.jsonl` of the
        run keeps where it lies.

        Args:
            out: the model's folder; versions are its numbered subfolders.
            k: hashtags in an answer of `serving_default`.
            check: load and ask it in a bare process, with the ops of TensorFlow Serving alone.
            warm_up: `all` or `batchable`, see `export_saved_model`.
            target: version of the stock server that it shall run on, such as `2.19`.
            step: called with what is being done, for people who wait.

        Raises:
            ConfigError: the recommender ranks evaluations alone, or the target is not known.
            ArtifactError: an incomplete run, or an export that holds names, or fails its check.
        """
        check_models_dir(out)
        self.check_complete()
        self.settings.check_answers()
        from tfhashtag.export.saved_model import export_saved_model
        from tfhashtag.runs.copies import note_export, note_place
        from tfhashtag.runs.model_card import about, personal_of

        note_place(self, out)
        how: dict[str, Any] = {"warm_up": warm_up, "check": check, "target": target}
        step(f"loading the model of {self.folder}")
        recommender = self.recommender
        step("building what answers requests")
        return export_saved_model(
            recommender.servable(k),
            about(self),
            out,
            **how,
            personal=personal_of(self.corpus),
            placing=lambda written, version: note_export(self, version, {"k": k, **how}, written),
            step=step,
        )

    def update(self, posts: Any, **options: Any) -> "UpdateReport":
        """Takes new posts in without training; the weights stay. Arguments of `update_run`."""
        from tfhashtag.runs.update import update_run

        return update_run(self, posts, **options)

    def rollback(self, to: int) -> None:
        """Goes back to how it was after the update `to`, 0 for as it was trained.

        Raises:
            ConfigError: there is no such state, or it is not kept any more.
        """
        from tfhashtag.runs.update import rollback_run

        rollback_run(self, to)

    def status(self) -> "Status":
        """What came in when, how well it was ranked before, and whether training would pay."""
        from tfhashtag.runs.status import status_of

        return status_of(self)

    def trending(self, user: str | None = None, **options: Any) -> "Records":
        """Hashtags that rise, with the evidence; arguments of `tfhashtag.runs.trending`."""
        from tfhashtag.runs.trending import trending

        return trending(self, user, **options)

    def reach(self, **options: Any) -> "ReachReport":
        """Fit against reach over weights; writes reach.json. Arguments of `reach_report`."""
        from tfhashtag.runs.reach_report import reach_report

        return reach_report(self, **options)

    def refresh(self) -> None:
        """Reads `run.json` again and forgets what was read of the data."""
        self.info = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        for name in ("corpus", "data", "recommender", "answers", "named"):
            self.__dict__.pop(name, None)

    # What it holds

    @property
    def task(self) -> "Task":
        """Users or posts."""
        # Written at the start of training: who only asks needs no class of the recommender.
        named = TASKS.get(self.info.get("task", ""))
        return named or recommender_class(self.settings.model).task

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus that the run was trained on, with what came in by updates.

        Raises:
            ArtifactError: the corpus in the folder is not the one that the run was trained on.
        """
        from tfhashtag.corpus.store import read_corpus

        corpus = read_corpus(self.place / "data")
        if corpus.digest != self.info["data_digest"]:
            raise ArtifactError(
                f"{self.place / 'data'}: the corpus was changed; its digest is "
                f"{corpus.digest[:12]}, the run was trained on {self.info['data_digest'][:12]}."
            )
        return corpus

    @functools.cached_property
    def named(self) -> NamedUsers | None:
        """Of the users, where they are hashed and the key is given: what puts hashes for names."""
        given = self.hashes
        return None if given is None else NamedUsers(given, (), frozenset(self.corpus.users))

    @functools.cached_property
    def data(self) -> "EncodedCorpus":
        """The corpus with the vectors that the run was trained on."""
        from tfhashtag.recommenders.registry import read_vectors

        return read_vectors(self.place / "data", self.corpus, self.settings)

    @functools.cached_property
    def recommender(self) -> "Recommender":
        """The trained model.

        Raises:
            ArtifactError: the training is not complete, or a file is missing or damaged.
        """
        self.check_complete()
        kind = recommender_class(self.settings.model)
        return kind.load(self.weights, self.settings, self.data)

    @functools.cached_property
    def answers(self) -> "Answers":
        """What answers questions from outside: kept in the run, or built and kept now.

        Raises:
            ConfigError: the recommender ranks the lists of evaluations alone.
            ArtifactError: the training is not complete.
        """
        from tfhashtag.runs.answers import answers_of

        self.check_complete()
        return answers_of(self)

    def new_recommender(self, options: "TrainingOptions | None" = None) -> "Recommender":
        """The recommender of the run's settings, which has not learned anything.

        Args:
            options: how training will run.
        """
        return recommender_class(self.settings.model)(self.settings, options)

    # Its files

    def check_complete(self) -> None:
        """Nothing where the training has ended.

        Raises:
            ArtifactError: it has not.
        """
        if not self.complete:
            raise ArtifactError(
                f"{self.folder}: the training is not complete. {how_to_go_on(self)}"
            )

    @property
    def state(self) -> int:
        """The number of the update that it stands at; 0 as it was trained."""
        return int(self.info.get("updates", {}).get("state", 0))

    @property
    def place(self) -> pathlib.Path:
        """Folder of `data/`, `weights/` and `servable/` as they are now."""
        return self.folder / "states" / str(self.state) if self.state else self.folder

    @property
    def weights(self) -> pathlib.Path:
        """Folder of the trained model's files."""
        return self.place / "weights"

    @property
    def checkpoint(self) -> pathlib.Path:
        """File with the state to resume from."""
        return self.folder / "checkpoints" / "last.npz"

    @property
    def complete(self) -> bool:
        """Whether the training has ended and the weights are there."""
        return self.weights.is_dir()

    @property
    def log_file(self) -> pathlib.Path:
        """`training.jsonl`; it appears with the end of the first epoch."""
        return self.folder / "training.jsonl"

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line to `training.jsonl`."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def how_to_go_on(run: Run, what: str = "Go on") -> str:
    """The command that goes on with a training that was stopped, or begins one that is queued."""
    words = ["tfhashtag", "train", run.folder / "config.yaml", "--out", run.folder]
    return f"{what} with `{shlex.join(map(str, words))} --resume`."


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Name to installed version."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _check_folder(folder: pathlib.Path) -> None:
    """Refuses what is no run folder by what it holds."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such run folder. Make one with `tfhashtag train`.")
    if (folder / "corpus.json").is_file():
        raise ArtifactError(
            f"{folder}: a corpus; expected a run. Make one of it: `tfhashtag train CONFIG "
            f"--data {folder} --out run`."
        )
    for name in FILES:
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{folder}: `{name}` is missing; not a complete run folder. "
                "Copy it from where the run was made, or train again."
            )


def _check_version(folder: pathlib.Path, info: Mapping[str, Any]) -> None:
    """Refuses what a newer version has made, of whose files this one knows nothing."""
    made = str(info.get("libraries", {}).get("tfhashtag", "0"))

    def numbers(version: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", version.split("+", maxsplit=1)[0])[:2]]

    if numbers(made) > numbers(__version__):
        raise ArtifactError(
            f"{folder / 'run.json'}: made by tfhashtag {made}, this is {__version__}. Install "
            f"`tfhashtag>={made}`, or train again."
        )


def _explained(run: Run, user: str | None, post: str | None) -> str:
    """Whom or what a call of `Run.explain` is about."""
    given = {"user": user, "post": post}
    query = given.pop(run.task.query)
    other = next(iter(given))
    if query is None or given[other] is not None:
        raise ConfigError(
            f"{run.folder}: `{run.settings.model}` ranks hashtags for {run.task.name}; give "
            f"`{run.task.query}`, not `{other}`."
        )
    return query


def _asked(
    fields: Mapping[str, Any], users: Iterable[str] | None, queries: Any, new_only: bool
) -> list[Mapping[str, Any]]:
    """The records of a call of `Run.recommend`."""
    ways = {"users": users, "queries": queries, **fields}
    several = [name for name in ("users", "queries") if ways[name] is not None]
    given = [name for name, value in ways.items() if value is not None]
    if several and len(given) > 1:
        raise ConfigError(
            f"`{several[0]}` asks several questions, each with what belongs to it; it does not go "
            f"with {', '.join(f'`{name}`' for name in given if name != several[0])}."
        )
    if queries is not None:
        records = _records(queries)
    elif users is not None:
        records = [{"user": name} for name in users]
    else:
        records = [{name: value for name, value in fields.items() if value is not None}]
    return [{**record, "new_only": True} for record in records] if new_only else records


def _records(queries: Any) -> list[Mapping[str, Any]]:
    """Rows of a list, a pandas or an Arrow table; missing values are left out."""
    if hasattr(queries, "to_pylist"):
        rows = queries.to_pylist()
    elif hasattr(queries, "to_dict"):
        rows = queries.to_dict("records")
    else:
        rows = list(queries)
    return [{name: value for name, value in row.items() if not _is_missing(value)} for row in rows]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))  # as pandas has it
