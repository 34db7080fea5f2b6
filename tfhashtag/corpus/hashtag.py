"""What a hashtag is, in one place: its name, when two are one, and where it stands in a text.

- A *name* has no sign before it and is in Unicode's form NFKC: `＃Ｆｕｌｌ` is `Full`.
- Two names are one hashtag where their *keys* are equal: NFKC_Casefold of Unicode, so that case,
  composed and decomposed letters, widths and invisible characters make no difference.
- In a text a hashtag is a sign (`#`, `＃`, `﹟`) and letters, marks and digits of any script and
  `_`, not digits alone. It begins where no word is under way (`C#dev` and `guide#install` hold
  none), or right behind another (`#a#b`), and not in an address.
"""

import bisect
import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable

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
# Scripts that put no space between words: there a hashtag begins behind a letter, too.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u30fc"
WORD_BEFORE = rf"[[\p{{L}}\p{{M}}\p{{N}}_&]--[\ufe00-\ufe0f\u20e3{UNSPACED}]]"
_WORD_BEFORE = regex.compile(WORD_BEFORE, regex.V1)
IN_ADDRESS = r"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]"
_ADDRESS = regex.compile(
    rf"(?:[a-z][a-z0-9+.\-]{{0,30}}://|www\.|(?<![\w@.\-])[\w\-]++(?:\.[\w\-]++)++/)"
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
# Of a name that is no number: what makes a digit a keycap or an emoji is no letter.
LETTER = r"[[\p{L}\p{M}]--[\ufe00-\ufe0f\u20e3]]"
_LETTER = regex.compile(LETTER, regex.V1)
_CLOSED = regex.compile(
    rf"(?<![[\w#]--[{UNSPACED}]])#(?=[^#\s])[^#]{{1,60}}(?<!\s)#(?![[\w#]--[{UNSPACED}]])", regex.V1
)
_PLAIN = regex.compile(rf"[{BODY}]+(?:[{MEDIAL}]+[{BODY}]+)*")
_ENDS = regex.compile(rf"^[{SIGNS}\s{IGNORED}]+|(?<![\s{IGNORED}])[\s{IGNORED}]+$")
_PUNCTUATION = regex.compile(r"[\p{P}--_]+", regex.V1)
_HIDDEN = regex.compile(IGNORED)


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
    names, place, last = list[str](), 0, -1
    while match := _TOKEN.search(text, place):
        start, place = match.start(), max(match.end(), match.start() + 1)
        begins = start == last or not is_word_before(text, start - 1)
        if begins and match["name"] and not in_address(text, start):
            last = place
            if _LETTER.search(match["name"]):
                names.append(match["name"])
    return list(distinct_names(names))


def names_are_closed(text: str) -> bool:
    """Whether all names of a text look like those of Weibo, which stand between two signs.

    >>> names_are_closed("#早安#今天喝茶 #茶#"), names_are_closed("#good day# tea")
    (True, True)
    >>> names_are_closed("#tea #milk"), names_are_closed("#tea#milk"), names_are_closed("C# or F#")
    (False, False, False)
    """
    return text.count("#") > 1 and "#" not in _CLOSED.sub("", text)


def is_word_before(text: str, place: int) -> bool:
    """Whether the character at a place is of a word that goes on, so that no hashtag begins."""
    return place >= 0 and _WORD_BEFORE.match(text[place]) is not None


def in_address(text: str, place: int) -> bool:
    """Whether a place of a text lies within an address.

    >>> in_address("see https://a.org/guide#tea", 23), in_address("see a.org, #tea", 11)
    (True, False)
    """
    starts, ends = _addresses(text)
    found = bisect.bisect_right(starts, place)
    return found > 0 and ends[found - 1] > place


@functools.lru_cache(maxsize=8)  # one text is asked for each of its signs
def _addresses(text: str) -> tuple[list[int], list[int]]:
    spans = [found.span() for found in _ADDRESS.finditer(text)]
    return [start for start, _ in spans], [end for _, end in spans]
