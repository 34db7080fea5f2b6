"""An explanation as rows: every number and text of every kind of panel."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.explain.explanation import Bars, Column, Explanation, HeatMap, Items, Regions

FOUND = Explanation(
    "#tea for ann",
    ["a fact"],
    [
        Items(
            key="seen",
            columns=[
                Column("message", ["a tea", None], "text"),
                Column("words", [[("a", 0.5), ("tea", None)], None], "words"),
                Column("score", [1, 0.25]),
            ],
        ),
        Bars(key="parts", rows=["taste"], series={"logit": [0.5]}, axis="logit"),
        HeatMap(key="map", rows=["r"], columns=["c", "d"], values=[[0.1, 0.2]]),
        Regions(key="picture", side=1, maps=[("weight", [0.75], False)]),
    ],
    {},
)
ROWS = [
    ("seen", "1", "message", None, "a tea"),
    ("seen", "2", "message", None, None),
    ("seen", "1", "words", None, "a tea"),
    ("seen", "2", "words", None, None),
    ("seen", "1", "score", 1.0, None),
    ("seen", "2", "score", 0.25, None),
    ("parts", "taste", "logit", 0.5, None),
    ("map", "r", "c", 0.1, None),
    ("map", "r", "d", 0.2, None),
    ("picture", "region 1", "weight", 0.75, None),
]
NAMES = ("panel", "item", "name", "value", "text")


def test_rows_of_every_panel():
    assert [tuple(row[name] for name in NAMES) for row in FOUND.rows()] == ROWS
    assert {row["explained"] for row in FOUND.rows()} == {"#tea for ann"}


def test_files(tmp_path):
    lines = FOUND.write_rows(tmp_path / "e.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == FOUND.rows()
    assert pq.read_table(FOUND.write_rows(tmp_path / "e.parquet")).to_pylist() == FOUND.rows()
    with FOUND.write_rows(tmp_path / "e.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["value"] for row in found][4:6] == ["1.0", "0.25"] and found[0]["text"] == "a tea"
    with pytest.raises(ConfigError, match="ends in"):
        FOUND.write_rows(tmp_path / "e.txt")
