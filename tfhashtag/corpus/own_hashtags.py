"""A post's own hashtags in its text, which are the answer: taken out, or counted where they stay.

A text is first seen as a reader or a browser does, without escapes and markup; behind each sign the
longest run of characters is looked for that may stand for one of the names.
"""

import functools
import html
import itertools
import urllib.parse
from collections.abc import Collection, Iterator
from typing import NamedTuple

import regex

from tfhashtag.corpus.hashtag import (
    BODY,
    IGNORED,
    MEDIAL,
    UNSPACED,
    hashtag_name,
    in_address,
    is_word_before,
)
from tfhashtag.corpus.lookalikes import folded, is_for_letter, read_as, spellings
from tfhashtag.corpus.markup import TAG

# What only looks like a sign, as an emoji or in an address, too.
_SIGN = regex.compile(r"(?:[#\uff03\ufe5f\u266f\u2317\u22d5\u29e3]\ufe0f?\u20e3?)+")
_LIKE_SIGNS = "#\uff03\ufe5f\u266f\u2317\u22d5\u29e3"
_TOKEN = regex.compile(rf"{IGNORED}*(?:[{BODY}]+(?:[{MEDIAL}]+[{BODY}]+)*)?")
_GOES_ON = regex.compile(rf"_{{0,9}}[{MEDIAL}]{{0,9}}[{BODY}--_]", regex.V1)
_BETWEEN = regex.compile(r"[\p{P}\p{Zs}\p{So}\p{Sk}\t+~|`^--[#@&]]", regex.V1)
# Of these what people put inside a word; any other, as a space, may as well part two.
_JOINS = regex.compile(r"[\-\u2010\u2011\p{Pc}\p{So}\p{Sk}'’·・*~\\]")
_MOST_BETWEEN = 3
_MOST_OPENING = 9
_FEWEST_SINGLE = 3  # letters that stand apart and make a name: `#4 I`, `plan #A I like` make none
_BOUNDARY = regex.compile(
    r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{L})(?=\p{Nd})|(?=[\p{Pd}\p{Pc}\p{Zs}.'’·・])"
)
_LEFT_OUT = regex.compile(r"[\p{Pd}\p{Pc}\p{Zs}.'’·・]")  # of a name as the corpus has it
_OPENING = {**dict(zip("[({<\"'“‘«‹*~`", "])}>\"'”’»›*~`", strict=True)), "„": "“", "「": "」"}
# Japanese and Korean: what follows a word without a space.
_PARTICLE = regex.compile(r"[をがはにでともへやのかだなよね]|って")
_PARTICLE_OF_KANA = regex.compile(r"[をがはのでに]")
_KANA = regex.compile(rf"\p{{Hiragana}}{{1,8}}(?![{BODY}])")
_JOSA = regex.compile(
    r"(?:은|는|이|가|을|를|의|에|에서|에게|와|과|로|으로|도|만|부터|까지|처럼|보다|이나|나|랑|이랑)"
    rf"(?![{BODY}])"
)
_VERB = regex.compile(
    r"(?P<stem>.*[\p{Han}\p{Katakana}]\p{Hiragana}*?)(?:する|[うくぐすつぬぶむるい])"
)
_NO_SPACES = regex.compile(rf"[{UNSPACED}]")
_HANGUL, _HIRAGANA = regex.compile(r"\p{Hangul}"), regex.compile(r"\p{Hiragana}")
_LETTER = regex.compile(r"[\p{L}\p{So}\U000e0041-\U000e007a]")
# The page of a hashtag or a search for it, as platforms have them, in an address.
_TAG_PAGE = regex.compile(
    r"(?<=/)(?:hashtags?|tags?|tagged|topics?)/(?:\?keywords=)?(?=[\w%#\uff03])|%23|%EF%BC%83"
    r"|(?<=[?&])(?:button_)?hashtags?=|(?<=[?&])q=(?=[^#\s]{0,300}?serp_type=tags)",
    regex.IGNORECASE,
)
_LINK = regex.compile(
    r"(?:[a-z][a-z0-9+.\-]{0,30}://|www\.|(?<![\w@.\-])[\w\-]++(?:\.[\w\-]++)++/)[^\s<>\"]*"
    r"(?<![.,;:!?'\])])",
    regex.IGNORECASE,
)
_EMPTY_LINK = regex.compile(r"\[\s*\]\(\s*\)")
_ESCAPE = regex.compile(r"&(?:amp;)*\#?\w{1,32};?|(?:\\u[0-9a-fA-F]{4})+|(?:%[0-9a-fA-F]{2})+")
_ESCAPE_OR_TAG = regex.compile(rf"{_ESCAPE.pattern}|{TAG}", regex.IGNORECASE)
_PART_ENDS = regex.compile(r"[/?&]")
_PARTS = regex.compile(rf"[{_LIKE_SIGNS}\s+,]+")
_UNQUOTED = 3  # times that an address may have been escaped


def take_hashtags_out(text: str, names: Collection[str]) -> str:
    """A text without the hashtags of these names, in whatever form they stand in it.

    The white space before each goes with it. Behind a sign a name may be written without accents
    and vowel signs, in letters that look alike, with signs or invisible characters between its
    letters, with spaces between letters alone or between words that its capitals or signs show,
    backwards, escaped, or with a particle of Japanese or Korean. The text is given back as it is
    where none stands in it.

    Example:

    >>> take_hashtags_out("good #TEA, read guide#tea #other#t-e-a #теа", ["tea"])
    'good, read guide#tea #other'
    """
    if not names:
        return text
    spans = list(_pages(text, names))
    for seen in _seen(text):
        if any(sign in seen.text for sign in _LIKE_SIGNS):
            spans += [seen.place(start, end) for start, end in _found(seen.text, names)]
    if not spans:
        return text
    kept, last = [], 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < last:
            continue
        kept.append(text[last:start].rstrip() if start > last else "")
        last = end
        if text[end : end + 1] in tuple("#\uff03\ufe5f") and not _GOES_ON.match(text, end + 1):
            last += 1  # `#topic#`, as Weibo has it
    return _EMPTY_LINK.sub("", "".join([*kept, text[last:]])).strip()


def holds_hashtag(text: str, names: Collection[str]) -> bool:
    """Whether a sign and one of these names stand in a text: in an address, in a word, in markup.

    A name after a sign and a space is one, too, and one with which a longer word begins in scripts
    without spaces. Stricter than `take_hashtags_out`, which leaves these where they are, and what
    may be a word beside a hashtag or a number: `#coffee shop` of `coffeeshop`, `#4 I` of `AI`.

    Example:

    >>> holds_hashtag("see https://a.org/guide#tea", ["Tea"]), holds_hashtag("good tea", ["tea"])
    (True, False)
    """
    if not names:
        return False
    for seen in _seen(text):
        shown = _TAG_PAGE.sub("#", seen.text)
        if any(sign in shown for sign in _LIKE_SIGNS):
            for _ in _found(shown, names, anywhere=True):
                return True
    return False


class _Seen(NamedTuple):
    """A text without escapes and markup, and where each of its characters begins and ends."""

    text: str
    starts: list[int] | None
    ends: list[int] | None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of it stands in the text as it is written."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def _seen(text: str) -> Iterator[_Seen]:
    """As a browser shows it; where tags stand in it, with them, too: `a <b #tea` may be none."""
    if not any(sign in text for sign in "&%<\\"):
        yield _Seen(text, None, None)
        return
    shown = _without(text, _ESCAPE_OR_TAG)
    yield shown
    if "<" in text and (whole := _without(text, _ESCAPE)).text != shown.text:
        yield whole


def _without(text: str, escapes: "regex.Pattern[str]") -> _Seen:
    parts, starts, ends, last = [], list[int](), list[int](), 0
    for match in itertools.chain(escapes.finditer(text), [None]):
        start, end = match.span() if match else (len(text), len(text))
        parts.append(text[last:start])
        starts += range(last, start)
        ends += range(last + 1, start + 1)
        if match:
            plain = _unescaped(match.group())
            parts.append(plain)
            starts += [start] * len(plain)
            ends += [end] * len(plain)
        last = end
    return _Seen("".join(parts), starts, ends)


def _unescaped(found: str) -> str:
    if found[0] == "<":
        return ""
    if found[0] == "\\":
        return (
            found.encode()
            .decode("unicode_escape")
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
        )
    if found[0] == "%":
        return _unquoted(found)
    for _ in range(_UNQUOTED):
        found = html.unescape(found)
    return found


def _unquoted(address: str) -> str:
    """What stands in an address, of UTF-8 or Latin-1, escaped once or more."""
    for _ in range(_UNQUOTED):
        try:
            address = urllib.parse.unquote(address, errors="strict")
        except UnicodeDecodeError:
            address = urllib.parse.unquote(address, "latin-1")
    return address


class _Own(NamedTuple):
    """Names as they may be written, stems of those that are verbs, how these begin and go on.

    `apart` is what stands before a boundary of words in a name: `coffee` of `CoffeeShop`.
    """

    names: frozenset[str]
    stems: frozenset[str]
    begun: frozenset[str]
    unfinished: frozenset[str]
    apart: frozenset[str]


@functools.lru_cache(maxsize=2**14)
def _own_of(name: str) -> _Own:
    name = hashtag_name(name)
    names = set(spellings(name))
    names |= {bare for one in names if len(bare := _LEFT_OUT.sub("", one)) > 1}
    names.discard("")
    verb = _VERB.fullmatch(name)
    stems = frozenset([folded(verb["stem"])] if verb else [])
    unfinished = frozenset(one[:size] for one in (*names, *stems) for size in range(len(one)))
    before = {name[: found.start()] for found in _BOUNDARY.finditer(name)}
    apart = frozenset(
        one
        for some in before
        for form in (some, _LEFT_OUT.sub("", some))
        for one in spellings(form)
    )
    return _Own(frozenset(names), stems, unfinished | names | stems, unfinished, apart)


def _own(names: Collection[str]) -> _Own:
    every = [_own_of(name) for name in names]
    return every[0] if len(every) == 1 else _Own(*map(frozenset().union, *every))


def _pages(text: str, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each address of a page of, or a search for, one of these hashtags."""
    if "/" not in text:
        return
    own = {one for name in names for one in _own_of(name).names}
    for link in _LINK.finditer(text):
        address = link.group()
        for _ in range(_UNQUOTED):
            if _names_page(address, own):
                yield link.span()
                break
            address = urllib.parse.unquote(address)


def _names_page(address: str, own: Collection[str]) -> bool:
    last = 0
    for page in _TAG_PAGE.finditer(address):
        if page.start() < last:
            continue  # among the names of the one before
        end = _PART_ENDS.search(address, page.end())
        last = end.start() if end else len(address)
        if any(
            name and folded(name) in own
            for name in _PARTS.split(_unquoted(address[page.end() : last]))
        ):
            return True
    return False


def _found(text: str, names: Collection[str], anywhere: bool = False) -> Iterator[tuple[int, int]]:
    """Start and end of each of these hashtags."""
    own = _own(names)
    last = -1
    for sign in _SIGN.finditer(text):
        start = sign.start()
        if start < last:
            continue
        token = _TOKEN.match(text, sign.end())
        word = token.end() if token else sign.end()
        before = start - 1
        while before >= 0 and text[before] == "_":  # of `_#tea_`
            before -= 1
        begins = anywhere or start == last or not is_word_before(text, before)
        if not begins or (not anywhere and in_address(text, start)):
            continue
        end = word
        if not (  # most stand there as they are
            text[end : end + 1].isascii()
            and (key := folded(text[sign.end() : word])) in own.names
            and key not in own.unfinished
        ):
            whole = folded(text[sign.end() : word]) in own.names
            end = _end(text, sign.end(), own, anywhere, whole)
        if end:
            start -= start > 0 and text[start - 1] == "\\"
            yield start, end
        last = end or word


class _State(NamedTuple):
    """What was read of a name, and how: what is in doubt is counted, not taken out."""

    read: str
    disguised: bool = False  # digits or signs in place of letters
    joined: bool = False  # something was stepped over
    parted: bool = False  # a space or such, which may part two words
    at_words: bool = True  # all such stand between words of the name
    single: bool = True  # all such stand between single letters
    size: int = 0  # letters since the newest such

    def letter(self, read: str, disguised: bool) -> "_State":
        return self._replace(
            read=self.read + read,
            disguised=self.disguised or disguised,
            single=self.single and not (self.parted and self.size),
            size=self.size + 1,
        )

    def over(self, sign: str, own: _Own) -> "_State":
        if _JOINS.match(sign):
            return self._replace(joined=True)
        return self._replace(
            joined=True,
            parted=True,
            at_words=self.at_words and self.read in own.apart,
            single=self.single and self.size < 2,
            size=0,
        )

    def is_sure(self) -> bool:
        if self.disguised and self.joined:
            return False
        alone = self.single and len(self.read) >= _FEWEST_SINGLE
        return not self.parted or self.at_words or alone


def _end(text: str, place: int, own: _Own, anywhere: bool, whole: bool) -> int:
    """Where the longest run that stands for one of the names ends; 0 for none.

    Args:
        text: in which it stands.
        place: behind the sign.
        own: the names.
        anywhere: whether what is in doubt is one, too.
        whole: whether the word behind the sign is a name as it is.
    """
    closing = ""
    while text[place : place + 1] in _OPENING and len(closing) < _MOST_OPENING:
        closing = _OPENING[text[place]] + closing
        place += 1
    if anywhere and not closing and text[place : place + 1].isspace():
        place += 1
    states, found, between = {_State("")}, 0, 0
    for at in range(place, len(text)):
        sign, after = text[at], text[at + 1 : at + 2]
        read = read_as(sign)
        plain = folded(sign)
        if not anywhere and sign in "!|" and not after.isalnum():
            read = read & {plain}  # it ends a sentence
        stepped = {
            state.letter(one, one != plain and is_for_letter(sign))
            for state in states
            for one in read
            if one and state.read + one in own.begun
        }
        passed = "" in read  # no letter for itself, as an accent
        stepped_over = states if passed else set()
        if (
            not passed
            and (at > place or sign == "_")
            and between < _MOST_BETWEEN
            and _BETWEEN.match(sign)
        ):
            parts = not _JOINS.match(sign)
            ends = parts and (whole or (after.isspace() and not sign.isspace()))
            stepped_over = set() if ends and not anywhere else {s.over(sign, own) for s in states}
        between = 0 if stepped else between + (not passed)
        states = stepped | stepped_over
        if not states:
            break
        if stepped or (passed and not between):
            sure = {state.read for state in states if anywhere or state.is_sure()}
            found = _ended(text, place, at + 1, sure, own, anywhere) or found
    while found and closing and text[found : found + 1] == closing[0]:
        found, closing = found + 1, closing[1:]
    return found


def _ended(
    text: str, first: int, end: int, states: Collection[str], own: _Own, anywhere: bool
) -> int:
    """Where a name ends that is read up to `end`; 0 where none is, or the word goes on."""
    kana = _KANA.match(text, end)
    if kana and not own.stems.isdisjoint(states):
        return kana.end()
    read = own.names.intersection(states)
    if not read or (any(map(str.isalpha, read)) and not _LETTER.search(text, first, end)):
        return 0  # nothing, or digits in place of letters alone
    if not _GOES_ON.match(text, end):
        return end
    last = text[end - 1]
    if _HANGUL.match(last):
        josa = _JOSA.match(text, end)
        return josa.end() if josa else 0
    if _HIRAGANA.match(last):
        sure = end - first > 2 or not _HIRAGANA.match(text[first])
        particle = _PARTICLE_OF_KANA.match(text, end) if sure else None
    else:
        particle = _PARTICLE.match(text, end) or kana
    return end if particle or (anywhere and end - first > 1 and _NO_SPACES.match(last)) else 0
