"""Hashtags of raw strings in the graph: the rule of the corpus, and bounded work."""

import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.serving.test_bad_requests import highest_memory
from tfhashtag.corpus.hashtag import distinct_names, find_hashtags, hashtag_key
from tfhashtag.corpus.own_hashtags import take_hashtags_out
from tfhashtag.encoders.raw_strings import MOST_BYTES, HashtagIndex, split_hashtags

SPLIT = tf.function(split_hashtags, input_signature=[tf.TensorSpec([None], tf.string)])
SCRIPTS = {
    "Latin": "Straße",
    "Greek": "καφές",
    "Cyrillic": "Ёлка",
    "Arabic": "قهوة",
    "Hebrew": "צה״ל",
    "Devanagari": "चाय",
    "Thai": "ชาเย็น",
    "Han": "抹茶",
    "kana": "ラーメン",
    "Hangul": "커피",
    "Armenian": "թեյ",
    "Georgian": "ჩაი",
}
PIECES = [
    *SCRIPTS.values(),
    *("#", "##", "＃", "﹟", " ", "\n", "\u3000", ",", ".", "!", "&", "-", "_", "/", "@", "7", "²"),
    *("·", "・", "\u200d", "\u00ad", "\ufe0f", "#\ufe0f\u20e3", "é", "e\u0301", "𝔞", "😀", "ー"),
    *(
        "https://a.org/x",
        "www.b.de/y#z",
        "a.org/",
        "C#dev",
        "x=1#y-#w",
        "#2024",
        "#a1",
        "#1\ufe0f\u20e3",
    ),
]
texts = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


def told(strings):
    rest, hashtags = SPLIT(tf.constant(strings))
    return [text.decode() for text in rest.numpy()], [
        [name.decode() for name in row] for row in hashtags.to_list()
    ]


@settings(max_examples=150)
@given(st.lists(texts, min_size=1, max_size=20))
@example(["good #TEA, read guide#tea #other#Tea", "#话题# ok", "a #x #y z", "#é#ça", ""])
@example(["#_tea #tea_ #__ #＿x #_1", "#τεα#Τέα _#_τεα_ #τέᾳ"])
@example([f"I drink #{word}, #{word}! x{word}#{word}" for word in SCRIPTS.values()])
def test_the_graph_finds_what_the_rule_finds(strings):
    rest, hashtags = told(strings)
    for string, text, names in zip(strings, rest, hashtags, strict=True):
        assert list(distinct_names(names)) == find_hashtags(string), string
        if not names:
            assert text == string.strip()


def test_texts_are_those_that_training_reads():
    strings = [
        "good #TEA, read guide#tea #other#Tea",
        "#话题# ok",
        "a  #x\t#y z",
        "https://a.org/guide#tea and #tea",
        *(f"with {word} #{word}, too" for word in SCRIPTS.values()),
    ]
    rest, _ = told(strings)
    assert rest == [take_hashtags_out(string, find_hashtags(string)) for string in strings]


def test_strings_are_taken_apart_one_by_one():
    rest, hashtags = told(["#a", "", "x #b y  #c", "# #d#e \t z", "  ", "no", "é #été"])
    assert rest == ["", "", "x y", "# \t z", "", "no", "é"]
    assert hashtags == [["a"], [], ["b", "c"], ["d", "e"], [], [], ["été"]]
    rest, hashtags = SPLIT(tf.constant([], tf.string))
    assert (rest.shape, hashtags.to_list()) == ([0], [])


@settings(max_examples=100)
@given(st.lists(texts, min_size=1, max_size=12))
@example(["_tea", "tea_", "__", "＿x", "τεα", "Τέα", "τέᾳ", "Σίσυφος", "_1", "ϐ", "tea"])
@example([*SCRIPTS.values(), *map(str.upper, SCRIPTS.values()), "STRASSE", "Ｆｕｌｌ", "full"])
def test_an_index_goes_by_keys_as_the_corpus_does(names):
    kept = [name for name in distinct_names(names) if hashtag_key(name)]
    index = HashtagIndex(kept)
    keys = [hashtag_key(name) for name in kept]
    asked = [*kept, *(f"#{name}" for name in kept), *map(str.swapcase, kept), "unknown"]
    expected = [keys.index(key) if (key := hashtag_key(name)) in keys else -1 for name in asked]
    assert index(tf.constant(asked)).numpy().tolist() == expected


def test_known_names_that_the_rule_would_cut_are_found_as_words():
    index = HashtagIndex(["pale-ale", "c#", "2024", "tea", "x,y"])
    strings = ["a #pale-ale, #c#! in #2024 #Tea", "#C# #PALE-ALE", "#pale-blue #x,y #7", "b#c#"]
    rest, hashtags = split_hashtags(tf.constant(strings), index)
    found = [[name.decode() for name in row] for row in hashtags.to_list()]
    assert found == [["pale-ale", "c#", "2024", "Tea"], ["C#", "PALE-ALE"], ["pale", "x,y"], []]
    assert [text.decode() for text in rest.numpy()] == ["a,! in", "", "-blue #7", "b#c#"]
    assert index(tf.constant(found[0])).numpy().tolist() == [0, 1, 2, 3]


def test_a_spelling_that_is_kept_comes_before_its_key():
    index = HashtagIndex(["bug", "Bug", "TEA"])
    assert index(tf.constant([["Bug", "bug"], ["BUG", "tea"]])).numpy().tolist() == [[1, 0], [0, 2]]


def test_a_string_of_many_words_takes_no_memory_for_others():
    strings = tf.constant([b"a #b " * 8000, *[b"c"] * 4095])
    SPLIT(strings[-2:])
    highest_memory()
    before = highest_memory()
    _, hashtags = SPLIT(strings)
    assert highest_memory() - before < 50  # MiB; padded to the longest they took 600
    assert hashtags.row_lengths().numpy()[:2].tolist() == [8000, 0]


def test_what_is_longer_than_any_message_is_cut():
    rest, hashtags = SPLIT(tf.constant([b"#a " * MOST_BYTES]))
    assert hashtags.row_lengths().numpy().tolist() == [MOST_BYTES // 3 + (MOST_BYTES % 3 > 1)]
    assert rest.numpy().tolist() in ([b""], [b"#"])
