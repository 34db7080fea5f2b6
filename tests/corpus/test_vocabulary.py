import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.vocabulary import (
    IDEOGRAPHS,
    SEPARATORS,
    MessageWords,
    Vocabulary,
    split_words,
)
from tfhashtag.errors import ArtifactError, ConfigError

MESSAGES = ["good book good", "", "a Good read 東京", "كتاب جيد 😀 good", "!!! ..."]


def test_most_frequent_first_then_by_alphabet():
    vocabulary = Vocabulary.of_messages(MESSAGES, 4)
    assert vocabulary.words == ["good", "a", "book", "read"]
    assert Vocabulary.of_messages(reversed(MESSAGES), 4).words == vocabulary.words


def test_words_of_other_scripts_and_emoji_are_words():
    assert split_words(MESSAGES[2]) == ["a", "good", "read", "東", "京"]
    assert split_words(MESSAGES[3]) == ["كتاب", "جيد", "😀", "good"]
    assert split_words(MESSAGES[4]) == []


def test_bags_by_loops():
    vocabulary = Vocabulary.of_messages(MESSAGES, 6)
    words = MessageWords.of_messages(vocabulary, MESSAGES)
    rows = np.random.default_rng(0).integers(-1, len(MESSAGES), (3, 4, 7))
    expected = np.zeros((3, 4, 6))
    for i, j, m in np.ndindex(rows.shape):
        if rows[i, j, m] >= 0:
            for word in split_words(MESSAGES[rows[i, j, m]]):
                if word in vocabulary.words:
                    expected[i, j, vocabulary.words.index(word)] += 1
    bags = words.bags(rows)
    assert bags.dtype == np.float32
    assert np.array_equal(bags, expected)


def test_no_words_at_all():
    words = MessageWords.of_messages(Vocabulary.of_messages(["..."], 5), ["...", ""])
    assert words.bags(np.array([[0, 1]])).shape == (1, 0)


def test_a_message_of_ten_thousand_characters():
    words = MessageWords.of_messages(Vocabulary(["a"]), ["a " * 5000])
    assert words.bags(np.array([[0]])).tolist() == [[5000.0]]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
@example("a\u1680b")
@example("a\u0085b\u2003c\x1dd")
def test_words_are_the_same_inside_a_graph(text):
    encoded = text.encode("utf-8", "surrogatepass")
    if b"\xed" in encoded or "\x00" in text:  # lone surrogates and NUL are no UTF-8 text
        return
    lowered = tf.strings.lower(tf.constant([encoded]))
    spaced = tf.strings.regex_replace(lowered, IDEOGRAPHS, r" \0 ")
    found = tf.strings.split(tf.strings.regex_replace(spaced, SEPARATORS[:1] + SEPARATORS[1:], " "))
    assert [word.decode() for word in found.to_list()[0]] == split_words(text)


def test_file_round_trip(tmp_path):
    vocabulary = Vocabulary.of_messages(MESSAGES, 9)
    vocabulary.save(tmp_path / "words.json")
    assert Vocabulary.load(tmp_path / "words.json") == vocabulary


@pytest.mark.parametrize("content", ["", "{}", '{"words": 3}', '{"words": [1]}', "[1]"])
def test_a_file_that_is_no_vocabulary(tmp_path, content):
    path = tmp_path / "words.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=r"words\.json"):
        Vocabulary.load(path)


def test_refuses_a_size_of_zero():
    with pytest.raises(ConfigError, match="`size`"):
        Vocabulary.of_messages([], 0)
