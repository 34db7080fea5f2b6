"""Contract tests, for this library's layers and for anybody's own."""

from tfhashtag.testing.layer_contract import LayerContract

__all__ = ["LayerContract"]
