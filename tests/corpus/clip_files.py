"""Clips for tests: each frame of one grey, which rises from frame to frame."""

import av
import numpy as np


def write_clip(path, frames=24, codec="libx264", faststart=True, pictures=None):
    """A clip of 12 frames a second, 64 x 48 pixels; with `pictures` these in its place."""
    greys = [np.full((48, 64, 3), 10 * at, np.uint8) for at in range(frames)]
    shown = greys if pictures is None else pictures
    options = {"movflags": "faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in shown:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
