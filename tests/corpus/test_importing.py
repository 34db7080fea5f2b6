"""Import: every fault has its file and line, nothing is dropped in silence."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

GOOD = {"user": "u", "text": "good read", "hashtags": ["books"]}


def jsonl(path, *rows):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


FAULTS = {
    "not UTF-8": (b'{"user": "\xff"}', "byte 11 is not UTF-8"),
    "missing field": (
        {"user": "u", "text": "t"},
        "field `hashtags` is missing; found user, text",
    ),
    "empty user": ({**GOOD, "user": " "}, "`user` is empty"),
    "white space in a hashtag": ({**GOOD, "hashtags": ["a b"]}, "hashtag 'a b' has white space"),
    "not JSON": (b"{broken", "not readable as JSON"),
    "wrong type": ({**GOOD, "hashtags": {"a": 1}}, "expected a list of strings"),
    "bad timestamp": ({**GOOD, "timestamp": "yesterday"}, "expected seconds since 1970"),
    "bad split": ({**GOOD, "split": "part"}, "expected train, valid or test"),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_fault_names_file_and_line(tmp_path, reason):
    bad, message = FAULTS[reason]
    path = jsonl(tmp_path / "posts.jsonl", GOOD, bad, GOOD)
    with pytest.raises(DataError, match=rf"posts.jsonl:2: .*{message}.*--skip-bad"):
        import_posts("jsonl", path, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("reason", FAULTS)
def test_skipped_faults_are_counted(tmp_path, reason):
    path = jsonl(tmp_path / "posts.jsonl", GOOD, FAULTS[reason][0], GOOD, FAULTS[reason][0])
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert report.posts == 2
    assert report.skipped == {reason: 2}
    assert "posts.jsonl:2" in report.examples[reason]
    assert len(read_corpus(tmp_path / "corpus")) == 2


def test_duplicate_id(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {**GOOD, "id": "7"}, {**GOOD, "id": "7"})
    with pytest.raises(DataError, match=r"p.jsonl:2: id '7' stood before, at .*p.jsonl:1"):
        import_posts("jsonl", path, tmp_path / "corpus")
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert report.skipped == {"duplicate id": 1}


@pytest.mark.parametrize("source_format", ["jsonl", "csv", "parquet"])
def test_empty_and_missing_files(tmp_path, source_format):
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match=r"empty"):
        import_posts(source_format, tmp_path / "empty", tmp_path / "corpus")
    with pytest.raises(DataError, match=r"nowhere"):
        import_posts(source_format, tmp_path / "nowhere", tmp_path / "corpus")


def test_nothing_but_faults(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", b"{")
    with pytest.raises(DataError, match=r"no post is left.*not JSON \(1\), first .*p.jsonl:1: "):
        import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)


def test_a_post_without_split_among_others_is_named(tmp_path):
    path = jsonl(tmp_path / "p.jsonl", {**GOOD, "split": "train"}, GOOD)
    with pytest.raises(DataError, match=r"p.jsonl:2: post '2' has no split, 1 of 2 .*--split own"):
        import_posts("jsonl", path, tmp_path / "corpus")


def test_three_formats_give_one_corpus(tmp_path):
    rows = [
        {"id": f"p{i}", "user": f"u{i % 2}", "text": f'text, "{i}"', "hashtags": ["a", f"b{i}"]}
        for i in range(12)
    ]
    jsonl(tmp_path / "p.jsonl", *rows)
    with open(tmp_path / "p.csv", "w") as file:
        file.write("id,user,text,hashtags\n")
        for row in rows:
            text = row["text"].replace('"', '""')
            file.write(f'{row["id"]},{row["user"]},"{text}",#{" #".join(row["hashtags"])}\n')
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    digests = set()
    for ending in ("jsonl", "csv", "parquet"):
        out = tmp_path / ending
        import_posts(ending, tmp_path / f"p.{ending}", out, name="same")
        digests.add(read_corpus(out).digest)
    assert len(digests) == 1


def test_csv_faults(tmp_path):
    (tmp_path / "a.csv").write_text("user,text\nu,t\n")
    with pytest.raises(DataError, match=r"a.csv: no column `hashtags`; found user, text, and"):
        import_posts("csv", tmp_path / "a.csv", tmp_path / "corpus")
    (tmp_path / "b.csv").write_text("user,text,hashtags\nu,t,h\nu,t\n")
    with pytest.raises(DataError, match=r"b.csv:3: 2 fields; the header has 3"):
        import_posts("csv", tmp_path / "b.csv", tmp_path / "corpus")
    (tmp_path / "c.csv").write_text('user,text,hashtags\nu,"a \\"b\\" c",h\nu,t\n')
    with pytest.raises(DataError, match=r'c.csv:2: .*quotes within a cell are written `""`'):
        import_posts("csv", tmp_path / "c.csv", tmp_path / "corpus")


def test_howyoutag_format(tmp_path):
    source = tmp_path / "data"
    source.mkdir()
    (source / "train.csv").write_text("good read\tu1\tbooks\t\t#own\n\u2028x\tu2\ta\n")
    (source / "valid.csv").write_text("b\tu1\tc\n")
    (source / "test.csv").write_text("d\tu2\te\n")
    (source / "users.txt").write_text("u2\nu1\n")
    report = import_posts("howyoutag", source, tmp_path / "corpus")
    assert report.counted == {"empty hashtag fields": 1}
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.hashtags == ["books", "#own", "a", "c", "e"]
    assert corpus.split_of_post.tolist() == [0, 0, 1, 2]
    assert [corpus.users[u] for u in corpus.evaluation_users] == ["u2", "u1"]
    (source / "valid.csv").write_text("only text\tu1\n")
    with pytest.raises(DataError, match=r"valid.csv:1: 2 fields"):
        import_posts("howyoutag", source, tmp_path / "other")


def test_posts_are_put_in_time_order_and_split(tmp_path):
    rows = [{**GOOD, "id": str(i), "timestamp": 100 - i} for i in range(10)]
    import_posts("jsonl", jsonl(tmp_path / "p.jsonl", *rows), tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.post_ids == [str(i) for i in reversed(range(10))]
    assert corpus.split_of_post.tolist() == [0] * 8 + [Split.VALID, Split.TEST]


def test_what_is_left_out_of_good_posts_is_counted(tmp_path):
    rows = [{**GOOD, "hashtags": ["a", "", "#"], "colour": 3}, {**GOOD, "text": "other"}]
    path = jsonl(tmp_path / "p.jsonl", *rows)
    path.write_bytes(path.read_bytes() + b"\n")
    report = import_posts("jsonl", path, tmp_path / "corpus")
    assert report.counted == {
        "empty hashtag fields": 2, "field `colour` is not read": 1, "empty lines": 1,
    }  # fmt: skip


def test_users_to_evaluate(tmp_path):
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.csv").write_text("good read\tu1\tbooks\n")
    (tmp_path / "users.txt").write_text("u1\nu1\n")
    with pytest.raises(DataError, match=r"'u1' stands twice"):
        import_posts("howyoutag", tmp_path, tmp_path / "corpus")
    (tmp_path / "users.txt").write_text("u9\n")
    with pytest.raises(DataError, match=r"'u9' of the list to evaluate has no post"):
        import_posts("howyoutag", tmp_path, tmp_path / "corpus")


def test_own_hashtags_leave_the_text(tmp_path):
    text = "a #Books tale,\nread it (#books!) #booksellers #other#books"
    row = {"user": "u", "text": text, "hashtags": ["#books"]}
    path = jsonl(tmp_path / "p.jsonl", row)
    import_posts("jsonl", path, tmp_path / "a")
    assert read_corpus(tmp_path / "a").messages == ["a tale,\nread it (!) #booksellers #other"]
    import_posts("jsonl", path, tmp_path / "b", keep_hashtags_in_text=True)
    assert read_corpus(tmp_path / "b").messages == [text]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_any_text_survives(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    texts = [*texts, "x" * 10_000, "😀👩‍👩‍👧", "مرحبا بالعالم", "東京タワー", ""]
    rows = [{"user": "u", "text": text, "hashtags": ["ü😀"]} for text in texts]
    path = jsonl(folder / "p.jsonl", *rows)
    wishes = {"keep_hashtags_in_text": True, "text_format": "plain"}  # `Â\x80` may be garbled
    import_posts("jsonl", path, folder / "c", **wishes)
    corpus = read_corpus(folder / "c")
    assert [corpus.messages[m] for m in corpus.message_of_post] == texts
    assert corpus.hashtags == ["ü😀"]


def test_twitter_data_is_table_1(howyoutag, tmp_path):
    from tfhashtag.corpus.statistics import statistics_of

    report = import_posts("howyoutag", howyoutag, tmp_path / "corpus")
    assert report.posts == 33_881
    told = "in valid or test of a post of the same user in train"
    assert report.counted == {
        "empty hashtag fields": 254,
        "posts that repeat an earlier one (--drop-duplicates)": 493,
        f"exact repeats {told}": 275,
        f"near repeats {told}": 2,
    }
    found = statistics_of(read_corpus(tmp_path / "corpus"))
    assert (found.tweets, found.users, found.hashtags) == (33_881, 2_571, 22_319)
    averages = (found.tweets_per_user, found.hashtags_per_user, found.tweets_per_hashtag)
    assert [round(value) for value in averages] == [13, 12, 3]
    assert int(found.new_hashtag_rate) == 55
    assert np.sum(found.history_sizes) == 33_881
