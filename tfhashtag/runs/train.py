"""Training as one call: from a configuration and an encoded corpus to a complete run folder."""

import contextlib
import gc
import hashlib
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfhashtag import __version__
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ArtifactError, ConfigError, TfHashtagError, WorkerError
from tfhashtag.files import atomic_directory
from tfhashtag.memory import give_back
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import read_vectors, recommender_class
from tfhashtag.runs.anew import clear
from tfhashtag.runs.answers import can_answer
from tfhashtag.runs.answers import keep_answers as build_answers
from tfhashtag.runs.create import (
    check_same_data,
    check_same_options,
    check_same_settings,
    create_run,
    has_content,
)
from tfhashtag.runs.retraining import begin_queued, queued_since, told_of_training
from tfhashtag.runs.run import Run, how_to_go_on
from tfhashtag.runs.states import alone
from tfhashtag.settings import RecommenderSettings, dump_settings
from tfhashtag.tracking.told import RunTracking
from tfhashtag.tracking.tracker import Tracker, trackers_of
from tfhashtag.training.cluster import Cluster
from tfhashtag.training.options import TrainingOptions

if TYPE_CHECKING:
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus


def train(
    config: str | os.PathLike | RecommenderSettings,
    data: str | os.PathLike | None,
    out: str | os.PathLike,
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    options: TrainingOptions | None = None,
    keep_answers: bool = False,
    track: str | Iterable[str] = (),
) -> Run:
    """Trains and gives back the complete run.

    Two runs with one seed give the same metrics to the last digit on CPU, interrupted or not.

    With the strategy `multi_worker` it is called in every process that `TF_CONFIG` names. The first
    of them, the chief, makes the run; the others read the corpus, compute their share of each
    batch and write nothing, and the run that they give back is that of the chief, if it is to be
    seen from where they are.

    Args:
        config: name of a shipped configuration, path of a YAML file, or settings.
        data: corpus folder, encoded with the configuration's text encoder; not needed to resume,
            where it must be the same.
        out: run folder; must not exist unless `resume`. A start that fails before it learned
            anything leaves no folder.
        overrides: `"dotted.key=value"` strings.
        resume: go on with the run in `out`, or begin the training that `tfhashtag.runs.forget` has
            queued; a complete run without one is left as it is.
        options: how to run; see `TrainingOptions`.
        keep_answers: also build what answers `recommend`, where the model can, so that the first
            question does not wait for it.
        track: places that the training is told to, as `tfhashtag.tracking.tracker.trackers_of`
            takes them.

    Raises:
        ConfigError, DataError, ArtifactError: with the file, the key and what to do.
        WorkerError: a worker did not come, or was lost.
    """
    options = options or TrainingOptions()
    settings = config
    if not isinstance(settings, RecommenderSettings):
        settings = load_settings(settings, overrides)
    out, trackers = pathlib.Path(out), trackers_of(track)
    options.check()
    if options.strategy == "multi_worker":
        _check_can_spread(settings)
        if not Cluster.of_environment().is_chief:
            done = resume and (out / "run.json").is_file() and not told_of_training(Run.open(out))
            return Run.open(out) if done else _follow(settings, data, out, options)
    if resume and has_content(out):
        run = Run.open(out)
        check_same_settings(run, settings)
        if data is not None:
            check_same_data(run, data)
        if told_of_training(run):
            if not run.complete:
                check_same_options(run, options)
            with alone(out):
                run = Run.open(out)  # another process may have come to its end meanwhile
                clear(out.resolve())
                if queued_since(run) is not None:
                    run = begin_queued(run, options)
                if not run.complete:
                    return _fit(run, options, keep_answers, trackers)
        RunTracking(trackers, run).finish(can_answer(run.settings))
        return run
    if data is None:
        raise ArtifactError(f"{out}: nothing to resume there, and no `--data` to start from.")
    run = create_run(out, settings, data, options)
    try:
        with alone(out):
            return _fit(run, options, keep_answers, trackers)
    except TfHashtagError:
        if not run.log_file.exists():  # nothing was learned: what is mended can start anew
            shutil.rmtree(run.folder)
        raise


def _fit(run: Run, options: TrainingOptions, answers: bool, trackers: Sequence[Tracker]) -> Run:
    """Trains the run from where it stands to its end."""
    # Not before: mistakes in settings and data are told at once.
    from tfhashtag.training.interruption import interruption
    from tfhashtag.training.monitor import TrainingMonitor

    workers = options.workers
    started = time.monotonic()
    recommender = recommender_class(run.settings.model).seeded(run.settings, options)
    tracking = RunTracking(trackers, run)
    advice = "Start all workers again, with `--resume`; what its epochs learned is kept."
    lost = contextlib.nullcontext() if workers is None else workers.told_when_lost(advice)
    try:
        with lost, tracking.told_when_stopped(), interruption.awaited():
            if workers is not None:
                workers.agree(_about(run.settings, run.data, options))
            monitor = TrainingMonitor(run.folder, options.progress, tracking.watch, workers)
            recommender.fit(run.data, monitor)
    except KeyboardInterrupt:
        kept = "after the last complete epoch" if run.checkpoint.is_file() else "before any epoch"
        print(f"\n{run.folder}: stopped {kept}. {how_to_go_on(run)}", file=sys.stderr)
        raise
    run.log({"event": "complete", "seconds": round(time.monotonic() - started, 1)})
    with atomic_directory(run.weights) as folder:
        recommender.save(folder)
    del recommender, monitor  # with all that was learned from, before it is read anew
    gc.collect()
    give_back()
    if answers and can_answer(run.settings):
        build_answers(run)
    tracking.finish(can_answer(run.settings))
    if workers is not None:
        try:
            with workers.told_when_lost("The run is complete without it."):
                workers.from_chief()
        except WorkerError as error:  # nothing is missing
            print(error, file=sys.stderr)
    return run


def _follow(
    settings: RecommenderSettings,
    data: str | os.PathLike | None,
    out: pathlib.Path,
    options: TrainingOptions,
) -> Run:
    """Trains along with the chief and writes nothing."""
    place = out / "data" if data is None else pathlib.Path(data)
    if not place.is_dir():
        raise ArtifactError(
            f"{place}: no such corpus folder. A worker that is not the chief needs `--data`, or "
            "the folder of the run within its reach."
        )
    encoded = read_vectors(place, read_corpus(place), settings)
    from tfhashtag.training.interruption import interruption
    from tfhashtag.training.monitor import TrainingMonitor

    workers = options.workers
    assert workers is not None
    with (
        workers.told_when_lost("Start all workers again, with `--resume`."),
        interruption.awaited(),
    ):
        workers.agree(_about(settings, encoded, options))
        recommender = recommender_class(settings.model).seeded(settings, options)
        recommender.fit(encoded, TrainingMonitor(None, options.progress, workers=workers))
        workers.from_chief()  # it has written the run
    return Run(out, settings, {})


def _about(
    settings: RecommenderSettings, data: "EncodedCorpus", options: TrainingOptions
) -> dict[str, str]:
    """In what all workers must be alike."""
    text = dump_settings(settings) + repr(options.of_the_result)
    return {
        "version": __version__,
        "settings": hashlib.sha256(text.encode()).hexdigest(),
        "corpus": data.corpus.digest,
    }


def _check_can_spread(settings: RecommenderSettings) -> None:
    if not recommender_class(settings.model).trains_by_gradients:
        raise ConfigError(
            f"`model` is {settings.model}, which learns in one process; leave out `--strategy`."
        )
