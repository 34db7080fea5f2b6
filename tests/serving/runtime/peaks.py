"""What the largest requests that a limit lets pass take, measured in a process of its own.

python -m tests.serving.runtime.peaks [--only KIND,...] users|contexts|posts|pictures FOLDER ...

Prints a line of JSON for each version: `largest`, by kind of request, its size and shares of
`MOST`: reckoned before it runs, taken at the peak, kept afterwards; `refused`, of small messages
that ask for much: what they are told, the share taken at the peak, and seconds of processor;
`usual`: bytes reckoned for requests of usual size.

The first run of a signature, for which TensorFlow optimises its graph in 100 to 200 MiB, comes
before. TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1 has to be set: the pool of oneDNN, which TensorFlow
allocates from otherwise, keeps all that an earlier kind took, and hides what the next one takes.
"""

import ctypes
import functools
import gc
import io
import json
import pathlib
import re
import sys
import time

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import MemoryBudget
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError

MOST = 256 * 2**20


def highest_memory():
    """Peak of this process's memory since the last call, and the memory now, bytes."""
    gc.collect()
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return [int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024 for name in ("VmHWM", "VmRSS")]


def memory_before():
    """Memory now, without what the C library keeps of earlier requests, bytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    highest_memory()
    return highest_memory()[1]


def filled(*shape, text=b"what a match tonight"):
    """A tensor that claims a shape and holds one string."""
    return TensorProto(
        dtype=tf.string.as_datatype_enum,
        tensor_shape=tf.TensorShape(shape).as_proto(),
        string_val=[text],
    )


# By the size of the request: signature and inputs.
USERS = {
    "rows": lambda n: ("", {"history": filled(min(n, 1024), 1)}),
    "messages": lambda n: ("", {"history": filled(1 + n // 4096, min(n, 4096))}),
    "wide rows": lambda n: ("embed_user", {"history": filled(min(n, 1024), 1 + n // 1024)}),
    "contexts": lambda n: (
        "score_contexts",
        {"history": filled(1, 1), "contexts": filled(1, 1 + n // 1024, min(n, 1024))},
    ),
    "contexts of many": lambda n: (
        "score_contexts",
        {"history": filled(64, 1), "contexts": filled(64, 1 + n // 64, 1)},
    ),
    "candidates": lambda n: (
        "score",
        {"history": filled(16, 1), "hashtags": filled(16, min(1 + n // 16, 4096))},
    ),
    "a long text": lambda n: ("", {"history": filled(1, 1, text=b"a" * n)}),
    "many words": lambda n: ("", {"history": filled(1, 1, text=b"a " * n)}),
    "one of many words beside others": lambda n: (
        "",
        {"history": np.array([[b"a " * n, *[b"b"] * 511]], object)},
    ),
    # The graph itself takes no more hashtags of a user than that.
    "many hashtags": lambda n: ("", {"history": filled(1, 1, text=b"#a " * min(n, 2**16 - 1))}),
    "a row of many hashtags beside others": lambda n: (
        "",
        {"history": np.array([[b"#a " * n], *[[b"b"]] * 127], object)},
    ),
}


QUICK = {
    "PNG": {"compress_level": 1},
    "WEBP": {"lossless": True, "method": 0},
    "JPEG": {"progressive": True},
}


@functools.cache
def picture(number, pixels, kind="PNG", mode="RGB"):
    """A picture of about so many pixels, unlike those of other numbers."""
    image = Image.new(
        mode, (max(pixels // 4096, 1), min(pixels, 4096)), (number % 256, 9, 9, 128)[: len(mode)]
    )
    image.putpixel((0, 0), (number // 256, 0, 0, 7)[: len(mode)])
    data = io.BytesIO()
    image.save(data, kind, **QUICK[kind])
    return data.getvalue()


def post(n, text=b"what a match tonight", pictures=(b"",)):
    count = max(n, len(pictures))
    images = np.resize(np.array([*pictures, None], object)[:-1], [count, 1])
    return {"text": filled(count, text=text), "images": images, "user": filled(count)}


def of_pictures(numbers, *form, **mode):
    return post(1, pictures=[picture(number, *form, **mode) for number in numbers])


def of_proposals(n, regions, width):
    """Pictures that were read elsewhere."""
    n = min(n, 1024)
    vectors = np.ones([n, regions, width], np.float32)
    return "vectors", {"text": filled(n), "user": filled(n), "proposals": vectors}


def of_many_pictures(n):
    images = np.full([min(n, 1024), 8], b"", object)
    images[0] = [picture(number, 100) for number in range(8)]  # the other rows are padded
    rows = {"text": filled(len(images)), "user": filled(len(images))}
    return "", {**rows, "images": images}


POSTS = {
    "rows": lambda n: ("", post(min(n, 1024))),
    "rows to explain": lambda n: ("explain", {**post(min(n, 256)), "hashtag": filled(min(n, 256))}),
    "a long text": lambda n: ("", post(1, text=b"a" * n)),
    "many words": lambda n: ("top_k", {**post(2, text=b"a " * n), "k": np.array(9, np.int32)}),
    "pictures": lambda n: ("embed_post", of_pictures(range(min(n, 1024)), 4096)),
    "pixels": lambda n: ("", of_pictures([1], 8 * n, mode="RGBA")),
    "pixels of several": lambda n: ("", of_pictures(range(6), 8 * n)),
    "pixels of WebP": lambda n: ("", of_pictures((1, 2), 8 * n, "WEBP", "RGBA")),
    "pixels of JPEG": lambda n: ("", of_pictures((1, 2), 8 * n, "JPEG")),
    "proposals": lambda n: of_proposals(n, 4, PROPOSAL_WIDTH[0]),
}
# One picture after another of each row is read by a network.
PICTURES = {
    "padded rows": of_many_pictures,
    "proposals of several": lambda n: of_proposals(n, 32, PROPOSAL_WIDTH[0]),
}
PROPOSAL_WIDTH: list[int] = []
# What depends on the head of a model of users.
CONTEXTS = {kind: USERS[kind] for kind in ("wide rows", "contexts", "contexts of many")}
KINDS = {"users": USERS, "contexts": CONTEXTS, "posts": POSTS, "pictures": PICTURES}
REFUSED = [
    ("score_contexts", {"history": filled(1, 1), "contexts": filled(1, 4096, 1024)}),
    ("serving_default", {"history": filled(256, 4096)}),
    ("serving_default", {"history": filled(64, 16, text=b"#a " * 10_000)}),
    ("serving_default", {"history": filled(1, 4096, text=b"a " * 2_000)}),
    # A long string that stands for many is not read for each.
    ("serving_default", {"history": filled(16, 1024, text=b"#" * 2**20)}),
]
USUAL = ((1, 256), (64, 50), (256, 50), (1024, 16))


def reckoned(servable, request, memory=None):
    """Bytes that a request will take, as the server tells it before it runs."""
    key, _ = servable.signature(request[0])
    return servable._calls[key].read(request[1], Limits(memory=memory)).needed


def largest(servable, growing):
    """Size of about the largest request that is taken, by straight lines through what is known."""
    size, needed = 64, reckoned(servable, growing(64))
    known = (0, 0)
    for _ in range(20):
        if 0.94 * MOST < needed <= MOST or needed == known[1]:  # another limit holds it
            return size
        slope = (needed - known[1]) / (size - known[0])
        known = size, needed
        size = max(int(size + (0.97 * MOST - needed) / slope), 1)
        needed = reckoned(servable, growing(size))
    raise RuntimeError(f"no size is about as large as allowed; {size} takes {needed}")


def measured(servable, growing):
    """Size, and the shares of `MOST`."""
    size = largest(servable, growing)
    signature, inputs = growing(size)
    needed = reckoned(servable, (signature, inputs), MOST)
    servable.predict(growing(1)[1], signature)
    before = memory_before()
    servable.predict(inputs, signature)
    peak, after = highest_memory()
    shares = [round(one / MOST, 2) for one in (needed, peak - before, after - before)]
    print(size, *shares, file=sys.stderr, flush=True)  # for whoever waits
    return [size, *shares]


def refusal(servable, signature, inputs):
    """What a request is told, the share of `MOST` that it took, and seconds of processor."""
    before = memory_before()
    began, told = time.process_time(), "taken"
    try:
        servable.predict(inputs, signature)
    except RequestError as error:
        told = f"{error.code.name}: {error}"
    seconds = time.process_time() - began
    return [told, round((highest_memory()[0] - before) / MOST, 2), round(seconds, 2)]


def measure(group, folder):
    limits = Limits(memory=MOST, seconds=None)
    servable = Servable(folder, "model", 1, limits=limits, budget=MemoryBudget(MOST))
    if "vectors" in servable.signatures:
        shape = servable.signatures["vectors"].inputs["proposals"].tensor_shape
        PROPOSAL_WIDTH[:] = [shape.dim[2].size]
    found = {"largest": {name: measured(servable, kind) for name, kind in KINDS[group].items()}}
    if group == "users":
        text = b"a goal in the last minute of the match, and everybody sings #football #derby " * 2
        found["refused"] = [refusal(servable, *request) for request in REFUSED]
        found["usual"] = [
            reckoned(servable, ("", {"history": filled(*shape, text=text)}), Limits().memory)
            for shape in USUAL
        ]
    servable.close()
    return found


def main(*of):
    if of[0] == "--only":
        only, of = of[1].split(","), of[2:]
        for group, kinds in KINDS.items():
            KINDS[group] = {kind: made for kind, made in kinds.items() if kind in only}
    for group, folder in zip(of[::2], of[1::2], strict=True):
        print(json.dumps(measure(group, folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
