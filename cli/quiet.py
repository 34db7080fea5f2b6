"""TensorFlow's start-up notices, which say nothing about the user's work, are left out."""

import contextlib
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"

# A process of its own: what is not a notice is shown even where the import kills us.
_FILTER = r"""
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
notice = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl::InitializeLog\(\)")
for line in sys.stdin.buffer:
    if not notice.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


def quiet_tensorflow() -> None:
    """Sets TensorFlow's log level to what is fatal, unless the user has set `VARIABLE`.

    TensorFlow logs a few lines while its libraries are loaded, before it has read its level; they
    are held to the same level here. Python's errors and warnings are shown in any case. Child
    processes inherit the level.
    """
    level = os.environ.setdefault(VARIABLE, _FATAL_ONLY)
    if level == _FATAL_ONLY and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _FilteredImport())


class _FilteredImport:
    """Import hook that loads TensorFlow, whoever imports it first, under `_fatal_only`."""

    def find_spec(self, name: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        """TensorFlow's spec with a loader that filters; None for any other module."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def filtered(module):
                with _fatal_only():
                    load(module)

            spec.loader.exec_module = filtered  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _fatal_only() -> Iterator[None]:
    """Leaves notices, warnings and errors of TensorFlow's C++ code out of file descriptor 2."""
    try:
        shown = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", _FILTER], stdin=subprocess.PIPE
    ) as filtered:
        os.dup2(filtered.stdin.fileno(), 2)  # type: ignore[union-attr]
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
