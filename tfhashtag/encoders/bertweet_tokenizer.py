"""The tokenizer of BERTweet in the graph: tweet normalisation, then byte-pair encoding."""

import html.entities
import importlib.util
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tfhashtag.errors import EncoderError

LONGEST_WORD = 256
_UNKNOWN_ID = 3
_SPACE = r"\p{Z}\t-\r\x{85}"
# The pattern runs over a shadow of the text: one ASCII character for each character, by class. On
# the text itself RE2 would need a class of Unicode at every place, more than its memory holds.
# ASCII is lowered, so "A" (a letter) and "B" (a digit) are free; "\x04" is a quotation mark, which
# ends no link, "\x05" any other character.
_OTHER = "\x05"
_SHADOW = (
    (r"\p{Nd}", "B"),
    # What Unicode calls a word character; RE2's `\w` knows ASCII only.
    (
        r"[\p{L}\p{M}\p{Nl}\x{200C}\x{200D}\x{203F}\x{2040}\x{2054}\x{24B6}-\x{24E9}\x{FE33}"
        r"\x{FE34}\x{FE4D}-\x{FE4F}\x{FF3F}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}"
        r"\x{1F170}-\x{1F189}]",
        "A",
    ),
    ("[«»“”‘’]", "\x04"),
)
_DOMAIN = r"[a-z0-9]+(?:[.\-][a-z0-9]+)*[.][a-z]{2,13}"
_PARENTHESES = (r"\([^ ()]*?\([^ ()]+\)[^ ()]*?\)", r"\([^ ]+?\)")
_MOUTH = r"[\)\]\(\[dp/\:\}\{@\|\\]"
_WORD = "a-z0-9_AB"
_PATTERNS = (
    # A domain with `@` behind it is the first half of an e-mail address, not a link.
    rf"{_DOMAIN}@[{_WORD}\-]+\.(?:[{_WORD}\-]\.?)+[{_WORD}\-]",
    # Links.
    r"(?:https?:(?:/{1,3}|[a-z0-9%])|[a-z0-9.\-]+[.](?:[a-z]{2,13})/)"
    rf"(?:[^ ()<>{{}}\[\]]+|{_PARENTHESES[0]}|{_PARENTHESES[1]})+"
    rf"(?:{_PARENTHESES[0]}|{_PARENTHESES[1]}|[^ `!()\[\]{{}};:'\".,<>?\x04])",
    rf"{_DOMAIN}\b/?",
    # Telephone numbers.
    r"(?:\+?[01][ *\-.\)]*)?(?:[\(]?[0-9B]{3}[ *\-.\)]*)?[0-9B]{3}[ *\-.\)]*[0-9B]{4}",
    # Emoticons.
    rf"[<>]?[:;=8][\-o\*\']?{_MOUTH}|{_MOUTH}[\-o\*\']?[:;=8][<>]?|<3",
    # Tags of HTML, arrows, user names, hashtags, e-mail addresses.
    r"<[^> ]+>",
    r"[\-]+>|<[\-]+",
    rf"@[{_WORD}]+",
    rf"#+[{_WORD}]+[{_WORD}'\-]*[{_WORD}]+",
    rf"[{_WORD}.+\-]+@[{_WORD}\-]+\.(?:[{_WORD}\-]\.?)+[{_WORD}\-]",
    # Words with apostrophes or dashes, numbers, other words, dots, anything else.
    r"[a-zA](?:[a-zA'\-_])+[a-zA]",
    r"[+\-]?[0-9B]+[,/.:\-][0-9B]+[+\-]?",
    rf"[{_WORD}]+",
    r"\.(?: *\.)+",
    r"[^ ]",
)
_TOKEN = "|".join(f"(?:{pattern})" for pattern in _PATTERNS)
_ENTITY = rf"&#?x?[^&;{_SPACE}]+;"
_CONTRACTIONS = (
    ("cannot ", "can not "),
    ("n't ", " n't "),
    ("n 't ", " n't "),
    ("ca n't", "can't"),
    ("ai n't", "ain't"),
    *((f"'{ending} ", f" '{ending} ") for ending in ("m", "re", "s", "ll", "d", "ve")),
    (r" p \. m \.", "  p.m."),
    (r" p \. m ", " p.m "),
    (r" a \. m \.", " a.m."),
    (r" a \. m ", " a.m "),
)


class BertweetTokenizer:
    """Tweets to the ids of BERTweet (Nguyen, Vu and Nguyen, EMNLP 2020), all in the graph.

    Normalisation: HTML entities are resolved, four or more of one sign become three, the text is
    cut into words, links, user names, hashtags and emoticons; user names become `@USER`, links
    `HTTPURL`, an emoji of one code point its name, and English contractions are split. Then each
    word is merged from its characters (fastBPE, `</w>` on the last one).

    Known differences to `transformers.BertweetTokenizer(normalization=True)`: names of special
    tokens in a text (`<mask>`) are text; a word counts to its 256th character; "a.b@" without an
    e-mail address around it stays one word.

    Args:
        vocabulary_file: path of `vocab.txt`, lines `<token> <count>`.
        merges_file: path of `bpe.codes`, lines `<left> <right> <count>`.
        emoji_names: dict from a single character to its text such as `":red_heart:"`; default:
            those of the package `emoji`.

    Raises:
        EncoderError: a file is not of that form, or the package `emoji` is missing.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "vocab.txt").write_text("the 9\\nth@@ 5\\n@USER 4\\n")
    >>> _ = (folder / "bpe.codes").write_text("t h 9\\nth e</w> 8\\n")
    >>> tokenizer = BertweetTokenizer(
    ...     str(folder / "vocab.txt"), str(folder / "bpe.codes"), emoji_names={"\\u2764": ":heart:"}
    ... )
    >>> tokenizer.normalize(tf.constant(["the @someone \\u2764 http://a.b/c"])).numpy()[0]
    b'the @USER :heart: HTTPURL'
    >>> tokenizer(tf.constant(["the tho"])).to_list()
    [[4, 5, 3]]
    """

    start_token_id, pad_token_id, end_token_id = 0, 1, 2

    def __init__(
        self,
        vocabulary_file: str,
        merges_file: str,
        emoji_names: dict[str, str] | None = None,
    ):
        ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": _UNKNOWN_ID}
        for number, line in enumerate(_lines(vocabulary_file), start=1):
            token, blank, _ = line.strip().rpartition(" ")
            if not blank:
                raise EncoderError(
                    f"{vocabulary_file}:{number}: `<token> <count>` was expected, found {line!r}."
                )
            ids[token] = len(ids)
        merges = {}
        for number, line in enumerate(_lines(merges_file), start=1):
            pair = tuple(line.split()[:-1])
            if len(pair) != 2:
                raise EncoderError(
                    f"{merges_file}:{number}: `<left> <right> <count>` was expected, found "
                    f"{line!r}."
                )
            merges[pair] = number
        self._emoji = _emoji_names() if emoji_names is None else dict(emoji_names)
        self._vocabulary = ids
        self._merges = merges
        self._make_tables()

    def get_vocabulary(self) -> list:
        """Everything that determines the ids, in a stable order."""
        return [sorted(self._vocabulary.items()), list(self._merges), sorted(self._emoji.items())]

    def __call__(self, strings: tf.Tensor) -> tf.RaggedTensor:
        """Ids of the texts without special tokens, ragged int32 `[batch, tokens]`."""
        words = tf.strings.split(self.normalize(strings))
        unique, index = tf.unique(words.values)
        pieces = tf.gather(self._merge(unique), index)
        return words.with_values(pieces).merge_dims(1, 2)

    def normalize(self, strings: tf.Tensor) -> tf.Tensor:
        """Normalised tweets, string `[batch]`: words with one blank between them."""
        strings = tf.strings.regex_replace(strings, "’", "'")
        strings = tf.strings.regex_replace(strings, "…", "...")
        codes = _shorten_runs(self._resolve_entities(strings))
        tokens = _split(codes)
        texts = tokens.with_values(self._normalize_tokens(tokens.values))
        joined = tf.strings.reduce_join(texts, axis=1, separator=" ")
        joined = tf.strings.strip(tf.strings.regex_replace(joined, f"[{_SPACE}]+", " "))
        for pattern, replacement in _CONTRACTIONS:
            joined = tf.strings.regex_replace(joined, pattern, replacement)
        return tf.strings.strip(tf.strings.regex_replace(joined, f"[{_SPACE}]+", " "))

    def _make_tables(self) -> None:
        symbols = {"": 0}
        for left, right in self._merges:
            for symbol in (left, right, left + right):
                symbols.setdefault(symbol, len(symbols))
        for token in self._vocabulary:
            for symbol in (token, token + "</w>", token.removesuffix("@@")):
                if len(symbol.removesuffix("</w>")) == 1:
                    symbols.setdefault(symbol, len(symbols))
        get = self._vocabulary.get
        self._inner = np.array([get(s + "@@", _UNKNOWN_ID) for s in symbols], np.int32)
        self._last = np.array([get(s.removesuffix("</w>"), _UNKNOWN_ID) for s in symbols], np.int32)
        self._inner[0] = self._last[0] = _UNKNOWN_ID
        characters = {
            2 * ord(symbol.removesuffix("</w>")) + symbol.endswith("</w>"): index
            for symbol, index in symbols.items()
            if len(symbol.removesuffix("</w>")) == 1
        }
        self._characters = _table(characters)
        self._count = len(symbols)
        pairs = {
            symbols[left] * self._count + symbols[right]: (rank, symbols[left + right])
            for (left, right), rank in self._merges.items()
        }
        self._ranks = _table({pair: rank for pair, (rank, _) in pairs.items()})
        self._merged = _table({pair: merged for pair, (_, merged) in pairs.items()})
        names = {**self._emoji, "’": "'", "…": "..."}
        self._names = _table({ord(sign): row for row, sign in enumerate(names)})
        self._name_texts = np.array([name.encode() for name in names.values()], object)

    def _merge(self, words: Any) -> Any:
        """Ids of words: string `[words]` to ragged int32 `[words, pieces]`."""
        codes = tf.strings.unicode_decode(words, "UTF-8")[:, :LONGEST_WORD]
        lengths = codes.row_lengths()
        dense = codes.to_tensor(-1)
        last = tf.one_hot(lengths - 1, tf.shape(dense)[1], on_value=1, off_value=0, dtype=tf.int32)
        symbols = _look_up(self._characters, tf.cast(2 * dense + last, tf.int64), 0)
        symbols = tf.where(dense < 0, tf.constant(-1, tf.int64), symbols)
        # One column more than characters: what is shifted in from the right.
        symbols = tf.pad(symbols, [[0, 0], [0, 1]], constant_values=-1)
        never = np.iinfo(np.int64).max
        positions = tf.range(tf.shape(symbols)[1], dtype=tf.int64)[None]

        def step(symbols: Any, _: Any) -> Any:
            left, right = symbols[:, :-1], symbols[:, 1:]
            pairs = tf.where((left > 0) & (right > 0), left * self._count + right, -1)
            ranks = _look_up(self._ranks, pairs, never)
            where = tf.argmin(ranks, axis=1)  # the leftmost of the best
            found = tf.reduce_min(ranks, axis=1) < never
            merged = _look_up(self._merged, tf.gather(pairs, where, batch_dims=1), 0)
            shifted = tf.pad(right, [[0, 0], [0, 1]], constant_values=-1)
            moved = tf.where(positions > where[:, None], shifted, symbols)
            moved = tf.where(positions == where[:, None], merged[:, None], moved)
            return tf.where(found[:, None], moved, symbols), tf.reduce_any(found)

        symbols, _ = tf.while_loop(lambda _, more: more, step, [symbols, tf.size(words) > 0])
        symbols = symbols[:, :-1]
        lengths = tf.reduce_sum(tf.cast(symbols >= 0, tf.int64), axis=1)
        is_last = positions[:, :-1] == lengths[:, None] - 1
        safe = tf.maximum(symbols, 0)
        ids = tf.where(is_last, tf.gather(self._last, safe), tf.gather(self._inner, safe))
        return tf.RaggedTensor.from_tensor(ids, lengths=lengths)

    def _normalize_tokens(self, tokens: Any) -> Any:
        codes = tf.strings.unicode_decode(tokens, "UTF-8")
        single = codes.row_lengths() == 1
        first = tf.cast(codes[:, :1].to_tensor(-1, shape=[None, 1])[:, 0], tf.int64)
        row = tf.where(single, _look_up(self._names, first, -1), -1)
        named = tf.gather(tf.constant(self._name_texts), tf.maximum(row, 0))
        normal = tf.where(row >= 0, named, tokens)
        link = tf.strings.regex_full_match(tokens, "(?is)(?:http|www).*")
        user = tf.strings.regex_full_match(tokens, "(?s)@.*")
        return tf.where(user, "@USER", tf.where(link, "HTTPURL", normal))

    @staticmethod
    def _resolve_entities(strings: Any) -> Any:
        pieces = tf_text.regex_split(strings, _ENTITY, "(?s).+")
        flat = pieces.values
        where = tf.where(tf.strings.regex_full_match(flat, _ENTITY))
        resolved = _entity_texts(tf.gather_nd(flat, where))
        flat = tf.tensor_scatter_nd_update(flat, where, resolved)
        return tf.strings.reduce_join(pieces.with_values(flat), axis=1)


def _entity_texts(entities: Any) -> Any:
    """Texts of `&name;`, `&#10;` and `&#x1f600;`; "" for what names no character."""
    names = sorted(html.entities.name2codepoint)
    keys = tf.constant([f"&{name};" for name in names])
    named_codes = tf.constant([html.entities.name2codepoint[n] for n in names], tf.int64)
    same = entities[:, None] == keys[None]
    # A leading "x" is taken for the sign of a hexadecimal number, whatever follows.
    named = tf.reduce_any(same, axis=1) & ~tf.strings.regex_full_match(entities, "&x.*")
    code = tf.where(named, tf.gather(named_codes, tf.argmax(tf.cast(same, tf.int32), axis=1)), -1)
    for pattern, base in (("&#?x0*([0-9a-fA-F]{1,8});", 16), ("&#0*([0-9]{1,8});", 10)):
        matches = tf.strings.regex_full_match(entities, pattern)
        digits = tf.strings.regex_replace(entities, f"^{pattern}$", r"\1")
        digits = tf.strings.unicode_decode(tf.where(matches, digits, "0"), "UTF-8")
        digits = tf.cast(digits.to_tensor(-1, shape=[None, 8]), tf.int64)
        value = tf.where(
            digits >= 97, digits - 87, tf.where(digits >= 65, digits - 55, digits - 48)
        )
        number = tf.zeros_like(code)
        for place in range(8):
            here = digits[:, place] >= 0
            number = tf.where(here, number * base + value[:, place], number)
        code = tf.where(matches, number, code)
    windows = [ord(bytes([byte]).decode("cp1252", "ignore") or "\0") for byte in range(0x80, 0xA0)]
    old = (code >= 0x80) & (code <= 0x9F) & ~named
    position = tf.clip_by_value(code - 0x80, 0, 0x1F)
    code = tf.where(old, tf.gather(tf.constant(windows, tf.int64), position), code)
    bad = (code < 0) | (code > 0x10FFFF) | (old & (code == 0))
    texts = tf.strings.unicode_encode(
        tf.cast(tf.where(bad, tf.zeros_like(code), code), tf.int32)[:, None], "UTF-8"
    )
    return tf.where(bad, "", texts)


def _split(codes: Any) -> Any:
    """Cuts code points into tokens, ragged string `[batch, tokens]`; white space stays."""
    unique, index = tf.unique(codes.values)
    signs = tf.strings.unicode_encode(unique[:, None], "UTF-8")
    classes = tf.fill(tf.shape(unique), ord(_OTHER))
    for pattern, symbol in _SHADOW:
        classes = tf.where(tf.strings.regex_full_match(signs, pattern), ord(symbol), classes)
    plain = (unique >= 32) & (unique < 128)
    upper = (unique >= 65) & (unique <= 90)
    classes = tf.where(plain, tf.where(upper, unique + 32, unique), classes)
    classes = tf.where(tf.strings.regex_full_match(signs, f"[{_SPACE}]"), ord(" "), classes)
    shadow = tf.strings.unicode_encode(codes.with_values(tf.gather(classes, index)), "UTF-8")
    pieces = tf_text.regex_split(shadow, _TOKEN, "(?s).+")
    lengths = tf.strings.length(pieces.values)
    tokens = tf.RaggedTensor.from_row_lengths(codes.values, lengths)
    return pieces.with_values(tf.strings.unicode_encode(tokens, "UTF-8"))


def _shorten_runs(strings: Any) -> Any:
    """Code points; four or more of one that is no ASCII letter or digit become three."""
    codes = tf.strings.unicode_decode(strings, "UTF-8")
    flat, rows = codes.values, codes.value_rowids()
    same = tf.ones_like(flat, dtype=tf.bool)
    for back in (1, 2, 3):
        before = tf.pad(flat, [[back, 0]])[: tf.size(flat)]
        row_before = tf.pad(rows, [[back, 0]], constant_values=-1)[: tf.size(flat)]
        same &= (flat == before) & (rows == row_before)
    lower = flat | 32
    plain = ((flat >= 48) & (flat <= 57)) | ((lower >= 97) & (lower <= 122) & (flat < 128))
    keep = plain | ~same
    return tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(flat, keep), tf.boolean_mask(rows, keep), nrows=codes.nrows()
    )


def _table(entries: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Sorted keys and their values: a constant of the graph, unlike a hash table."""
    keys = np.array(sorted(entries), np.int64)
    return keys, np.array([entries[key] for key in keys.tolist()], np.int64)


def _look_up(table: Any, queries: Any, default: Any) -> Any:
    keys, values = table
    if not len(keys):
        return tf.fill(tf.shape(queries), tf.constant(default, tf.int64))
    flat = tf.reshape(queries, [-1])
    index = tf.minimum(tf.searchsorted(keys, flat, out_type=tf.int64), len(keys) - 1)
    found = tf.where(tf.gather(keys, index) == flat, tf.gather(values, index), default)
    return tf.reshape(found, tf.shape(queries))


def _lines(path: str) -> list[str]:
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise EncoderError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return text.removesuffix("\n").split("\n") if text else []


def _emoji_names() -> dict[str, str]:
    if importlib.util.find_spec("emoji") is None:
        raise EncoderError(
            "BERTweet knows emoji by name, and the package `emoji` that has the names is not "
            "installed. Run `pip install emoji`."
        )
    import emoji

    names = {}
    for sign in map(chr, range(0x80, 0x20000)):
        if not 0xD800 <= ord(sign) < 0xE000 and (name := emoji.demojize(sign)) != sign:
            names[sign] = name
    return names
