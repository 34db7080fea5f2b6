"""Training as one call: from a configuration and an encoded corpus to a complete run folder."""

import contextlib
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence

from tfhashtag.errors import ArtifactError, TfHashtagError
from tfhashtag.files import atomic_directory, exclusive_lock
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.runs.answers import can_answer
from tfhashtag.runs.answers import keep_answers as build_answers
from tfhashtag.runs.create import check_same_options, check_same_settings, create_run
from tfhashtag.runs.run import Run
from tfhashtag.settings import RecommenderSettings
from tfhashtag.tracking.told import RunTracking
from tfhashtag.tracking.tracker import Tracker, trackers_of
from tfhashtag.training.options import TrainingOptions


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

    Args:
        config: name of a shipped configuration, path of a YAML file, or settings.
        data: corpus folder, encoded with the configuration's text encoder; not needed to resume.
        out: run folder; must not exist unless `resume`. A start that fails before it learned
            anything leaves no folder.
        overrides: `"dotted.key=value"` strings.
        resume: go on with the run in `out`; a complete run is left as it is.
        options: how to run; see `TrainingOptions`.
        keep_answers: also build what answers `recommend`, where the model can, so that the first
            question does not wait for it.
        track: places that the training is told to, as `tfhashtag.tracking.tracker.trackers_of`
            takes them.

    Raises:
        ConfigError, DataError, ArtifactError: with the file, the key and what to do.
    """
    options = options or TrainingOptions()
    settings = config
    if not isinstance(settings, RecommenderSettings):
        settings = load_settings(settings, overrides)
    out, trackers = pathlib.Path(out), trackers_of(track)
    if resume and out.is_dir() and any(out.iterdir()):
        run = Run.open(out)
        check_same_settings(run, settings)
        if not run.complete:
            check_same_options(run, options)
            with _alone(out):
                run = Run.open(out)  # another process may have come to its end meanwhile
                if not run.complete:
                    return _fit(run, options, keep_answers, trackers)
        RunTracking(trackers, run).finish(can_answer(run.settings))
        return run
    if data is None:
        raise ArtifactError(f"{out}: nothing to resume there, and no `--data` to start from.")
    run = create_run(out, settings, data, options)
    try:
        with _alone(out):
            return _fit(run, options, keep_answers, trackers)
    except TfHashtagError:
        if not run.log_file.exists():  # nothing was learned: what is mended can start anew
            shutil.rmtree(run.folder)
        raise


def _alone(folder: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    return exclusive_lock(folder, f"{folder}: another training is at work there; wait for its end.")


def _fit(run: Run, options: TrainingOptions, answers: bool, trackers: Sequence[Tracker]) -> Run:
    """Trains the run from where it stands to its end."""
    # Not before: mistakes in settings and data are told at once.
    import keras
    import tensorflow as tf

    from tfhashtag.training.monitor import TrainingMonitor, interruption

    keras.utils.set_random_seed(run.settings.seed)
    tf.config.experimental.enable_op_determinism()
    started = time.monotonic()
    recommender = run.new_recommender(options)
    tracking = RunTracking(trackers, run)
    monitor = TrainingMonitor(run.folder, options.progress, tracking.watch)
    try:
        with tracking.told_when_stopped(), interruption.awaited():
            recommender.fit(run.data, monitor)
    except KeyboardInterrupt:
        print(
            f"\n{run.folder}: stopped after the last complete epoch; go on with `--resume`.",
            file=sys.stderr,
        )
        raise
    run.log({"event": "complete", "seconds": round(time.monotonic() - started, 1)})
    with atomic_directory(run.weights) as folder:
        recommender.save(folder)
    if answers and can_answer(run.settings):
        build_answers(run)
    tracking.finish(can_answer(run.settings))
    return run
