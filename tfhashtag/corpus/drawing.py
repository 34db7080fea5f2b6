"""Small pictures of themes: colours, layout, texture and shape tell the theme, a mark the scene."""

import io
import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tfhashtag.errors import DataError

# Each theme: its name, two colours, where the second one lies, texture, shape.
PICTURE_THEMES = (
    ("scarlet", (215, 0, 10), (255, 190, 0), "top", "stripes", "disc"),
    ("emerald", (0, 125, 40), (130, 235, 30), "left", "dots", "square"),
    ("cobalt", (10, 30, 190), (60, 190, 255), "bottom", "waves", "triangle"),
    ("amber", (255, 150, 0), (95, 30, 0), "right", "checks", "star"),
    ("violet", (90, 0, 150), (235, 80, 225), "middle", "rings", "diamond"),
    ("ivory", (235, 230, 205), (85, 100, 120), "diagonal", "columns", "cross"),
    ("onyx", (20, 20, 26), (0, 200, 190), "corner", "plain", "ring"),
    ("coral", (255, 100, 80), (0, 75, 95), "column", "slant", "bars"),
    ("teal", (0, 120, 120), (255, 235, 120), "row", "grid", "disc"),
    ("rose", (250, 90, 150), (120, 0, 50), "frame", "waves", "star"),
    ("olive", (110, 115, 0), (50, 20, 100), "top", "checks", "diamond"),
    ("silver", (150, 155, 165), (200, 10, 50), "left", "rings", "triangle"),
)
_MARK_COLOURS = (
    (255, 0, 0), (0, 0, 0), (0, 230, 60), (230, 0, 230), (255, 235, 0), (0, 60, 255),
)  # fmt: skip
_MARK_PLACES = ("top", "bottom", "left", "right", "nw", "se", "ne", "sw")
SCENES = len(_MARK_COLOURS) * len(_MARK_PLACES)


def draw_picture(theme: int, scene: int, rng: np.random.Generator, size: int = 72) -> Image.Image:
    """One picture of a theme, with the mark of a scene.

    Colours, layout, texture and shape are the theme's; a bar at one edge or a block in one corner,
    in one of six colours, is the scene's. Place and size of the shape, brightness, the phase of the
    texture and a little noise differ from picture to picture. Theme and scene can be told from
    the mean colours of a 3 x 3 grid.

    Args:
        theme: index into `PICTURE_THEMES`.
        scene: 0 to `SCENES` - 1.
        rng: gives what differs.
        size: width and height in pixels, at least 24.

    Returns:
        RGB, `size` x `size`.

    Raises:
        DataError: an argument is out of range.

    Example:

    >>> draw_picture(0, 3, np.random.default_rng(0)).size
    (72, 72)
    """
    if not (0 <= theme < len(PICTURE_THEMES) and 0 <= scene < SCENES and size >= 24):
        raise DataError(
            f"`theme` must be below {len(PICTURE_THEMES)}, `scene` below {SCENES}, `size` at least "
            f"24; found {theme}, {scene}, {size}."
        )
    _, first, second, layout, texture, shape = PICTURE_THEMES[theme]
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    there = _layout(layout, x, y, rng)[..., None]
    ground = np.where(there, np.array(second, np.float32), np.array(first, np.float32))
    ground *= (1 + 0.22 * _texture(texture, x, y, rng))[..., None]
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    centre = size * (0.5 + rng.uniform(-0.07, 0.07, 2))
    radius = size * rng.uniform(0.17, 0.23)
    _shape(draw, shape, centre, radius, tuple(255 - value for value in first), size)
    _mark(draw, scene, size, rng)
    pixels = np.asarray(image, np.float32) * rng.uniform(0.92, 1.08)
    pixels += rng.normal(0, 5, (size, size, 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def draw_nothing(scene: int, rng: np.random.Generator, size: int = 72) -> Image.Image:
    """A grey picture of no theme, with the mark of a scene; arguments as `draw_picture`.

    >>> draw_nothing(3, np.random.default_rng(0)).size
    (72, 72)
    """
    ground = rng.uniform(90, 170) + rng.normal(0, 5, (size, size, 1)).astype(np.float32)
    image = Image.fromarray(np.tile(np.clip(ground, 0, 255), 3).astype(np.uint8))
    _mark(ImageDraw.Draw(image), scene, size, rng)
    return image


def encoded_picture(image: Image.Image, picture_format: str) -> bytes:
    """The content of an image file.

    Args:
        image: any picture.
        picture_format: `"JPEG"` (quality 90) or `"PNG"`.

    Example:

    >>> encoded_picture(Image.new("RGB", (24, 24)), "PNG")[:4]
    b'\\x89PNG'
    """
    file = io.BytesIO()
    options = {"quality": 90} if picture_format == "JPEG" else {"compress_level": 1}
    image.save(file, picture_format, **options)
    return file.getvalue()


def _layout(name: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where the second colour lies, bool."""
    edge = rng.uniform(-0.04, 0.04)
    return {
        "top": lambda: y < 0.38 + edge,
        "bottom": lambda: y > 0.62 + edge,
        "left": lambda: x < 0.38 + edge,
        "right": lambda: x > 0.62 + edge,
        "middle": lambda: np.hypot(x - 0.5, y - 0.5) < 0.4 + edge,
        "diagonal": lambda: x + y > 1 + edge,
        "corner": lambda: (x > 0.5 + edge) & (y < 0.5 - edge),
        "column": lambda: abs(x - 0.5) < 0.18 + edge / 2,
        "row": lambda: abs(y - 0.5) < 0.18 + edge / 2,
        "frame": lambda: np.maximum(abs(x - 0.5), abs(y - 0.5)) > 0.32 + edge / 2,
    }[name]()


def _texture(name: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness from -1 to 1."""
    phase = rng.uniform(0, 2 * math.pi)

    def wave(turns: Any) -> Any:
        return np.sin(2 * math.pi * turns + phase)

    return {
        "plain": lambda: np.zeros_like(x),
        "stripes": lambda: wave(9 * y),
        "columns": lambda: wave(9 * x),
        "slant": lambda: wave(6 * (x + y)),
        "waves": lambda: wave(6 * y + 0.24 * np.sin(4 * math.pi * x)),
        "dots": lambda: 2.0 * (wave(6 * x) * wave(6 * y) > 0.4) - 1,
        "checks": lambda: np.sign(wave(5 * x) * wave(5 * y)),
        "rings": lambda: wave(8 * np.hypot(x - 0.5, y - 0.5)),
        "grid": lambda: np.maximum(wave(5 * x), wave(5 * y)),
    }[name]()


def _shape(draw: Any, name: Any, centre: Any, radius: Any, colour: Any, size: Any) -> None:
    x, y = centre
    box = (x - radius, y - radius, x + radius, y + radius)
    if name == "disc":
        draw.ellipse(box, colour)
    elif name == "ring":
        draw.ellipse(box, outline=colour, width=max(2, size // 12))
    elif name == "square":
        draw.rectangle(box, colour)
    elif name == "cross":
        arm = radius / 3
        draw.rectangle((x - arm, y - radius, x + arm, y + radius), colour)
        draw.rectangle((x - radius, y - arm, x + radius, y + arm), colour)
    elif name == "bars":
        for step in (-0.8, 0, 0.8):
            middle = y + step * radius
            draw.rectangle((x - radius, middle - size / 40, x + radius, middle + size / 40), colour)
    else:
        corners = {"triangle": 3, "diamond": 4, "star": 10}[name]
        angles = 2 * math.pi * np.arange(corners) / corners - math.pi / 2
        reach = np.where(np.arange(corners) % 2, 0.45, 1.0) if name == "star" else 1.0
        points = np.stack(
            [x + radius * reach * np.cos(angles), y + radius * reach * np.sin(angles)]
        )
        draw.polygon([tuple(point) for point in points.T], colour)


def _mark(draw: Any, scene: Any, size: Any, rng: Any) -> None:
    """A bar at an edge or a block in a corner; consecutive scenes differ in place and colour."""
    place = _MARK_PLACES[scene % len(_MARK_PLACES)]
    colour = _MARK_COLOURS[(scene + scene // 24) % len(_MARK_COLOURS)]
    bar = size * rng.uniform(0.17, 0.21)
    block = size * rng.uniform(0.34, 0.40)
    draw.rectangle(
        {
            "top": (0, 0, size, bar),
            "bottom": (0, size - bar, size, size),
            "left": (0, 0, bar, size),
            "right": (size - bar, 0, size, size),
            "nw": (0, 0, block, block),
            "ne": (size - block, 0, size, block),
            "sw": (0, size - block, block, size),
            "se": (size - block, size - block, size, size),
        }[place],
        colour,
    )
