"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent


def modules():
    for folder, prefix in (("tfhashtag", ""), ("cli", "tfhashtag."), ("serving", "tfhashtag.")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield prefix + ".".join(part for part in parts if part != "__init__")


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(
        module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    )
    assert result.failed == 0
