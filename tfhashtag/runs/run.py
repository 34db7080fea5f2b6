"""The run folder: everything that evaluating, recommending and exporting a trained model needs."""

import datetime
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
from typing import TYPE_CHECKING, Any

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import atomic_directory, atomic_writer, write_json
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.settings import RecommenderSettings, dump_settings
from tfhashtag.training.options import TrainingOptions

if TYPE_CHECKING:
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus
    from tfhashtag.recommenders.base import Recommender

_LIBRARIES = ("tensorflow", "keras", "keras-hub", "tensorflow-text", "numpy", "pyarrow")


class Run:
    """A folder with the resolved configuration, the data, the weights and the logs of one training.

    ```
    RUN/
      config.yaml          resolved configuration
      run.json             library versions, machine, digest of the data, times
      data/                the corpus and its message vectors, a corpus folder by itself
      checkpoints/         the state to resume from
      weights/             the trained model; its presence says that the training is complete
      training.jsonl       one line an epoch
      tensorboard/         the same for TensorBoard
      metrics.json, run.trec, qrels.trec    of the last `eval`
    ```

    Args:
        folder: the run folder; use `Run.create` or `Run.open`.
    """

    def __init__(
        self, folder: str | os.PathLike, settings: RecommenderSettings, info: dict[str, Any]
    ):
        self.folder = pathlib.Path(folder)
        self.settings = settings
        self.info = info
        self._corpus: Corpus | None = None

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike,
        settings: RecommenderSettings,
        data: str | os.PathLike,
        options: TrainingOptions | None = None,
    ) -> "Run":
        """Makes the folder of a new run, with a copy of the corpus and its message vectors.

        `run.json` keeps those `options` that the result depends on.

        Raises:
            DataError: `data` is not a corpus folder, or its messages are not encoded.
            ArtifactError: the folder exists already.
        """
        from tfhashtag.corpus.store import read_corpus
        from tfhashtag.encoders.encoded_corpus import EncodedCorpus

        folder = pathlib.Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ArtifactError(f"{folder}: is a file; `--out` takes the folder of the run.")
        if folder.exists() and any(folder.iterdir()):
            raise ArtifactError(
                f"{folder}: exists already. Give another `--out`, or `--resume` to go on with it."
            )
        corpus = read_corpus(data)
        if len(corpus) == 0 or len(corpus.evaluation_users) == 0:
            raise DataError(f"{data}: the corpus has no posts or no users; nothing to train on.")
        tables = EncodedCorpus.read(data, corpus, **settings.encoders).tables
        if folder.exists():
            folder.rmdir()
        with atomic_directory(folder) as temporary:
            target = temporary / "data"
            target.mkdir()
            for entry in pathlib.Path(data).iterdir():
                if entry.is_file() and not entry.name.startswith("."):
                    shutil.copy2(entry, target / entry.name)
            root = pathlib.Path(data).absolute()
            for table in (path.absolute() for path in tables):
                if table != root and table.is_relative_to(root):
                    _copy_files(table, target / table.relative_to(root))
            with atomic_writer(temporary / "config.yaml") as file:
                file.write(dump_settings(settings))
            info = {
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "corpus": corpus.name,
                "data_digest": corpus.digest,
                "options": (options or TrainingOptions()).of_the_result,
                "python": platform.python_version(),
                "libraries": {name: _version(name) for name in ("tfhashtag", *_LIBRARIES)},
            }
            write_json(temporary / "run.json", info)
            (temporary / "checkpoints").mkdir()
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "Run":
        """Opens a run folder.

        Raises:
            ArtifactError: it is not a run folder, or one of its files is missing or damaged.
        """
        folder = pathlib.Path(folder)
        if not folder.is_dir():
            raise ArtifactError(f"{folder}: no such run folder. Make one with `tfhashtag train`.")
        for name in ("config.yaml", "run.json", "data/corpus.json"):
            if not (folder / name).is_file():
                raise ArtifactError(
                    f"{folder}: `{name}` is missing; not a complete run folder. "
                    "Copy it from where the run was made, or train again."
                )
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
        return cls(folder, settings, info)

    @property
    def config(self) -> RecommenderSettings:
        """The resolved configuration."""
        return self.settings

    @property
    def corpus(self) -> Corpus:
        """The corpus that the run was trained on, read on first use.

        Raises:
            ArtifactError: the corpus in the folder is not the one that the run was trained on.
        """
        if self._corpus is None:
            from tfhashtag.corpus.store import read_corpus

            corpus = read_corpus(self.folder / "data")
            if corpus.digest != self.info["data_digest"]:
                raise ArtifactError(
                    f"{self.folder / 'data'}: the corpus was changed; its digest is "
                    f"{corpus.digest[:12]}, the run was trained on {self.info['data_digest'][:12]}."
                )
            self._corpus = corpus
        return self._corpus

    @functools.cached_property
    def data(self) -> "EncodedCorpus":
        """The corpus with the vectors that the run was trained on."""
        from tfhashtag.encoders.encoded_corpus import EncodedCorpus

        return EncodedCorpus.read(self.folder / "data", self.corpus, **self.settings.encoders)

    @property
    def weights(self) -> pathlib.Path:
        """Folder of the trained model's files."""
        return self.folder / "weights"

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

    def load_recommender(self) -> Any:
        """The trained model, ready to score.

        Raises:
            ArtifactError: the training is not complete, or a file is missing or damaged.
        """
        if not self.complete:
            raise ArtifactError(
                f"{self.folder}: the training is not complete. Go on with "
                f"`tfhashtag train {self.folder / 'config.yaml'} --out {self.folder} --resume`."
            )
        kind = recommender_class(self.settings.model)
        return kind.load(self.weights, self.settings, self.data)

    def new_recommender(self, options: TrainingOptions | None = None) -> "Recommender":
        """The recommender of the run's settings, which has not learned anything.

        Args:
            options: how training will run.
        """
        return recommender_class(self.settings.model)(self.settings, options)


def check_same_settings(run: Run, settings: RecommenderSettings) -> None:
    """Refuses to resume a run under another configuration.

    Raises:
        ConfigError: a key differs; the message names the first one.
    """
    from tfhashtag.errors import ConfigError

    ours, theirs = _flat(run.settings.model_dump()), _flat(settings.model_dump())
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise ConfigError(
                f"{run.folder}: `{key}` is {ours.get(key)!r} in the run, {theirs.get(key)!r} was "
                "given. Resume with the run's own settings, or train into another folder."
            )


def check_same_options(run: Run, options: TrainingOptions) -> None:
    """Refuses to resume a run in another way than it was started, which gives another result.

    Raises:
        ConfigError: an option differs; the message names the first one.
    """
    from tfhashtag.errors import ConfigError

    given = options.of_the_result
    for name, value in run.info.get("options", given).items():
        if given[name] != value:
            raise ConfigError(
                f"{run.folder}: was started with `{name}` {value}, now it is {given[name]}. Resume "
                f"with the same `--{name.replace('_', '-')}`, or train into another folder."
            )


def _copy_files(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a folder; unlike `shutil.copytree` it ends with the first error, as it stands."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


def _flat(values: dict, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        from tfhashtag import __version__

        return __version__ if name == "tfhashtag" else "not installed"
