"""UTF-8 that somebody read as Latin-1 or Windows-1252: `cafÃ©`."""

import codecs
import re

_BYTES = {  # what Windows-1252 makes of bytes that are control characters in Latin-1
    ord(character): byte
    for byte in range(0x80, 0xA0)
    if (character := codecs.decode(bytes([byte]), "cp1252", "ignore"))
}


def mended(text: str) -> str:
    """The text that was meant; the given one where it is not garbled.

    Of a character that is cut at the end nothing is left.

    >>> mended("cafÃ© â€œtoâ€\\x9d"), mended("café"), mended("tea")
    ('café “to”', 'café', 'tea')
    >>> mended("cafÃ© â\\x98"), mended("tea ð\\x9f\\x98"), mended("IRMÃ")
    ('café ', 'tea ', 'IRMÃ')
    >>> mended("cafÃƒÂ©")
    'café'
    """
    while (found := _once_mended(text)) != text:  # some were read so more than once
        text = found
    return text


def _once_mended(text: str) -> str:
    if text.isascii():
        return text
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        found = decoder.decode(text.translate(_BYTES).encode("latin-1"))
    except UnicodeError:
        return text
    # A single letter at the end is one, rather than the first byte of another.
    return text if found.isascii() and len(decoder.getstate()[0]) == 1 else found


_MAY_STAND_SO = re.compile("[ÃÂ][…“”‘’–—]")  # a capital letter, then a sign of printers


def surely_garbled(text: str) -> bool:
    """Whether a text is garbled also without what people write, as `IRMÃ…`.

    >>> surely_garbled("cafÃ©"), surely_garbled("IRMÃ…")
    (True, False)
    """
    rest = _MAY_STAND_SO.sub("", text)
    return mended(rest) != rest
