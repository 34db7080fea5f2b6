"""CSV: quoting, rows over several lines, and faults with the line at which a row begins."""

from collections import Counter

import pytest

from tfhashtag.corpus.row_source import RowSource
from tfhashtag.errors import DataError


def read(tmp_path, content):
    """Posts, faults as (file:line, reason), and counts."""
    path = tmp_path / "p.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    faults, counts = [], Counter()

    def on_bad(place, fault):
        faults.append((place.replace(str(tmp_path) + "/", ""), fault.reason))

    source = RowSource("csv", path)
    source.look(lambda *_: None)
    return list(source.posts(on_bad, counts)), faults, +counts


def test_quotes_line_ends_and_separators(tmp_path):
    content = (
        '\ufeffuser,text,hashtags,extra\r\nu1,"two\nlines, ""quoted""",#a b,x\r\nu2,a\u2028b,,\r\n'
    )
    posts, faults, counts = read(tmp_path, content)
    assert [post.text for post in posts] == ['two\nlines, "quoted"', "a\u2028b"]
    assert [post.hashtags for post in posts] == [("a", "b"), ()]
    assert [post.place.rpartition(":")[2] for post in posts] == ["2", "4"]
    assert (faults, counts) == ([], {"field `extra` is not read": 1})


def test_faults_name_the_line_where_the_row_begins(tmp_path):
    content = 'user,text,hashtags\nu,t,h\n,"two\nlines",h\nu,"a"b,h\n\n'
    content += 'u,t,h,more\nu,"never closed,h\nu,t,h\n'
    posts, faults, counts = read(tmp_path, content)
    assert len(posts) == 1
    assert faults == [
        ("p.csv:3", "empty user"),
        ("p.csv:5", "not CSV"),
        ("p.csv:7", "too many fields"),
        ("p.csv:8", "not CSV"),
    ]
    assert counts == {"empty lines": 1}


@pytest.mark.parametrize(
    "content, message",
    [
        ('user,"te"xt,hashtags\n', "p.csv:1: the header is not readable as CSV"),
        ("user,text,hashtags,text\n", "p.csv:1: column `text` stands twice"),
        ("user,text\nu,t\n", "p.csv: no column `hashtags`; found user, text, and no text holds"),
    ],
)
def test_header_faults(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_not_utf8(tmp_path):
    posts, faults, _ = read(tmp_path, b"user,text,hashtags\nu,\xe9,h\nu,t,h\n")
    assert (len(posts), faults) == (1, [("p.csv:2", "not UTF-8")])


SLASHED = "files whose quotes within cells have a backslash before them, read so"


@pytest.mark.parametrize(
    "cells, texts",
    [
        # pandas' `doublequote=False, escapechar="\\"`, MySQL's OUTFILE: a backslash has one, too
        ([r'"say \"hi\", now"', r'"at C:\\"'], ['say "hi", now', "at C:\\"]),
        ([r"tea\, milk", r"C:\\new"], ["tea, milk", r"C:\new"]),  # of `QUOTE_NONE`
        (['"two\\\nlines \\"so\\""', "t"], ['two\nlines "so"', "t"]),
        # Spark: only quotes have one
        ([r'"a \"b\" in C:\new"', r'"¯\_(o)_/¯ \"\""'], [r'a "b" in C:\new', r'¯\_(o)_/¯ ""']),
        ([r'"\""', r'"say \",\" now"'], ['"', 'say "," now']),
    ],
)
def test_backslashes_before_quotes(tmp_path, cells, texts):
    rows = "".join(f'"u{n}",{cell},tea\n' for n, cell in enumerate(cells))
    posts, faults, counts = read(tmp_path, f"user,text,hashtags\n{rows}")
    assert ([post.text for post in posts], faults) == (texts, [])
    assert counts == {SLASHED: 1}


@pytest.mark.parametrize(
    "content, texts, bad",
    [
        # a cell may end in one, as in CSV
        ('u,"C:\\",tea\nv,"so ""said"" \\",tea\n', ["C:\\", 'so "said" \\'], 0),
        ('u,"he \\""said\\"" it",tea\nv,t,tea\n', ['he \\"said\\" it', "t"], 0),
        ("u,C:\\,tea\nv,\\,tea\n", ["C:\\", "\\"], 0),
        ('u,"C:\\",tea\nv,t\nw,"x",tea\n', ["C:\\", "x"], 1),  # also beside a bad row
    ],
)
def test_backslashes_that_are_none(tmp_path, content, texts, bad):
    posts, faults, counts = read(tmp_path, f"user,text,hashtags\n{content}")
    assert ([post.text for post in posts], len(faults), counts) == (texts, bad, {})


def test_one_bad_row_among_backslashes(tmp_path):
    """Where both ways leave faults it is told what stops the other one."""
    good = r'u,"he \"said\" it",tea' + "\n"
    posts, faults, counts = read(tmp_path, f"user,text,hashtags\n{good * 20}v,t\n")
    assert ({post.text for post in posts}, len(posts)) == ({'he "said" it'}, 20)
    assert (faults, counts) == ([("p.csv:22", "too few fields")], {SLASHED: 1})
    (tmp_path / "p.csv").write_text(f"user,text,hashtags\n{good}v,t\n")
    source = RowSource("csv", tmp_path / "p.csv")
    told = []
    source.look(lambda place, fault: told.append(str(fault)))
    assert "read so, the file stops at" in told[0]
    assert "p.csv:3: 2 fields; the header has 3" in told[0]


def test_quotes_that_quote_nothing(tmp_path):
    """As databases write tables between tabs; one cell that is quoted makes it CSV."""
    content = (
        'user\ttext\thashtags\na\tshe said "hi\ttea\nb\t"so" it is\ttea\nc\t"open\ttea\nd\t"\ttea\n'
    )
    posts, faults, counts = read(tmp_path, content)
    assert [post.text for post in posts] == ['she said "hi', '"so" it is', '"open', '"']
    assert faults == []
    assert counts == {"files whose quotes are signs like others, as nothing is quoted, read so": 1}
    posts, faults, counts = read(tmp_path, content.replace("c\t", '"c"\t'))
    assert faults and not any(what.startswith("files") for what in counts)
