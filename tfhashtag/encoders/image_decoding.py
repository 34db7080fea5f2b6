"""Encoded pictures to pixels inside the graph, with core operations alone, and no exception."""

import functools
from typing import Any

import tensorflow as tf

from tfhashtag.blocks import in_blocks

#: Most pixels of a decoded picture (128 MiB as RGBA); JPEG counts after it is read at a half, a
#: quarter or an eighth of its size. A larger picture is no picture.
MAX_PIXELS = 2**25
#: Most bytes of an encoded picture; a larger one is no picture.
MAX_BYTES = 2**26
#: Pictures decoded at the same time, so that memory stays below this many times 128 MiB.
PARALLEL = 4
#: The operation of WebP alone; TensorFlow has it since 2.20.
WEBP_OP = "DecodeWebP"
# Most segments, chunks or blocks before the picture's data; more is taken for a broken file.
_MOST_STEPS = 512
_MOST_GIF_BLOCKS = 2**16
_MARKERS_OF_SIZE = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_RATIOS = (1, 2, 4, 8)
_AT_ONCE = 2**20  # pixels that are blended
_BYTES = bytes(range(256))


def decode_images(
    images: tf.Tensor, size: int = 224, webp: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels of encoded pictures at a fixed size; can stand in a SavedModel.

    JPEG (grey, RGB, CMYK, progressive), PNG (any depth and colour type), GIF and WebP (the first
    frame) and BMP (8-bit as grey, 24 and 32 bits) are read. A picture is squeezed to the square,
    so that all of it is seen; what is transparent lies on white (in GIF it has the colour that the
    file stores); orientations of Exif (JPEG, PNG, WebP) are applied. Sizes are read from the header
    before anything is decoded: a picture with more than `MAX_PIXELS` pixels is no picture. JPEG is
    decoded at the smallest of 1, 1/2, 1/4 and 1/8 that is not below `size`, so that 12,000 x 9,000
    take little memory; a progressive JPEG keeps all its coefficients and counts in full.

    No picture (`valid` False, all pixels 0) are: the empty string, bytes of another format,
    truncated or otherwise undecodable files, and what is too large. It is never an exception: each
    picture is decoded in a `tf.data` pipeline inside the graph that drops those that fail.

    Args:
        images: string `[batch]`, encoded pictures, `""` for none.
        size: height and width of the result in pixels, at least 1.
        webp: read WebP; without it such a picture is none, and no operation is newer than those
            of TensorFlow 2.19.

    Returns:
        `(pixels, valid)`: float32 `[batch, size, size, 3]`, RGB from 0 to 255, and bool `[batch]`.

    Example:

    >>> picture = tf.io.encode_png(tf.fill([2, 3, 3], tf.constant(200, tf.uint8)))
    >>> pixels, valid = decode_images(tf.stack([picture, "", "broken"]), size=4)
    >>> valid.numpy().tolist(), pixels.shape, float(pixels[0, 0, 0, 0])
    ([True, False, False], TensorShape([3, 4, 4, 3]), 200.0)
    """
    if size < 1:
        raise ValueError(f"`size` must be at least 1. Received: size={size}.")
    return _decoder(int(size), webp)(tf.convert_to_tensor(images, tf.string))


def is_picture(content: bytes) -> bool:
    """Whether `decode_images` can decode a file.

    >>> is_picture(b"broken")
    False
    """
    return bool(decode_images(tf.constant([content]), size=1)[1][0])


@functools.cache
def _decoder(size: int, webp: bool) -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decode(images: Any) -> Any:
        with tf.device("CPU:0"):
            count = tf.shape(images, tf.int64)[0]
            pictures = tf.data.Dataset.from_tensor_slices(images).enumerate()
            # The last row belongs to nobody: something has to come out where all fail.
            spare = tf.data.Dataset.from_tensors((count, tf.zeros([size, size, 3]), False))
            rows, pixels, valid = (
                pictures.map(
                    lambda row, content: (row, *_picture(content, size, webp)),
                    num_parallel_calls=PARALLEL,
                )
                .ignore_errors()
                .concatenate(spare)
                .batch(count + 1)
                .get_single_element()
            )
            shape = tf.stack([count + 1, size, size, 3])
            pixels = tf.scatter_nd(rows[:, None], pixels, shape)[:-1]
            valid = tf.scatter_nd(rows[:, None], tf.cast(valid, tf.int32), count[None] + 1)[:-1]
            return tf.ensure_shape(pixels, [None, size, size, 3]), valid > 0

    return decode


def _picture(content: Any, size: Any, webp: bool) -> Any:
    """Pixels `[size, size, 3]` and True; zeros and False, or an exception, of what is none."""
    length = tf.strings.length(content)
    usable = (length > 12) & (length <= MAX_BYTES)
    data = tf.io.decode_raw(tf.where(usable, content, tf.zeros([], tf.string)), tf.uint8)
    data = tf.cond(usable, lambda: data, lambda: tf.zeros([13], tf.uint8))
    kinds = [
        _starts(data, 0, b"\xff\xd8\xff"),
        _starts(data, 0, b"\x89PNG\r\n\x1a\n"),
        _starts(data, 0, b"GIF8"),
        _starts(data, 0, b"BM"),
        _starts(data, 0, b"RIFF") & _starts(data, 8, b"WEBP"),
    ]
    kind = tf.reduce_sum(tf.cast(kinds, tf.int32) * tf.range(1, len(kinds) + 1))
    readers = [_no_picture, _jpeg, _png, _gif, _bmp, _webp if webp else _no_picture]
    branches = [functools.partial(reader, content, data, size) for reader in readers]
    image, orientation, valid = tf.switch_case(kind, branches)
    square = tf.image.resize(image, [size, size], antialias=True)
    square = tf.clip_by_value(_oriented(square, orientation), 0.0, 255.0)
    return tf.ensure_shape(tf.where(valid, square, 0.0), [size, size, 3]), valid


def _no_picture(*_: Any) -> Any:
    return tf.zeros([1, 1, 3], tf.uint8), tf.constant(1), tf.constant(False)


def _guarded(height: Any, width: Any, orientation: Any, decode: Any) -> Any:
    """What `decode` gives if the size that the header states is not too large."""
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    fits = (height > 0) & (width > 0) & (height * width <= MAX_PIXELS)
    return tf.cond(fits, lambda: (decode(), orientation, tf.constant(True)), _no_picture)


def _jpeg(content: Any, data: Any, size: Any) -> Any:
    at, exif, last = _walk_jpeg(data)
    height, width = _number(data, at + 5, 2), _number(data, at + 7, 2)
    progressive = data[at + 1] >= 0xC2
    smaller = [tf.minimum(height, width) // ratio >= size for ratio in _RATIOS[1:]]
    step = tf.reduce_sum(tf.cast(smaller, tf.int32))
    shrink = tf.where(progressive, 1, tf.gather(list(_RATIOS), step))

    def decode() -> Any:
        branches = [
            functools.partial(tf.io.decode_jpeg, content, channels=3, ratio=ratio)
            for ratio in _RATIOS
        ]
        return tf.switch_case(step, branches)

    orientation = tf.cond(exif > 0, lambda: _orientation(data, exif), lambda: 1)
    result = _guarded(height // shrink, width // shrink, orientation, decode)
    return tf.cond(last & (height > 0) & (width > 0), lambda: result, _no_picture)


def _walk_jpeg(data: Any) -> Any:
    """Places of the frame header and of the Exif data (0 for none), and whether the former is."""

    def more(step: Any, at: Any, _: Any, found: Any) -> Any:
        return ~found & (step < _MOST_STEPS) & (at + 9 < tf.size(data))

    def walk(step: Any, at: Any, exif: Any, _: Any) -> Any:
        marker = tf.cast(data[at + 1], tf.int32)
        fill = marker == 0xFF
        found = tf.reduce_any(marker == _MARKERS_OF_SIZE)
        here = (marker == 0xE1) & _starts(data, at + 4, b"Exif\0\0")
        exif = tf.where(here & (exif == 0), at + 10, exif)
        after = tf.where(fill, at + 1, at + 2 + _number(data, at + 2, 2))
        # A byte that is no marker: the file is broken, and the loop ends at the end of the data.
        after = tf.where(data[at] == 0xFF, after, tf.size(data))
        return step + 1, tf.where(found, at, after), exif, found

    start = (tf.constant(0), tf.constant(2), tf.constant(0), tf.constant(False))
    _, at, exif, found = tf.while_loop(more, walk, start)
    # Where there is none, place 0 keeps the reading inside the data; its result is not used.
    return tf.where(found, at, 0), exif, found


def _png(content: Any, data: Any, size: Any) -> Any:
    del size

    def next_chunk(at: Any) -> Any:
        return at + 12 + _number(data, at, 4), at + 4, at + 8

    exif = _find_chunk(data, 8, b"eXIf", b"IDAT", next_chunk)
    orientation = tf.cond(exif > 0, lambda: _orientation(data, exif), lambda: 1)

    colour_type = _number(data, 25, 1)
    table = _find_chunk(data, 8, b"tRNS", b"IDAT", next_chunk) > 0
    # Asked for four channels, the decoder fills a missing alpha of low depths with a wrong value.
    alpha = (colour_type == 4) | (colour_type == 6) | ((colour_type == 3) & table)

    def decode() -> Any:
        return tf.cond(
            alpha,
            lambda: _on_white(tf.io.decode_png(content, channels=4)),
            lambda: tf.io.decode_png(content, channels=3),
        )

    return _guarded(_number(data, 20, 4), _number(data, 16, 4), orientation, decode)


def _webp(content: Any, data: Any, size: Any) -> Any:
    del size
    extended = _starts(data, 12, b"VP8X")
    lossless = _starts(data, 12, b"VP8L")
    flags = tf.where(extended, _number(data, 20, 1), 0)

    def next_chunk(at: Any) -> Any:
        length = _number(data, at + 4, 4, little=True)
        return at + 8 + length + length % 2, at, at + 8

    # The canvas (VP8X), 14 bits each (VP8L), or the key frame's 14 bits (VP8).
    bits = _number(data, 21, 4, little=True)
    width = tf.where(lossless, bits % 2**14 + 1, _number(data, 26, 2, little=True) % 2**14)
    height = tf.where(
        lossless, bits // 2**14 % 2**14 + 1, _number(data, 28, 2, little=True) % 2**14
    )
    width = tf.where(extended, _number(data, 24, 3, little=True) + 1, width)
    height = tf.where(extended, _number(data, 27, 3, little=True) + 1, height)
    animated = flags // 2 % 2 > 0
    exif = tf.cond(
        flags // 8 % 2 > 0, lambda: _find_chunk(data, 12, b"EXIF", None, next_chunk), lambda: 0
    )
    exif = tf.where(_starts(data, exif, b"Exif\0\0"), exif + 6, exif)
    orientation = tf.cond(exif > 0, lambda: _orientation(data, exif), lambda: 1)

    def decode() -> Any:
        def still() -> Any:
            image = tf.io.decode_webp(content, channels=0)[0]
            return tf.cond(tf.shape(image)[-1] == 4, lambda: _on_white(image), lambda: image)

        def first_frame() -> Any:
            # The decoder gives frames with alpha, and must be told so: with as many channels as the
            # file says, it writes past the end of its memory.
            marked = tf.strings.substr(_BYTES, tf.bitwise.bitwise_or(flags, 0x10), 1)
            rest = tf.strings.substr(content, 21, tf.strings.length(content) - 21)
            changed = tf.strings.join([tf.strings.substr(content, 0, 20), marked, rest])
            return _on_white(tf.io.decode_image(changed, channels=4, expand_animations=False))

        return tf.cond(animated, first_frame, still)

    return _guarded(height, width, orientation, decode)


def _gif(content: Any, data: Any, size: Any) -> Any:
    """The first frame alone is given to the decoder, which would unpack all of them at once."""
    del size
    colours = _number(data, 10, 1)
    start = 13 + tf.where(colours >= 128, 3 * 2 ** (colours % 8 + 1), 0)

    def more(step: Any, at: Any, _: Any, done: Any, *__: Any) -> Any:
        return ~done & (step < _MOST_GIF_BLOCKS) & (at < tf.size(data))

    def walk(step: Any, at: Any, state: Any, _: Any, drawn: Any) -> Any:
        # States: 0 between blocks, 1 in an extension, 2 in the picture's data.
        code = _number(data, at, 1)
        table = _number(data, at + 9, 1)
        local = tf.where(table >= 128, 3 * 2 ** (table % 8 + 1), 0)
        between = tf.where(code == 0x2C, at + 11 + local, at + 2)
        opened = tf.where(code == 0x2C, 2, 1)
        ended = (state > 0) & (code == 0)
        bad = (state == 0) & (code != 0x2C) & (code != 0x21)
        after = tf.where(state == 0, between, at + code + 1)
        after = tf.where(bad, tf.size(data), after)
        following = tf.where(ended, 0, tf.where(state == 0, opened, state))
        drawn = tf.where((state == 0) & (code == 0x2C), at, drawn)
        return step + 1, after, following, ended & (state == 2), drawn

    begin = (tf.constant(0), start, tf.constant(0), tf.constant(False), tf.constant(0))
    _, end, _, found, drawn = tf.while_loop(more, walk, begin)

    def decode() -> Any:
        return tf.io.decode_gif(tf.strings.substr(content, 0, end) + b"\x3b")[0]

    # The decoder takes the size of what is drawn, which may be larger than the screen.
    height, width = (
        tf.maximum(_number(data, at, 2, little=True), _number(data, drawn + own, 2, little=True))
        for at, own in ((8, 7), (6, 5))
    )
    result = _guarded(height, width, tf.constant(1), decode)
    return tf.cond(found, lambda: result, _no_picture)


def _bmp(content: Any, data: Any, size: Any) -> Any:
    del size

    def decode() -> Any:
        image = tf.io.decode_bmp(content)
        grey = tf.shape(image)[-1] == 1
        # The fourth byte of a pixel is seldom an alpha that means something.
        return tf.cond(grey, lambda: tf.tile(image, [1, 1, 3]), lambda: image[..., :3])

    height = tf.bitcast(_number(data, 22, 4, little=True), tf.int32)
    return _guarded(tf.abs(height), _number(data, 18, 4, little=True), tf.constant(1), decode)


def _find_chunk(data: Any, start: Any, wanted: Any, last: Any, next_chunk: Any) -> Any:
    """Place of a chunk's content, 0 where there is none (before the chunk `last`)."""

    def more(step: Any, at: Any, found: Any) -> Any:
        return (found == 0) & (step < _MOST_STEPS) & (at >= start) & (at + 12 < tf.size(data))

    def walk(step: Any, at: Any, _: Any) -> Any:
        after, name, content = next_chunk(at)
        found = tf.where(_starts(data, name, wanted), content, 0)
        if last is not None:
            after = tf.where(_starts(data, name, last), tf.size(data), after)
        return step + 1, after, found

    start = tf.constant(start)
    return tf.while_loop(more, walk, (tf.constant(0), start, tf.constant(0)))[2]


def _orientation(data: Any, at: Any) -> Any:
    """Orientation 1 to 8 of the TIFF structure that begins at a place; 1 where it has none."""
    little = _starts(data, at, b"II")

    def number(place: Any, count: Any) -> Any:
        return _number(data, place, count, little)

    first = at + number(at + 4, 4)
    count = tf.minimum(number(first, 2), _MOST_STEPS)
    entries = first + 2 + 12 * tf.range(count)
    tags = number(entries, 2)
    values = tf.boolean_mask(number(entries + 8, 2), tags == 0x0112)
    value = tf.concat([values, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _oriented(image: Any, orientation: Any) -> Any:
    """A square picture turned upright, by its Exif orientation."""

    def transposed(picture: Any) -> Any:
        return tf.transpose(picture, [1, 0, 2])

    def branch(turn: Any, left_right: Any, up_down: Any) -> Any:
        def apply() -> Any:
            result = transposed(image) if turn else image
            result = result[:, ::-1] if left_right else result
            return result[::-1] if up_down else result

        return apply

    cases = [
        (False, False, False),
        (False, True, False),
        (False, True, True),
        (False, False, True),
        (True, False, False),
        (True, True, False),
        (True, True, True),
        (True, False, True),
    ]
    return tf.switch_case(orientation - 1, [branch(*case) for case in cases])


def _on_white(image: Any) -> Any:
    opaque = tf.reduce_all(image[..., 3:] == 255)

    def some(rows: list[Any]) -> Any:
        colours, alpha = (tf.cast(part, tf.int32) for part in tf.split(rows[0], [3, 1], axis=-1))
        return tf.cast((colours * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    def blend() -> Any:
        lines = tf.maximum(_AT_ONCE // tf.maximum(tf.shape(image)[1], 1), 1)
        spec = tf.TensorSpec([None, None, 3], tf.uint8)
        return in_blocks(some, [image], lines, spec, beside=1)

    return tf.cond(opaque, lambda: image[..., :3], blend)


def _starts(data: Any, at: Any, magic: Any) -> Any:
    """Whether the bytes at a place are these; False past the end."""
    place = at + tf.range(len(magic))
    inside = (place >= 0) & (place < tf.size(data))
    found = tf.gather(data, tf.clip_by_value(place, 0, tf.size(data) - 1))
    return tf.reduce_all(inside & (found == tf.constant(list(magic), tf.uint8)))


def _number(data: Any, at: Any, count: Any, little: Any = False) -> Any:
    """Whole number of `count` bytes, int32 (4 bytes wrap); bytes past the end count as 0."""
    place = tf.convert_to_tensor(at)[..., None] + tf.range(count)
    inside = (place >= 0) & (place < tf.size(data))
    found = tf.gather(data, tf.clip_by_value(place, 0, tf.size(data) - 1))
    rising = 8 * tf.range(count)
    shifts = tf.where(little, rising, rising[::-1])
    values = tf.where(inside, tf.cast(found, tf.int32), 0)
    return tf.reduce_sum(
        tf.bitwise.left_shift(values, tf.broadcast_to(shifts, tf.shape(place))), -1
    )
