"""The list of breakages that `tests/breakages.py` makes fits the code as it stands."""

import pytest

from tests.breakages import BREAKAGES, ROOT


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.what)
def test_what_is_to_be_broken_stands_there_once(breakage):
    assert (ROOT / breakage.path).read_text(encoding="utf-8").count(breakage.right) == 1
    assert all((ROOT / name.partition("::")[0]).exists() for name in breakage.tests.split())
