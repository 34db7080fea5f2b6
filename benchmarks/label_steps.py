"""What a training step of PHR costs by the number of hashtags: all of them, or a sample.

python benchmarks/label_steps.py [--labels 4096 8192 26000] [--sample 4096]

The network is that of `configs/phr.yaml` without pictures, the batch made: 256 posts, each with two
hashtags and with signals of 200. CPU and wall milliseconds are the mean of the steps after the
first two, which trace.
"""

import argparse
import resource
import time

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.losses import LabelCrossentropy
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.sampled_labels import SampledLabels, among_some
from tfhashtag.tasks.posts.label_signals import SIDES_OF_SIGNALS

POSTS, WIDTH, AROUND = 256, 384, 200


def made_batch(settings, labels, rng):
    """Inputs and targets of posts that nothing is known of."""
    data = settings.data
    found = {
        "tokens": np.ones((POSTS, data.words), np.int32),
        "has_text": np.ones(POSTS, bool),
        "text": (POSTS, WIDTH),
        "user_text": (POSTS, WIDTH),
        "count_signals": (POSTS, AROUND, len(SIDES_OF_SIGNALS)),
        "count_labels": np.stack([rng.permutation(labels)[:AROUND] for _ in range(POSTS)]),
    }
    sizes = {
        "own": (data.own_posts, data.own_hashtags),
        "others": (data.other_posts, data.other_hashtags),
    }
    for side, counts in sizes.items():
        for what, count in zip(("posts", "hashtags"), counts, strict=True):
            found[f"{side}_{what}"] = (POSTS, count, WIDTH)
            found[f"{side}_{what}_mask"] = np.ones((POSTS, count), bool)
    found = {
        name: rng.normal(size=value).astype("float32") if isinstance(value, tuple) else value
        for name, value in found.items()
    }
    return found, rng.integers(0, labels, (POSTS, 2))


def timed(step, steps):
    """CPU and wall milliseconds of a step."""

    def now():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return np.array([used.ru_utime + used.ru_stime, time.perf_counter()])

    for _ in range(2):
        step()
    started = now()
    for _ in range(steps):
        step()
    return 1000 * (now() - started) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, nargs="+", default=[4096, 8192, 26000])
    parser.add_argument("--sample", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    settings, rng = load_settings("phr"), np.random.default_rng(0)
    rate = settings.training.learning_rate

    def network(labels):
        sizes = settings.data, labels, WIDTH, None, 1 + settings.data.vocabulary_size
        return compose(settings.network, *sizes, SIDES_OF_SIGNALS, name="phr")

    print("| hashtags | that compete | CPU ms | wall ms |\n|---|---|---|---|")
    for labels in arguments.labels:
        model, (inputs, targets) = network(labels), made_batch(settings, labels, rng)
        model.compile(keras.optimizers.AdamW(rate), LabelCrossentropy(), jit_compile=False)
        steps = {labels: (tf.function(model.train_step, autograph=False), ((inputs, targets),))}
        if arguments.sample < labels:
            twin, optimizer = network(arguments.sample), keras.optimizers.AdamW(rate)
            sampled = SampledLabels(model, twin, optimizer, settings.training)
            given = among_some(inputs, targets, labels, arguments.sample, rng)
            steps[arguments.sample] = sampled.step, given
        for compete, (step, batch) in steps.items():
            given = tf.nest.map_structure(tf.convert_to_tensor, batch)
            cpu, wall = timed(lambda step=step, given=given: step(*given), arguments.steps)
            print(f"| {labels:,} | {compete:,} | {cpu:.0f} | {wall:.0f} |", flush=True)


if __name__ == "__main__":
    main()
