"""Pictures that posts name: inside the source's folder, decodable, each content once."""

import dataclasses
import os
import pathlib
import struct
import tempfile
import zlib
from typing import Any

import numpy as np

from tfhashtag.corpus.pictures import picture_name_of_file
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import BadPost

#: Formats that are kept as they are; others are written anew as PNG, turned as Exif says.
KEPT = {"JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP"}
_UNDECODABLE = (
    *(OSError, ValueError, TypeError, SyntaxError, LookupError, EOFError, ArithmeticError),
    *(struct.error, zlib.error, MemoryError),
)


class SourcePictures:
    """Names of posts' pictures in the corpus, and a file that holds each.

    Args:
        folder: what names are relative to, and what no picture may lie outside of.
        aside: a folder for pictures that are written anew.

    Attributes:
        source_of_name: a file of each picture.
        anew: the files, as posts name them, that are written anew.
    """

    def __init__(self, folder: pathlib.Path, aside: str | os.PathLike) -> None:
        self.source_of_name: dict[str, pathlib.Path] = {}
        self.anew: set[str] = set()
        self._folder = folder
        self._aside = pathlib.Path(aside)
        self._name_of_path: dict[str, str] = {}

    def named(self, post: Post) -> Post:
        """The post with the name of its picture in the corpus in place of the file's path.

        Raises:
            BadPost: the file is missing, lies outside the folder, or is no picture.
        """
        if not post.image:
            return post
        if post.image not in self._name_of_path:
            self._name_of_path[post.image] = self._name(post.image)
        return dataclasses.replace(post, image=self._name_of_path[post.image])

    def _name(self, image: str) -> str:
        path = self._folder / image
        try:
            found = path.resolve(strict=True)
            inside = found.is_relative_to(self._folder.resolve())
            if inside:
                with found.open("rb"):
                    pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            fault = f"image {str(path)!r} cannot be read ({reason}); expected a file there"
            raise BadPost("missing image", fault) from None
        if not inside:
            fault = f"image {image!r} lies outside {self._folder}; expected a file in it. Another"
            raise BadPost("image outside the folder", f"{fault} folder: --images FOLDER")
        try:
            content = self._decodable(found)
            if content != found:
                self.anew.add(image)
        except _UNDECODABLE as error:
            fault = f"image {str(path)!r} cannot be decoded ({str(error) or repr(error):.120})"
            raise BadPost("broken image", f"{fault}; expected a picture") from None
        name = picture_name_of_file(content)
        self.source_of_name.setdefault(name, content)
        return name

    def _decodable(self, path: pathlib.Path) -> pathlib.Path:
        """The file itself, or a PNG of it where it has a format that encoders do not read."""
        from PIL import Image, ImageOps

        with Image.open(path) as picture:
            picture.load()
            if picture.format in KEPT:
                return path
            upright: Any = ImageOps.exif_transpose(picture)
            if upright.mode.startswith(("I", "F")):
                values = np.asarray(upright, np.float64)
                scaled = values * (255 / max(values.max(), 255))
                upright = Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
            elif upright.mode not in ("L", "RGB", "RGBA"):
                upright = upright.convert("RGBA" if "A" in upright.mode else "RGB")
            handle, name = tempfile.mkstemp(suffix=".png", dir=self._aside)
            with os.fdopen(handle, "wb") as file:
                upright.save(file, "PNG")
        return pathlib.Path(name)
