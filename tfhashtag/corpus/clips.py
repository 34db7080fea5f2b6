"""Short clips: a few frames, evenly spaced, which stand for the clip as pictures."""

import io
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from tfhashtag.errors import DataError

FRAMES = 4  # of a clip, where nothing is said
MAX_SECONDS = 600
_SIDE = 1024  # pixels of a frame's longer side, at most
_PIXELS = 2**25
_WHOLE = 0.9  # of the length that a clip states must be there
_PICTURES = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"}
_NEEDED = 16


class BrokenClipError(ValueError):
    """A clip that cannot be read, and why."""


def is_clip(content: str | os.PathLike | bytes) -> bool:
    """Whether a file is a clip by its first bytes: MP4, QuickTime, WebM, Matroska or AVI.

    Raises:
        OSError: the file cannot be read.

    Example:

    >>> is_clip(b"\\0\\0\\0\\x18ftypmp42"), is_clip(b"\\0\\0\\0\\x18ftypavif"), is_clip(b"GIF89a")
    (True, False, False)
    """
    if isinstance(content, bytes):
        start = content[:_NEEDED]
    else:
        with open(content, "rb") as file:
            start = file.read(_NEEDED)
    if start[4:8] == b"ftyp":
        return start[8:12] not in _PICTURES
    riff = start[:4] == b"RIFF" and start[8:11] == b"AVI"
    return riff or start[:4] == b"\x1aE\xdf\xa3" or start[4:8] in (b"moov", b"mdat")


def sample_frames(clip: str | os.PathLike | bytes, count: int = FRAMES) -> list[bytes]:
    """Frames of a clip as JPEG, in their order.

    Frame i of `count` is the one at `(i + 1/2) / count` of the clip's frames, so that neither the
    black at its ends nor one scene alone is read; a clip of fewer frames gives all. A frame stands
    upright and has 1,024 pixels along its longer side at most.

    Args:
        clip: a file, or its bytes.
        count: how many, at least 1.

    Raises:
        BrokenClipError: it cannot be decoded, ends before its stated length, has no picture, or is
            longer than `MAX_SECONDS`.
        DataError: PyAV is not installed, or `count` is below 1.
    """
    if count < 1:
        raise DataError(f"`frames` must be at least 1, found {count}.")
    try:
        import av
    except ImportError:
        name = "" if isinstance(clip, bytes) else f"{os.fspath(clip)}: "
        raise DataError(
            f"{name}to read clips, install PyAV: pip install 'tfhashtag[video]'."
        ) from None
    try:
        times = _times(av, clip)
        wanted = sorted({times[int((i + 0.5) * len(times) / count)] for i in range(count)})
        found = list(_frames(av, clip, wanted))
    except (av.error.FFmpegError, MemoryError) as error:
        raise BrokenClipError(getattr(error, "strerror", None) or repr(error)) from None
    if len(found) < len(wanted):
        raise BrokenClipError(f"only {len(found)} of {len(wanted)} frames can be decoded")
    return found


def _opened(av: Any, clip: Any) -> Any:
    return av.open(io.BytesIO(clip) if isinstance(clip, bytes) else str(pathlib.Path(clip)))


def _times(av: Any, clip: Any) -> list[int]:
    """When each frame is shown, rising, in the stream's unit; nothing is decoded."""
    times, last = [], 0.0
    with _opened(av, clip) as container:
        if not container.streams.video:
            raise BrokenClipError("it has no picture")
        stream = container.streams.video[0]
        stated = (container.duration or 0) / av.time_base
        if stated > MAX_SECONDS:
            raise BrokenClipError(f"it has {stated:.0f} s, at most {MAX_SECONDS} are read")
        for packet in container.demux():
            if packet.pts is None:  # what ends a stream
                continue
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream is stream or packet.stream.index == stream.index:
                times.append(packet.pts)
        start = (container.start_time or 0) / av.time_base
        if len(times) < stream.frames or last - start < _WHOLE * stated or not times:
            raise BrokenClipError(f"it ends after {max(last - start, 0):.1f} of {stated:.1f} s")
    return sorted(times)


def _frames(av: Any, clip: Any, wanted: list[int]) -> Iterator[bytes]:
    """The first frame at or after each time."""
    rest = list(wanted)
    with _opened(av, clip) as container:
        for frame in container.decode(video=0):
            if frame.width * frame.height > _PIXELS:
                raise BrokenClipError(f"its frames have {frame.width} x {frame.height} pixels")
            if rest and frame.pts is not None and frame.pts >= rest[0]:
                while rest and frame.pts >= rest[0]:
                    rest.pop(0)
                yield _jpeg(frame)
            if not rest:
                return


def _jpeg(frame: Any) -> bytes:
    image = frame.to_image()
    if frame.rotation:
        image = image.rotate(frame.rotation, expand=True)
    image.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()
