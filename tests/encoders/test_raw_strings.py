import tensorflow as tf

from tests.serving.test_bad_requests import highest_memory
from tfhashtag.encoders.raw_strings import MOST_BYTES, split_hashtags

SPLIT = tf.function(split_hashtags, input_signature=[tf.TensorSpec([None], tf.string)])


def test_words_are_taken_apart_string_by_string():
    strings = ["#a", "", "x #b y  #c", "# #d#e \t z", "  ", "no", "é #été"]
    texts, hashtags = SPLIT(tf.constant(strings))
    found = [text.decode() for text in texts.numpy()]
    assert found == ["", "", "x y", "# z", "", "no", "é"]
    assert hashtags.to_list() == [
        [b"a"], [], [b"b", b"c"], [b"d#e"], [], [], ["été".encode()],
    ]  # fmt: skip
    texts, hashtags = SPLIT(tf.constant([], tf.string))
    assert (texts.shape, hashtags.to_list()) == ([0], [])


def test_a_string_of_many_words_takes_no_memory_for_others():
    strings = tf.constant([b"a #b " * 8000, *[b"c"] * 4095])
    SPLIT(strings[-2:])
    highest_memory()
    before = highest_memory()
    _, hashtags = SPLIT(strings)
    assert highest_memory() - before < 50  # MiB; padded to the longest they took 600
    assert hashtags.row_lengths().numpy()[:2].tolist() == [8000, 0]


def test_what_is_longer_than_any_message_is_cut():
    texts, hashtags = SPLIT(tf.constant([b"#a " * MOST_BYTES]))
    assert hashtags.row_lengths().numpy().tolist() == [MOST_BYTES // 3 + (MOST_BYTES % 3 > 1)]
    assert texts.numpy().tolist() in ([b""], [b"#"])
