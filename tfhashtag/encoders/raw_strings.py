"""Raw strings in the graph: messages with their `#hashtags` become texts and hashtag ids.

What a hashtag is says `tfhashtag.corpus.hashtag`; here the same rule stands in operations of
TensorFlow. Classes of characters are written out from the tables of Unicode that the rule uses, as
TensorFlow's regular expressions have older ones.
"""

import functools
import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
import regex
import tensorflow as tf

from tfhashtag.corpus import hashtag
from tfhashtag.encoders.text_encoder import clean_utf8

MOST_BYTES = 1 << 16
_BUCKETS = 2**63 - 1  # of the hashes of users
# Between parts; a sign of an address or inside a name; around a name that is not plain; before a
# word with its white space.
_CUT, _PLAIN_SIGN, _QUOTE, _WORD = "\x1f", "\x1e", "\x1d", "\x1c"
_SIGNS_OF_ADDRESS = 4  # that are told from hashtags, of one address
_SPACE = r"[\s\p{Z}\x85]"


def split_hashtags(
    strings: tf.Tensor, index: "HashtagIndex | None" = None
) -> tuple[tf.Tensor, tf.RaggedTensor]:
    """Takes the hashtags out of each string, as `find_hashtags` and `take_hashtags_out` do.

    A message is encoded without its hashtags, as in training; the hashtags themselves are a
    signal of their own. Of a string longer than `MOST_BYTES` the rest is left out; no encoder
    reads so far.

    Args:
        strings: string `[N]`.
        index: known hashtags; those that the rule for texts would cut, such as `pale-ale`, are
            found where they are a whole word.

    Returns:
        texts, string `[N]`; hashtags, ragged string `[N, None]` without their signs, as they are
        written.

    Example:

    >>> texts, hashtags = split_hashtags(tf.constant(["good read, #books#SciFi! C#dev #1", ""]))
    >>> texts.numpy().tolist(), hashtags.to_list()
    ([b'good read,! C#dev #1', b''], [[b'books', b'SciFi'], []])
    """
    count = tf.size(strings, tf.int64)
    patterns = _patterns()
    strings = clean_utf8(tf.strings.substr(strings, 0, MOST_BYTES))
    strings = tf.strings.regex_replace(strings, f"[{_CUT}{_PLAIN_SIGN}{_QUOTE}{_WORD}]", " ")
    for _ in range(_SIGNS_OF_ADDRESS):
        strings = tf.strings.regex_replace(strings, patterns["address"], rf"\1{_PLAIN_SIGN}")
    if index is not None and index.odd is not None:
        strings = _quoted(strings, count, index.odd, patterns)
    marked = tf.strings.regex_replace(strings, patterns["signs"], rf"{_CUT}\0")
    parts = tf.strings.split(marked, _CUT)  # each after the first of a string begins with signs
    part, row = parts.flat_values, parts.value_rowids()
    found = _hashtags(part, row, patterns)
    texts = tf.strings.unsorted_segment_join(_rest(part, row, found, patterns), row, count)
    texts = tf.strings.regex_replace(texts, _PLAIN_SIGN, "#")
    texts = tf.strings.regex_replace(texts, rf"^{_SPACE}+|{_SPACE}+$", "")
    is_hashtag = found["hashtag"]
    name = tf.strings.regex_replace(found["name"], _PLAIN_SIGN, "#")
    hashtags = tf.RaggedTensor.from_value_rowids(
        name[is_hashtag], row[is_hashtag], count, validate=False
    )
    return texts, hashtags


def _hashtags(part: tf.Tensor, row: tf.Tensor, patterns: dict[str, str]) -> dict[str, tf.Tensor]:
    """Which parts begin with a hashtag: `hashtag`, its `name`, and the `tail` behind it."""
    first = row != tf.concat([[-1], row[:-1]], axis=0)
    behind = tf.strings.regex_replace(part, rf"^{patterns['signs']}", "")
    name = tf.strings.regex_replace(behind, patterns["name and more"], r"\1\2")
    name = tf.where(first | tf.strings.regex_full_match(behind, patterns["keycap"]), "", name)
    named = name != ""
    tail = tf.where(named, tf.strings.regex_replace(behind, patterns["name"], ""), behind)
    quoted = tf.strings.regex_full_match(name, f"{_QUOTE}.*")
    name = tf.strings.regex_replace(name, _QUOTE, "")
    # It begins where no word is under way, or right behind another.
    in_word = _before(tf.strings.regex_full_match(part, patterns["word at end"]))
    begins = named & ~in_word
    follows = named & _before(named & (tail == ""))
    chain = tf.cumsum(tf.cast(~follows, tf.int32)) - 1
    begun = tf.cumsum(tf.cast(begins, tf.int32))
    heads = tf.where(~follows)[:, 0]
    before = tf.gather(begun, heads) - tf.cast(tf.gather(begins, heads), tf.int32)
    named &= begun > tf.gather(before, chain)
    is_hashtag = named & (quoted | tf.strings.regex_full_match(name, patterns["with a letter"]))
    return {"hashtag": is_hashtag, "name": name, "tail": tail}


def _quoted(
    strings: tf.Tensor, count: tf.Tensor, odd: "HashtagIndex", patterns: dict[str, str]
) -> tf.Tensor:
    """The strings with quotes around the names of words that are odd hashtags."""
    words = tf.strings.split(tf.strings.regex_replace(strings, f"{_SPACE}+", rf"{_WORD}\0"), _WORD)
    word, row = words.flat_values, words.value_rowids()
    for behind in ("", patterns["punctuation"]):
        pattern = rf"(?s)^({_SPACE}*{patterns['signs']})(.+?)({behind})$"
        name = tf.strings.regex_replace(word, pattern, r"\2")
        known = (odd(name) >= 0) & tf.strings.regex_full_match(word, pattern)
        plain = tf.strings.regex_replace(name, patterns["sign"], _PLAIN_SIGN)
        head, tail = (tf.strings.regex_replace(word, pattern, group) for group in (r"\1", r"\3"))
        quoted = tf.strings.join([head, _QUOTE, plain, _QUOTE, tail])
        word = tf.where(known, quoted, word)
    return tf.strings.unsorted_segment_join(word, row, count)


def _rest(
    part: tf.Tensor, row: tf.Tensor, found: dict[str, tf.Tensor], patterns: dict[str, str]
) -> tf.Tensor:
    """The parts without hashtags and the white space before them."""
    is_hashtag = found["hashtag"]
    closing = _before(is_hashtag & (found["tail"] == "")) & (found["name"] == "")  # `#topic#`
    closing &= row == tf.concat([[-1], row[:-1]], axis=0)
    part = tf.where(closing, tf.strings.regex_replace(part, f"^{patterns['sign']}", ""), part)
    part = tf.where(is_hashtag, found["tail"], part)
    followed = tf.concat([is_hashtag[1:], [False]], axis=0)
    return tf.where(followed, tf.strings.regex_replace(part, rf"{_SPACE}+$", ""), part)


def _before(values: tf.Tensor) -> tf.Tensor:
    """The value of the part before; False for the first."""
    return tf.concat([[False], values[:-1]], axis=0)


@functools.cache
def _patterns() -> dict[str, str]:
    """The expressions of the rule, as TensorFlow reads them."""
    body, medial = _class(f"[{hashtag.BODY}]"), _class(f"[{hashtag.MEDIAL}]")
    ignored, word = _class(f"[{hashtag.IGNORED}]"), _class(hashtag.WORD_BEFORE)
    punctuation = _class(rf"[\p{{P}}--[{hashtag.SIGNS}]]")
    letter, in_word = _class(hashtag.LETTER), _class(r"[\w\-]")
    behind_name = rf"[{body}]+(?:[{medial}]+[{body}]+)*"
    quoted, sign = f"{_QUOTE}[^{_QUOTE}]*{_QUOTE}", f"[{hashtag.SIGNS}]"
    address = f"{hashtag.IN_ADDRESS[:-1]}{_PLAIN_SIGN}]"
    site = rf"(?:^|[^{in_word}@.])[{in_word}]+(?:\.[{in_word}]+)+/"
    start = rf"(?:(?i:[a-z])[A-Za-z0-9+.\-]*://|{site})"
    inside = rf"{address}*[0-9A-Za-z_/=\-~%+]"
    return {
        "sign": sign,
        "signs": f"{sign}+",
        "address": rf"((?:{start}(?:{inside})?|(?i:www)\.{inside}))#",
        "name": rf"^(?:{quoted}|[{ignored}]*{behind_name})",
        "name and more": rf"(?s)^(?:({quoted})|[{ignored}]*({behind_name}))?.*$",
        "punctuation": f"[{punctuation}]+",
        "keycap": "(?s)\ufe0f?\u20e3.*",
        "word at end": rf"(?s).*[{word}{_PLAIN_SIGN}]",
        "with a letter": rf"(?s).*[{letter}].*",
    }


def _class(pattern: str) -> str:
    """The characters of a class by their numbers, for within brackets."""
    runs = regex.finditer(f"{pattern}+", _every_character(), regex.V1)
    ends = [(run[0][0], run[0][-1]) for run in runs]
    return "".join(rf"\x{{{ord(low):x}}}-\x{{{ord(high):x}}}" for low, high in ends)


@functools.cache
def _every_character() -> str:
    return "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


class HashtagIndex(tf.Module):
    """From hashtags as they are written to their numbers: by the name, else by its key.

    Args:
        names: in the order of their numbers. Of names with one key, which a corpus has that keeps
            spellings, the first stands for it.

    Attributes:
        odd: an index of those that the rule for texts would cut, such as `pale-ale`; None of none.

    Example:

    >>> index = HashtagIndex(["Tea", "café"])
    >>> index(tf.constant(["Tea", "#TEA", "CAFÉ", "rain"])).numpy().tolist()
    [0, 0, 1, -1]
    """

    def __init__(self, names: Sequence[str], *, _odd: bool = False) -> None:
        super().__init__()
        keys: dict[str, int] = {}
        for number, name in enumerate(names):
            keys.setdefault(hashtag.hashtag_key(name), number)
        self.by_name = hashtag_table(names)
        self.by_key = _table(list(keys), list(keys.values()))
        odd = [] if _odd else [name for name in names if not hashtag.is_plain(name)]
        self.odd = HashtagIndex(odd, _odd=True) if odd else None

    def __call__(self, hashtags: tf.Tensor) -> tf.Tensor:
        """Numbers int32, -1 for what is unknown, of strings of any shape."""
        exact = self.by_name.lookup(hashtags)
        return tf.where(exact >= 0, exact, self.of_keys(hashtags))

    def of_keys(self, hashtags: tf.Tensor) -> tf.Tensor:
        """The same by their keys alone."""
        import tensorflow_text  # 120 MB, of which training users has no need

        bare = tf.strings.regex_replace(clean_utf8(hashtags), rf"^[{hashtag.SIGNS}]+", "")
        return self.by_key.lookup(tensorflow_text.case_fold_utf8(bare))


class UserTable(tf.Module):
    """Places of users, of whose names it holds two keyed hashes of 63 bits each and nothing else.

    Who has the table can ask about a name and can read none; a list of names can be tried. The
    first hash finds the place, the second says whether it is that user's: a stranger is taken for
    one of 10^6 users once in 10^31 questions. A key under which two users' first hashes meet is
    not taken.

    Args:
        users: distinct names, none of them empty.

    Example:

    >>> table = UserTable(["ann", "bob"])
    >>> table.lookup(tf.constant(["bob", "", "zoe"])).numpy().tolist()
    [1, -1, -1]
    """

    def __init__(self, users: Sequence[str]) -> None:
        super().__init__()
        names = tf.constant(list(users), tf.string)
        for attempt in itertools.count():
            digest = hashlib.sha256("\n".join((*users, str(attempt))).encode()).digest()
            words = [int.from_bytes(digest[start : start + 7], "big") for start in (0, 7, 14, 21)]
            self._keys = words[:2], words[2:]
            first, second = (self._hashes(names, key) for key in self._keys)
            if len(np.unique(first)) == len(users):
                break
        places = tf.range(len(users), dtype=tf.int32)
        if not users:
            first, second, places = (
                tf.constant([-1], kind.dtype) for kind in (first, second, places)
            )
        initializer = tf.lookup.KeyValueTensorInitializer(first, places)
        self.table = tf.lookup.StaticHashTable(initializer, -1)
        self.second = tf.Variable(second, trainable=False, name="second_hashes")

    def lookup(self, users: tf.Tensor) -> tf.Tensor:
        """Their places, int32 of the same shape; -1 for somebody else."""
        first, second = (self._hashes(users, key) for key in self._keys)
        places = self.table.lookup(first)
        same = tf.gather(self.second, tf.maximum(places, 0)) == second
        return tf.where(same, places, -1)

    @staticmethod
    def _hashes(users: tf.Tensor, key: list[int]) -> tf.Tensor:
        return tf.strings.to_hash_bucket_strong(users, _BUCKETS, key)


def hashtag_table(hashtags: Sequence[str]) -> tf.lookup.StaticHashTable:
    """A table from string to its index; -1 for one that is not in the list."""
    return _table(hashtags, range(len(hashtags)))


def _table(keys: Sequence[str], values: Sequence[int]) -> tf.lookup.StaticHashTable:
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(keys) or [""], tf.string), tf.constant(list(values) or [-1], tf.int32)
    )
    return tf.lookup.StaticHashTable(initializer, -1)
