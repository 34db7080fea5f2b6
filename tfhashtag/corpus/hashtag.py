"""What a hashtag is, in one place: its name, when two are one, and where it stands in a text.

- A *name* has no sign before it and is in Unicode's form NFKC: `＃Ｆｕｌｌ` is `Full`.
- Two names are one hashtag where their *keys* are equal: NFKC_Casefold of Unicode, so that case,
  composed and decomposed letters, widths and invisible characters make no difference.
- In a text a hashtag is a sign (`#`, `＃`, `﹟`) and letters, marks and digits of any script and
  `_`, not digits alone. It begins where no word is under way (`C#dev` and `guide#install` hold
  none), or right behind another (`#a#b`), and not in an address.
"""

import functools
import html
import itertools
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import regex

SIGNS = "#\uff03\ufe5f"
BODY = r"\p{L}\p{M}\p{Nd}_\uff3f"
# Inside a name and not at its ends: joiners, soft hyphens and the dots of Catalan, Japanese, Hebrew
# and Tibetan, as the platforms have them.
MEDIAL = "\u200c\u200d\u00ad\u2060\u00b7\u30fb\u30a0\u05f3\u05f4\u0f0b\u0f0c"
IGNORED = r"\p{Default_Ignorable_Code_Point}"
_TOKEN = regex.compile(
    rf"[{SIGNS}]+(?!\ufe0f?\u20e3){IGNORED}*(?P<name>(?:[{BODY}]+(?:[{MEDIAL}]+[{BODY}]+)*)?)"
)
# A post's own hashtag may stand behind what only looks like a sign; `# tea` is seen, and stays.
_LIKE_SIGNS = SIGNS + "\u266f\u2317"
_OWN_TOKEN, _SPACED_TOKEN = (
    regex.compile(
        rf"(?:[{_LIKE_SIGNS}]\ufe0f?\u20e3?)+{space}{IGNORED}*"
        rf"(?P<name>(?:[{BODY}]+(?:[{MEDIAL}]+[{BODY}]+)*)?)"
    )
    for space in ("", " ?")
)
# Letters and digits in circles and boxes, and small ones, which NFKC makes plain; invisible ones
# between them.
_STYLED = regex.compile(rf"[{BODY}{IGNORED}\p{{No}}\u249c-\u24e9\U0001f110-\U0001f189]+")
# Scripts that put no space between words: there a hashtag begins behind a letter, too.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u30fc"
WORD_BEFORE = rf"[[\p{{L}}\p{{M}}\p{{N}}_&]--[\ufe00-\ufe0f\u20e3{_UNSPACED}]]"
_WORD_BEFORE = regex.compile(WORD_BEFORE, regex.V1)
IN_ADDRESS = r"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]"
_ADDRESS = regex.compile(
    rf"(?:[a-z][a-z0-9+.\-]*://|www\.|(?<![\w@.])[\w\-]+(?:\.[\w\-]+)+/)"
    rf"{IN_ADDRESS}*(?:(?<=[\w/=\-~%+])#{IN_ADDRESS}*)*",
    regex.IGNORECASE,
)
_SCRIPTS = {
    "Latin": regex.compile(r"\p{Latin}"),
    "Han and kana": regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]"),
    **{
        name: regex.compile(rf"\p{{{name}}}")
        for name in ("Arabic", "Cyrillic", "Devanagari", "Greek", "Hangul", "Hebrew", "Thai")
    },
}
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_PLAIN = regex.compile(rf"[{BODY}]+(?:[{MEDIAL}]+[{BODY}]+)*")
_ENDS = regex.compile(rf"^[{SIGNS}\s{IGNORED}]+|[\s{IGNORED}]+$")
_PUNCTUATION = regex.compile(r"[\p{P}--_]+", regex.V1)
_HIDDEN = regex.compile(IGNORED)
_MARKUP = regex.compile(r"<[^<>]*>")
# What people leave out: accents (Greek capitals have none), the dots of `ё`, vowel signs and
# lengthening of Arabic and Hebrew.
_ACCENTS = regex.compile(
    r"(?<=[\p{Latin}\p{Greek}])[\u0300-\u036f]+|(?<=е)\u0308"
    r"|[\u0640\u064b-\u065f\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]+"
)
_FOLDED = (
    str.maketrans("ðđħıłŋøŧĸ\u2018\u2019", "ddhilnotk''")
    | {ord("æ"): "ae", ord("œ"): "oe"}
    | dict(zip(map(ord, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"), "abcdefghijklmnoprstuvwyz", strict=True))
    | {start + place: chr(97 + place) for start in (0x1F150, 0x1F170) for place in range(26)}
)
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)
# The page of a hashtag or a search for it, as platforms have them, in an address.
_TAG_PAGE = regex.compile(
    r"(?<=/)(?:hashtags?|tags?|tagged)/(?:\?keywords=)?(?=[\w%#\uff03])|%23|%EF%BC%83",
    regex.IGNORECASE,
)
_LINK = regex.compile(
    r"(?:[a-z][a-z0-9+.\-]*://|www\.|(?<![\w@.])[\w\-]+(?:\.[\w\-]+)+/)[^\s<>\"]*"
    r"(?<![.,;:!?'\])])",
    regex.IGNORECASE,
)
_EMPHASIS = regex.compile(rf"(?<=[{SIGNS}])[*_~`\[]+")
_EMPTY_LINK = regex.compile(r"\[\s*\]\(\s*\)")


@functools.lru_cache(maxsize=2**16)
def hashtag_name(text: str) -> str:
    """A name as it is shown: without signs before it and white space around it, in NFKC.

    Returns:
        The name; `""` where nothing is left, or punctuation alone. What else stands in it is kept,
        as some sites have tags such as `pale-ale` or `c#`.

    Example:

    >>> hashtag_name("＃Ｆｕｌｌ"), hashtag_name("##c#"), hashtag_name("#")
    ('Full', 'c#', '')
    """
    # A sign of another width is one only after NFKC, and what is left may compose anew.
    name = unicodedata.normalize("NFKC", text)
    name = unicodedata.normalize("NFKC", _ENDS.sub("", name))
    return "" if _PUNCTUATION.fullmatch(name) else name


def is_plain(name: str) -> bool:
    """Whether a text is known to hold the whole name: tags of some sites are not, as `pale-ale`.

    >>> is_plain("tea"), is_plain("pale-ale"), is_plain("2024")
    (True, False, False)
    """
    return bool(_PLAIN.fullmatch(name) and _LETTER.search(name))


@functools.lru_cache(maxsize=2**16)
def hashtag_key(name: str) -> str:
    """What makes two names one hashtag: NFKC_Casefold of the Unicode Standard, without signs.

    Example:

    >>> hashtag_key("STRASSE") == hashtag_key("#Straße"), hashtag_key("cafe") == hashtag_key("café")
    (True, False)
    """
    key = _HIDDEN.sub("", unicodedata.normalize("NFD", hashtag_name(name)))
    while (folded := _HIDDEN.sub("", unicodedata.normalize("NFKC", key.casefold()))) != key:
        key = folded
    return key


@functools.lru_cache(maxsize=2**16)
def _loose_key(name: str) -> str:
    """A key under which a name that is written without accents meets the one in the text."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", hashtag_key(name)))
    return unicodedata.normalize("NFC", bare.translate(_FOLDED))


def _own_keys(names: Collection[str]) -> frozenset[str]:
    """Loose keys of a post's hashtags, also as they are written without umlauts: `Gruesse`."""
    return frozenset(_loose_key(one) for name in names for one in (name, name.translate(_UMLAUTS)))


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """The first name of each key, without empty ones.

    >>> distinct_names(["#Tea", "tea", "#"])
    ('Tea',)
    """
    found: dict[str, str] = {}
    for name in map(hashtag_name, names):
        if name:
            found.setdefault(hashtag_key(name), name)
    return tuple(found.values())


def shown_spellings(counts: Counter[str]) -> dict[str, str]:
    """The spelling of each key that is shown: the most used one; of equally used ones the first by
    code points.

    Args:
        counts: names and how often each is used.

    Example:

    >>> shown_spellings(Counter({"python": 3, "Python": 5, "tea": 1}))
    {'python': 'Python', 'tea': 'tea'}
    """
    best: dict[str, tuple[int, str]] = {}
    for name, count in counts.items():
        key = hashtag_key(name)
        best[key] = min(best.get(key, (0, "")), (-count, name))
    return {key: name for key, (_, name) in best.items()}


def script_of(text: str) -> str:
    """The script of most letters of a text among the large ones; `""` for a text without letters.

    >>> script_of("good 日本 tea"), script_of("日本語 ok"), script_of("42")
    ('Latin', 'Han and kana', '')
    """
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else "other" if _LETTER.search(text) else ""


def find_hashtags(text: str) -> list[str]:
    """The hashtags of a text, in order, each key once.

    Example:

    >>> find_hashtags("＃おはよう #Tea#tea #日本 C#dev https://a.org/guide#install #2024 ##two")
    ['おはよう', 'Tea', '日本', 'two']
    """
    names = (name for _, _, name in _hashtags(text, frozenset(), frozenset()))
    return list(distinct_names(name for name in names if _LETTER.search(name)))


def take_hashtags_out(text: str, names: Collection[str]) -> str:
    """A text without the hashtags of these names, in whatever form they stand in it.

    The white space before each goes with it. Names are compared by their keys and, as platforms
    and people write them, without accents and vowel signs. The text is given back as it is where
    none stands in it.

    Example:

    >>> take_hashtags_out("good #TEA, read guide#tea #other#Tea", ["tea"])
    'good, read guide#tea #other'
    """
    if not names:
        return text
    own = _own_keys(names)
    spans = list(_pages(text, own))
    if any(sign in text for sign in _LIKE_SIGNS):
        found = _hashtags(text, own, _odd(names))
        spans += [(start, end) for start, end, name in found if name in own]
    if not spans:
        return text
    kept, last = [], 0
    for start, end in sorted(spans):
        if start < last:
            continue
        kept.append(text[last:start].rstrip() if start > last else "")
        last = end
        lone = _TOKEN.match(text, end)
        if lone and not lone["name"] and text[end] in SIGNS:
            last += 1  # `#topic#`, as Weibo has it
    return _EMPTY_LINK.sub("", "".join([*kept, text[last:]])).strip()


def holds_hashtag(text: str, names: Collection[str]) -> bool:
    """Whether a sign and one of these names stand in a text: in an address, in a word, in markup.

    A name after a sign and a space is one, too. Stricter than `take_hashtags_out`, which leaves
    those of words and of anchors of addresses where they are.

    Example:

    >>> holds_hashtag("see https://a.org/guide#tea", ["Tea"]), holds_hashtag("good tea", ["tea"])
    (True, False)
    """
    text = urllib.parse.unquote(_TAG_PAGE.sub("#", html.unescape(text)))
    if not names or not any(sign in text for sign in _LIKE_SIGNS):
        return False
    own, odd = _own_keys(names), _odd(names)
    bare = _EMPHASIS.sub("", _HIDDEN.sub("", _MARKUP.sub("", text)))
    return any(name in own for _, _, name in _hashtags(bare, own, odd, anywhere=True))


def _odd(names: Collection[str]) -> frozenset[str]:
    """Keys of the names that hold what the rule for texts does not know, as `pale-ale`."""
    return frozenset(_loose_key(name) for name in names if not _PLAIN.fullmatch(hashtag_name(name)))


def _pages(text: str, own: Collection[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each address of a page of, or a search for, one of these hashtags."""
    if "/" not in text or not _TAG_PAGE.search(text):
        return
    for link in _LINK.finditer(text):
        for page in _TAG_PAGE.finditer(link.group()):
            rest = regex.split(r"[/?&]", link.group()[page.end() :], maxsplit=1)[0]
            names = regex.split(rf"[{SIGNS}\s+]+", urllib.parse.unquote(rest))
            if any(name and _loose_key(name) in own for name in names):
                yield link.span()
                break


def _hashtags(
    text: str, own: Collection[str], odd: frozenset[str], anywhere: bool = False
) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of each hashtag; of those in `own` the loose key stands for the name."""
    token = _TOKEN if not own else _SPACED_TOKEN if anywhere else _OWN_TOKEN
    place, last = 0, -1
    while match := token.search(text, place):
        start, place = match.start(), max(match.end(), match.start() + 1)
        before = start - 1
        while own and before >= 0 and text[before] == "_":  # of `_#tea_`
            before -= 1
        begins = before < 0 or start == last or anywhere or not _WORD_BEFORE.match(text[before])
        if not begins or (not anywhere and _in_address(text, start)):
            continue
        name, end = match["name"], match.end()
        styled = _STYLED.match(text, match.start("name")) if own else None
        if styled and styled.end() > end and _loose_key(styled.group()) in own:
            name, end = styled.group(), styled.end()
        if odd and (longer := _odd_end(text, match.start("name"), odd)):
            name, end = text[match.start("name") : longer], longer
        if not name:
            continue
        key = _loose_key(name)
        if key not in own and (plain := _loose_key(name.translate(_UMLAUTS))) in own:
            key = plain
        if key not in own and (bare := key.rstrip("_")) in own:
            key, end = bare, end - len(key) + len(bare)
        yield start, end, key if key in own else name
        place = last = end


def _in_address(text: str, place: int) -> bool:
    first = place
    while first and not text[first - 1].isspace():
        first -= 1
    if first == place:
        return False
    found = _ADDRESS.finditer(text, first)
    return any(
        match.end() > place for match in itertools.takewhile(lambda m: m.start() <= place, found)
    )


def _odd_end(text: str, start: int, odd: frozenset[str]) -> int:
    """Where the longest of the odd names that begin at `start` ends; 0 for none."""
    most = 2 * max(map(len, odd)) + 8
    run = "".join(itertools.takewhile(lambda c: not c.isspace(), text[start : start + most]))
    for length in range(len(run), 0, -1):
        if not _PLAIN.match(run[length:]) and _loose_key(run[:length]) in odd:
            return start + length
    return 0
