"""What a character may stand for in a disguised word: by Unicode's confusables, and by people."""

import functools
import unicodedata

import regex

# Marks that change no letter, for whom reads: accents and lines through and around letters, the
# lengthening and vowel signs of Arabic and Hebrew, the dots below letters of India.
_MARKS = regex.compile(
    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
    r"\u0640\u064b-\u065f\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    r"\u093c\u09bc\u0a3c\u0abc\u0b3c\p{Default_Ignorable_Code_Point}]+"
)
_SMALL = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"
# Letters in brackets, circles and boxes, those of flags, invisible ones of Unicode's tags.
_ALPHABETS = (0x249C, 0x1F110, 0x1F150, 0x1F170, 0x1F1E6, 0xE0041, 0xE0061)
_PLAIN: dict[int, int | str] = {
    **str.maketrans("ðđħıłŋøŧĸ\u2018\u2019ةىکی", "ddhilnotk''هيكي"),
    **{ord("æ"): "ae", ord("œ"): "oe"},
    **dict(zip(map(ord, _SMALL), "abcdefghijklmnoprstuvwyz", strict=True)),
    **{first + place: chr(97 + place) for first in _ALPHABETS for place in range(26)},
    **{0xE0030 + digit: str(digit) for digit in range(10)},
    **{code: chr(code - 0x60) for code in range(0x30A1, 0x30F7)},  # katakana as hiragana
}
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
_FOR_LETTERS = {
    **{"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t"},
    **{"@": "a", "$": "s", "€": "e", "!": "i", "|": "il"},
}
_TURNED = str.maketrans("abcdefghijklmnopqrstuvwyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍʎz")


@functools.lru_cache(maxsize=2**16)
def folded(text: str) -> str:
    """A word in small plain letters, decomposed: without what people leave out or put around them.

    >>> folded("Café"), folded("ⓉⒺⒶ"), folded("コーヒー"), folded("t̶e̶a̶")
    ('cafe', 'tea', 'こーひー', 'tea')
    """
    for _ in range(3):  # what is decomposed may be translated, and the other way round
        text = unicodedata.normalize("NFKD", text.translate(_PLAIN)).casefold()
    text = _MARKS.sub("", text)
    return "".join(c if c.isascii() else str(unicodedata.digit(c, c)) for c in text)


@functools.lru_cache(maxsize=2**14)
def read_as(character: str) -> frozenset[str]:
    """What a character may stand for, folded; `""` where it may be passed over.

    Example:

    >>> sorted(read_as("с")), sorted(read_as("0")), sorted(read_as("ü"))  # the first is Cyrillic
    (['c', 'с'], ['0', 'o'], ['u', 'ue'])
    >>> sorted(read_as("τ"))  # as `Τ` is, which has the same key
    ['t', 'τ']
    """
    small, large = character.lower(), character.upper()
    found = {folded(character), *map(folded, _FOR_LETTERS.get(character, ""))}
    found |= {
        folded(alike[form]) for form in (character, small, large) if form in (alike := _alike())
    }
    if umlaut := _UMLAUTS.get(unicodedata.normalize("NFC", small)):
        found.add(umlaut)
    return frozenset(found)


def is_for_letter(character: str) -> bool:
    """Whether people write it for a letter, though it is none.

    >>> is_for_letter("3"), is_for_letter("e")
    (True, False)
    """
    return character in _FOR_LETTERS


@functools.lru_cache(maxsize=2**14)
def spellings(name: str) -> frozenset[str]:
    """A name as `read_as` may meet it, and without umlauts, backwards and upside down.

    >>> sorted(spellings("tea")), "eeffoc" in spellings("coffee")
    (['tea', 'ɐǝʇ'], True)
    """
    alike = _alike()
    forms = (name, name.lower(), name.upper())
    found = {folded("".join(alike.get(one, one) for one in form)) for form in forms}
    plain = folded(name)
    umlauts = "".join(_UMLAUTS.get(one, one) for one in unicodedata.normalize("NFC", name.lower()))
    found |= {plain, folded(umlauts)}
    if len(plain) > 2 and plain.isascii() and plain.isalpha():
        found.add(plain[::-1].translate(_TURNED))
    if len(plain) > 3:
        found.add(plain[::-1])
    return frozenset(found)


@functools.cache
def _alike() -> dict[str, str]:
    """The character that each but those of ASCII looks like, where Unicode says one."""
    from confusable_homoglyphs.utils import load

    return {
        one: others[0]["c"]
        for one, others in load("confusables.json").items()
        if len(one) == 1 and not one.isascii() and len(others) == 1
    }
