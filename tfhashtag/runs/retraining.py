"""Training anew that is queued: weights that remember what was forgotten stay until it begins."""

import pathlib

import numpy as np

from tfhashtag.encoders.corpus_without import write_without
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import write_json
from tfhashtag.runs import anew, copies, states
from tfhashtag.runs.run import Run, how_to_go_on
from tfhashtag.training.options import TrainingOptions


def weights_remember(run: Run) -> bool:
    """Whether posts were taken out of a run since its weights were learned."""
    lines = [line for line in states.read_log(run) if line["event"] == "forget"]
    return run.complete and bool(lines) and lines[-1]["weights"] == "stay"


def queued_since(run: Run) -> str | None:
    """Since when the run is to be trained anew, ISO 8601; None where it is not."""
    return run.info.get(anew.QUEUED) if run.complete else None


def queue(folder: pathlib.Path) -> None:
    """Writes into `run.json` that the run is to be trained anew, where that does not stand there.

    Raises:
        DataError: the weights know of no post that is gone.
        ArtifactError: another process is at work in the folder.
    """
    with states.alone(folder):
        run = Run.open(folder)
        if run.complete and not weights_remember(run):
            raise DataError(
                f"{folder}: no post was taken out since the weights were learned; nothing was "
                "changed."
            )
        if run.complete and queued_since(run) is None:
            write_json(folder / "run.json", {**run.info, anew.QUEUED: states.now()})


def told_of_training(run: Run) -> str:
    """What training a run waits for, with the command; empty where it waits for none."""
    if not run.complete:
        return f"the run waits for its training. {how_to_go_on(run)}"
    since = queued_since(run)
    if since is None:
        return ""
    return (
        f"training anew is queued since {since}, as posts were forgotten that the weights learned "
        f"from. {how_to_go_on(run, 'Begin it')}"
    )


def begin_queued(run: Run, options: TrainingOptions) -> Run:
    """Puts a run that waits for its training in place of one whose training is queued.

    Its posts are those of the present state, split anew where updates have brought some; the old
    weights go with all states, and exports with such weights count as those of before. A kill
    leaves the run as it was, or waiting.

    Args:
        run: whose lock is held.
        options: of the training.

    Raises:
        ConfigError: prepared lists are given, which are of other posts.
    """
    if options.prepared is not None:
        raise ConfigError(
            f"{run.folder}: training anew is queued, as posts were forgotten; {options.prepared} "
            "holds lists of the posts before. Leave `--prepared` out."
        )
    folder = run.folder.resolve()
    with anew.beside(folder) as (target, _):
        data, corpus = target / "data", run.corpus
        data.mkdir()
        kept = write_without(run.place / "data", corpus, np.arange(len(corpus)), data)
        anew.split_anew(data, kept, run.state)
        anew.carry_files(run, target, carried=False)
        anew.write_info(run, target, False, "retrain", options.of_the_result)
        copies.count_as_old(target, folder)
    return Run.open(run.folder)
