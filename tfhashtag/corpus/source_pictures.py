"""Pictures and clips that posts name: in the source's folder, decodable, each content once."""

import dataclasses
import os
import pathlib
import struct
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfhashtag.corpus.clips import FRAMES, BrokenClipError, is_clip, sample_frames
from tfhashtag.corpus.pictures import picture_name_of_file
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.errors import DataError

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
        aside: a folder for pictures that are written anew, and for frames of clips.
        frames: how many of a clip, see `tfhashtag.corpus.clips.sample_frames`.

    Attributes:
        source_of_name: a file of each picture.
        anew: the files, as posts name them, that are written anew.
        clips: the files, as posts name them, that are clips.
    """

    def __init__(
        self, folder: pathlib.Path, aside: str | os.PathLike, frames: int = FRAMES
    ) -> None:
        self.source_of_name: dict[str, pathlib.Path] = {}
        self.anew: set[str] = set()
        self.clips: set[str] = set()
        self._frames = frames
        self._folder = folder
        self._aside = pathlib.Path(aside)
        self._names_of_path: dict[str, list[str]] = {}

    def named(self, post: Post, on_bad: Callable[[BadPost], None]) -> Post:
        """The post with the names of its pictures in the corpus in place of the files' paths.

        In place of a clip stand its frames.

        Args:
            post: as a file has it.
            on_bad: told of each file that is missing, lies outside the folder, or is no picture;
                where it raises nothing, that one is left out.
        """
        if not post.images:
            return post
        names: dict[str, None] = {}
        for path in post.images:
            try:
                if path not in self._names_of_path:
                    self._names_of_path[path] = self._names(path)
                names |= dict.fromkeys(self._names_of_path[path])
            except BadPost as fault:
                on_bad(fault)
        return dataclasses.replace(post, images=tuple(names))

    def _names(self, image: str) -> list[str]:
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
            if is_clip(found):
                contents = self._written(found)
                self.clips.add(image)
            else:
                contents = [self._decodable(found)]
                if contents != [found]:
                    self.anew.add(image)
        except DataError as error:
            raise BadPost("clip without PyAV", str(error).removesuffix(".")) from None
        except BrokenClipError as error:
            fault = f"clip {str(path)!r} cannot be read ({error}); expected a whole clip"
            raise BadPost("broken clip", fault) from None
        except _UNDECODABLE as error:
            fault = f"image {str(path)!r} cannot be decoded ({str(error) or repr(error):.120})"
            raise BadPost("broken image", f"{fault}; expected a picture") from None
        names = [picture_name_of_file(content) for content in contents]
        for name, content in zip(names, contents, strict=True):
            self.source_of_name.setdefault(name, content)
        return names

    def _written(self, clip: pathlib.Path) -> list[pathlib.Path]:
        """Frames of a clip, as files."""
        paths = []
        for frame in sample_frames(clip, self._frames):
            handle, name = tempfile.mkstemp(suffix=".jpg", dir=self._aside)
            with os.fdopen(handle, "wb") as file:
                file.write(frame)
            paths.append(pathlib.Path(name))
        return paths

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
