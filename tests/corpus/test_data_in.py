"""The shapes that people's files have: each comes in right, or stops with its mend."""

import bz2
import decimal
import gzip
import itertools
import json
import lzma
import math
import os
import pathlib
import shlex

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfhashtag as th
from tfhashtag.corpus.alike_users import ALIKE
from tfhashtag.corpus.import_options import options_as_imported
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.post import CUT_SHORT
from tfhashtag.corpus.recognition import examine, format_of
from tfhashtag.corpus.statistics import notes_of
from tfhashtag.corpus.store import read_corpus, source_of
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import DataError

ROW = {"user": "u", "text": "good", "hashtags": ["tea", "milk"]}
_numbers = itertools.count()


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tags_of(corpus):
    return [[corpus.hashtags[t] for t in corpus.hashtags_of_post(p)] for p in range(len(corpus))]


@pytest.fixture
def come(tmp_path):
    """Imports a file; the corpus and the report."""

    def run(path, source_format=None, **options):
        out = tmp_path / f"corpus-{next(_numbers)}"
        report = import_posts(source_format or format_of(path), path, out, **options)
        return read_corpus(out), report

    return run


@pytest.fixture
def cells(tmp_path, come):
    """Hashtags of posts whose CSV cells are given, and what was told."""

    def run(*given, **options):
        path = tmp_path / "cells.csv"
        quoted = ['"' + cell.replace('"', '""') + '"' for cell in given]
        lines = [f"u,text {number},{cell}" for number, cell in enumerate(quoted)]
        path.write_text("user,text,hashtags\n" + "\n".join(lines) + "\n", encoding="utf-8")
        corpus, report = come(path, **options)
        return tags_of(corpus), report.told

    return run


@pytest.mark.parametrize(
    "given, expected",
    [
        (["['coffee', 'roast']", "[]"], [["coffee", "roast"], []]),
        (['["coffee"]', "[ ]"], [["coffee"], []]),
        (["['coffee' 'roast']", "['a'\n 'b']"], [["coffee", "roast"], ["a", "b"]]),
        (["('coffee', 'roast')", "('a',)"], [["coffee", "roast"], ["a"]]),
        (["{coffee,roast}", "{'a', 'b'}"], [["coffee", "roast"], ["a", "b"]]),
        (["[coffee, roast]", "[a]"], [["coffee", "roast"], ["a"]]),
        (["<coffee><roast>", "<a>"], [["coffee", "roast"], ["a"]]),
        (["['coffee', nan]", "[None]"], [["coffee"], []]),
        (["coffee;roast", "tea"], [["coffee", "roast"], ["tea"]]),
        (["coffee, roast", "tea"], [["coffee", "roast"], ["tea"]]),
        (["coffee|roast", "tea"], [["coffee", "roast"], ["tea"]]),
        (["coffee\troast", "tea"], [["coffee", "roast"], ["tea"]]),
        (["a b", "tea, milk x", "c d"], [["a", "b"], ["tea", "milk", "x"], ["c", "d"]]),
        (["#coffee#roast", "#c, #d", "#a #b"], [["coffee", "roast"], ["c", "d"], ["a", "b"]]),
        (["nan", "None", "null", "", "tea"], [[], [], [], [], ["tea"]]),
        (["NA", "N/A", "-", "tea - milk"], [[], [], [], ["tea", "milk"]]),
        (["日本、東京", "京都，大阪", "a；b"], [["日本", "東京"], ["京都", "大阪"], ["a", "b"]]),
        (["tea / milk", "a/b"], [["tea", "milk"], ["a", "b"]]),
        (["“tea”; 'milk'", "«a»"], [["tea", "milk"], ["a"]]),
        (['[{"text": "tea"}, {"tag": "milk"}]'], [["tea", "milk"]]),
        (["c#", "#c++", "pale-ale"], [["c#"], ["c++"], ["pale-ale"]]),
        (["#N/A", "#NAME?", "tea"], [[], [], ["tea"]]),
        (['["tea", null]', "[NaN]"], [["tea"], []]),
        ([r"\N", "undefined", "(null)", "<null>", "rum"], [[], [], [], [], ["rum"]]),
        (["tea + milk", "a > b", "rock&roll"], [["tea", "milk"], ["a", "b"], ["rock&roll"]]),
        (["[none]", "{tea,NULL}", "['none']", "NONE", "nil"], [[], ["tea"], ["none"], [], []]),
        (["#tea, #milk.", "#rum!", "#node.js"], [["tea", "milk"], ["rum"], ["node.js"]]),
        (["#tea #mil…", "#rum..."], [["tea"], []]),
        (["#tea - #milk", "\u200f#شاي\u200f #قهوة"], [["tea", "milk"], ["شاي", "قهوة"]]),
    ],
)  # fmt: skip
def test_cells_of_hashtags(cells, given, expected):
    assert cells(*given)[0] == expected


def test_separators_are_told_and_can_be_said(cells):
    assert cells("a;b", "c")[1] == ["hashtags: names stand between `;`"]
    assert cells("['a']", "b")[1] == ["hashtags: lists as text"]
    assert cells("NA", "b")[1] == ["hashtags: cells that are read as none: `NA` 1"]
    assert cells("a/b", "c", hashtag_separator="/")[0] == [["a", "b"], ["c"]]
    assert cells("new york", "rome")[1] == ["hashtags: names stand between white space"]
    assert cells("#new #york", "rome")[1] == []
    assert cells("red tea • milk", "x", join_words=True)[0] == [["redtea", "milk"], ["x"]]
    assert cells("tea · milk", "rum - gin - a-b")[0] == [["tea", "milk"], ["rum", "gin", "a-b"]]
    with pytest.raises(DataError, match=r"cells.csv:2: hashtag 'new york' has white space"):
        cells("new york, paris", "rome")
    with pytest.raises(DataError, match=r"cells.csv:2: .*looks like a list and is none"):
        cells("['a', b']")
    with pytest.raises(DataError, match="separator is empty"):
        cells("a b", hashtag_separator="")
    for given, many in ((("3", "0"), "all"), (("tea", "0"), "1")):
        assert cells(*given)[1] == [
            f"hashtags: {many} are numbers, such as `0`; if they are counts: --hashtags-from text"
        ]
    assert any("`nan` is one, as programs write" in line for line in cells('["nan"]', "b")[1])


@pytest.mark.parametrize("sign", ":+&~^•\\#")
def test_signs_between_names_that_are_not_recognised_are_refused(cells, sign):
    given = [f"tea{sign}milk", f"a{sign}b"]
    with pytest.raises(DataError, match="several names each"):
        cells(*given)
    assert cells(*given, hashtag_separator=sign)[0] == [["tea", "milk"], ["a", "b"]]


@pytest.mark.parametrize(
    "odd, found",
    [
        ("good morning #tea", None),
        ("#New York #London", None),
        ("<b>tea</b>", "with markup"),
        ("#tea<br>#milk", "with markup"),
        ("['a' 'b' ... 'z']", "which a program has cut"),
        ("{'tea': 2}", "names with values"),
        ("b'tea'", "bytes as Python writes"),
        ("array(['a', 'b'], dtype=object)", "looks like a piece of a list"),
        (["tea,milk"], ""),
        (['"tea"'], ""),
        (["['tea'"], ""),
        ([r"caf\u00e9"], ""),
        (["2023-05-01"], ""),
    ],
)
def test_a_single_odd_cell_among_many_is_refused_or_told(come, tmp_path, odd, found):
    rows = [{**ROW, "text": f"{i}", "hashtags": ["tea"] if isinstance(odd, list) else "tea"}
            for i in range(9)]  # fmt: skip
    path = jsonl(tmp_path / "p.jsonl", [*rows, {**ROW, "hashtags": odd}])
    if found is None:
        told = "hashtags: 1 cells have words with # and others without, such as "
        assert any(line.startswith(f"{told}{odd!r}") for line in come(path)[1].told)
    elif found:
        with pytest.raises(DataError, match=rf"p.jsonl:10: .*{found}"):
            come(path)
    else:
        told = "hashtags: 1 look like several names, a piece of a list, an escape or a date"
        told += f", such as `{odd[0]}`"
        assert any(line.startswith(told) for line in come(path)[1].told)


def test_lists_whose_members_are_several_names(come, tmp_path):
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "hashtags": ["tea, milk", None]}])
    with pytest.raises(DataError, match="'tea, milk' has white space"):
        come(path)
    assert tags_of(come(path, hashtag_separator=",")[0]) == [["tea", "milk"]]


def test_a_column_that_still_looks_like_a_list_is_an_error(come, tmp_path):
    rows = [{**ROW, "hashtags": ["['coffee',", "'roast']"]}]
    path = jsonl(tmp_path / "p.jsonl", rows)
    with pytest.raises(DataError, match=r"look like pieces of lists, .*: `'roast'"):
        come(path)
    found = examine(path)
    assert "look like pieces" in found.error and found.command == ""


def test_hashtags_of_the_texts(come, tmp_path):
    text = "roast day\n.\n#coffee #roast#glued ＃日本"
    rows = [{"user": "u", "text": text}, {"user": "v", "text": "none here"}]
    corpus, report = come(jsonl(tmp_path / "a.jsonl", rows))
    assert tags_of(corpus) == [["coffee", "roast", "glued", "日本"], []]
    assert corpus.messages[0] == "roast day\n."
    assert report.told == ["hashtags: taken from the texts, as there is no such field"]
    cut = [{"user": "u", "text": f"{'x ' * 40}#coffee #roas… https://t.co/x"}, *rows]
    corpus, report = come(jsonl(tmp_path / "cut.jsonl", cut))
    assert tags_of(corpus)[0] == ["coffee"] and report.counted[CUT_SHORT] == 1
    empty = [{**row, "hashtags": []} for row in rows]
    corpus, report = come(jsonl(tmp_path / "b.jsonl", empty))
    assert len(corpus.hashtags) == 4 and "always empty" in report.told[0]
    corpus, _ = come(tmp_path / "b.jsonl", hashtags_from="field", keep_hashtags_in_text=True)
    assert corpus.hashtags == [] and text in corpus.messages
    other = [{"user": "u", "text": "x", "hashtags": [], "tags": ["tea"]}]
    told = come(jsonl(tmp_path / "o.jsonl", other))[1].told
    assert told == ["hashtags: the field is always empty; if they are in column `tags`: "
                    "--columns hashtags=tags"]  # fmt: skip
    some = [{**rows[0], "hashtags": []}, {**ROW, "hashtags": ["tea"]}]
    _, report = come(jsonl(tmp_path / "c.jsonl", some))
    assert (
        report.counted["posts without hashtags whose text holds some (--hashtags-from text)"] == 1
    )
    with pytest.raises(
        DataError, match=r"found user, text, tags.*Likely: --columns hashtags=tags.*"
    ):
        come(jsonl(tmp_path / "d.jsonl", [{**rows[0], "tags": ["x"]}]))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "déjà"),
        ("cp932", "今日はいい天気。"),
        ("gb18030", "今天天气很好"),
        ("big5", "天氣很好"),
        ("cp949", "날씨가"),
        ("cp1251", "погода"),
        ("koi8-r", "погода"),
        ("cp1253", "καλός"),
    ],
)
def test_who_knows_the_language_sees_the_encoding(come, tmp_path, encoding, text):
    """Of all others the right one is named, too; as it is said the file is read."""
    path = tmp_path / "p.csv"
    path.write_text(f'user,text,hashtags\nann,"so: {text} ok",tea\n', encoding=encoding)
    with pytest.raises(DataError, match=r"p\.csv:2: byte \d+ is not UTF-8") as refused:
        come(path)
    assert f"{encoding} (`{text}`)" in str(refused.value)
    corpus, _ = come(path, encoding=encoding)
    assert corpus.messages == [f"so: {text} ok"]


def test_columns_and_delimiters(come, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('username;tweet;tags\nann;"a; ""b"" é";tea milk\n', encoding="latin-1")
    with pytest.raises(DataError, match=r"byte 15 is not UTF-8.*--encoding cp1252"):
        come(path)
    mend = "--columns user=username,text=tweet,hashtags=tags"
    with pytest.raises(
        DataError, match=f"no column `user`; found username, tweet, tags. Likely: {mend}"
    ):
        come(path, encoding="latin-1")
    columns = {"user": "username", "text": "tweet", "hashtags": "tags"}
    corpus, report = come(path, encoding="latin-1", columns=columns)
    assert (corpus.users, corpus.messages, corpus.hashtags) == (
        ["ann"],
        ['a; "b" é'],
        ["tea", "milk"],
    )
    assert report.told[:2] == ["encoding: iso8859-1", "columns: between `;`"]
    with pytest.raises(DataError, match=r"no column `usrname`.* Did you mean `username`"):
        come(path, encoding="latin-1", columns={**columns, "user": "usrname"})
    with pytest.raises(DataError, match=r"--columns usr=.*Did you mean `user`"):
        come(path, columns={"usr": "username"})
    with pytest.raises(DataError, match="encoding 'latin-99' is not known"):
        come(path, encoding="latin-99")
    found = examine(path, encoding="latin-1")
    assert mend in found.command and "--encoding latin-1" in found.command
    for sign, name in (("\t", "tab"), ("|", "|")):
        path.write_text(f"user{sign}text{sign}hashtags\nann{sign}a, b{sign}tea\n")
        corpus, report = come(path)
        assert corpus.messages == ["a, b"] and report.told == [f"columns: between `{name}`"]
    path.write_text('sep=;\nuser; text; hashtags\nann; "a, b"; tea\nann;x\n')
    with pytest.raises(DataError, match=r"p.csv:4: 2 fields; the header has 3"):
        come(path)
    assert come(path, skip_bad=True)[0].messages == ["a, b"]
    path.write_text("ann,good,tea\n")
    with pytest.raises(DataError, match="no post is left"):
        come(path)
    path.write_text("ann,good,tea\nbob,x,milk\n")
    with pytest.raises(DataError, match=r"found ann, good, tea\. The first line must name"):
        come(path)
    path.write_text(json.dumps(ROW) + "\n")
    with pytest.raises(
        DataError, match=r"p.csv: looks like JSON, not CSV\. Say what it is: `data import json`"
    ):
        come(path)
    path.write_text("user,text,hashtags,,\nann,b,tea,,\n,,,,\n")
    corpus, report = come(path)
    assert (corpus.messages, report.counted) == (["b"], {"empty lines": 1})
    for sign in (";;", ""):
        with pytest.raises(DataError, match="expected one sign"):
            come(path, delimiter=sign)
    with pytest.raises(DataError, match="encoding 'base64' is not known"):
        come(path, encoding="base64")
    path.write_text("user\ttext\thashtags\nann\tb\ttea\n")
    assert come(path, delimiter=r"\t")[0].messages == ["b"]
    path.write_text("user^text^hashtags\nann^b^tea\n")
    with pytest.raises(DataError, match=r"found user\^text\^hashtags.*--delimiter"):
        come(path)
    assert come(path, delimiter="^")[0].messages == ["b"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_encodings(come, tmp_path, encoding, ending):
    path = tmp_path / f"p.{ending}"
    content = {
        "csv": "user,text,hashtags\nann,grün 日本,tea\n",
        "jsonl": '{"user": "ann", "text": "grün 日本", "hashtags": ["tea"]}\n',
        "json": '[{"user": "ann",\n "text": "grün 日本", "hashtags": ["tea"]}]',
    }[ending]
    path.write_bytes(content.encode(encoding))
    corpus, _ = come(path)
    assert (corpus.users, corpus.messages, corpus.hashtags) == (["ann"], ["grün 日本"], ["tea"])


def test_a_mark_amid_a_recoded_file_is_a_sign_of_its_text(come, tmp_path):
    path = tmp_path / "p.json"
    text = "a" * 16000 + "\ufeff" * 600 + "c"  # across the end of what is read at once
    path.write_bytes(json.dumps([{**ROW, "text": text}], ensure_ascii=False).encode("utf-16"))
    kept = come(path)[0].messages
    path.write_text(json.dumps([{**ROW, "text": text}], ensure_ascii=False), encoding="utf-8")
    assert kept == come(path)[0].messages == [text]


def zstd(content):
    import zstandard

    half = len(content) // 2
    packed = [
        zstandard.ZstdCompressor().compress(part) for part in (content[:half], content[half:])
    ]
    return b"".join(packed)


@pytest.mark.parametrize(
    "ending, pack",
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)],
)
def test_compressed_files(come, tmp_path, ending, pack):
    rows = [{**ROW, "id": f"p{i}", "text": f"text {i}"} for i in range(300)]
    plain = jsonl(tmp_path / "p.jsonl", rows)
    packed = tmp_path / f"p.jsonl.{ending}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert come(packed, name="p")[0].digest == come(plain, name="p")[0].digest
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(
        DataError, match=rf"p.jsonl.{ending}: cannot be unpacked, it is cut or damaged"
    ):
        come(packed)


def test_folders_and_patterns_in_order(come, tmp_path):
    folder = tmp_path / "parts"
    (folder / "more").mkdir(parents=True)
    for number in (10, 9, 1):
        jsonl(folder / f"part-{number}.jsonl", [{**ROW, "text": f"text {number}"}])
    (folder / "more" / "z.jsonl.gz").write_bytes(
        gzip.compress(b'{"user": "u", "text": "z", "hashtags": []}\n')
    )
    (folder / "readme.txt").write_text("no posts")
    (folder / ".hidden.jsonl").write_text("no posts")
    corpus, report = come(str(folder / "part-*.jsonl"))
    assert corpus.messages == ["text 1", "text 9", "text 10"] and corpus.post_ids == ["1", "2", "3"]
    corpus, report = come(folder, "jsonl")
    assert len(corpus) == 4 and "files: 4, z.jsonl.gz first" in report.told
    (folder / "other.csv").write_text("user,text,hashtags\nann,b,tea\n")
    told = come(folder, "jsonl")[1].told
    assert "files of other formats, which are not read: 1, other.csv" in told
    with pytest.raises(DataError, match=r"holds no file that ends with .parquet"):
        come(folder, "parquet")
    with pytest.raises(DataError, match="no file fits the pattern"):
        come(str(folder / "x-*.jsonl"))


def test_a_delimiter_is_one_sign_where_the_format_is_told_by_it_too(tmp_path):
    (tmp_path / "p.csv").write_text("user\ttext\thashtags\nann\tb\ttea\n")
    assert format_of(tmp_path / "p.csv", delimiter=r"\t") == "csv"
    with pytest.raises(DataError, match="expected one sign"):
        format_of(tmp_path / "p.csv", delimiter="::")


@pytest.mark.parametrize("first", ["ORCID", "PAR1"])  # as binary files begin
def test_a_text_that_begins_as_binary_files_do_is_a_text(come, tmp_path, first):
    (tmp_path / "p.csv").write_text(f"{first},user,text,hashtags\n1,ann,b,tea\n")
    assert come(tmp_path / "p.csv")[0].messages == ["b"]


@pytest.mark.parametrize(
    "start, what, said",
    [
        (b"PK\x03\x04", "of Excel, `.xlsx`", "this is .*of Excel"),
        (b"PAR1\x15\x04", "import it as parquet", "looks like Parquet, not CSV.*import parquet`"),
        (b"%PDF-1.7", "a PDF", "this is a PDF"),
    ],
)
def test_what_holds_no_text(come, tmp_path, start, what, said):
    (tmp_path / "p.csv").write_bytes(start + b"x" * 50)
    with pytest.raises(DataError, match=f"p.csv: {said}"):
        come(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_bytes(gzip.compress(start + b"x" * 50))
    with pytest.raises(DataError, match=f"p.csv: it holds .*{what}"):
        come(tmp_path / "p.csv")
    for inside, fault in (
        (gzip.compress(start), "packed twice"),
        (b"p.csv".ljust(257, b"\0") + b"ustar", "an archive of tar"),
    ):
        (tmp_path / "p.csv").write_bytes(gzip.compress(inside))
        with pytest.raises(DataError, match=f"p.csv: it is {fault}"):
            come(tmp_path / "p.csv")


NOON = 1_700_003_600


@pytest.mark.parametrize(
    "stamps, seconds, told",
    [
        ([NOON, NOON + 1], [NOON, NOON + 1], None),
        ([NOON * 1000, NOON * 1000 + 1500], [NOON, NOON + 1], "numbers are milliseconds"),
        ([NOON * 10**6, 0, NOON * 10**6], [NOON] * 3, "numbers are microseconds"),
        ([NOON * 10**9, NOON * 10**9], [NOON] * 2, "numbers are nanoseconds"),
        ([f"{NOON}000", f"{NOON}000.0"], [NOON] * 2, "numbers are milliseconds"),
        ([20181010, 20181009], [1539043200, 1539129600], "numbers are dates such as 20181010"),
        ([2019, "2018"], [1514764800, 1546300800], "numbers are dates such as 2019"),
        ([201810], [1538352000], "numbers are dates such as 201810"),
        ([20181010120000], [1539172800], "numbers are dates"),
        ([5, 10], [5, 10], "the largest is January 1970 as seconds"),
        ([721696400], [721696400], "the largest is November 1992 as seconds since 1970; if they"),
        (["Tue Nov 14 23:13:20 +0000 2023"], [NOON], None),
        (["Tue, 14 Nov 2023 23:13:20 GMT", "15 Nov 2023 00:13:20 +0100"], [NOON] * 2, None),
        (["2023-11-14T23:13:20.500Z", "2023-11-15 00:13:20+01:00"], [NOON] * 2, None),
        (["14.11.2023 23:13:20", "01.02.2023"], [1675209600, NOON], "the day is first, as in 14."),
        (["1/2/2023", "11/14/2023 11:13:20 PM"], [1672617600, NOON], "the month is first, as in"),
        (["Nov 14, 2023, 11:13:20 PM", "14 November 2023 23:13:20"], [NOON] * 2, None),
        ([{"$date": {"$numberLong": str(NOON * 1000)}}], [NOON], "numbers are milliseconds"),
        (["2023-11-14 23:13:20 UTC", "2023-11-14 23:13:20 +0000 UTC"], [NOON] * 2, None),
        (
            ["2023/11/14 23:13:20", "2023-11-14 11:13:20 PM", "2023.11.14 23:13:20"],
            [NOON] * 3,
            None,
        ),
        (["2023年11月14日 23:13:20", "2023/11/14 23:13:20+0000"], [NOON] * 2, None),
        (["Tue Nov 14 2023 23:13:20 GMT+0000 (Coordinated Universal Time)"], [NOON], None),
        (["Tuesday, November 14, 2023 at 11:13:20 PM", "Sept. 1, 2023"], [1693526400, NOON], None),
        ([f"{NOON},5", f"{NOON},0"], [NOON] * 2, None),
    ],
)
def test_units_of_times(come, tmp_path, stamps, seconds, told):
    rows = [{**ROW, "id": str(i), "timestamp": stamp} for i, stamp in enumerate(stamps)]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows))
    assert corpus.timestamps.tolist() == seconds
    assert any(told in line for line in report.told) if told else report.told == []


@pytest.mark.parametrize(
    "stamps, message",
    [
        ([NOON, NOON * 1000], "several units: 1 look like s .*1 look like ms .*--time-unit"),
        ([NOON, 2 * 10**10], "several units|bad|`timestamp` is 20000000000; expected seconds"),
        ([20181010, 20181011, NOON], "2 of 3 numbers are dates"),
        (["31.12.20"], "`timestamp` is '31.12.20'; .*--time-format"),
        (["12:30"], "`timestamp` is '12:30'"),
        (["31/12/2020", "12/31/2020"], "the day is first in 31/12/2020 .*month in 12/31/2020"),
        (["13.13.2020"], "`timestamp` is '13.13.2020'"),
        ([43383.5, 43384], "days of a spreadsheet; say --time-unit days"),
        ([NOON, NOON, 20181010], "seconds 1 lie before 1973 .first 20181010, .*:3.*--time-unit s"),
        ([NOON, NOON, "2018", 43383.5], "2 lie before 1973 .first 2018, .*:3"),
        ([99999999999], "`timestamp` is 99999999999"),
        ([638355896000000000], "nanoseconds none lies .* in 1990.*: --time-unit ns"),
        ([133444556000000000], "nanoseconds none lies .* in 1974"),
        ([721696400000], "milliseconds none lies .* in 1992"),
        ([NOON, NOON, -NOON], "seconds 1 lie before 1973 .first -1700003600, .*:3.*--time-unit s"),
        ([NOON, NOON, 4102444800], r"p.jsonl:3: `timestamp` is 4102444800, and most lie between"),
        ([NOON * 1000] * 2 + [4102444800000], "is 4102444800000, and most lie between 2001 and"),
        (["2023-11-14", "2024-01-01", "2105-03-02"], "is '2105-03-02', and most .*--time-format"),
        (["2023-11-14", "2024-01-01", "1965-03-02"], "is '1965-03-02', and most lie between"),
        (["1.7E+09"] * 3, "1.7E\\+09, a number that a spreadsheet has rounded"),
        (["01/02/2020 3:04 PM"], "the day or the month may be first, .*--time-format '%d/%m/%Y"),
        (["9" * 5000], "`timestamp` is '9999"),
        ([10**400], "`timestamp` is 1000"),
        (["Tue, 14 Nov 2023 23:13:20 CET"], "`timestamp` is 'Tue, .*--time-format"),
        (["0001-01-02T00:00:00-14:00"], "`timestamp` is '0001"),
        (["1 listopada 2023"], "is '1 listopada 2023'; expected .* month .* by its name"),
        (["1402/08/23"], "is '1402/08/23'"),
        (["2023/31/12"], "is '2023/31/12'"),
        (["45244,9"], "days of a spreadsheet"),
    ],
)
def test_times_that_could_be_two_are_refused(come, tmp_path, stamps, message):
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "timestamp": stamp} for stamp in stamps])
    with pytest.raises(DataError, match=message):
        come(path)


@pytest.mark.parametrize(
    "empty",
    [
        *(0, "0", -1, 0.0, "1970-01-01T00:00:00Z", "9999-12-31", "0000-00-00 00:00:00"),
        "Thu Jan 01 00:00:00 +0000 1970",
        *(19700101, "19700101000000", "01/01/1970 00:00", "12/31/1969 7:00 PM", "1970/1/1"),
        *("Jan 1, 1970, 12:00 AM", "01-JAN-1970", "Wed Dec 31 19:00:00 -0500 1969"),
        *("00/00/0000", "1/0/1900", "00:00:00", "0001-01-01T00:00:00Z", -62135596800, -9223372037),
    ],
)
def test_what_programs_write_for_no_time_is_missing_and_told(come, tmp_path, empty):
    rows = [{**ROW, "id": str(i), "timestamp": NOON + i} for i in range(5)]
    rows[2]["timestamp"] = rows[4]["timestamp"] = empty
    path = jsonl(tmp_path / "p.jsonl", rows)
    corpus, report = come(path)
    assert corpus.timestamps.tolist() == [NOON, NOON + 1, NOON + 1, NOON + 3, NOON + 3]
    told = f"times: 2 are what programs write for none (first {empty}, p.jsonl:3), read as missing"
    assert told in report.told and told in examine(path).lines
    assert report.counted["posts without timestamp, which take that of their neighbour"] == 2
    said, report = come(path, time_unit="s")
    number = str(empty).removesuffix(".0")
    seconds = int(number) if number.lstrip("-").isdecimal() and len(number) < 10 else NOON
    assert said.timestamps.min() == seconds and (told in report.told) == (seconds == NOON)
    alone, report = come(jsonl(tmp_path / "a.jsonl", [{**ROW, "timestamp": empty}]))
    assert alone.timestamps is None and "times: 1 are what" in report.told[0]
    rows = [{**ROW, "id": str(i), "timestamp": i} for i in range(3)]  # count from somewhere
    assert come(jsonl(tmp_path / "r.jsonl", rows))[0].timestamps.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "real, options",
    [
        ([20231110, 20231111, 20231112], {}),
        (["10/11/2023", "13/11/2023", "14/11/2023 10:00"], {}),
        (["10-11-23", "11-11-23", "12-11-23"], {"time_format": "%d-%m-%y"}),
        ([20231110, 20231111, 20231112], {"time_format": "%Y%m%d"}),
        ([2021, 2022, 2023], {}),
        ([2023111010, 2023111011, 2023111012], {}),
        ([45240, 45241.5, 45242], {"time_unit": "days"}),
        ([NOON * 1000, NOON * 1000 + 1, NOON * 1000 + 2], {}),
    ],
)
def test_no_time_is_none_beside_times_of_any_notation(come, tmp_path, real, options):
    """And never the year 1970: neither as 0 nor as a date, unless it is one as was said."""
    none = {"%d-%m-%y": "00/00/0000", "%Y%m%d": "00000000"}.get(options.get("time_format"))
    none = none or (-1 if "time_unit" in options else "19700101")
    none = {2021: 1970, 2023111010: 1970010100}.get(real[0], none)
    stamps = [real[0], 0, real[1], none, real[2]]
    rows = [{**ROW, "id": str(i), "timestamp": stamp} for i, stamp in enumerate(stamps)]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows), **options)
    assert corpus.timestamps.min() > 1_600_000_000 and len(corpus) == 5
    assert "times: 2 are what programs write for none (first 0, p.jsonl:2)" in report.told[-1]
    assert not any("1970" in line for line in report.told)
    assert report.counted["posts without timestamp, which take that of their neighbour"] == 2


def test_old_dates_as_numbers_are_refused_among_new_ones_and_kept_among_old(come, tmp_path):
    rows = [{**ROW, "timestamp": day} for day in (20231110, 20231111, 19650302)]
    path = jsonl(tmp_path / "p.jsonl", rows)
    with pytest.raises(DataError, match=r"is 19650302, and most lie .*--time-format '%Y%m%d'"):
        come(path)
    assert come(path, time_format="%Y%m%d")[0].timestamps.min() < 0
    old = [{**ROW, "timestamp": day} for day in (19650302, 19700101)]
    assert come(jsonl(tmp_path / "q.jsonl", old))[0].timestamps.max() == 0


@pytest.mark.parametrize(
    "name, content, tags, users, told",
    [
        (
            "nul.jsonl", r'{"user": "a", "text": "x", "hashtags": ["te\u0000a"]}',
            [["tea"]], "a", "NUL characters",
        ),
        (
            "nested.jsonl",
            r'{"user": "a\u200b", "text": "x", "hashtags": ["[\"tea\", \"milk\"]"]}',
            [["tea", "milk"]], "a", None,
        ),
        (
            "entity.csv", "user,text,hashtags\na,x,rock&amp;roll\nb,y,tea\nc,z,&quot;milk&quot;\n",
            [["rock&roll"], ["tea"], ["milk"]], "abc", None,
        ),
        (
            "page.csv", "user,text,hashtags\na,x,https://x.org/hashtag/tea?src=h\nb,y,milk rum\n",
            [["tea"], ["milk", "rum"]], "ab", "between white space",
        ),
        (
            "twice.csv", "user,text,hashtags\na,x,tea\nuser,text,hashtags\nb,y,milk\n",
            [["tea"], ["milk"]], "ab", "rows that repeat the names of the columns",
        ),
        (
            "hours.csv", "user,text,hashtags,timestamp\na,x,tea,2023111410\nb,y,tea,2023111411\n",
            [["tea"], ["tea"]], "ab", "numbers are dates such as 2023111410",
        ),
        (
            "later.csv", "user,text,hashtags,timestamp\na,x,tea,4099999999\nb,y,tea,4099999999\n",
            [["tea"], ["tea"]], "ab", "2 lie more than a year ahead (first 4099999999, later.csv",
        ),
    ],
)  # fmt: skip
def test_what_came_in_wrong_without_a_word(come, tmp_path, name, content, tags, users, told):
    (tmp_path / name).write_text(content, encoding="utf-8")
    corpus, report = come(tmp_path / name)
    assert tags_of(corpus) == tags and corpus.users == list(users)
    assert told is None or any(told in line for line in [*report.told, *report.counted])


@pytest.mark.parametrize("between", [" ", ", ", ",", ";", " | ", "|", "/", "\t", "、", "，"])
def test_pages_of_hashtags_beside_each_other(cells, between):
    """Whatever stands between them, with or without what browsers write behind."""
    names = ["tea", "milk", "caf%C3%A9"]
    pages = [f"https://x.example/{path}{name}" for path, name in zip(
        ("hashtag/", "explore/tags/", "web/tags/"), names, strict=True
    )]  # fmt: skip
    given = [
        between.join(pages[:2]),
        between.join(pages),
        between.join(f"{page}/?src=h&f=a" for page in pages),
        between.join(f"{page}?src=h;f=a" for page in pages),
        "rum",
    ]
    every = ["tea", "milk", "café"]
    assert cells(*given)[0] == [every[:2], every, every, every, ["rum"]]


def test_pages_of_hashtags_in_lists_and_words_that_are_references(cells):
    pages = [f"https://x.example/hashtag/{name}?src=h" for name in ("tea", "milk")]
    assert cells(json.dumps(pages), str(pages), "<" + "><".join(pages) + ">")[0] == [
        ["tea", "milk"]
    ] * 3  # fmt: skip
    assert cells("x&pi;y", "life&times;history", "caf&eacute;;rock&amp;roll&#39;s")[0] == [
        ["x&pi", "y"], ["life&times", "history"], ["café", "rock&roll's"],
    ]  # fmt: skip
    with pytest.raises(DataError, match="with an address that is no hashtag's page"):
        cells("https://x.example/hashtag/tea&https://x.example/hashtag/milk")


def test_an_address_is_no_hashtag(come, tmp_path):
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "hashtags": ["https://x.org/ann/status/1"]}])
    with pytest.raises(DataError, match="with an address that is no hashtag's page"):
        come(path)


def test_a_time_that_is_meant_and_a_column_of_old_ones_come_in(come, tmp_path):
    days = ["1965-03-02", "2023-11-14", "2024-01-01"]
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "timestamp": day} for day in days])
    assert come(path, time_format="%Y-%m-%d")[0].timestamps.min() < 0
    assert len(come(path, skip_bad=True)[0]) == 2
    old = [{**ROW, "timestamp": -NOON}, {**ROW, "timestamp": -NOON + 1}]
    corpus, report = come(jsonl(tmp_path / "q.jsonl", old))
    assert corpus.timestamps.tolist() == [-NOON, -NOON + 1]
    assert "the largest is February 1916 as seconds" in report.told[0]


@pytest.mark.parametrize(
    "stamps, options, seconds",
    [
        (["1969", "1970", "2023"], {"time_format": "%Y"}, [-31536000, 0, 1672531200]),
        ([0, 60, NOON], {"time_unit": "s"}, [0, 60, NOON]),
        (["1970-01-01", "2023-11-14"], {"time_format": "%Y-%m-%d"}, [0, 1699920000]),
        ([25569, 45245.0], {"time_unit": "days"}, [0, 1700006400]),
    ],
)
def test_what_is_said_to_be_a_time_is_no_missing_one(come, tmp_path, stamps, options, seconds):
    rows = [{**ROW, "id": str(i), "timestamp": stamp} for i, stamp in enumerate(stamps)]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows), **options)
    assert corpus.timestamps.tolist() == seconds
    assert "and times as was said; if they are none, leave them out" in report.told[-1]


def test_times_that_are_said(come, tmp_path):
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "timestamp": "2023-11-14 10:00:00.0"}])
    assert come(path, time_format="%Y-%m-%d %H:%M:%S.%f")[0].timestamps.tolist() == [1699956000]
    with pytest.raises(DataError, match="time format '%H:%M': it has no year"):
        come(path, time_format="%H:%M")
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "timestamp": "31.12.20 12:00"}])
    corpus, report = come(path, time_format="%d.%m.%y %H:%M")
    assert corpus.timestamps.tolist() == [1609416000]
    assert report.counted["times without a zone, read as UTC"] == 1
    path = jsonl(
        tmp_path / "p.jsonl", [{**ROW, "timestamp": 1500}, {**ROW, "timestamp": NOON * 1000}]
    )
    assert come(path, time_unit="ms")[0].timestamps.tolist() == [1, NOON]


def test_a_post_without_time_stays_with_its_neighbours(come, tmp_path):
    rows = [{**ROW, "user": f"u{i % 3}", "id": str(i), "timestamp": NOON + i} for i in range(9)]
    rows[4]["timestamp"] = None
    del rows[0]["timestamp"]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows))
    assert report.counted["posts without timestamp, which take that of their neighbour"] == 2
    times = dict(zip(corpus.post_ids, corpus.timestamps.tolist(), strict=True))
    assert times["4"] == NOON + 1 and times["0"] == NOON + 3  # the same user's before, or after
    assert corpus.post_ids == ["1", "4", "2", "0", "3", "5", "6", "7", "8"]
    odd = [{**ROW, "id": name, "timestamp": t} for name, t in (("5", NOON), ("1", None))]
    assert come(jsonl(tmp_path / "o.jsonl", [*odd, {**odd[0], "id": "7"}]))[0].post_ids == [
        "5", "1", "7",
    ]  # fmt: skip
    few = [{**row, "timestamp": None} for row in rows[:8]] + rows[8:]
    corpus, report = come(jsonl(tmp_path / "q.jsonl", few))
    assert corpus.timestamps is None and corpus.post_ids == [str(i) for i in range(9)]
    assert report.counted["posts without timestamp, so that no times are kept"] == 8


@pytest.mark.parametrize(
    "name, content, stops",
    [
        ("names.csv", "username,tweet,tags\nann,x,tea\n", "no column `user`"),
        ("some.csv", "user,text,tags,date\nann,x,tea,2023-11-14\n", "no column `hashtags`"),
        ("both.csv", "user,text,hashtags,timestamp\na,x,t,1700003600\nb,x,t,20181010\n", None),
        ("split.csv", "user,text,hashtags,split\na,x,t,train\nb,x,t,\n", None),
        ("shape.jsonl", json.dumps({**ROW, "proposals": [[1.0]]}) + "\n" + json.dumps(
            {**ROW, "proposals": [[1.0, 2.0]]}), "`proposals` are 1 x 2"),
        ("bad.csv", "user,text,hashtags\na,x,t\n,y,t\n", "`user` is empty"),
        ("good.csv", "user;text;hashtags\na;x;['t', 'u']\n", ""),
    ],
)  # fmt: skip
def test_a_check_and_an_import_agree(tmp_path, capsys, name, content, stops):
    """Stops is what the import stops at without what the check adds; None where both refuse."""
    from tfhashtag.cli.main import main

    path, out = tmp_path / name, tmp_path / "corpus"
    path.write_text(content)
    found = examine(path)
    if stops != "":
        with pytest.raises(DataError, match=stops) as refused:
            import_posts(format_of(path), path, out)
        assert stops is not None or found.error == str(refused.value)
        if stops and "column" in stops:
            assert f"import without --columns stops: {refused.value}" in found.lines
    if stops is not None:
        words = shlex.split(found.command.replace("--out corpus", f"--out {out}"))
        main(words[1:])
        assert f"{len(read_corpus(out))} posts, " in " ".join(found.lines)


def test_the_format_is_told_alike_by_what_is_said_of_a_file(tmp_path):
    path = tmp_path / "Shares.csv"
    path.write_text("Date^ShareLink^ShareCommentary\n2023-11-14 10:00:00^x.org^good #tea\n")
    th.import_posts(path, tmp_path / "corpus", tell=str, delimiter="^", user="ann")
    assert source_of(tmp_path / "corpus")["format"] == "linkedin"
    assert examine(path, delimiter="^", user="ann").lines[0] == "format: linkedin"


def test_equal_times_do_not_depend_on_the_order_of_the_file(come, tmp_path):
    rows = [{**ROW, "id": str(i), "text": f"t{i}", "timestamp": NOON + i // 7} for i in range(240)]
    for options in ({}, {"split": "global-time"}):
        first, report = come(jsonl(tmp_path / "a.jsonl", rows), name="x", **options)
        assert any(
            n == 240 and "of their ids (without ids, of user and text)" in what
            for what, n in report.counted.items()
        )
        second, _ = come(jsonl(tmp_path / "b.jsonl", rows[::-1]), name="x", **options)
        assert first.digest == second.digest
        assert first.post_ids == [str(i) for i in range(240)]
        moments = list(zip(first.timestamps.tolist(), first.split_of_post.tolist(), strict=True))
        assert len(set(moments)) == len({moment for moment, _ in moments})
        assert sorted(set(first.split_of_post.tolist())) == [0, 1, 2]
    bare = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    first, _ = come(jsonl(tmp_path / "a.jsonl", bare), name="x")
    second, _ = come(jsonl(tmp_path / "b.jsonl", bare[::-1]), name="x")
    assert first.messages == second.messages
    assert first.split_of_post.tolist() == second.split_of_post.tolist()


def test_spellings_are_joined_unless_they_are_to_be_kept(come, tmp_path):
    tags = [
        ["Python"],
        ["python", "PYTHON"],
        ["python"],
        ["cafe\u0301"],
        ["café"],
        ["＃Ｆull"],
        ["##full"],
    ]
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "hashtags": names} for names in tags])
    corpus, report = come(path)
    assert tags_of(corpus) == [
        ["python"],
        ["python"],
        ["python"],
        ["café"],
        ["café"],
        ["Full"],
        ["Full"],
    ]
    assert report.counted["hashtags of several spellings, of which the most used is kept"] == 2
    source = json.loads((corpus.folder / "corpus.json").read_text())["source"]
    assert source["spellings"] == {"python": ["Python", "PYTHON"][:1], "Full": ["full"]}
    kept, _ = come(path, keep_spelling=True)
    assert len(kept.hashtags) == 7 and "#full" in kept.hashtags


LEAKS = {
    "full-width": ("おはよう", "朝 ＃おはよう", "朝"),
    "decomposed": ("café", "good #cafe\u0301", "good"),
    "composed": ("cafe\u0301", "good #café", "good"),
    "case that folds": ("Straße", "an der #STRASSE", "an der"),
    "without accents": ("uber", "mit #Über", "mit"),
    "inside markup": ("Gardening", "<p>my <a>#<span>Gardening</span></a></p>", "my"),
    "a reference": ("Gardening", "my &#35;gardening", "my"),
    "other references": ("tea", "my &#X23;tea &#035;tea &#65283;tea", "my"),
    "a reference inside": ("café", "my #caf&eacute;", "my"),
    "markup inside": ("gardening", "my #garden<wbr>ing #<em>gar</em>dening", "my"),
    "the umlaut in the text alone": ("Muenchen", "Servus #München", "Servus"),
    "escaped twice": ("tea", "my &amp;#35;tea &lt;b&gt;#&lt;span&gt;tea&lt;/span&gt;", "my"),
    "written out": ("Tea", r"my {hashtag|\#|Tea} hashtag#tea", "my"),
    "a link": ("tea", 'my <a href="https://m.example.org/tags/tea">#tea</a>', "my"),
}


@pytest.mark.parametrize("form", LEAKS)
def test_no_answer_is_left_in_a_text(come, tmp_path, form):
    name, text, left = LEAKS[form]
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "text": text, "hashtags": [name]}])
    corpus, report = come(path)
    assert corpus.messages == [left]
    assert not any("still holds" in what for what in report.counted)


def test_what_is_left_is_counted(come, tmp_path):
    texts = ["https://docs.example.org/guide#install", "C#dev", "a#install-now", "plain install"]
    rows = [{**ROW, "text": text, "hashtags": ["install", "dev"]} for text in texts]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows))
    assert corpus.messages == texts
    counted = "posts whose text still holds a hashtag of theirs, in an address or a word"
    assert report.counted[counted] == 3


def test_titles_above_the_names_of_columns(come, tmp_path):
    path = tmp_path / "p.csv"
    start = "counted", "rows above the names of the columns, passed over"
    for above, count in (("My posts\n\n", 2), ("Posts;;\nWho;;What\n", 2), ("sep=;\n", 1)):
        path.write_text(f"{above}user;text;hashtags\nann;good;tea\nbob;bad\n")
        corpus, report = come(path, skip_bad=True)
        assert corpus.messages == ["good"] and getattr(report, start[0])[start[1]] == count
        assert report.examples["too few fields"].startswith(f"{path}:{3 + count}:")
    path.write_text("u,t,h\nann,user,tea\n")  # unusual names are names
    with pytest.raises(DataError, match="no column `user`; found u, t, h"):
        come(path)
    path.write_text("user,text,hashtags\rann,x,tea\r")
    with pytest.raises(DataError, match="its lines end as on old Macs"):
        come(path)
    path.write_text("user,,,text\nann,a,b,x\n")
    with pytest.raises(DataError, match="2 columns have no name"):
        come(path)


def test_files_of_csv_one_behind_the_other_and_quotes_that_are_not_closed(come, tmp_path):
    path, names = tmp_path / "p.csv", "user,text,hashtags"
    path.write_text(f"{names}\nann,x,tea\n\ufeff{names}\nbob,y,tea\n")
    assert come(path)[0].users == ["ann", "bob"]
    path.write_text(f"{names}\nann,x,tea\ntext,user,hashtags\ny,bob,tea\n")
    with pytest.raises(DataError, match=r"p.csv:3: the names of the columns once more, in another"):
        come(path, skip_bad=True)
    path.write_text('user\ttext\thashtags\nann\t"so it began\ttea\nbob\the said"\tmilk\n')
    assert come(path)[0].messages == ['"so it began', 'he said"']
    path.write_text(path.read_text() + 'cat\t"is"\ttea\n')
    with pytest.raises(DataError, match=r"p.csv:2: a quoted cell holds as many tabs as rows do"):
        come(path)
    path.write_text('user\ttext\thashtags\nann\t"a\tb\nc"\tmilk\n')
    assert come(path)[0].messages == ["a\tb\nc"]
    path.write_text('user,text,hashtags\nann,"so it began,tea\nbob,he said",milk\n')
    counted = come(path)[1].counted
    assert [n for what, n in counted.items() if "as many `,` as rows have" in what] == [1]
    path.write_text('user,text,hashtags\nann,"so, it\nbegan, he said",tea\n')  # would be two rows
    assert come(path)[0].messages == ["so, it\nbegan, he said"]
    path.write_text(f'{names}\n="007",x,tea\n007,"a, b\nc, d",tea\n')
    corpus, report = come(path)
    assert corpus.users == ["007"] and corpus.messages[1] == "a, b\nc, d"
    assert report.counted['cells such as `="007"` of spreadsheets, read as text'] == 1
    path.write_text("| user | text | hashtags |\n|---|:--|---|\n| ann | b'caf\\xc3' | tea |\n")
    corpus, report = come(path)
    assert corpus.users == ["ann"] and report.counted["rules between rows, passed over"] == 1
    assert any(line.startswith("texts: 1 are bytes as Python writes") for line in report.told)


def test_utf_8_that_was_read_as_latin_1(come, tmp_path):
    rows = [{**ROW, "text": "café “to”", "hashtags": ["café"]}, {**ROW, "text": "über"}]
    plain = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path = tmp_path / "p.jsonl"
    path.write_text(plain.encode().decode("cp1252", "replace").replace("\ufffd", "\x9d"))
    corpus, report = come(path)
    assert corpus.messages == ["café “to”", "über"] and "café" in corpus.hashtags
    assert "UTF-8 that was read as Latin-1" in report.told[0]
    assert "cafÃ©" in come(path, text_format="plain")[0].messages[0]
    path.write_text(path.read_text() + "\n" + "\n".join([json.dumps({**ROW, "text": "é"})] * 2))
    corpus, report = come(path)
    assert "cafÃ©" in corpus.messages[0] and "texts: 2 look like UTF-8" in report.told[0]
    capitals, report = come(jsonl(tmp_path / "q.jsonl", [{**ROW, "text": "BOA IRMÃ…"}, ROW]))
    assert "BOA IRMÃ…" in capitals.messages and "texts: 1 look like" in report.told[0]


def test_texts_of_html(come, tmp_path):
    rows = [{**ROW, "text": f"<p>a<br>b &amp; {i}</p>"} for i in range(3)]
    corpus, report = come(jsonl(tmp_path / "p.jsonl", rows))
    assert corpus.messages == ["a\nb & 0", "a\nb & 1", "a\nb & 2"]
    assert report.told == ["texts: HTML, read as text"]
    plain, _ = come(tmp_path / "p.jsonl", text_format="plain")
    assert plain.messages[0] == "<p>a<br>b &amp; 0</p>"
    mixed = [{**ROW, "text": "use <br> here"}, ROW, ROW]
    assert "use <br> here" in come(jsonl(tmp_path / "q.jsonl", mixed))[0].messages
    escaped = [{**ROW, "text": "it&#39;s hot &amp; good &lt;3"}, {**ROW, "text": "ok"}]
    path = jsonl(tmp_path / "r.jsonl", escaped)
    corpus, report = come(path)
    assert corpus.messages == ["it's hot & good <3", "ok"]
    assert report.told == [
        "texts: references of HTML, such as `&#39;`, read as text (--text plain: left as they are)"
    ]
    assert come(path, text_format="plain")[0].messages[0] == escaped[0]["text"]
    bare = [*escaped, {**ROW, "text": "Q&A"}]
    corpus, report = come(jsonl(tmp_path / "s.jsonl", bare))
    assert escaped[0]["text"] in corpus.messages and "texts: 1 hold references" in report.told[0]


def test_floats_and_nulls_of_pandas(come, tmp_path):
    path = tmp_path / "p.parquet"
    table = pa.table(
        {
            "user": pa.array([12.0, 2.0**53 - 1]),
            "text": ["a", "b"],
            "hashtags": pa.array([None, ["tea"]]),
            "timestamp": pa.array([NOON * 10**9 + 1, None], pa.timestamp("ns")),
        }
    )
    pq.write_table(table, path)
    corpus, _ = come(path)
    assert corpus.users == ["12", "9007199254740991"] and tags_of(corpus) == [[], ["tea"]]
    pq.write_table(table.set_column(0, "user", pa.array([1.2e18, 3.0])), path)
    with pytest.raises(DataError, match=r"p.parquet:1: `user` is 1.2e\+18, a float.*dtype="):
        come(path, skip_bad=True)
    pq.write_table(table.set_column(3, "timestamp", pa.array([18_000, 18_001], pa.date32())), path)
    assert come(path)[0].timestamps.tolist() == [18_000 * 86_400, 18_001 * 86_400]
    far = pa.array([NOON * 1000] * 2, pa.timestamp("s"))
    pq.write_table(table.set_column(3, "timestamp", far), path)
    with pytest.raises(DataError, match=r"p.parquet: a value after row 0 .*year 9999"):
        come(path)
    decimals = pa.array([decimal.Decimal(n) for n in (NOON, NOON + 1)])
    pq.write_table(table.set_column(3, "timestamp", decimals).set_column(0, "user", decimals), path)
    corpus, _ = come(path)
    assert (corpus.users[0], corpus.timestamps[0]) == (str(NOON), NOON)
    pq.write_table(table.set_column(3, "timestamp", pa.array([math.nan, 1.5e9])), path)
    assert come(path)[1].posts == 2
    (tmp_path / "p.csv").write_text("user,text,hashtags\n12.0,t,a\n7.0,t,b\n")
    corpus, report = come(tmp_path / "p.csv")
    assert corpus.users == ["12", "7"] and "`user`: numbers such as `12.0`" in report.told[0]


def test_numbers_and_floats_of_one_column_are_one_user(come, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("user,text,hashtags\n12,x,tea\n12.0,y,tea\n")
    corpus, report = come(path)
    assert corpus.users == ["12"] and "read as `12`" in report.told[0]
    path.write_text("user,text,hashtags\n12,x,tea\n12.0,y,tea\nann,z,tea\n")
    assert come(path)[0].users == ["12", "12.0", "ann"]
    path.write_text("user,text,hashtags\n12,x,tea\n12.0,y,tea\n,z,tea\nnan,z,tea\n")
    assert come(path, skip_bad=True)[0].users == ["12"]
    path.write_text("user,text,hashtags\n1400000000000000000.0,x,tea\n")
    with pytest.raises(DataError, match=r"is '1400000000000000000\.0', a float, which has lost"):
        come(path)


def test_users_that_programs_write_for_nothing_are_told(come, tmp_path):
    _, report = come(jsonl(tmp_path / "p.jsonl", [ROW, {**ROW, "user": "nan"}]))
    assert report.counted["posts of a user `nan`, as programs write where there is none"] == 1
    path = tmp_path / "p.csv"
    path.write_text("user,text,hashtags\n[object Object],x,tea\n")
    with pytest.raises(DataError, match=r"`user` is '\[object Object\]', which programs write"):
        come(path)


def test_users_who_may_be_one_are_told(come, tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(32)))
    rows = [{**ROW, "user": name} for name in ("ann", "@ann", "Ann", "bob", "", "BOB")]
    rows[5]["text"] = "RT @eve: good"  # is left out
    path = jsonl(tmp_path / "p.jsonl", rows)
    options = {"skip_bad": True, "drop_retweets": True}
    corpus, report = come(path, **options)
    assert f"{ALIKE}: 2, first `@ann` and `Ann`" in report.counted_lines
    assert f"{ALIKE}: 2, first `@ann` and `Ann`" in examine(path, **options).lines
    assert f"{ALIKE}: 2" in notes_of(corpus)
    hashed = come(path, hash_users=tmp_path / "key", **options)[1]
    assert f"{ALIKE}: 2" in hashed.counted_lines  # and nobody's name


def test_ids_that_are_given_and_that_are_not(come, tmp_path):
    rows = [{**ROW, "id": None}, {**ROW, "id": None}, {**ROW, "id": "2"}]
    assert come(jsonl(tmp_path / "p.jsonl", rows))[0].post_ids == ["row 1", "row 2", "2"]
    (tmp_path / "p.csv").write_text("id,user,text,hashtags\nnan,u,x,\nNone,u,y,\n2,u,z,\n")
    assert come(tmp_path / "p.csv")[0].post_ids == ["row 1", "row 2", "2"]


def test_what_pandas_writes_for_nothing(come, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("user,text,hashtags\nann,nan,tea\nnan,good,tea\n")
    with pytest.raises(DataError, match=r"p.csv:3: `user` is 'nan', which programs write"):
        come(path)
    corpus, report = come(path, skip_bad=True)
    assert corpus.messages == [""] and report.counted["texts `nan`, read as empty"] == 1
    nobody = "".join(f"{name},x,a\n" for name in ("None", "#NAME?", "NA", "N/A", "-", "[deleted]"))
    path.write_text(f"user,text,hashtags\nann,#N/A,tea\n ann,NA,tea\n{nobody}Unknown,y,a\n")
    corpus, report = come(path, skip_bad=True)
    assert (corpus.users, report.skipped) == (["ann", "Unknown"], {"missing field": 6})
    assert corpus.messages == ["", "y"]
    assert report.counted["posts of a user `Unknown`, who may be several people"] == 1


def test_repeats(come, tmp_path):
    rows = [{**ROW, "text": f"text number {i}", "timestamp": NOON + i} for i in range(20)]
    rows[19]["text"] = rows[0]["text"]
    rows[18]["text"] = "Text: NUMBER 3! https://x.org"
    path = jsonl(tmp_path / "p.jsonl", rows)
    _, report = come(path)
    told = "in valid or test of a post of the same user in train"
    assert report.counted["posts that repeat an earlier one (--drop-duplicates)"] == 1
    assert report.counted[f"exact repeats {told}"] == 1
    assert report.counted[f"near repeats {told}"] == 1
    fewer, report = come(path, drop_duplicates=True)
    assert len(fewer) == 19 and fewer.timestamps[0] == NOON
    assert report.counted["posts that repeat an earlier one, left out"] == 1


@pytest.mark.parametrize("trail", ["~/in/posts.jsonl", "in/../in/posts.jsonl", "link/posts.jsonl"])
def test_paths(come, tmp_path, monkeypatch, trail):
    folder = tmp_path / "in"
    folder.mkdir()
    jsonl(folder / "posts.jsonl", [ROW])
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(come(trail)[0]) == 1
    import_posts("jsonl", trail, "~/made")
    assert len(read_corpus(tmp_path / "made")) == 1


def test_times_and_pictures_under_other_names_are_not_passed_over(come, tmp_path):
    path = jsonl(tmp_path / "p.jsonl", [{**ROW, "created_at": "2023-11-14", "media": "a.png"}])
    _, report = come(path)
    assert report.told == [
        "column `created_at` is not read; if it is the timestamp: --columns timestamp=created_at",
        "column `media` is not read; if it is the images: --columns images=media",
    ]
    assert come(path, columns={"timestamp": "created_at"})[0].timestamps.tolist() == [1699920000]
    path = tmp_path / "p.csv"
    path.write_text("user,text,hashtags,date,time\nann,x,tea,2020-01-02,10:11:12\n")
    told = come(path, columns={"timestamp": "date"})[1].told
    assert any("days alone, and column `time` is not read" in line for line in told)


def test_what_was_recognised_is_recorded(come, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("user;text;hashtags\nann;x;a|b\n")
    corpus, report = come(path)
    source = json.loads((corpus.folder / "corpus.json").read_text())["source"]
    assert (
        source["told"]
        == report.told
        == ["columns: between `;`", "hashtags: names stand between `|`"]
    )
    assert (source["format"], source["files"]) == ("csv", ["p.csv"])


SHARED = pathlib.Path(
    os.environ.get("TFHASHTAG_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data")
)
SHAPES = {
    "captions.jsonl": 24, "delimiter.csv": 24, "milliseconds.jsonl": 24, "posts.jsonl.gz": 24,
    "pylist.csv": 24, "repeats.jsonl": 31, "semicolon.csv": 24, "tweets.js": 24,
    "twitter_v2.json": 24, "unicode.jsonl": 40,
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_files_in_the_shapes_that_people_have(come, name):
    path = SHARED / "imports" / name
    if not path.is_file():
        pytest.skip(f"no {path}; set TFHASHTAG_DATA to the folder that holds it")
    corpus, _ = come(path, skip_bad=name == "unicode.jsonl")
    assert len(corpus) == SHAPES[name]
    names = set(corpus.hashtags)
    if name == "unicode.jsonl":
        assert {"日本", "مرحبا", "café", "İstanbul", "ISTANBUL", "👍", "with-dash"} <= names
    else:
        assert {"coffee", "football", "travel", "coding"} <= names
        assert not any(set(tag) & set("[]'\";,#") for tag in names)
    if corpus.timestamps is not None:
        assert corpus.timestamps.min() == 1_700_003_600


def test_json_in_other_layouts(come, tmp_path):
    path = tmp_path / "p.json"
    rows = [ROW, {**ROW, "text": "other", "timestamp": {"$date": "2023-11-14T23:13:20Z"}}]
    for content in (
        json.dumps(rows),
        json.dumps(rows, indent=1),
        json.dumps({"meta": [1], "posts": rows}, indent=1),
        json.dumps({"posts": rows}),
        "".join(map(json.dumps, rows)),
        "\n".join(json.dumps(row, indent=1) for row in rows),
        "\n".join(map(json.dumps, rows)),
        f"var a = {json.dumps(rows)} ;\n",
    ):
        path.write_text(content)
        assert sorted(come(path)[0].messages) == ["good", "other"], content
    path.write_text(json.dumps([{**ROW, "items": []}, {**ROW, "text": "other", "posts": []}]))
    assert sorted(come(path)[0].messages) == ["good", "other"]
    scraped = [
        {"username": "ann", "tweet": f"good {n}", "hashtags": ["tea"], "photos": photos}
        for n, photos in enumerate(([], ["a.jpg"], [{"url": "a.jpg"}]))
    ]
    path.write_text(json.dumps(scraped))
    columns = {"user": "username", "text": "tweet"}
    assert come(path, "json", columns=columns)[0].messages == ["good 0", "good 1", "good 2"]
    path.write_text(json.dumps({**ROW, "user": 12345678901234567890}))
    assert come(path)[0].users == ["12345678901234567890"]
    for deep in ("[" * 100_000, '{"a":' * 100_000, f"[{json.dumps(ROW)}, {'[' * 100_000}"):
        path.write_text(deep)
        with pytest.raises(DataError, match=r"levels|nested|no post"):
            come(path)
    (tmp_path / "p.jsonl").write_bytes(b'{"user": "u", "text": "\xe9", "hashtags": []}\n')
    with pytest.raises(DataError, match=r"p.jsonl:1: byte 24 is not UTF-8.*--encoding"):
        come(tmp_path / "p.jsonl")


def test_what_objects_within_posts_hold(come, tmp_path):
    author = {"id": 7, "name": "ann", "created_at": "2020-01-01"}
    rows = [
        {
            "id": 1,
            "user": author,
            "tweet_text": "good",
            "entities": {"hashtags": [{"text": "tea"}]},
        },
        {"id": 2, "user": author, "tweet_text": "other", "entities": {}},
    ]
    for path in (jsonl(tmp_path / "p.jsonl", rows), tmp_path / "p.parquet"):
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        # no author's time
        mend = r"Likely: --columns text=tweet_text,hashtags=entities\.hashtags,user=user\.id\."
        with pytest.raises(DataError, match=f"no column `text`.*{mend}"):
            come(path)
        columns = {"text": "tweet_text", "hashtags": "entities.hashtags"}
        with pytest.raises(DataError, match=r"`user` is .*: --columns user=user\.id"):
            come(path, columns=columns)
        with pytest.raises(DataError, match=r"no column `user\.nme` .* Did you mean `user\.name`"):
            come(path, columns={**columns, "user": "user.nme"})
        corpus, _ = come(path, columns={**columns, "user": "user.name"})
        assert (corpus.users, corpus.messages, tags_of(corpus)) == (
            ["ann"],
            ["good", "other"],
            [["tea"], []],
        )


def test_forms_of_the_same_posts_give_the_same_corpus(come, tmp_path):
    """The posts of a made corpus with their hashtags behind the text, as platforms write them."""
    made = synthetic_corpus(posts=80, users=8, seed=3)
    forms = {
        "absent": lambda text, tags: text,
        "plain": lambda text, tags: f"{text} {' '.join('#' + tag for tag in tags)}",
        "glued": lambda text, tags: text + " " + "".join("#" + tag for tag in tags),
        "full-width": lambda text, tags: text + "".join("\u3000＃" + tag for tag in tags),
        "wide letters": lambda text, tags: text + "".join(f" #{wide(tag)}" for tag in tags),
        "capitals": lambda text, tags: text + "".join(f" #{tag.upper()}" for tag in tags),
        "HTML": lambda text, tags: (
            "<p>"
            + text
            + "".join(f' <a href="/tags/{tag}">#<span>{tag}</span></a>' for tag in tags)
            + "</p>"
        ),
    }
    digests = set()
    for form, write in forms.items():
        rows = []
        for post in range(len(made)):
            tags = [made.hashtags[tag] for tag in made.hashtags_of_post(post)]
            text = made.messages[made.message_of_post[post]]
            row = {"user": made.users[made.user_of_post[post]], "text": write(text, tags)}
            rows.append({**row, "hashtags": tags, "timestamp": int(made.timestamps[post])})
        corpus, report = come(jsonl(tmp_path / f"{form}.jsonl", rows), name="same")
        assert not any("still holds" in what for what in report.counted), form
        digests.add(corpus.digest)
    assert len(digests) == 1


def wide(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@pytest.mark.parametrize(
    "name, content, fault",
    [
        ("x.html", "<!DOCTYPE html>", "a page of HTML"),
        ("x.avro", b"Obj\x01", "this is Avro; write it anew as Parquet"),
        ("x.pkl", b"\x80\x04", "a pickle of Python, which is not read"),
        ("x.yaml", "- user: ann", "this is YAML"),
        ("x.dat", "user text", "cannot be told from its name or from how it begins"),
        ("x.json", {"a": {"b": [{"user": "u"}]}}, r"Objects stand in `a.b`; .* jq '\.a\.b'"),
        ("x.json", {"user": {"0": "a"}, "text": {"0": "b"}}, "columns in place of posts"),
        ("x.json", {"columns": ["user"], "data": [["a"]]}, "a table as pandas writes it"),
        ("x.json", "// posts\n[]", r"^\S+: not readable as JSON: .{9,200}$"),
        ("x.jsonl", '{"user": "a", "text": "b", "text": "c"}', "`text` stands twice"),
        ("x.json", '[{"user": "a", "text": "b", "text": "c"}]', "`text` stands twice"),
    ],
)
def test_what_is_something_else(tmp_path, name, content, fault):
    path = tmp_path / name
    content = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=fault):
        import_posts(format_of(path), path, tmp_path / "corpus")


@pytest.mark.parametrize("name", ["corpus.json", "run.json", "comparison.json"])
def test_posts_in_files_that_are_called_as_ours(tmp_path, come, name):
    """Also beside somebody's `posts.parquet`, and as lines, of which the first is an object."""
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = [json.dumps({**ROW, "digest": "tea", "data_digest": "tea"})] * 2
    for content in (f"[{', '.join(lines)}]", "\n".join(lines)):
        (folder / name).write_text(content)
        assert len(come(folder)[0]) == len(come(folder / name)[0]) == 2
    pq.write_table(pa.Table.from_pylist([ROW] * 3), folder / "posts.parquet")
    assert len(come(folder / "posts.parquet")[0]) == 3


def test_an_ending_that_says_nothing_nul_and_control_characters(tmp_path, come):
    path = tmp_path / "RC_2023.zst"
    path.write_bytes(gzip.compress(json.dumps({**ROW, "text": "go\0od “x”"}).encode()))
    corpus, report = come(path)
    assert corpus.messages == ["good “x”"]
    assert report.counted["values with NUL characters, which are taken out"] == 1
    path = tmp_path / "p.csv"
    path.write_bytes(",user,text,hashtags\n7,u,“hi”,tea\n".encode("cp1252"))
    corpus, report = come(path, encoding="latin-1")
    assert any("--encoding cp1252" in line for line in report.told)
    assert report.counted["cells of a column without a name, not read"] == 1
    assert come(path, encoding="cp1252")[0].messages == ["“hi”"]


@pytest.mark.parametrize(
    "row, found",
    [
        ({"text": "good #tea", "entities": {"places": []}}, ["tea"]),  # no tweet
        ({"text": "good #tea", "$type": "App.Post", "createdAt": "2023"}, ["tea"]),  # of Json.NET
        ({"text": "good #tea", "meta": {"tags": ["x"]}}, ["tea"]),
        ({"text": "good", "tags": ["tea"], "meta": {"hashtags": ["x"]}}, "hashtags=tags"),
        ({"post_text": "x", "post": {"text": "y"}, "hashtags": []}, "text=post_text"),
        ({"text": "x", "hashtags": "{Nil,Kairo}"}, ["Kairo", "Nil"]),
        ({"text": "x", "hashtags": '{"null",tea,NULL}'}, ["null", "tea"]),
        ({"text": "x", "hashtags": [], "timestamp": "Nov 14 2023 10:13 PM (EST)"}, "`timestamp`"),
        ({"text": "x", "hashtags": [], "timestamp": "2023,11"}, "`timestamp`"),
    ],
)
def test_what_may_be_taken_for_something_else(come, tmp_path, row, found):
    path = jsonl(tmp_path / "p.jsonl", [{"user": "ann", **row}])
    if isinstance(found, str):
        with pytest.raises(DataError, match=found):
            come(path)
    else:
        corpus, _ = come(path)
        assert (corpus.users, sorted(tags_of(corpus)[0])) == (["ann"], found)


def test_posts_that_come_later_are_read_as_those_there(come, tmp_path):
    """A text would be another one else, and a post without an id come in twice."""
    path, out = tmp_path / "p.csv", tmp_path / "corpus"
    path.write_text("user,text,hashtags\nann,Q&A,tea\nbob,rock &amp; roll,tea\n")
    import_posts("csv", path, out)
    options = options_as_imported(source_of(out), "csv", {}, "run")
    path.write_text("user,text,hashtags\nbob,rock &amp; roll,tea\n")
    assert come(path)[0].messages == ["rock & roll"]
    assert come(path, **options)[0].messages == ["rock &amp; roll"]
    before = {name: value for name, value in source_of(out).items() if name != "escaped"}
    assert options_as_imported(before, "csv", {}, "run") == options


def test_a_column_of_its_own_type_that_nobody_reads_is_passed_over(tmp_path):
    months = pd.period_range("2023-01", periods=1, freq="M")
    table = pd.DataFrame([{**ROW}]).assign(month=months)
    assert len(th.import_posts(table, tmp_path / "corpus")) == 1
    with pytest.raises(DataError, match=r"column `month` .*to_timestamp"):
        th.import_posts(table, tmp_path / "other", columns={"timestamp": "month"})
