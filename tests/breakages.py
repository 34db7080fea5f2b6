"""Small breakages of the code that the tests must notice: `python tests/breakages.py`.

Each takes one place of the code and makes it wrong as a tired hand would. The tests that stand
nearest must fail; a breakage that leaves them green is printed and the exit code is 1. Run on
demand: it takes some minutes. `--tests` after a name runs them on a copy of the tree alone.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
COPIED = ("tfhashtag", "cli", "serving", "configs", "tests", "setup.py", "pyproject.toml")


@dataclasses.dataclass(frozen=True)
class Breakage:
    """One place that is made wrong.

    Attributes:
        what: in words.
        path: of the file.
        right, wrong: what stands there, once, and what is put in its place.
        tests: files or folders of tests that must notice it.
    """

    what: str
    path: str
    right: str
    wrong: str
    tests: str


def _of(what: str, path: str, right: str, wrong: str, tests: str) -> Breakage:
    return Breakage(what, path, right, wrong, tests)


BREAKAGES = (
    _of(
        "nDCG discounts by the natural logarithm", "tfhashtag/metrics/ndcg.py",
        "np.log2(ranking.rank + 1.0)", "np.log2(ranking.rank + 2.0)", "tests/metrics",
    ),
    _of(
        "MAP divides by the hits alone", "tfhashtag/metrics/mean_average_precision.py",
        "np.maximum(ranking.relevant, 1)", "np.maximum(ranking.sum(self.hits(ranking)), 1)",
        "tests/metrics",
    ),
    _of(
        "equal scores are ordered by place", "tfhashtag/metrics/ranking.py",
        "np.lexsort((lot, -scores, row))", "np.lexsort((-scores, row))", "tests/metrics",
    ),
    _of(
        "P@k divides by the length of the list", "tfhashtag/metrics/precision.py",
        "/ self.k", "/ np.maximum(ranking.sum(self.top(ranking)), 1)", "tests/metrics",
    ),
    _of(
        "lambda weighs the negatives", "tfhashtag/losses/weighted_binary_crossentropy.py",
        "self.positive_weight * y_true * ops.softplus(-y_pred)",
        "y_true * ops.softplus(-y_pred)", "tests/losses",
    ),
    _of(
        "KL without the logarithm", "tfhashtag/losses/neural_topic_loss.py",
        "- 1.0 - 2.0 * log_sigma", "- 1.0 - log_sigma", "tests/losses",
    ),
    _of(
        "padding counts as label 0", "tfhashtag/losses/label_crossentropy.py",
        "ops.where(real, normalizer - chosen, 0.0)", "normalizer - chosen", "tests/losses",
    ),
    _of(
        "masked places keep their weight", "tfhashtag/layers/masked_softmax.py",
        "ops.softmax(ops.where(mask, scores, -1e30), axis=-1)",
        "ops.softmax(scores, axis=-1)", "tests/layers/test_masked_softmax.py",
    ),
    _of(
        "features are not centred", "tfhashtag/layers/standardizer.py",
        "(inputs - self.mean) * self.scale", "inputs * self.scale",
        "tests/layers/test_standardizer.py",
    ),
    _of(
        "a hashtag without a recent use tells itself", "tfhashtag/recommenders/audience/signals.py",
        "recent = tf.maximum(recent, 1.0)  # see", "recent = tf.maximum(recent, 0.0)  # see",
        "tests/recommenders/audience/test_leaks.py",
    ),
    _of(
        "z-scores with deviation 1", "tfhashtag/recommenders/audience/model.py",
        "tf.where(spread, deviation, 1.0)", "1.0", "tests/recommenders/audience",
    ),
    _of(
        "a user sees own messages among a hashtag's contexts", "tfhashtag/tasks/users/episode.py",
        "entry = np.concatenate([everything, entry_a, entry_b])",
        "entry = np.concatenate([everything[:0], entry_a, entry_b])", "tests/tasks/users",
    ),
    _of(
        "texts of the own future are shown", "tfhashtag/tasks/users/episode.py",
        "entry_b, user_b = _join(\n            messages[ahead],",
        "entry_b, user_b = _join(\n            messages[ahead][:0],", "tests/tasks/users",
    ),
    _of(
        "known hashtags are candidates", "tfhashtag/tasks/users/episode.py",
        "new_tags = _new_hashtags(future_tags, history_tags)", "new_tags = future_tags",
        "tests/tasks/users",
    ),
    _of(
        "the history is cut at its newest end", "tfhashtag/tasks/users/task.py",
        "[-length:]", "[:length]", "tests/tasks/users/test_task.py",
    ),
    _of(
        "later posts are earlier ones", "tfhashtag/tasks/posts/inputs.py",
        "place = end[:, None] - count + np.arange(count)",
        "place = end[:, None] + np.arange(count)", "tests/tasks/posts",
    ),
    _of(
        "rare hashtags of valid posts become labels", "tfhashtag/tasks/posts/labels.py",
        "train = corpus.split_of_post[posts] == Split.TRAIN",
        "train = corpus.split_of_post[posts] <= Split.VALID", "tests/tasks/posts",
    ),
    _of(
        "a post finds itself", "tfhashtag/retrieval/exact_post_index.py",
        "no = posts[column] == queries.posts[rows[row]]",
        "no = posts[column] == -2", "tests/retrieval",
    ),
    _of(
        "the oldest posts are the test", "tfhashtag/corpus/splits.py",
        "from_end = counts[user_of_post] - place", "from_end = place + 1",
        "tests/corpus/test_splits.py",
    ),
    _of(
        "hashtags with a capital letter stay in the text", "tfhashtag/corpus/own_hashtags.py",
        "every = [_own_of(name) for name in names]",
        "every = [_own_of(name) for name in names if name.islower()]",
        "tests/corpus/test_hashtag.py",
    ),
    _of(
        "a stopped write leaves half a file", "tfhashtag/files.py",
        "os.replace(temporary, path)", "shutil.copyfile(temporary, path)", "tests/test_files.py",
    ),
    _of(
        "a checkpoint of other shapes is taken", "tfhashtag/training/checkpoint.py",
        "if arrays[key].shape != tuple(variable.shape):", "if False:",
        "tests/training/test_checkpoint.py",
    ),
    _of(
        "TREC scores may be equal", "tfhashtag/evaluation/trec.py",
        "np.minimum.accumulate(counted + ranking.rank - step) - ranking.rank + step",
        "np.minimum.accumulate(counted - step) + step", "tests/evaluation/test_trec.py",
    ),
    _of(
        "users without a positive are left out of `all`", "tfhashtag/evaluation/evaluate.py",
        "name: average(value) for name", "name: average(value[answerable]) for name",
        "tests/evaluation/test_evaluate.py",
    ),
    _of(
        "F1 is the mean of P and R", "tfhashtag/metrics/f1.py",
        "2 * precision * recall / both", "both / 2", "tests/metrics tests/evaluation",
    ),
    _of(
        "hashtags without their last letter", "tfhashtag/encoders/raw_strings.py",
        'found["name"], _PLAIN_SIGN, "#")', 'found["name"], f"{_PLAIN_SIGN}|.$", "")',
        "tests/encoders/test_raw_strings.py",
    ),
    _of(
        "an unknown user is the last one", "tfhashtag/tasks/names.py",
        "return names.index(name)", "return names.index(name) if name in names else -1",
        "tests/test_door.py",
    ),
    _of(
        "a changed corpus is taken for the same", "tfhashtag/corpus/store.py",
        'if found != self.info["digest"]:', "if False:", "tests/corpus/test_store.py",
    ),
    _of(
        "resuming with other settings", "tfhashtag/runs/create.py",
        "if ours.get(key) != theirs.get(key):", "if False:", "tests/runs",
    ),
    _of(
        "sigmoid left out of exported scores", "tfhashtag/tasks/users/servable.py",
        '"scores": tf.sigmoid(found.values)', '"scores": found.values', "tests/tasks/users",
    ),
    _of(
        "significance ignores pairs", "tfhashtag/evaluation/significance.py",
        "difference = first - second", "difference = np.sort(first) - np.sort(second)",
        "tests/evaluation/test_significance.py",
    ),
    # Of what is tested at length by `make test-slow`, and in the gate by a fast twin.
    _of(
        "the wrong worker is said to be lost", "tfhashtag/training/workers.py",
        "int(task[2]) + chiefs", "int(task[2])", "tests/training/test_workers.py",
    ),
    _of(
        "the words of a message cost no memory", "serving/runtime/memory.py",
        "self.word * count * ((longest + 1) // 2)", "0", "tests/serving/runtime/test_memory.py",
    ),
    _of(
        "pixels cost no memory", "serving/runtime/memory.py",
        "+ self.pixel * sum(largest)", "",
        "tests/serving/runtime/test_memory.py::"
        "test_different_pictures_are_reckoned_by_their_pixels_and_all_strings_as_padded",
    ),
    _of(
        "a network of posts is loaded without its weights",
        "tfhashtag/recommenders/post_network.py",
        'load_state(folder / _WEIGHTS, {"model": weights_of(self.model)})',
        "weights_of(self.model)",
        "tests/tasks/posts/test_servable.py::test_what_is_loaded_is_what_was_saved",
    ),
    _of(
        "a network of users is loaded without its weights",
        "tfhashtag/recommenders/engagement/recommender.py",
        'load_state(folder / _WEIGHTS, {"model": weights_of(self.model)})',
        "weights_of(self.model)", "tests/recommenders/test_peers.py",
    ),
    _of(
        "two relations are added up", "tfhashtag/recommenders/phr/parts/aggregated_graph.py",
        "ops.max(edges, axis=-1)", "ops.sum(edges, axis=-1)",
        "tests/recommenders/phr/test_model.py"
        "::test_stored_posts_give_what_the_directed_graph_gives",
    ),
    _of(
        "a post that lacks a picture counts it in its mean", "tfhashtag/layers/picture_pooling.py",
        "there / ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)",
        "there / mask.shape[1]", "tests/layers/test_picture_pooling.py",
    ),
    _of(
        "a training goes on with weights as they were drawn", "tfhashtag/training/trainer.py",
        "self.monitor.state(groups)\n                resumed = False", "resumed = False",
        "tests/runs/test_train.py",
    ),
    _of(
        "what is encoded is said to be done before it is written",
        "tfhashtag/encoders/journal_table.py",
        "done[np.frombuffer(payload, \"<i8\")] = True", "done[:] = True",
        "tests/encoders/test_vector_cache.py",
    ),
)  # fmt: skip


def notices(breakage: Breakage, place: pathlib.Path) -> bool:
    """Whether the tests fail with the breakage in a copy of the tree."""
    path = place / breakage.path
    text = path.read_text(encoding="utf-8")
    if text.count(breakage.right) != 1:
        raise SystemExit(
            f"{breakage.path}: {breakage.right!r} stands {text.count(breakage.right)} times, "
            "expected once; mend this list."
        )
    path.write_text(text.replace(breakage.right, breakage.wrong), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, *breakage.tests.split()],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode not in (0, 1):
        raise SystemExit(f"{breakage.what}: the tests did not run:\n{done.stdout[-2000:]}")
    return done.returncode == 1


def main() -> None:
    """Prints a line a breakage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only breakages with these words")
    asked = parser.parse_args().words
    chosen = [b for b in BREAKAGES if all(word in f"{b.what} {b.path}" for word in asked)]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, place / name)
        for number, breakage in enumerate(chosen, 1):
            noticed = notices(breakage, place)
            missed += [] if noticed else [breakage.what]
            print(f"{number:2d} {'noticed' if noticed else 'MISSED '} {breakage.what}", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} noticed")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
