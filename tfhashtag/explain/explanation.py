"""What a trained model looked at, and what carried its scores: facts in words, and panels."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from tfhashtag.row_files import RowFile

ColumnKind = Literal["text", "name", "number", "weight", "rank", "words"]
P = TypeVar("P", bound="Panel")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One part of an explanation.

    Attributes:
        key: its name for programs and files.
        title: its heading; "" where it belongs to the panel before it.
        note: how to read it.
    """

    key: str
    title: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of `Items`.

    Attributes:
        name: its head.
        values: a value a row; None where there is none. Of `words` a list of pairs (word, number
            of at least 0 or None), coloured by their numbers.
        kind: `text` and `name` are strings, `number` and `rank` numbers, `weight` a number that
            is also shown as a colour.
    """

    name: str
    values: Sequence[Any]
    kind: ColumnKind = "number"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Items(Panel):
    """A list of messages, posts, hashtags or signals, a row each.

    Attributes:
        columns: of equal length.
        marked: rows that stand out.
    """

    columns: Sequence[Column]
    marked: Sequence[int] = ()

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column."""
        return next(column.values for column in self.columns if column.name == name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bars(Panel):
    """Numbers as bars, a row a thing.

    Attributes:
        rows: what the things are called.
        series: by name, a number a row. Several series lie end to end where they are `stacked`,
            and beside one another otherwise; one series is coloured by its sign.
        axis: what the numbers are.
        errors: of one series, half the length of a line; None for no lines.
        marks: (name, a number a row), drawn as diamonds; None for none.
    """

    rows: Sequence[str]
    series: Mapping[str, Sequence[float]]
    axis: str
    stacked: bool = False
    errors: Sequence[float] | None = None
    marks: tuple[str, Sequence[float]] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeatMap(Panel):
    """Numbers as colours: attention over tokens, posts or proposals.

    Attributes:
        rows: what the rows are called.
        columns: what the columns are called; () where `cells` say it.
        values: a number a cell; rows may be shorter than others.
        weights: (name, a number a row), a column of its own at the left; None for none.
        cells: texts in the cells, in place of the numbers.
        signed: whether numbers below 0 mean the opposite.
        axis: what the columns are.
    """

    rows: Sequence[str]
    values: Sequence[Sequence[float]]
    columns: Sequence[str] = ()
    weights: tuple[str, Sequence[float]] | None = None
    cells: Sequence[Sequence[str]] | None = None
    signed: bool = False
    axis: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regions(Panel):
    """Numbers over the regions of a picture, which are a grid.

    Attributes:
        side: regions along each side of the grid.
        maps: (name, a number a region row by row, whether numbers below 0 mean the opposite).
        picture: the encoded picture; None: it is not shown.
    """

    side: int
    maps: Sequence[tuple[str, Sequence[float], bool]]
    picture: bytes | None = None


@dataclasses.dataclass(frozen=True, repr=False)
class Explanation:
    """What a recommender says of one answer; shows itself in a notebook.

    Attributes:
        title: what is explained.
        facts: sentences.
        panels: in the order in which they are shown.
        about: the same facts for programs, JSON values: names, logits, what adds up to what.
        text: what a user wrote, where that is explained.

    Example:

    >>> seen = Items(key="seen", title="Messages", columns=[Column("message", ["a tea"], "text")])
    >>> found = Explanation("#tea for ann", ["ann does not tag it."], [seen], {"logit": 0.5})
    >>> found, found.panel("seen", Items).column("message")
    (<Explanation of #tea for ann: seen>, ['a tea'])
    """

    title: str
    facts: Sequence[str]
    panels: Sequence[Panel]
    about: Mapping[str, Any]
    text: str | None = None

    def __repr__(self) -> str:
        keys = ", ".join(panel.key for panel in self.panels)
        return f"<Explanation of {self.title}: {keys}>"

    def panel(self, key: str, kind: type[P]) -> P:
        """The panel of a name.

        Raises:
            KeyError: there is none of this name and kind.
        """
        for panel in self.panels:
            if panel.key == key and isinstance(panel, kind):
                return panel
        raise KeyError(f"no {kind.__name__} {key!r} in {self!r}")

    def to_json(self) -> dict[str, Any]:
        """JSON values of everything but pictures."""
        panels = []
        for panel in self.panels:
            values = {"kind": type(panel).__name__, **dataclasses.asdict(panel)}
            values.pop("picture", None)
            panels.append(values)
        return {
            "title": self.title,
            "facts": list(self.facts),
            "text": self.text,
            "about": dict(self.about),
            "panels": panels,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Every number and text of the panels as rows, for a table.

        Returns:
            `panel` and `item` (its row: a message, a signal, a region), `name` (the column or
            series), `value` (a number) or `text`; the other is None.
        """
        return [
            {
                "explained": self.title,
                "panel": panel.key,
                "item": str(item),
                "name": name,
                "value": float(value) if isinstance(value, int | float) else None,
                "text": None if isinstance(value, int | float) or value is None else str(value),
            }
            for panel in self.panels
            for item, name, value in _cells(panel)
        ]

    def write_rows(self, path: str | os.PathLike) -> pathlib.Path:
        """Writes `rows` to one file.

        Args:
            path: `.jsonl`, `.csv` or `.parquet`.

        Raises:
            ConfigError: a file of another ending.
        """
        columns = {**dict.fromkeys(("explained", "panel", "item", "name"), str), "value": float}
        with RowFile(path, {**columns, "text": str}) as write:
            write(self.rows())
        return pathlib.Path(path)

    def write(self, folder: str | os.PathLike) -> list[pathlib.Path]:
        """Writes `explanation.html`, which needs no other file, `explanation.json` and figures.

        Args:
            folder: made; an empty one is right, too.

        Returns:
            The paths, the page first.

        Raises:
            ArtifactError: something stands at `folder`, matplotlib is not installed, or the
                picture cannot be read.
        """
        from tfhashtag.explain.page import write

        return write(self, folder)

    def _repr_html_(self) -> str:
        """The page's content, for a notebook.

        Raises:
            ArtifactError: as `write`.
        """
        from tfhashtag.explain.page import content, figures_of

        return content(self, figures_of(self))


def _cells(panel: Panel) -> Iterator[tuple[str | int, str, Any]]:
    """Row, name and value of each cell of a panel."""
    if isinstance(panel, Items):
        for column in panel.columns:
            for number, value in enumerate(column.values, 1):
                words = column.kind == "words" and value is not None
                yield number, column.name, " ".join(word for word, _ in value) if words else value
    elif isinstance(panel, Bars):
        for name, numbers in panel.series.items():
            yield from ((row, name, value) for row, value in zip(panel.rows, numbers, strict=True))
    elif isinstance(panel, HeatMap):
        for place, (head, values) in enumerate(zip(panel.rows, panel.values, strict=True)):
            names = panel.columns if panel.cells is None else panel.cells[place]
            yield from ((head, name, value) for name, value in zip(names, values, strict=False))
    elif isinstance(panel, Regions):
        for name, numbers, _ in panel.maps:
            yield from ((f"region {at}", name, value) for at, value in enumerate(numbers, 1))
