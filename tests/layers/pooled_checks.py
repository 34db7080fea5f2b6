"""The checks of the contract for layers over an LSTM that pool in several ways."""

import pytest

from tfhashtag.testing import LayerContract


def pooled_checks(poolings, compiled):
    """Pairs (pooling, check); XLA compiles one pooling in the gate: the LSTM takes it longest."""
    return [
        pytest.param(
            *(pooling, check),
            marks=[pytest.mark.slow] * (check == "check_xla" and pooling != compiled),
        )
        for pooling in poolings
        for check in LayerContract.CHECKS
    ]
