"""Training as one call: from a configuration and an encoded corpus to a complete run folder."""

import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterable

from tfhashtag.errors import ArtifactError, TfHashtagError
from tfhashtag.files import atomic_directory
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.runs.run import Run, check_same_options, check_same_settings
from tfhashtag.training.options import TrainingOptions


def train(
    config: str | os.PathLike,
    data: str | os.PathLike | None,
    out: str | os.PathLike,
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    options: TrainingOptions | None = None,
) -> Run:
    """Trains and gives back the complete run.

    Two runs with one seed give the same metrics to the last digit on CPU, interrupted or not.

    Args:
        config: name of a shipped configuration or path of a YAML file.
        data: corpus folder, encoded with the configuration's text encoder; not needed to resume.
        out: run folder; must not exist unless `resume`. A start that fails before it learned
            anything leaves no folder.
        overrides: `"dotted.key=value"` strings.
        resume: go on with the run in `out`; a complete run is left as it is.
        options: how to run; see `TrainingOptions`.

    Raises:
        ConfigError, DataError, ArtifactError: with the file, the key and what to do.
    """
    options = options or TrainingOptions()
    settings = load_settings(config, overrides)
    out = pathlib.Path(out)
    if resume and out.is_dir() and any(out.iterdir()):
        run = Run.open(out)
        check_same_settings(run, settings)
        if run.complete:
            return run
        check_same_options(run, options)
        return _fit(run, options)
    if data is None:
        raise ArtifactError(f"{out}: nothing to resume there, and no `--data` to start from.")
    run = Run.create(out, settings, data, options)
    try:
        return _fit(run, options)
    except TfHashtagError:
        if not run.log_file.exists():  # nothing was learned: what is mended can start anew
            shutil.rmtree(run.folder)
        raise


def _fit(run: Run, options: TrainingOptions) -> Run:
    """Trains the run from where it stands to its end."""
    # Not before: mistakes in settings and data are told at once.
    import keras
    import tensorflow as tf

    from tfhashtag.training.monitor import TrainingMonitor, interruption

    keras.utils.set_random_seed(run.settings.seed)
    tf.config.experimental.enable_op_determinism()
    started = time.monotonic()
    recommender = run.new_recommender(options)
    try:
        with interruption.awaited():
            recommender.fit(run.data, TrainingMonitor(run.folder, options.progress))
    except KeyboardInterrupt:
        print(
            f"\n{run.folder}: stopped after the last complete epoch; go on with `--resume`.",
            file=sys.stderr,
        )
        raise
    run.log({"event": "complete", "seconds": round(time.monotonic() - started, 1)})
    with atomic_directory(run.weights) as folder:
        recommender.save(folder)
    return run
