"""TensorFlow's start-up notices, which say nothing about the user's work, are left out."""

import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"

# At the beginning of a line, or after a frame of a progress bar, which ends none.
_NOTICE = re.compile(
    rb"(?:^|(?<=\r)|(?<=\x1b\[0m)|(?<=\x1b\[2K))"
    rb"(?:[IWE]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IWE] |"
    rb"WARNING: All log messages before absl::InitializeLog\(\))"
)
_LIBRARIES = ("tensorflow", "keras", "absl", "logging")  # between who calls and what is logged
# How C++ code ends a process.
_CRASHES = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)


def before_tensorflow() -> None:
    """Sets TensorFlow's log level to what is fatal, unless the user has set `VARIABLE`.

    TensorFlow logs a few lines while its libraries are loaded, before it has read its level; they
    are held to the same level here. Python's errors and warnings are shown in any case. Child
    processes inherit the level.

    It also has oneDNN take arrays from the system, in place of a pool that keeps what it ever had;
    what the user has set stays. TensorFlow's advice on functions that are traced often is left out
    where it is about those that this package calls.
    """
    logging.getLogger("tensorflow").addFilter(_is_no_advice_to_us)
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    level = os.environ.setdefault(VARIABLE, _FATAL_ONLY)
    waits = any(isinstance(finder, _FilteredImport) for finder in sys.meta_path)
    if level == _FATAL_ONLY and "tensorflow" not in sys.modules and not waits:
        sys.meta_path.insert(0, _FilteredImport())


def _is_no_advice_to_us(record: logging.LogRecord) -> bool:
    """False of advice to trace less where we call: each object traces its functions, once.

    TensorFlow counts all objects of a class as one, so that whoever trains or loads five models in
    a notebook would read of it. Who calls is the innermost code that is no library's.
    """
    if "triggered tf.function retracing" not in str(record.msg):
        return True
    callers = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None))
    outside = (
        name for name in callers if name != __name__ and name.partition(".")[0] not in _LIBRARIES
    )
    return not next(outside, "").startswith("tfhashtag.")


class _FilteredImport:
    """Import hook that loads TensorFlow, whoever imports it first, under `_fatal_only`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """TensorFlow's spec with a loader that filters; None for any other module."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)  # not changed in place: others may wrap it, too
        return spec


class _QuietLoader(importlib.abc.Loader):
    """A loader that executes its module under `_fatal_only`, and without Keras."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the loader does it."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """The same, and nothing of its notices is shown."""
        with _fatal_only(), _without_keras():
            self._loader.exec_module(module)


@contextlib.contextmanager
def _fatal_only() -> Iterator[None]:
    """Leaves notices, warnings and errors of TensorFlow's C++ code out of file descriptor 2.

    What is written meanwhile is held in a file and shown, without the notices, at the end of the
    block, also where an exception or a crash ends it.
    """
    try:
        shown = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, shown)
        held = undo.enter_context(tempfile.TemporaryFile())
        os.dup2(held.fileno(), 2)

        def show() -> None:
            os.dup2(shown, 2)
            held.seek(0)
            for line in held:
                notice = _NOTICE.search(line)
                os.write(2, line if notice is None else line[: notice.start()])

        undo.callback(show)
        if sys.stderr is not None:
            undo.callback(sys.stderr.flush)
        undo.enter_context(_shown_at_a_crash(show))
        yield


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """TensorFlow loads Keras at its end, which takes as long as itself; here it does not.

    It tries once, and goes on where that fails. Whoever else needs Keras, in another thread or
    afterwards, imports it, or finds it at `tf.keras`, as without this.
    """
    if "keras" in sys.modules:
        yield
        return
    later = _Later()
    sys.meta_path.insert(0, later)
    try:
        yield
    finally:
        later.leave()


class _Later:
    """Import hook that finds Keras and does not load it: once, in the thread that made this."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def leave(self) -> None:
        """Hides nothing any more."""
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Keras' spec with a loader that refuses; None for any other module."""
        if name != "keras" or threading.get_ident() != self._thread:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Refusal(self.leave)
        return spec


class _Refusal(importlib.abc.Loader):
    """A loader that loads nothing.

    Args:
        told: called when it is asked to.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def exec_module(self, module: ModuleType) -> None:
        """Fails as a module that is not installed does."""
        self._told()
        raise ImportError("Keras is loaded when it is asked for.")


@contextlib.contextmanager
def _shown_at_a_crash(show: Any) -> Iterator[None]:
    """Calls `show` before a crash within the block ends the process.

    Handlers of the module `signal` run between two steps of Python, to which C code that crashes
    does not come back: these are the C library's own.
    """
    if sys.platform == "win32":
        yield
        return
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (
        [ctypes.c_int, ctypes.c_void_p],
        ctypes.c_void_p,
    )

    def crash(number: int) -> None:
        library.signal(number, None)
        show()
        # The default action, which ends the process, takes place when this returns.
        signal.raise_signal(number)

    called = handler(crash)
    address = ctypes.cast(called, ctypes.c_void_p)
    former = {number: library.signal(number, address) for number in _CRASHES}
    try:
        yield
    finally:
        for number, action in former.items():
            library.signal(number, action)
