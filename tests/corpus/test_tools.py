"""Tables of tools and exports of platforms, as they really name and write what posts hold."""

import datetime
import itertools
import json
import shlex
import time

import pyarrow as pa
import pytest

import tfhashtag as th
from tests.fixtures import commands
from tests.fixtures.oracles import oracle
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import examine, format_of
from tfhashtag.corpus.store import read_corpus, source_of
from tfhashtag.errors import DataError


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def come(tmp_path):
    """Imports a file; the corpus and the report."""
    numbers = itertools.count()

    def run(path, **options):
        out = tmp_path / f"corpus-{next(numbers)}"
        report = import_posts(format_of(path), path, out, **options)
        return read_corpus(out), report

    return run


def checked(path, out, capsys):
    """The corpus of the command that a check of a file prints."""
    command = shlex.split(examine(path).command)
    command[command.index("corpus")] = str(out)
    commands.call(capsys, *command[1:])
    return read_corpus(out)


TOOLS = {  # names of the columns, a row, (user, text, tags, day) as they come in
    "Facebook": (
        "Post ID,Page name,Title,Description,Publish time,Date,Impressions",
        '1,Tea,,good #tea,11/14/2023 22:13,Lifetime,9',
        ("Tea", "good", ["tea"], 14),
    ),
    "LinkedIn": (
        "Post title,Posted by,Created date,Likes", "good #tea,Ann Lee,11/14/2023,2",
        ("Ann Lee", "good", ["tea"], 14),
    ),
    "Buffer": (
        "Text,Posted At,Service,Profile", "good #tea,2023-11-14 22:13,x,ann",
        ("ann", "good", ["tea"], 14),
    ),
    "CrowdTangle": (
        "User Name,Post Created,Message", "ann,2023-11-14 22:00:00 EST,good #tea",
        ("ann", "good", ["tea"], 15),
    ),
    "Meltwater": (
        "Date,Hit Sentence,Influencer", "14-Nov-2023 10:13PM,good #tea,@ann",
        ("@ann", "good", ["tea"], 14),
    ),
    "a form": (
        "Timestamp,Username,Your post,Which hashtags? (select all)",
        '11/14/2023 22:13:20,ann,good,"#tea, #milk"', ("ann", "good", ["tea", "milk"], 14),
    ),
    "German": (
        "Benutzer,Beitrag,Hashtags,Datum", 'ann,good,Tee,"14. Dez. 2023, 22:13 Uhr"',
        ("ann", "good", ["Tee"], 14),
    ),
    "Weibo": (
        "id,user_id,微博正文,话题,发布时间", '5,77,早,"早安,茶",2023-11-14 22:13:20',
        ("77", "早", ["早安", "茶"], 14),
    ),
    "YouTube": (
        "Video ID,Channel ID,Tag 1,Tag 2,Video Title (Original),Video Create Timestamp",
        "a,UC1,tea,milk,good,2023-11-14T22:13:20+00:00", ("UC1", "good", ["tea", "milk"], 14),
    ),
    "Apify": (
        "caption,hashtags/1,hashtags/0,hashtags/10,ownerUsername,timestamp",
        "good,milk,tea,nan,ann,2023-11-14T22:13:20Z", ("ann", "good", ["tea", "milk"], 14),
    ),
    "twint": (
        "username,tweet,created_at,hashtags,retweet",
        "ann,good,2023-11-14 22:13:55 UTC,['tea'],False",
        ("ann", "good", ["tea"], 14),
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS)
def test_tables_of_tools_come_in_by_the_command_that_a_check_prints(tmp_path, capsys, tool):
    names, row, (user, text, tags, day) = TOOLS[tool]
    (tmp_path / "a.csv").write_text(f"{names}\n{row}\n", encoding="utf-8-sig")
    corpus = checked(tmp_path / "a.csv", tmp_path / "c", capsys)
    assert (corpus.users, corpus.messages) == ([user], [text])
    assert [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(0)] == tags
    assert time.gmtime(corpus.timestamps[0]).tm_mday == day
    assert not any("retweets" in what for what in source_of(tmp_path / "c")["counted"])


TWEET = {
    "id_str": "1",
    "text": "good \u2026",
    "truncated": True,
    "user": {"id_str": "9"},
    "entities": {"hashtags": []},
    "extended_tweet": {"full_text": "good #tea", "entities": {"hashtags": [{"text": "tea"}]}},
}


def test_a_stream_of_tweets_has_notices_between_them(come, tmp_path):
    rows = [TWEET, {"delete": {"status": {"id": 2}}}, *({**TWEET, "id_str": i} for i in "23")]
    rows.append({"limit": {"track": 5}})
    corpus, report = come(jsonl(tmp_path / "a.jsonl", rows))
    assert (len(corpus), [*corpus.messages], corpus.hashtags) == (3, ["good"], ["tea"])
    assert report.counted["records that are no posts"] == 2


PAGES = {  # a page, and (user, text, tags) of its post
    "Discord": (
        [{"id": "3", "content": "good #tea", "timestamp": "2023-11-14T22:13:20+00:00",
          "attachments": [], "author": {"id": "9", "name": "ann"}}],
        ("9", "good", ["tea"]),
    ),
    "TikTok": (
        [{"id": "7", "text": "good", "createTime": 1_700_000_000, "authorMeta": {"name": "ann"},
          "hashtags": [{"id": "1", "name": "tea"}]}],
        ("ann", "good", ["tea"]),
    ),
    "Pinterest": (
        {"items": [{"id": "8", "created_at": "2023-11-14T22:13:20", "title": "x", "media": {},
                    "description": "good #tea", "board_owner": {"username": "ann"}}]},
        ("ann", "good", ["tea"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_pages_come_in_by_the_command_that_a_check_prints(tmp_path, capsys, page):
    content, (user, text, tags) = PAGES[page]
    (tmp_path / "a.json").write_text(json.dumps(content, indent=1))
    corpus = checked(tmp_path / "a.json", tmp_path / "c", capsys)
    assert (corpus.users, corpus.messages, corpus.hashtags) == ([user], [text], tags)


def test_what_exports_hold_beside_posts(come, tmp_path):
    """Posts by their ids, sums below a table, names between two signs or of several words."""
    rows = {"7": {"user": "a", "text": "x", "hashtags": ["tea"]}}
    for held in (rows, rows | {"8": {"user": "b", "text": "y"}}):
        (tmp_path / "a.json").write_text(json.dumps(held, indent=1))
        with pytest.raises(DataError, match=r"by their numbers or ids, first '7'.*jq '\.\[\]'"):
            come(tmp_path / "a.json")
    (tmp_path / "sum.csv").write_text("user,text,hashtags,likes\na,x,tea,3\nTotal,,,3\n")
    _, report = come(tmp_path / "sum.csv")
    assert any("user `Total` without text and hashtags" in what for what in report.counted)
    closed = jsonl(tmp_path / "w.jsonl", [{"user": "a", "text": "#早安#今天 #茶#"}])
    with pytest.raises(DataError, match="in 1 of 1 texts they stand between two signs"):
        come(closed)
    corpus, report = come(closed, hashtags_from="text")
    assert len(corpus.hashtags) == 3 and "stand between two signs" in report.told[1]
    tags = jsonl(tmp_path / "t.jsonl", [{"user": "a", "text": "x", "hashtags": ["green tea"]}])
    with pytest.raises(DataError, match="as one: --join-words"):
        come(tags)
    assert come(tags, join_words=True)[0].hashtags == ["greentea"]
    slack = jsonl(tmp_path / "s.jsonl", [{"user": "a", "text": "see <#C024BE7LR|general> #tea"}])
    assert any("name channels as Slack does" in line for line in come(slack)[1].told)
    (tmp_path / "flags.csv").write_text("user,text,hashtags\na,x #tea,True\nb,y,False\n")
    assert any("`False` and the like" in line for line in come(tmp_path / "flags.csv")[1].told)
    (tmp_path / "when.csv").write_text("user,text,hashtags,Sent on\na,x,tea,2023-11-14\n")
    assert any("may stand in `Sent on`" in line for line in come(tmp_path / "when.csv")[1].told)


@pytest.fixture(scope="module")
def polars():
    """Polars lies in a folder of its own, as nothing else needs it."""
    with oracle("polars") as found:
        yield found


@pytest.mark.parametrize(
    "user", ["{'id': 5, 'screen_name': 'ann'}", "User(username='ann', id=5)", '{"name": "ann"}']
)
def test_an_object_is_no_name(come, tmp_path, user):
    """What else stands in it changes from post to post: one user would be many."""
    path = jsonl(tmp_path / "u.jsonl", [{"user": user, "text": "x", "hashtags": ["tea"]}])
    with pytest.raises(DataError, match="an object as a program prints it; write its name alone"):
        come(path)
    path = jsonl(tmp_path / "v.jsonl", [{"user": "{ann}", "text": "x", "hashtags": ["tea"]}])
    assert come(path)[0].users == ["{ann}"]


def test_ends_of_lines_as_letters_are_told(come, tmp_path):
    (tmp_path / "a.tsv").write_text("user\ttext\na\tx #rum\\n#gin\nb\tC:\\new #tea\n")
    told = [line for line in come(tmp_path / "a.tsv")[1].told if "ends of lines" in line]
    assert told[0].startswith("texts: 1 hold ends of lines as a backslash and a letter")


def test_a_check_of_another_encoding_names_it(tmp_path):
    """It would leave out just the posts with accents."""
    (tmp_path / "a.csv").write_bytes("user,text,hashtags\na,x,t\nb,Grüße,t\n".encode("cp1252"))
    found = examine(tmp_path / "a.csv")
    assert found.command == "" and "--encoding cp1252 (`Grüße`)" in found.error
    (tmp_path / "a.csv").write_bytes(b"user,text,hashtags\n" + b"a,x,t\n" * 200 + b"b,\xff,t\n")
    assert examine(tmp_path / "a.csv").command.endswith("--skip-bad")


def test_tables_of_polars(polars, tmp_path):
    day = datetime.datetime(2023, 11, 14, 22)
    table = polars.DataFrame(
        {
            "user": ["ann", "bob", "bob"],
            "text": ["good", "two", ""],
            "hashtags": [["tea", "milk"], None, []],
            "timestamp": [day, day + datetime.timedelta(hours=1), None],
            "likes": [3, None, 1],
        }
    )
    named = polars.col("user").cast(polars.Categorical)
    first = th.import_posts(table, tmp_path / "first")
    assert (first.users, [*first.messages]) == (["ann", "bob"], ["good", "two", ""])
    assert [len(first.hashtags_of_post(post)) for post in range(3)] == [2, 0, 0]
    assert first.timestamps[0] == day.replace(tzinfo=datetime.UTC).timestamp()
    for number, other in enumerate((table.with_columns(named), table.to_dicts())):
        assert th.import_posts(other, tmp_path / str(number)).digest == first.digest
    with pytest.raises(DataError, match=r"found LazyFrame. Give what it computes: `.collect\(\)`"):
        th.import_posts(table.lazy(), tmp_path / "lazy")


def test_categories_whose_texts_are_views(tmp_path):
    users = pa.DictionaryArray.from_arrays([0, 1], pa.array(["ann", "bob"], pa.string_view()))
    table = pa.table({"user": users, "text": ["good", "two"], "hashtags": [["tea"], []]})
    assert th.import_posts(table, tmp_path / "c").users == ["ann", "bob"]
