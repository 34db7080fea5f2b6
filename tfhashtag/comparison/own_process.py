"""Work in a process of its own: its memory goes back, and its end is not ours."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from tfhashtag.errors import ArtifactError, TfHashtagError
from tfhashtag.files import write_json

INTERRUPTED = 130
_LOG = "log.txt"
_ERROR = "error.json"


def run_module(
    module: str,
    job: Mapping[str, Any],
    folder: pathlib.Path,
    watch: Callable[[], None] = lambda: None,
    every: float = 0.5,
) -> None:
    """Runs `python -m module JOB.json` and waits for it.

    The process has a session of its own, so that Ctrl-C in a terminal reaches it once, through
    this one. It ends when this process is gone. What it prints stands in `folder/log.txt`.

    Args:
        module: that calls `work_on`.
        job: JSON values; written to `folder/job.json`.
        folder: an existing one.
        watch: called while we wait.
        every: seconds between two calls.

    Raises:
        TfHashtagError, RuntimeError: the work failed; with its message, its traceback as a note.
        KilledError: the process was killed.
        KeyboardInterrupt: this process was interrupted; the other has ended.
    """
    path = folder / "job.json"
    write_json(path, dict(job))
    (folder / _ERROR).unlink(missing_ok=True)
    paths = os.pathsep.join([os.getcwd(), *filter(None, sys.path)])
    with (folder / _LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(path)],
            stdin=subprocess.PIPE,  # never written to: its end tells that we are gone
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        try:
            while True:
                try:
                    code = process.wait(every)
                    break
                except subprocess.TimeoutExpired:
                    watch()
        except BaseException:
            _stop(process)
            raise
        finally:
            process.stdin.close()  # type: ignore[union-attr]
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise _failure(folder, code)


def work_on(work: Callable[[dict[str, Any]], None]) -> None:
    """The other side: reads the job that the command line names, works, tells how it ended.

    Args:
        work: gets the job.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `nohup` has it ignored
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path = pathlib.Path(sys.argv[1])
    try:
        work(json.loads(path.read_text(encoding="utf-8")))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        traceback.print_exc()
        message = " ".join(str(error).split())
        expected = isinstance(error, TfHashtagError)
        told = {
            "message": message if expected else f"{type(error).__name__}: {message}",
            "expected": expected,
            "traceback": traceback.format_exc(),
        }
        write_json(path.parent / _ERROR, told)
        sys.exit(1)


def _end_with_parent() -> None:
    # Not through `sys.stdin`: its lock, held by a daemon thread, would trouble the end.
    while os.read(0, 1):
        pass
    os._exit(INTERRUPTED)


def _stop(process: subprocess.Popen) -> None:
    """Lets it end cleanly; whoever presses Ctrl-C again does not wait."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except BaseException:
        process.kill()
        process.wait()


def _failure(folder: pathlib.Path, code: int) -> Exception:
    path = folder / _ERROR
    if not path.is_file():
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        kind = KilledError if code < 0 else ArtifactError
        return kind(
            f"{folder}: the process {how}, without a word; see {_LOG} there. SIGKILL is often a "
            "lack of memory: smaller batches take less."
        )
    told = json.loads(path.read_text(encoding="utf-8"))
    error = (TfHashtagError if told["expected"] else WorkError)(told["message"])
    error.add_note(told["traceback"])
    return error


class KilledError(ArtifactError):
    """A process was ended by a signal, which says nothing of its work."""


class WorkError(TfHashtagError):
    """Work in another process failed in a way that nobody expected; its message names the kind."""
