import re

import pytest

from tfhashtag.errors import DataError
from tfhashtag.tasks.users.candidates_file import read_candidates


@pytest.fixture(scope="module")
def corpus(make_corpus):
    return make_corpus([("anna", "a", ["news", "cats"], 0), ("17", "b", ["新聞"], 0)])


def test_lists_come_as_they_stand(corpus, tmp_path):
    path = tmp_path / "lists.jsonl"
    path.write_text(
        '{"user": 17, "hashtag": "＃CATS", "label": 1}\n'
        '{"user": "anna", "hashtag": "#新聞", "label": false}\r\n'
        "\n"
        '{"label": 3, "hashtag": "news", "user": "17"}',
        encoding="utf-8",
    )
    lists = read_candidates(path, corpus)
    assert lists.users.tolist() == [1, 0]
    assert [row.tolist() for row in lists.hashtags] == [[1, 0], [2]]
    assert lists.labels.tolist() == [1, 3, 0]


GOOD = '{"user": "anna", "hashtag": "news", "label": 1}'


@pytest.mark.parametrize(
    "line, message",
    [
        ("{", "not JSON"),
        ("[1]", r'expected an object {"user", "hashtag", "label"}, found list'),
        ('{"user": "anna", "hashtag": "cats"}', "`label` is missing; found user, hashtag"),
        ('{"user": "anna", "hashtag": "cats", "label": 1, "x": 2}', "`x` is unknown"),
        ('{"user": "ana", "hashtag": "cats", "label": 1}', "user 'ana' is not.*mean 'anna'"),
        ('{"user": "bob", "hashtag": "cats", "label": 1}', "user 'bob' is not.*Leave the line out"),
        ('{"user": "anna", "hashtag": "cat", "label": 1}', "hashtag 'cat' is not.*mean 'cats'"),
        ('{"user": "anna", "hashtag": "cats", "label": "1"}', "`label` must be.*found '1'"),
        ('{"user": "anna", "hashtag": "cats", "label": 0.5}', "`label` must be.*found 0.5"),
        ('{"user": "anna", "hashtag": "cats", "label": -1}', "`label` must be.*found -1"),
        ('{"user": "anna", "hashtag": "cats", "label": 300}', "`label` must be.*found 300"),
        ('{"user": "", "hashtag": "cats", "label": 1}', "`user` must be a string.*found ''"),
        ('{"user": true, "hashtag": "cats", "label": 1}', "`user` must be a string.*found True"),
        ('{"user": "anna", "hashtag": null, "label": 1}', "`hashtag` must be.*found None"),
        (GOOD, "user 'anna' and hashtag 'news' stand on line 1 already"),
        (b"\xff", "not UTF-8 at byte 0"),
    ],
)
def test_mistakes_are_named_with_their_line(corpus, tmp_path, line, message):
    path = tmp_path / "lists.jsonl"
    line = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(GOOD.encode() + b"\n" + line + b"\n")
    with pytest.raises(DataError, match=f"{re.escape(str(path))}:2: .*{message}"):
        read_candidates(path, corpus)


def test_files_without_a_line(corpus, tmp_path):
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(DataError, match="holds no line"):
        read_candidates(tmp_path / "empty", corpus)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_candidates(tmp_path / "absent", corpus)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_candidates(tmp_path, corpus)
