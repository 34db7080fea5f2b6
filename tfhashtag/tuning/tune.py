"""Tuning as one call: trials of a configuration's search space, chosen by the valid split."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from tfhashtag.comparison.own_process import KilledError, run_module
from tfhashtag.comparison.report import check_report
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ArtifactError, ConfigError, TfHashtagError, TuningError, required
from tfhashtag.files import check_new_folder, exclusive_lock, write_text
from tfhashtag.recommenders.registry import read_vectors, recommender_class
from tfhashtag.settings import dump_settings, flat
from tfhashtag.tuning.job import RESULT, UNITS, run_trial
from tfhashtag.tuning.report import write_report
from tfhashtag.tuning.space import SearchSpace
from tfhashtag.tuning.storage import JOURNAL, open_study, sampler
from tfhashtag.tuning.tuning import Tuning

_IDENTITY = "identity"


def tune(
    config: str | os.PathLike,
    data: str | os.PathLike,
    out: str | os.PathLike,
    *,
    trials: int = 20,
    timeout: float | None = None,
    workers: int = 1,
    against: str | None = None,
    overrides: Iterable[str] = (),
    say: Callable[[str], None] = lambda line: None,
    apart: bool = True,
) -> Tuning:
    """Tries settings of a configuration's section `tune`, and says which are best.

    The test split is never looked at: a trial is as good as the figure of the valid split by which
    its training chooses (of users `valid_MAP`, of posts `valid_F1@9`). The first trial is the
    configuration as it stands; then values are drawn by Optuna's TPE. A trial that after an epoch
    is below the median of those before ends there. What is stopped or killed goes on when the same
    call is made again: finished trials count, one that was at work is trained on to the same
    result.

    ```
    OUT/best.yaml                the best configuration, which `train` takes
    OUT/report.html              everything, one file, opens without a network
    OUT/tuning.json              the same for programs
    OUT/front/NUMBER.yaml        with `against`: the configurations of the Pareto front
    OUT/trials.journal           Optuna's storage
    OUT/trials/NUMBER/           settings.yaml, training.jsonl, result.json of each trial
    ```

    Args:
        config: the name of a shipped configuration with a section `tune`, or a path.
        data: corpus folder, encoded.
        out: folder of all results.
        trials: how many in all, those of before among them.
        timeout: seconds after which no trial is at work any more; those that are go on next time.
        workers: trials at once, each in a process of its own.
        against: `latency` (milliseconds to rank one question) or `size` (megabytes of the model's
            files): the Pareto front of quality against it; nothing is pruned then.
        overrides: `"dotted.key=value"` strings, of settings that are not tried.
        say: called with a line about each trial.
        apart: each trial in a process of its own; False: all in this one, for a debugger.

    Raises:
        ConfigError, DataError, ArtifactError: before anything is trained: a mistake in the search
            space, a corpus that is not encoded, trials of other settings in `out`, a missing
            library.
        TuningError: no trial came to its end.
    """
    required("optuna", "tuning needs Optuna", "tune")
    check_report()
    _check(trials, timeout, workers, against, apart)
    space, data, out = SearchSpace(config, overrides), pathlib.Path(data), pathlib.Path(out)
    corpus = read_corpus(data)
    read = [read_vectors(data, corpus, settings) for settings in space.all_settings()]
    check_new_folder(out, own=(JOURNAL,))
    out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(out, f"{out}: another tuning is at work there; wait for it to end."):
        study = open_study(out, ["maximize"] if against is None else ["maximize", "minimize"])
        _check_identity(out, study, space, [each.identity for each in read], against)
        own = space.as_configured()
        if not study.trials:
            if own is None:
                say("the configuration's own values are not all in the space: no trial of them")
            else:
                study.enqueue_trial(own)
        session = _Session(study, space, data, out, against, say, apart)
        session.run(trials, workers, timeout)
        watched = recommender_class(space.settings.model).task.watched
        found = Tuning(out, space, study.trials, corpus, watched, against)
        if not found.complete:
            (out / "report.html").unlink(missing_ok=True)
            raise TuningError(session.failure())
        found.write()
        write_report(out / "report.html", found)
    return found


class _TimeUp(Exception):
    """The time-out has come, or the person pressed Ctrl-C."""


class _Session:
    """The trials of one call: asks the study, trains in `workers` processes, tells it."""

    def __init__(
        self,
        study: Any,
        space: SearchSpace,
        data: pathlib.Path,
        out: pathlib.Path,
        against: str | None,
        say: Callable[[str], None],
        apart: bool,
    ) -> None:
        self._study, self._space, self._data, self._out = study, space, data, out
        self._against, self._say, self._apart = against, say, apart
        self._one_at_a_time = threading.Lock()  # asks and tells of the study, and lines
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._errors: list[str] = []
        # Trials that a call before left at work.
        self._left = [trial for trial in study.trials if trial.state.name == "RUNNING"]

    def run(self, trials: int, workers: int, timeout: float | None) -> None:
        """Trains until there are so many trials, or the time is up."""
        self._total = trials
        if timeout is not None:
            self._deadline = time.monotonic() + timeout
        for trial in self._left:
            self._say(f"trial {trial.number} was stopped and goes on")
        if not self._apart:
            self._loop()
            return
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(self._loop) for _ in range(workers)]
            try:
                while running:  # a wait without end would not see Ctrl-C
                    done, waiting = concurrent.futures.wait(
                        running, 0.5, concurrent.futures.FIRST_EXCEPTION
                    )
                    running = list(waiting)
                    for future in done:
                        future.result()
            except BaseException:
                self._stop.set()
                raise
        if time.monotonic() > self._deadline:
            self._say("the time is up; the same command goes on with what is left")

    def failure(self) -> str:
        """Why there is nothing to choose from."""
        if self._errors:
            return f"{self._out}: every trial failed. First: {self._errors[0]}"
        return (
            f"{self._out}: no trial came to its end in the time given; the same command with a "
            "longer --timeout goes on."
        )

    def _loop(self) -> None:
        while not self._stop.is_set() and time.monotonic() < self._deadline:
            with self._one_at_a_time:
                trial = self._next()
            if trial is None:
                return
            try:
                self._work(trial)
            except _TimeUp:
                return

    def _next(self) -> Any:
        """A trial to train: one that was left, or a new one; None where there are enough."""
        import optuna

        if self._left:
            number = self._left.pop(0)
            return optuna.trial.Trial(self._study, number._trial_id)
        begun = [trial for trial in self._study.trials if trial.state.name != "WAITING"]
        if len(begun) >= self._total:
            return None
        self._study.sampler = sampler(self._space.settings.seed, len(begun))
        return self._study.ask()

    def _work(self, trial: Any) -> None:
        folder = self._out / "trials" / f"{trial.number:04d}"
        started = time.monotonic()
        try:
            with self._one_at_a_time:
                self._study.sampler = sampler(self._space.settings.seed, trial.number)
                settings = self._space.with_values(self._space.suggest(trial))
            if not (folder / RESULT).is_file():
                self._train(trial, folder, dump_settings(settings))
            found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        except KilledError as error:
            if not trial.user_attrs.get("killed"):  # once may be for anything
                with self._one_at_a_time:
                    trial.set_user_attr("killed", True)
                    self._errors.append(str(error))
                    self._say(f"trial {trial.number}: {error} The same command goes on with it.")
                return
            found = {"state": "failed", "error": " ".join(str(error).split())}
        except TfHashtagError as error:
            found = {"state": "failed", "error": " ".join(str(error).split())}
        _tidy(folder, found["state"] == "failed")
        with self._one_at_a_time:
            self._tell(trial, found, time.monotonic() - started)

    def _train(self, trial: Any, folder: pathlib.Path, settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "settings.yaml", settings)
        job = {
            "folder": str(folder.absolute()),
            "data": str(self._data.absolute()),
            "study": str(self._out.absolute()),
            "trial": trial.number,
            "against": self._against,
        }
        if self._apart:
            run_module("tfhashtag.tuning.job", job, folder, self._check_time)
            return
        import keras

        keras.utils.clear_session(free_memory=False)  # names alone: processes are for memory
        run_trial(job)

    def _check_time(self) -> None:
        if self._stop.is_set() or time.monotonic() > self._deadline:
            raise _TimeUp

    def _tell(self, trial: Any, found: dict[str, Any], seconds: float) -> None:
        import optuna

        watched = recommender_class(self._space.settings.model).task.watched
        if found["state"] == "complete" and found[watched] is None:
            found = {
                "state": "failed",
                "error": f"`{self._space.settings.model}` reports no `{watched}` while it is "
                "trained, or the valid split has nothing to find: there is nothing to choose by.",
            }
        trial.set_user_attr("seconds", found.get("seconds", round(seconds, 2)))
        head = f"[{trial.number + 1}/{max(self._total, trial.number + 1)}] trial {trial.number}"
        if found["state"] == "complete":
            figures = [found[watched]]
            figures += [] if self._against is None else [found[self._against]]
            self._study.tell(trial, figures)
            more = "" if self._against is None else f", {figures[1]:.3g} {UNITS[self._against]}"
            best = max(one.values[0] for one in self._study.trials if one.state.name == "COMPLETE")
            self._say(f"{head}: {watched} {figures[0]:.4f}{more} (best {best:.4f})")
        elif found["state"] == "pruned":
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            self._say(f"{head}: below the median of those before, ended early")
        else:
            trial.set_user_attr("error", found["error"])
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            self._errors.append(found["error"])
            self._say(f"{head}: failed: {found['error']}")


def _tidy(folder: pathlib.Path, failed: bool) -> None:
    """Leaves settings, log and result of a trial; of one that failed also what it printed."""
    for name in ("checkpoints", "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("job.json", "error.json") if failed else ("job.json", "error.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)


def _check(
    trials: int, timeout: float | None, workers: int, against: str | None, apart: bool
) -> None:
    for name, number in (("trials", trials), ("workers", workers)):
        if number < 1:
            raise ConfigError(f"`{name}` must be at least 1, found {number}.")
    if timeout is not None and timeout <= 0:
        raise ConfigError(f"`timeout` must be above 0 seconds, found {timeout}.")
    if against not in (None, *UNITS):
        raise ConfigError(f"`against` must be one of {', '.join(UNITS)}, found {against!r}.")
    if workers > 1 and against == "latency":
        raise ConfigError(
            "`against` latency is measured while nothing else computes; give `workers` 1."
        )
    if workers > 1 and not apart:
        raise ConfigError("several `workers` need processes of their own: `apart` must be true.")


def _check_identity(
    out: pathlib.Path, study: Any, space: SearchSpace, read: list[Any], against: str | None
) -> None:
    """Refuses to go on with trials of something else."""
    ours = {
        **read[0],
        "others": read[1:],  # of spaces with several encoders
        "settings": space.settings.model_dump(mode="json"),
        "space": space.as_json(),
        "against": against,
    }
    ours = json.loads(json.dumps(ours))
    if _IDENTITY not in study.user_attrs:
        study.set_user_attr(_IDENTITY, ours)
        return
    now, then = flat(ours), flat(study.user_attrs[_IDENTITY])
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key):
            raise ArtifactError(
                f"{out}: its trials were made with `{key}` {then.get(key)!r}, now it is "
                f"{now.get(key)!r}. Tune into another folder, or delete this one."
            )
