"""A server with a model that has the types that JSON has to carry."""

import pytest


def write_model(folder):
    import tensorflow as tf

    class Types(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def double(self, x):
            return {"y": 2.0 * x, "sum": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
        def same(self, x):
            return {"x": tf.identity(x)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "id")])
        def next(self, id):
            return {"next": id + 1}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, "text"),
                tf.TensorSpec([None], tf.string, "image"),
            ]
        )
        def strings(self, text, image):
            return {"text": tf.identity(text), "image_bytes": tf.identity(image)}

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
        def spin(self, steps):
            value = tf.constant(1.0)
            for _ in tf.range(steps):
                value = tf.linalg.norm(tf.fill([200, 200], value)) / 200.0
            return {"value": value}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float16, "x")])
        def half(self, x):
            return {"x": tf.identity(x)}

    types = Types()
    tf.saved_model.save(
        types,
        str(folder),
        signatures={
            "serving_default": types.double, "same": types.same, "next": types.next,
            "strings": types.strings, "spin": types.spin, "half": types.half,
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def types_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("types_models")
    write_model(folder / "types" / "3")
    return folder


@pytest.fixture(scope="session")
def rest_server(types_models):
    from tfhashtag.serving.config.transport import Transport
    from tfhashtag.serving.server import ModelServer

    with ModelServer(
        types_models, port=0, rest_port=0, transport=Transport(message_mib=16)
    ) as running:
        yield running
