"""Rows that print well, show themselves in a notebook and become frames."""

import pytest

from tfhashtag.records import Records

ROWS = [
    {"rank": 1, "hashtag": "<b>tea</b>", "score": 0.75},
    {"rank": 2, "hashtag": "[red]milk", "score": 0.5},
]


@pytest.fixture
def records():
    return Records(ROWS, "For <ann>", {"hashtag": "#"})


def test_they_print_as_a_table(records):
    lines = str(records).splitlines()
    assert "For <ann>" in lines[0]
    assert "#[red]milk" in str(records)
    assert "0.7500" in str(records)


def test_a_notebook_gets_escaped_html(records):
    html = records._repr_html_()
    assert "<b>" not in html
    assert "#&lt;b&gt;tea" in html
    assert html.count("<tr>") == 3


def test_they_are_a_sequence_and_frames(records):
    assert records[0]["score"] == 0.75
    assert len(records[:1]) == 1
    assert records.to_arrow().column("rank").to_pylist() == [1, 2]
    assert Records([{"a": 1}, {"b": 2}], "later columns").to_arrow().column_names == ["a", "b"]
    pytest.importorskip("pandas", reason="pandas is an extra")
    assert records.to_pandas()["hashtag"].tolist() == ["<b>tea</b>", "[red]milk"]


def test_in_a_notebook_the_text_is_a_text(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert "tea" in str(Records([{"hashtag": "tea"}], "Hashtags for ann"))
