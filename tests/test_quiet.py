"""What TensorFlow logs while it is loaded: left out; everything else is shown."""

import logging
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
NOTICE = "I0000 00:00:1.0 1 port.cc:153] oneDNN custom operations are on.\\n"
HIDDEN = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
SCRIPT = """
import sys
import tfhashtag
import tensorflow
print("afterwards", file=sys.stderr)
"""


def errors_of(folder, level=None, script=SCRIPT):
    """What a process that imports TensorFlow writes to stderr, and how it ends."""
    environment = {k: v for k, v in os.environ.items() if k not in HIDDEN}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return found.stderr, found.returncode


@pytest.fixture
def library(tmp_path):
    """Makes a library by the name of `tensorflow` that logs a notice and then does as told."""

    def make(then):
        code = f'import os, sys\nos.write(2, b"{NOTICE}")\n{then}\n'
        (tmp_path / "tensorflow.py").write_text(code)
        return tmp_path

    return make


def test_a_notice_behind_a_frame_of_a_progress_bar_is_left_out(library):
    frame = r"\r\x1b[2K* recommend \x1b[33m0:00:03\x1b[0m"
    held = f'os.write(2, b"{frame}WARNING: All log messages before absl::InitializeLog() is\\n")'
    err, code = errors_of(library(f'{held}\nos.write(2, b"of I0000 others\\n")'))
    shown = frame.encode().decode("unicode_escape")
    assert (err, code) == (f"{shown}of I0000 others\nafterwards\n".replace("\r", "\n"), 0)


def test_keras_is_loaded_when_it_is_asked_for(user_run, post_run):
    """An answer from what is kept needs none; `tf.keras` is where it always is."""
    users, posts = user_run("engagement"), post_run("macon")
    assert users.answers is not None and posts.answers is not None  # kept from here on
    script = (
        SCRIPT.replace("import tensorflow\n", "")
        + f"""
for folder, asked in (
    ({str(users.folder)!r}, {{"history": ["good read"]}}),
    ({str(posts.folder)!r}, {{"text": "good read"}}),
):
    assert len(tfhashtag.load(folder).recommend(**asked, k=2)) == 2
assert "tensorflow" in sys.modules
print(sorted({{"keras", "sklearn", "matplotlib"}} & sys.modules.keys()), file=sys.stderr)
import tensorflow as tf
from tensorflow.keras import layers
import keras
assert layers.Dense is tf.keras.layers.Dense is keras.layers.Dense
"""
    )
    assert errors_of(ROOT, script=script) == ("afterwards\n[]\n", 0)


def test_tensorflow_says_nothing_and_hooks_of_others_see_keras(tmp_path):
    """What wraps TensorFlow's loader, before and after us, finds it whole behind its load."""
    hook = """
import importlib.abc, importlib.util
class Hook(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def wrapped(module):
            load(module)
            print(module.keras.layers.Dense.__name__, file=sys.stderr)
        spec.loader.exec_module = wrapped
        return spec
"""
    insert, quiet = "sys.meta_path.insert(0, Hook())\n", "import tfhashtag\n"
    # Nor do devices and libraries say anything at the first operation.
    after = """
assert tensorflow.keras.Model.__name__ == 'Model'
import tensorflow_text; tensorflow.constant(1) + 1
tensorflow.config.list_physical_devices()
"""
    script = SCRIPT.replace(quiet, hook + insert + quiet + insert) + after
    assert errors_of(tmp_path, script=script) == ("Dense\nDense\nafterwards\n", 0)


def test_what_is_no_notice_is_shown(library):
    folder = library('print("a warning", file=sys.stderr)')
    assert errors_of(folder) == ("a warning\nafterwards\n", 0)


def test_the_user_can_ask_for_notices(library):
    errors, _ = errors_of(library(""), level="0")
    assert errors.startswith("I0000") and errors.endswith("afterwards\n")


def test_a_failed_import_is_shown(library):
    errors, code = errors_of(library('raise ImportError("no such library")'))
    assert code == 1
    assert errors.startswith("Traceback") and "no such library" in errors


def test_the_last_words_of_a_killed_import_are_shown(library):
    errors, code = errors_of(library('os.write(2, b"F0000 no AVX here\\n"); os.abort()'))
    assert code < 0
    assert errors == "F0000 no AVX here\n"


def test_the_last_words_before_a_fault_in_c_are_shown(library):
    errors, code = errors_of(library('os.write(2, b"last words\\n"); os.kill(os.getpid(), 11)'))
    assert (errors, code) == ("last words\n", -11)


def test_crashes_end_the_process_as_before_once_the_import_is_over(library):
    script = SCRIPT + "import os; os.abort()"
    assert errors_of(library(""), script=script) == ("afterwards\n", -6)


def test_no_child_process_is_needed(library):
    folder = library("print(len(os.listdir(f'/proc/{os.getpid()}/task')), file=sys.stderr)")
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "def refuse(event, _):\n"
        "    if event in ('subprocess.Popen', 'os.fork', 'os.posix_spawn'):\n"
        "        raise RuntimeError(event)\n"
        "sys.addaudithook(refuse)\n"
    )
    assert errors_of(folder) == ("1\nafterwards\n", 0)


def test_make_leaves_the_level_to_the_command():
    assert "TF_CPP_MIN_LOG_LEVEL" not in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_advice_to_trace_less_is_for_functions_of_the_user_alone(caplog):
    """Each object of ours traces its own functions once, and TensorFlow counts them as one."""
    import tensorflow as tf

    from tfhashtag.training.traced_once import traced_once

    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    ours, theirs = (lambda values: 2 * values), (lambda values: 3 * values)
    try:
        for _ in range(8):
            traced_once(ours)(tf.ones([3]))
        assert not caplog.records
        for _ in range(8):
            tf.function(theirs, autograph=False)(tf.ones([3]))
        assert "retracing" in caplog.text
    finally:
        logger.removeHandler(caplog.handler)
