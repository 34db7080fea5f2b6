"""Spreadsheets of Excel and OpenDocument."""

import datetime
import html
import zipfile

import pytest

from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import examine, format_of
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

NOON = 1_700_000_000
WHEN = datetime.datetime(2023, 11, 14, 22, 13, 20)
NAMES = ["user", "text", "hashtags", "timestamp", "likes"]
ROWS = [NAMES, ["ann", "good é", "tea; milk", WHEN, 12], ["bob", 2024, "#milk", WHEN, 3]]
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def _cell(place, value):
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        days = (value - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
        return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{html.escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def xlsx(path, **sheets):
    """The parts that a reader needs, no more."""
    relation = f'<Relationship Id="{{0}}" Type="{_OFFICE}/{{1}}" Target="{{2}}"/>'
    entries = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1)
    )
    parts = {
        "_rels/.rels": relation.format("r1", "officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relation.format("rs", "styles", "styles.xml")
        + "".join(
            relation.format(f"r{i}", "worksheet", f"worksheets/{i}.xml")
            for i in range(1, 1 + len(sheets))
        ),
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, inside in parts.items():
            file.writestr(name, f'<Relationships xmlns="{_PACKAGE}">{inside}</Relationships>')
        start = f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}">'
        file.writestr("xl/workbook.xml", f"{start}<sheets>{entries}</sheets></workbook>")
        dates = '<cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        file.writestr("xl/styles.xml", f'<styleSheet xmlns="{_SHEETS}">{dates}</styleSheet>')
        for i, rows in enumerate(sheets.values(), 1):
            cells = "".join(
                f'<row r="{r}">{"".join(_cell(f"{chr(65 + c)}{r}", v) for c, v in enumerate(row))}'
                "</row>"
                for r, row in enumerate(rows, 1)
            )
            data = f'<worksheet xmlns="{_SHEETS}"><sheetData>{cells}</sheetData></worksheet>'
            file.writestr(f"xl/worksheets/{i}.xml", data)
    return path


def ods(path, rows):
    def cell(value):
        if isinstance(value, datetime.datetime):
            return f'office:value-type="date" office:date-value="{value.isoformat()}"/>'
        if isinstance(value, str):
            return f'office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        return f'office:value-type="float" office:value="{value}"/>'

    inside = "".join(
        "<table:table-row>" + "".join(f"<table:table-cell {cell(v)}" for v in row)
        + "</table:table-row>"
        for row in rows
    )  # fmt: skip
    spaces = " ".join(f'xmlns:{n}="{_ODF}:{n}:1.0"' for n in ("office", "table", "text"))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="A">{inside}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
        file.writestr("META-INF/manifest.xml", "<manifest/>")
    return path


@pytest.fixture
def come(tmp_path):
    def run(path, **options):
        out = tmp_path / f"corpus{len(list(tmp_path.iterdir()))}"
        report = import_posts(format_of(path), path, out, **options)
        return read_corpus(out), report

    return run


def test_cells_come_as_they_are_meant(come, tmp_path):
    titled = [["Posts of 2023"], [], ["Who", None, "What", None, None], *ROWS]
    for path, above in (
        (xlsx(tmp_path / "a.xlsx", Posts=ROWS, Notes=[["x"], ["y"]]), 0),
        (xlsx(tmp_path / "b.XLSX", Posts=titled), 3),
        (ods(tmp_path / "c.ods", ROWS), 0),
        (xlsx(tmp_path / "d.xlsx", Posts=[["Who", "What", None, None, None], *ROWS]), 1),
    ):
        corpus, report = come(path)
        assert (corpus.users, corpus.messages) == (["ann", "bob"], ["good é", "2024"])
        assert corpus.hashtags == ["tea", "milk"]
        assert corpus.timestamps.tolist() == [NOON, NOON]
        assert corpus.outcomes["likes"].tolist() == [12, 3]
        counted = report.counted.get("rows above the names of the columns, passed over", 0)
        assert counted == above
        assert report.counted.get("sheet `Notes` is not read", 0) == (path.name == "a.xlsx")


def test_what_is_said_and_refused(come, tmp_path):
    both = xlsx(tmp_path / "two.xlsx", A=ROWS, B=ROWS[:2])
    with pytest.raises(DataError, match=r"several sheets hold rows, `A`, `B`; say which: --sheet"):
        come(both)
    assert come(both, sheet="B")[0].users == ["ann"]
    with pytest.raises(DataError, match="no sheet `C`; found `A`, `B`"):
        come(both, sheet="C")
    days = [NAMES[:4], ["ann", "x", "tea", 45244.92592592593]]
    path = xlsx(tmp_path / "days.xlsx", A=days)
    with pytest.raises(DataError, match="days of a spreadsheet; say --time-unit days"):
        come(path)
    assert come(path, time_unit="days")[0].timestamps.tolist() == [NOON]
    path = xlsx(tmp_path / "ids.xlsx", A=[["id", *NAMES[:3]], [1800000000000000001, "a", "x", "t"]])
    with pytest.raises(DataError, match=r"has lost its last digits.*format Text"):
        come(path)
    path = xlsx(tmp_path / "more.xlsx", A=[NAMES[:3], ["ann", "x", "tea", "oops"]])
    with pytest.raises(DataError, match=r"more.xlsx:2: 'oops' stands in a column without a name"):
        come(path)
    path = xlsx(tmp_path / "names.xlsx", A=[["User name", "Post text", "Tags"], ["a", "x", "t"]])
    command = examine(path).command
    assert "'user=User name,text=Post text,hashtags=Tags'" in command
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="not readable as a spreadsheet"):
        come(path)


def test_what_only_looks_whole_is_refused(come, tmp_path):
    """Merged cells, ids of more than fifteen digits, dates half of which were turned."""
    path = xlsx(tmp_path / "a.xlsx", Posts=[NAMES, ["ann", "x", "tea", WHEN, 1], ["ann", "y"]])
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name).decode() for name in file.namelist()}
    merged = '<mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells></worksheet>'
    sheet = "xl/worksheets/1.xml"
    parts[sheet] = parts[sheet].replace("</worksheet>", merged)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    with pytest.raises(DataError, match=r"a.xlsx:2: cells are merged down to row 3, from column 3"):
        come(path)
    long = [NAMES, [1234567890123450, "x", "tea", WHEN, 1]]
    with pytest.raises(DataError, match=r"lost its last digits.*format Text"):
        come(xlsx(tmp_path / "b.xlsx", Posts=long))
    mixed = [NAMES, ["ann", "x", "tea", WHEN, 1], ["ann", "y", "tea", "13/02/2023", 1]]
    with pytest.raises(DataError, match=r"is a date and 13/02/2023.* is text"):
        come(xlsx(tmp_path / "c.xlsx", Posts=mixed))
    stray = [["", *NAMES[:3], ""], ["1", "ann", "x", "tea", "oops"]]
    with pytest.raises(DataError, match="'oops' stands in a column without a name"):
        come(xlsx(tmp_path / "d.xlsx", Posts=stray))
