"""New run folders, and whether one can be resumed."""

import os
import pathlib
import platform
import shutil

from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import atomic_directory, check_new_folder, write_json, write_text
from tfhashtag.runs import states
from tfhashtag.runs.run import Run, library_versions
from tfhashtag.settings import RecommenderSettings, dump_settings, flat
from tfhashtag.tasks import TASKS
from tfhashtag.training.options import TrainingOptions

_LIBRARIES = ("tensorflow", "keras", "keras-hub", "tensorflow-text", "numpy", "pyarrow")


def create_run(
    folder: str | os.PathLike,
    settings: RecommenderSettings,
    data: str | os.PathLike,
    options: TrainingOptions | None = None,
) -> Run:
    """Makes the folder of a new run, with a copy of the corpus and its vectors.

    `run.json` keeps those `options` that the result depends on.

    Raises:
        DataError: `data` is not a corpus folder, or its messages are not encoded.
        ArtifactError: the folder exists already.
    """
    from tfhashtag.recommenders.registry import read_vectors, recommender_class

    folder, data = pathlib.Path(folder), pathlib.Path(data)
    check_can_begin(folder)
    task = recommender_class(settings.model).task
    corpus = read_corpus(data)
    if len(corpus) == 0 or len(corpus.evaluation_users) == 0:
        raise DataError(f"{data}: the corpus has no posts or no users; nothing to train on.")
    tables = read_vectors(data, corpus, settings).tables
    if folder.exists():
        folder.rmdir()
    with atomic_directory(folder) as temporary:
        copy_data(data, tables, temporary / "data")
        write_text(temporary / "config.yaml", dump_settings(settings))
        info = {
            "created": states.now(),
            "corpus": corpus.name,
            "data_digest": corpus.digest,
            "task": task.name if TASKS.get(task.name) is task else "",  # of another package
            "options": (options or TrainingOptions()).of_the_result,
            "python": platform.python_version(),
            "libraries": library_versions(("tfhashtag", *_LIBRARIES)),
        }
        write_json(temporary / "run.json", info)
        (temporary / "checkpoints").mkdir()
    return Run.open(folder)


def check_can_begin(folder: pathlib.Path) -> None:
    """Refuses to begin a run where something is.

    Raises:
        ArtifactError: the folder has content, or is none.
    """
    check_new_folder(folder, mend="or go on with a run by `--resume`")


def has_content(folder: pathlib.Path) -> bool:
    """Whether it is a folder, and not an empty one."""
    return folder.is_dir() and any(folder.iterdir())


def check_same_settings(run: Run, settings: RecommenderSettings) -> None:
    """Refuses to resume a run under another configuration.

    Raises:
        ConfigError: a key differs; the message names the first one.
    """
    ours, theirs = flat(run.settings.model_dump()), flat(settings.model_dump())
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise ConfigError(
                f"{run.folder}: `{key}` is {ours.get(key)!r} in the run, {theirs.get(key)!r} was "
                "given. Resume with the run's own settings, or train into another folder."
            )


def check_same_data(run: Run, data: str | os.PathLike) -> None:
    """Refuses to resume a run with another corpus than it was started with.

    Raises:
        ConfigError: the corpus is another.
    """
    # After an update the run's own corpus is another than that of its training.
    if not run.state and read_corpus(data).digest != run.info["data_digest"]:
        raise ConfigError(
            f"{run.folder}: was started with another corpus than {data} is now. Leave `--data` out "
            "to go on with the run's own copy, or train into another folder."
        )


def check_same_options(run: Run, options: TrainingOptions) -> None:
    """Refuses to resume a run in another way than it was started, which gives another result.

    Raises:
        ConfigError: an option differs; the message names the first one.
    """
    given = options.of_the_result
    for name, value in run.info.get("options", given).items():
        if given[name] != value:
            same = f"the same `--{name.replace('_', '-')}`" if name != "workers" else "as many"
            raise ConfigError(
                f"{run.folder}: was started with `{name}` {value}, now it is {given[name]}. Resume "
                f"with {same}, or train into another folder."
            )


def copy_data(data: pathlib.Path, tables: list[pathlib.Path], target: pathlib.Path) -> None:
    """The files of a corpus folder and those of its tables that lie inside."""
    target.mkdir()
    for entry in data.iterdir():
        if entry.is_file() and not entry.name.startswith("."):
            shutil.copy2(entry, target / entry.name)
    root = data.resolve()  # a memory-mapped table knows its file's name without links
    for table in (path.resolve() for path in tables):
        if table == root or not table.is_relative_to(root):
            continue
        # Unlike `shutil.copytree` this ends with the first error, as it stands.
        for path in sorted(file for file in table.rglob("*") if file.is_file()):
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
