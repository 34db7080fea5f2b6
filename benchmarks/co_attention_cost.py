"""The six co-attentions of a post, and a training step with them, in time and memory.

    python benchmarks/co_attention_cost.py
    python benchmarks/co_attention_cost.py --proposals 49 --repeat 1 --skip-bare

The training step: the six co-attentions, the graph of the batch, a softmax over the labels, SGD.
The bare products are those of equations (15) and (16) with their two gradients, twelve times:
`[batch * m, 2 f] x [2 f, m f]`. CPU seconds are the mean over the calls, the first included.
The memory is the highest resident size of the process up to then, Python and TensorFlow included.
"""

import argparse
import os
import resource

import keras
import numpy as np
import tensorflow as tf
from timing import best_of

from tfhashtag.layers import RelationalGraphConv, SextupletCoAttention, similarity_edges


def bare_products(a, rng, jit):
    def normal(*shape):
        return tf.constant(rng.standard_normal(shape, "float32"))

    rows, wide = a.batch * a.proposals, a.proposals * a.width
    sides, kernel, above = normal(rows, 2 * a.width), normal(2 * a.width, wide), normal(rows, wide)

    @tf.function(jit_compile=jit)
    def products():
        return (
            sides @ kernel,
            tf.matmul(above, kernel, transpose_b=True),
            tf.matmul(sides, above, transpose_a=True),
        )

    def run():
        for _ in range(12):
            result = products()
        return [value.numpy() for value in result]

    return run


def co_attentions(a, sides, jit):
    layer = SextupletCoAttention()
    layer.build(*[side.shape for side in sides])
    weights = [weight.value for weight in layer.weights]

    @tf.function(jit_compile=jit)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(sides)
            loss = tf.reduce_sum(layer(*sides)["post"] ** 2)
        return tape.gradient(loss, [*sides, *weights])

    return lambda: [gradient.numpy() for gradient in step()]


class _Posts(keras.Model):
    def __init__(self, a):
        super().__init__(name="posts")
        self.co_attention = SextupletCoAttention()
        self.graph = RelationalGraphConv(units=a.width)
        self.head = keras.layers.Dense(a.labels, activation="softmax")
        self.flat = (None, a.proposals * a.width)

    def build(self, shapes):
        self.co_attention.build(*shapes)
        self.graph.build(self.flat, (None, None, 2))
        self.head.build((None, self.graph.units))

    def call(self, sides):
        posts = self.co_attention(*sides)["post"]
        visual, textual = (tf.reduce_mean(side, axis=1) for side in sides[:2])
        edges = [similarity_edges(visual, 0.6), similarity_edges(textual, 0.95)]
        return self.head(
            self.graph(tf.reshape(posts, (-1, self.flat[1])), tf.stack(edges, axis=-1))
        )


def training_step(a, sides, labels, jit):
    model = _Posts(a)
    model.build([side.shape for side in sides])
    model.compile(
        keras.optimizers.SGD(0.05), "categorical_crossentropy", jit_compile=jit, run_eagerly=False
    )
    return lambda: model.train_on_batch(sides, labels)


def measured(what, function, a):
    """Prints wall seconds of the fastest call, CPU seconds a call and the peak so far."""
    before = os.times()
    wall = best_of(function, a.repeat)
    after = os.times()
    cpu = (after.user + after.system - before.user - before.system) / (a.repeat + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:<36} {wall:8.2f} s  {cpu:8.2f} CPU s  peak {peak:6.2f} GiB", flush=True)
    return wall, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("batch", 500),
        ("proposals", 9),
        ("width", 300),
        ("labels", 1572),
        ("repeat", 3),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--skip-bare", action="store_true", help="the training step alone")
    parser.add_argument("--xla", action="store_true", help="the training step under XLA")
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (a.batch, a.proposals, a.width)
    sides = [tf.constant(rng.standard_normal(shape, "float32")) for _ in range(4)]
    labels = rng.random((a.batch, a.labels), "float32") / a.labels
    measured("before", lambda: None, a)
    measured("training step", training_step(a, sides, labels, a.xla), a)
    if a.skip_bare:
        return
    both = (False, True)
    name = {False: "TensorFlow ops", True: "XLA"}
    bare = [measured(f"bare products, {name[j]}", bare_products(a, rng, j), a) for j in both]
    ours = [measured(f"six co-attentions, {name[j]}", co_attentions(a, sides, j), a) for j in both]
    for what, index in (("wall", 0), ("CPU", 1)):
        ratio = min(x[index] for x in ours) / min(x[index] for x in bare)
        print(f"six co-attentions over bare products, {what}: {ratio:.2f} x")


if __name__ == "__main__":
    main()
