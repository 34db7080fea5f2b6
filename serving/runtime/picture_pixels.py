"""How many pixels a picture's file says that it has, as the graphs of our exports read it."""

import struct

# A picture of more is no picture to them.
MOST_PIXELS = 2**25
# The largest side that an encoder sees: JPEG is read at a half, a quarter or an eighth as long as
# neither side falls below.
_SIDE = 600
_MOST_SEGMENTS = 512  # before the picture's data
_MOST_BLOCKS = 2**16  # the same of GIF
_MARKERS_OF_SIZE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def picture_pixels(content: bytes) -> int:
    """Pixels that are decoded of a JPEG, PNG, GIF, BMP or WebP file; 0 for what is none.

    Example:

    >>> head = b"\\x89PNG\\r\\n\\x1a\\n" + bytes(8) + struct.pack(">II", 30, 20) + bytes(8)
    >>> picture_pixels(head), picture_pixels(b"no picture")
    (600, 0)
    """
    try:
        width, height = _size(content)
    except (struct.error, IndexError):  # cut off
        return 0
    pixels = width * height
    return pixels if pixels <= MOST_PIXELS else 0


def _size(content: bytes) -> tuple[int, int]:
    def numbers(form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(form, content, at)

    if content.startswith(b"\x89PNG"):
        width, height = numbers(">II", 16)
    elif content.startswith(b"\xff\xd8\xff"):
        width, height = _jpeg(content)
    elif content.startswith(b"GIF8"):
        width, height = _gif(content)
    elif content.startswith(b"BM"):
        width, height = numbers("<ii", 18)
    elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        width, height = _webp(content)
    else:
        return 0, 0
    return abs(width), abs(height)


def _jpeg(content: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        length, height, width = struct.unpack_from(">HxHH", content, at + 2)
        marker = content[at + 1]
        if content[at] != 0xFF or marker in _MARKERS_OF_SIZE:
            break
        at += 1 if marker == 0xFF else 2 + length
    if content[at] != 0xFF or marker not in _MARKERS_OF_SIZE:
        return 0, 0
    ratio = 1
    while marker < 0xC2 and ratio < 8 and min(height, width) // (2 * ratio) >= _SIDE:
        ratio *= 2
    width, height = width // ratio, height // ratio
    if width * height > MOST_PIXELS and marker < 0xC2:
        # An encoder that sees less than `_SIDE` reads it smaller, if that is small enough.
        smallest = (width * ratio // 8) * (height * ratio // 8)
        return (MOST_PIXELS, 1) if smallest <= MOST_PIXELS else (width, height)
    return width, height


def _gif(content: bytes) -> tuple[int, int]:
    """The larger of the screen and the first picture on it: the decoder takes what is drawn."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + (3 * 2 ** (flags % 8 + 1) if flags >= 128 else 0)
    inside = False  # an extension
    for _ in range(_MOST_BLOCKS):
        code = content[at]
        if not inside and code == 0x2C:
            own_width, own_height = struct.unpack_from("<HH", content, at + 5)
            return max(width, own_width), max(height, own_height)
        if not inside and code != 0x21:
            break
        at += code + 1 if inside else 2
        inside = not inside or code != 0
    return 0, 0


def _webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        width, low, height, high = struct.unpack_from("<HBHB", content, 24)
        return width + (low << 16) + 1, height + (high << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return bits % 2**14 + 1, (bits >> 14) % 2**14 + 1
    width, height = struct.unpack_from("<HH", content, 26)
    return width % 2**14, height % 2**14
