"""Contract tests, for this library's layers and recommenders and for anybody's own."""

import importlib
from typing import Any

_PLACES = {
    "LayerContract": "layer_contract",
    "check_recommender": "recommender_contract",
    "small_world": "small_world",
}
__all__ = ["LayerContract", "check_recommender", "small_world"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
