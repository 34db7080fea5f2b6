"""UTF-8 that somebody read as Latin-1 or Windows-1252: `cafÃ©`."""

import codecs

_BYTES = {  # what Windows-1252 makes of bytes that are control characters in Latin-1
    ord(character): byte
    for byte in range(0x80, 0xA0)
    if (character := codecs.decode(bytes([byte]), "cp1252", "ignore"))
}


def mended(text: str) -> str:
    """The text that was meant; the given one where it is not garbled.

    >>> mended("cafÃ© â€œtoâ€\\x9d"), mended("café"), mended("tea")
    ('café “to”', 'café', 'tea')
    """
    if text.isascii():
        return text
    try:
        return text.translate(_BYTES).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
