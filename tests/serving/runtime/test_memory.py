"""Requests that ask for more than they look like: refused, or as small as was said."""

import functools
import gc
import io
import json
import pathlib
import re
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode
from PIL import Image
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfhashtag.errors import ServingError
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import CARD, MemoryBudget, MemoryCost
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError

MIB = 2**20
MOST = 256 * MIB


def highest_memory():
    """Peak of this process's memory since the last call, and the memory now, bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return [int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024 for name in ("VmHWM", "VmRSS")]


def filled(*shape, text=b"what a match tonight"):
    """A tensor that claims a shape and holds one string."""
    return TensorProto(
        dtype=tf.string.as_datatype_enum,
        tensor_shape=tf.TensorShape(shape).as_proto(),
        string_val=[text],
    )


@pytest.fixture(scope="module", params=["engagement", "engagement_paper"])
def servable(user_version, request):
    version, limits = user_version(request.param), Limits(memory=MOST)
    loaded = Servable(version, "users", 1, limits=limits, budget=MemoryBudget(2 * MOST))
    loaded.predict({"history": filled(2, 2)})
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def posts(ranker_version):
    limits, budget = Limits(memory=MOST), MemoryBudget(2 * MOST)
    loaded = Servable(ranker_version, "posts", 1, limits=limits, budget=budget)
    loaded.predict(post(2, pictures=[picture(0, 100)]))
    loaded.predict({**post(2), "hashtag": filled(2)}, "explain")
    shape = loaded.signatures["vectors"].inputs["proposals"].tensor_shape
    PROPOSALS[:] = [4, shape.dim[2].size]
    yield loaded
    loaded.close()


PROPOSALS: list[int] = []
# By the size of the request: signature and inputs.
GROWING = {
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
        {"history": filled(16, 1), "hashtags": filled(16, 1 + n // 16)},
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


@functools.cache
def picture(number, pixels, kind="PNG", mode="RGB"):
    """A picture of about so many pixels, unlike those of other numbers."""
    image = Image.new(
        mode, (max(pixels // 4096, 1), min(pixels, 4096)), (number % 256, 9, 9, 128)[: len(mode)]
    )
    image.putpixel((0, 0), (number // 256, 0, 0, 7)[: len(mode)])
    data = io.BytesIO()
    image.save(data, kind, **({"progressive": True} if kind == "JPEG" else {"lossless": True}))
    return data.getvalue()


def post(n, text=b"what a match tonight", pictures=(b"",)):
    count = max(n, len(pictures))
    images = np.resize(np.array([*pictures, None], object)[:-1], [count, 1])
    return {"text": filled(count, text=text), "images": images, "user": filled(count)}


def of_pictures(numbers, *form, **mode):
    return post(1, pictures=[picture(number, *form, **mode) for number in numbers])


# The same of models of posts.
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
    "proposals": lambda n: (
        "vectors",
        {
            "text": filled(min(n, 1024)), "user": filled(min(n, 1024)),
            "proposals": np.ones([min(n, 1024), *PROPOSALS], np.float32),
        },
    ),
}  # fmt: skip


def of_many_pictures(n):
    images = np.full([min(n, 1024), 8], b"", object)
    images[0] = [picture(number, 100) for number in range(8)]  # the other rows are padded
    rows = {"text": filled(len(images)), "user": filled(len(images))}
    return "", {**rows, "images": images}


# One picture after another of each row is read by a network.
WIDE = {
    "padded rows": of_many_pictures,
    "proposals of several": lambda n: (
        "vectors",
        {
            "text": filled(min(n, 1024)), "user": filled(min(n, 1024)),
            "proposals": np.ones([min(n, 1024), 8 * PROPOSALS[0], PROPOSALS[1]], np.float32),
        },
    ),
}  # fmt: skip


def is_taken(servable, signature, inputs):
    key, _ = servable.signature(signature)
    try:
        servable._calls[key].read(inputs, servable._limits)
    except RequestError as error:
        assert error.code == StatusCode.INVALID_ARGUMENT
        return False
    return True


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", GROWING)
def test_the_largest_request_that_is_taken_stays_under_the_limit(servable, kind):
    check_largest(servable, GROWING[kind])


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", POSTS)
def test_the_largest_request_for_posts_stays_under_the_limit(posts, kind):
    check_largest(posts, POSTS[kind], step=16)


@pytest.fixture(scope="module")
def of_phr(post_version):
    limits, budget = Limits(memory=MOST), MemoryBudget(2 * MOST)
    loaded = Servable(post_version, "images", 1, limits=limits, budget=budget)
    loaded.predict(post(2, pictures=[picture(0, 100)]))
    shape = loaded.signatures["vectors"].inputs["proposals"].tensor_shape
    PROPOSALS[:] = [4, shape.dim[2].size]
    yield loaded
    loaded.close()


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize("kind", WIDE)
def test_the_largest_request_for_several_pictures_stays_under_the_limit(of_phr, kind):
    check_largest(of_phr, WIDE[kind], step=16)


def check_largest(servable, growing, step=64):
    least, most = 1, 2**22
    while most - least > least // step + 1:
        size = (least + most) // 2
        if is_taken(servable, *growing(size)):
            least = size
        else:
            most = size
    signature, inputs = growing(least)
    gc.collect()  # which tests do seldom
    highest_memory()
    _, before = highest_memory()
    servable.predict(inputs, signature)
    gc.collect()
    peak, after = highest_memory()
    print(f"{(peak - before) / MOST:.0%} of the limit at size {least}")  # 80 % are near enough
    assert peak - before < MOST
    assert after - before < MOST / 4  # and is given back


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("score_contexts", {"history": filled(1, 1), "contexts": filled(1, 4096, 1024)}),
        ("serving_default", {"history": filled(256, 4096)}),
        ("serving_default", {"history": filled(64, 16, text=b"#a " * 10_000)}),
        ("serving_default", {"history": filled(1, 4096, text=b"a " * 2_000)}),
    ],
)
def test_a_small_message_that_asks_for_much_is_refused_at_once(servable, signature, inputs):
    highest_memory()
    _, before = highest_memory()
    with pytest.raises(RequestError, match=r"about \d+ MiB of memory; .* at most 256 MiB") as error:
        servable.predict(inputs, signature)
    assert error.value.code == StatusCode.INVALID_ARGUMENT
    assert highest_memory()[0] - before < 64 * MIB


def test_a_long_string_that_stands_for_many_is_not_read_for_each(servable):
    began = time.process_time()
    with pytest.raises(RequestError, match="MiB of memory"):
        servable.predict({"history": filled(16, 1024, text=b"#" * 2**20)})
    assert time.process_time() - began < 1


def test_requests_of_usual_size_are_taken(user_version):
    loaded = Servable(user_version("engagement"), "users", 1, limits=Limits())
    text = b"a goal in the last minute of the match, and everybody sings #football #derby " * 2
    for shape in ((1, 256), (64, 50), (256, 50), (1024, 16)):
        assert is_taken(loaded, "", {"history": filled(*shape, text=text)})
    loaded.close()


def test_what_makes_a_batch_large_runs_alone(models):
    metrics = ServingMetrics()
    servable = Servable(
        models / "toy" / "1", "toy", 1,
        batching=BatchingParameters(), limits=Limits(), metrics=metrics,
    )  # fmt: skip
    for text in (b"a" * 513, b"#" * 65):
        servable.predict({"text": filled(1, text=text), "user": filled(1)}, "words")
    assert b"wrapped_run_count{" not in metrics.expose()
    servable.predict({"text": filled(1, text=b"#a" * 32), "user": filled(1)}, "words")
    assert b'wrapped_run_count{model_name="toy"} 1.0' in metrics.expose()
    servable.close()


def test_cost_of_a_model(tmp_path):
    assert MemoryCost.of_model(tmp_path, 0) == MemoryCost()
    assert MemoryCost.of_model(tmp_path, 10_000).row == 160_000
    card = tmp_path / CARD
    card.parent.mkdir()
    card.write_text(json.dumps({"memory": {"row": 7, "value": 8}}))
    assert MemoryCost.of_model(tmp_path, 10_000) == MemoryCost(row=160_000, value=8, padded=8)
    assert MemoryCost.of_model(tmp_path, 0) == MemoryCost(row=7, value=8, padded=8)
    for wrong in ({"rows": 1}, {"row": -1}, {"row": "1"}, [], 5):
        card.write_text(json.dumps({"memory": wrong}))
        with pytest.raises(ServingError, match="`memory` is not understood"):
            MemoryCost.of_model(tmp_path, 0)


def test_a_budget_lets_wait_and_gives_up():
    budget = MemoryBudget(10)
    with budget.share(6):
        with budget.share(4):
            pass
        with pytest.raises(RequestError) as error, budget.share(5, timeout=0.01):
            pass
        assert error.value.code == StatusCode.UNAVAILABLE
        entered = threading.Event()

        def enter():
            with budget.share(100):  # all there is
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.05)
    assert entered.wait(30)
    waiting.join()
    with MemoryBudget(None).share(2**60):
        pass
