"""Personalised hashtags with TensorFlow: who will tag what, and which hashtags a post needs.

`import tfhashtag as th` is the door: `import_posts`, `read_corpus`, `encode`, `prepare`, `train`,
`tune`, `load`, `recommend`, `forget` and `compare`; what they give answers the rest
(`run.recommend(user="ann")`).

Importing the package is cheap: subpackages load on first use, so `tfhashtag --help` does not wait
for TensorFlow. Whatever of it is imported first, TensorFlow's start-up notices are left out where
TensorFlow is loaded after it, see `tfhashtag.quiet`.
"""

import importlib
import pathlib
from typing import Any

from tfhashtag.quiet import before_tensorflow

__version__ = "0.2.0.dev0"

_SUBPACKAGES = (
    "cli",
    "comparison",
    "configs",
    "corpus",
    "encoders",
    "engines",
    "evaluation",
    "explain",
    "export",
    "layers",
    "losses",
    "metrics",
    "recommenders",
    "retrieval",
    "runs",
    "serving",
    "tasks",
    "testing",
    "training",
    "tuning",
)

_DOOR = (
    "compare",
    "doctor",
    "encode",
    "finetune",
    "forget",
    "import_posts",
    "load",
    "prepare",
    "read_corpus",
    "recommend",
    "train",
    "tune",
)

# In a source checkout `cli/`, `serving/` and `configs/` lie beside this package; installed, they
# lie inside it and this does nothing.
_parent = pathlib.Path(__file__).parent.parent
if (_parent / "setup.py").is_file() and (_parent / "cli" / "__init__.py").is_file():
    __path__.append(str(_parent))

before_tensorflow()


def __getattr__(name: str) -> Any:
    if name in _DOOR:
        return getattr(importlib.import_module(f"{__name__}.door"), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def __dir__() -> Any:
    return sorted([*globals(), *_DOOR, *_SUBPACKAGES])
