"""What this machine and this installation have: for bug reports, and for a first look."""

import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import tfhashtag
from tfhashtag.errors import EncoderError
from tfhashtag.files import left_behind

_LIBRARIES = (
    "tensorflow", "tensorflow-text", "tensorflow-hub", "keras", "keras-hub", "spektral", "numpy",
    "pyarrow", "pydantic", "scipy",
)  # fmt: skip
# Extra to a module that it brings.
_EXTRAS = {
    "report": "jinja2",
    "plots": "matplotlib",
    "serve": "prometheus_client",
    "tune": "optuna",
    "track": "mlflow",
    "baselines": "sklearn",
    "ann": "faiss",
    "video": "av",
    "bertweet": "emoji",
    "spark": "pyspark",
    "notebook": "ipywidgets",
}
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL", "KERAS_HOME", "TFHUB_CACHE_DIR", "HF_HOME",
    "HF_HUB_OFFLINE", "TMPDIR", "MLFLOW_TRACKING_URI", "OMP_NUM_THREADS",
)  # fmt: skip
Probe = Callable[[], Mapping[str, Any]]


def examine(probes: Mapping[str, Probe] | None = None) -> dict[str, dict[str, Any]]:
    """Looks at versions, devices, encoders, disk, memory and Java.

    A probe that fails is told with its error; the others go on.

    Args:
        probes: names and functions; None: all of ours.

    Returns:
        Part to facts; of one that failed `problem` alone.

    Example:

    >>> def broken():
    ...     raise OSError("no such device")
    >>> examine({"devices": broken})
    {'devices': {'problem': 'OSError: no such device'}}
    """
    found: dict[str, dict[str, Any]] = {}
    for name, probe in (PROBES if probes is None else probes).items():
        try:
            found[name] = dict(probe())
        except Exception as error:  # whatever is wrong with one part is a fact of the report
            found[name] = {"problem": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return found


def _program() -> dict[str, Any]:
    return {
        "tfhashtag": tfhashtag.__version__,
        "python": platform.python_version(),
        "where": str(pathlib.Path(tfhashtag.__file__).parent),
        "system": platform.platform(),
        "encoding": sys.getfilesystemencoding(),
    }


def _libraries() -> dict[str, Any]:
    return {name: _version(name) for name in _LIBRARIES}


def _extras() -> dict[str, Any]:
    return {
        name: "installed" if importlib.util.find_spec(module) else
        f"not installed: pip install 'tfhashtag[{name}]'"
        for name, module in _EXTRAS.items()
    }  # fmt: skip


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> dict[str, Any]:
    import tensorflow as tf

    names = [device.name for device in tf.config.list_physical_devices()]
    build = tf.sysconfig.get_build_info()
    return {
        "devices": ", ".join(names),
        "processors": os.cpu_count(),
        "built with CUDA": build.get("cuda_version", "no"),
    }


def _encoders() -> dict[str, Any]:
    """Which encoders are here without a download; the small one embeds a text."""
    from tfhashtag.encoders import load_text_encoder
    from tfhashtag.encoders.efficientnet_lite import find_efficientnet_lite0
    from tfhashtag.encoders.mpnet import mpnet_reader
    from tfhashtag.encoders.use_multilingual import find_use_multilingual

    packed: dict[str, str] = {}
    for name, find in {
        "use-multilingual": find_use_multilingual,
        "efficientnet-lite0": find_efficientnet_lite0,
        "mpnet": mpnet_reader,
    }.items():
        try:
            find()
            packed[name] = "here"
        except EncoderError as error:
            packed[name] = str(error).partition(f"`{name}` is ")[2]
    width = load_text_encoder("minilm").encode(["a text"]).shape[1]
    caches = {
        "presets of KerasHub": pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models",
        "presets of Kaggle": pathlib.Path("~/.cache/kagglehub/models"),
        "models of Hugging Face": pathlib.Path(
            os.environ.get("HF_HOME", "~/.cache/huggingface")
        )
        / "hub",
    }  # fmt: skip
    found = {
        name: ", ".join(sorted(entry.name for entry in path.expanduser().iterdir())[:20]) or "none"
        for name, path in caches.items()
        if path.expanduser().is_dir()
    }
    return {"minilm": f"answers, vectors of width {width}", **packed, **found}


def _disk() -> dict[str, Any]:
    folders = {"here": os.getcwd(), "temporary files": tempfile.gettempdir()}
    return {
        f"free {name}": f"{shutil.disk_usage(folder).free / 2**30:.1f} GiB ({folder})"
        for name, folder in folders.items()
    } | {"writable here": os.access(os.getcwd(), os.W_OK)}


def _left_behind() -> dict[str, Any]:
    """What killed processes left here; the next command that writes there clears it away."""
    found = {}
    for name, folder in {"here": os.getcwd(), "temporary files": tempfile.gettempdir()}.items():
        left = left_behind(folder)
        found[name] = ", ".join(str(path) for path in left) or "nothing"
    return found


def _memory() -> dict[str, Any]:
    if not pathlib.Path("/proc/meminfo").is_file():
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return {"memory": f"{pages * size / 2**30:.1f} GiB"}
    lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 2**20 for line in lines}
    found = {
        "memory": f"{sizes['MemTotal']:.1f} GiB",
        "available": f"{sizes['MemAvailable']:.1f} GiB",
    }
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (value := limit.read_text(encoding="ascii").strip()) != "max":
        found["limit of the container"] = f"{int(value) / 2**30:.1f} GiB"
    return found


def _java() -> dict[str, Any]:
    path = shutil.which("java")
    if path is None:
        return {"java": "not found; only --engine spark needs it, 17 or newer"}
    done = subprocess.run(
        [path, "-version"], capture_output=True, text=True, timeout=20, check=True
    )
    return {"java": done.stderr.splitlines()[0], "where": path}


def _environment() -> dict[str, Any]:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


PROBES: dict[str, Probe] = {
    "program": _program,
    "libraries": _libraries,
    "extras": _extras,
    "devices": _devices,
    "encoders": _encoders,
    "disk": _disk,
    "left by killed commands": _left_behind,
    "memory": _memory,
    "java": _java,
    "environment": _environment,
}
