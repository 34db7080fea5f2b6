"""Results as rows: printed in a terminal, shown in a notebook, turned into a data frame."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, overload

from tfhashtag.errors import ConfigError

_CELL = "text-align:{};padding:2px 10px"


class Records(Sequence[dict[str, Any]]):
    """Rows with the same columns, in order.

    `print` draws a table, a notebook shows one; `to_pandas` and `to_arrow` give frames.

    Args:
        rows: column to value: strings, whole numbers and floats.
        title: above the table.
        prefix: what stands before the values of a column when they are shown.

    Example:

    >>> found = Records([{"rank": 1, "hashtag": "tea", "score": 0.5}], "Hashtags for ann")
    >>> found[0]["hashtag"], len(found)
    ('tea', 1)
    >>> "<td" in found._repr_html_()
    True
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        title: str = "",
        prefix: Mapping[str, str] | None = None,
    ) -> None:
        self.rows = [dict(row) for row in rows]
        self.title = title
        self._prefix = dict(prefix or {})

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Records": ...
    def __getitem__(self, index: Any) -> Any:
        """A row, or some of them."""
        if isinstance(index, slice):
            return Records(self.rows[index], self.title, self._prefix)
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        import io

        import rich.console

        console = rich.console.Console(  # in a notebook, too, into the string
            file=io.StringIO(), width=100, color_system=None, force_jupyter=False
        )
        console.print(self.__rich__())
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined]

    def __rich__(self) -> Any:
        """The table that `rich` prints."""
        import rich.markup
        import rich.table

        table = rich.table.Table(title=rich.markup.escape(self.title) or None)
        for column in self.columns:
            numbers = all(isinstance(row.get(column), int | float) for row in self.rows)
            table.add_column(
                column, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers
            )
        for row in self.rows:
            table.add_row(*(rich.markup.escape(self._shown(row, name)) for name in self.columns))
        return table

    def _repr_html_(self) -> str:
        columns = self.columns
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(self._cell(row, name) for name in columns) + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`."""
        import pyarrow as pa

        return pa.table({name: [row.get(name) for row in self.rows] for name in self.columns})

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ConfigError("a data frame needs pandas; `pip install pandas`.") from error
        return pd.DataFrame(self.rows, columns=self.columns)

    def _shown(self, row: Mapping[str, Any], name: str) -> str:
        value = row.get(name, "")
        text = f"{value:.4f}" if isinstance(value, float) else str(value)
        return self._prefix.get(name, "") + text

    def _cell(self, row: Mapping[str, Any], name: str) -> str:
        side = "right" if isinstance(row.get(name), int | float) else "left"
        return f'<td style="{_CELL.format(side)}">{html.escape(self._shown(row, name))}</td>'
