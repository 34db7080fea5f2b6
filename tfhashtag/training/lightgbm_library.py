"""LightGBM, loaded when trees are grown."""

import os
from typing import Any

from tfhashtag.errors import ConfigError

_FEW = 1 << 16  # rows of which one thread makes short work; two would wait for each other


def common_settings(rows: int) -> dict[str, Any]:
    """What all trees are grown with: the same by the same rows, whatever the threads.

    Args:
        rows: how many are learned from.
    """
    return {
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if rows < _FEW else 0,
        "verbosity": -1,
    }


def load_lightgbm() -> Any:
    """The library that grows trees.

    Raises:
        ConfigError: it cannot be loaded here.
    """
    # Idle threads of OpenMP spin, which costs others the cores; read when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import lightgbm
    except OSError as error:
        raise ConfigError(
            f"LightGBM cannot be loaded ({error}); `apt-get install libgomp1`, or set "
            "`network.trees` to 0."
        ) from error
    return lightgbm
