"""LightGBM, loaded when trees are grown."""

import os
from typing import Any

from tfhashtag.errors import ConfigError


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
