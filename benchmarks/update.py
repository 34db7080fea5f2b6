"""Time and memory of an update: new posts into a run over N, text encoding included.

    python benchmarks/update.py --run RUN --posts 100000 --new 1000 --out FOLDER

The weights of RUN (of `engagement`, by MiniLM) are carried to a made corpus, since its training is
not what is measured; the vectors of the texts that are there are drawn, those of the new texts are
encoded. The first call makes the run, every later one takes new posts in and is measured.
"""

import argparse
import dataclasses
import json
import pathlib
import resource
import shutil
import time

import numpy as np

BLOCK = 100_000  # posts that are drawn; more are copies in other words by other people


def made_corpus(posts, users):
    """Posts with themes and tastes; beyond `BLOCK` copies, each with users and texts of its own."""
    from tfhashtag.corpus.synthetic import synthetic_corpus

    copies = -(-posts // BLOCK)
    one = synthetic_corpus(posts // copies, users // copies, 0)
    if copies == 1:
        return one
    marks = range(copies)

    def tiled(values, count):
        return np.concatenate([values + copy * count for copy in marks]).astype(values.dtype)

    lengths = np.tile(np.diff(one.hashtag_offsets), copies)
    span = int(one.timestamps.max() - one.timestamps.min()) + 60
    return dataclasses.replace(
        one,
        post_ids=[f"{copy}-{name}" for copy in marks for name in one.post_ids],
        users=[f"{name} {copy}" for copy in marks for name in one.users],
        user_of_post=tiled(one.user_of_post, len(one.users)),
        messages=[f"{text} {copy}" for copy in marks for text in one.messages],
        message_of_post=tiled(one.message_of_post, len(one.messages)),
        hashtags=[f"{name}{copy}" for copy in marks for name in one.hashtags],
        hashtag_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        hashtag_values=tiled(one.hashtag_values, len(one.hashtags)),
        split_of_post=np.tile(one.split_of_post, copies),
        timestamps=tiled(one.timestamps, span),
        evaluation_users=np.arange(copies * len(one.users), dtype=np.int32),
    )


def made_run(source, folder, posts, users):
    """A complete run over a made corpus, with the weights of another."""
    import tfhashtag as th
    from tfhashtag.corpus.store import read_corpus, write_corpus
    from tfhashtag.corpus.texts import Texts
    from tfhashtag.encoders.journal_table import JournalTable, home_of, keys_of
    from tfhashtag.recommenders.registry import read_vectors, recommender_class
    from tfhashtag.runs.create import create_run

    run = th.load(source)
    write_corpus(made_corpus(posts, users), folder / "corpus")
    corpus = read_corpus(folder / "corpus")
    encoder = run.data.text_encoder
    rng = np.random.default_rng(0)
    meta = {"encoder": encoder.name, "fingerprint": encoder.fingerprint, "broken": {}}
    for kind, texts in (("embeddings", corpus.messages), ("hashtag_embeddings", corpus.hashtags)):
        meta["column"] = Texts.of(texts).digest
        home = home_of(folder / "corpus" / kind, encoder.name, encoder.fingerprint)
        keys = keys_of(texts)
        table = JournalTable(home, keys, (encoder.width,), 16384)
        with table.locked():
            drawn = rng.standard_normal((len(keys), encoder.width), np.float32)
            table.fill(lambda todo, drawn=drawn: [(todo, drawn[todo])], lambda: dict(meta))
    made = create_run(folder / "run", run.settings, folder / "corpus")
    kind = recommender_class(run.settings.model)
    vectors = read_vectors(folder / "run" / "data", made.corpus, run.settings)
    kind.carry(run.settings, run.corpus, vectors, run.weights, made.weights)
    shutil.rmtree(folder / "corpus")


def new_posts(folder, count, run):
    """A file of posts with texts and hashtags that are not there, later than those of the run."""
    from tfhashtag.corpus.synthetic import synthetic_corpus

    corpus = synthetic_corpus(count, 300, 1 + run.state)
    start = int(run.corpus.timestamps.max()) + 60
    with (folder / "new.jsonl").open("w") as file:
        for post in range(count):
            tags = [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)]
            row = {
                "id": f"new-{run.state}-{post}",
                "user": f"{'new' if post % 5 == 0 else ''}user{post % 300:04d}",
                "text": f"{corpus.messages[corpus.message_of_post[post]]} no. {run.state} {post}",
                "hashtags": [*tags, *(["freshtag"] if post % 20 == 0 else [])],
                "timestamp": start + post,
            }
            file.write(json.dumps(row) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, type=pathlib.Path)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--new", type=int, default=1000)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    import tfhashtag as th

    if not (given.out / "run").is_dir():
        given.out.mkdir(parents=True, exist_ok=True)
        made_run(given.run, given.out, given.posts, given.users)
        return print("made; run again to measure")
    new_posts(given.out, given.new, th.load(given.out / "run"))
    began, busy = time.monotonic(), time.process_time()
    run = th.load(given.out / "run")
    if given.profile:
        import cProfile
        import pstats

        profiler = cProfile.Profile()
        done = profiler.runcall(run.update, given.out / "new.jsonl")
        pstats.Stats(profiler).sort_stats("cumtime").print_stats(60)
    else:
        done = run.update(given.out / "new.jsonl")
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{given.posts:,} posts, {done.posts:,} new: {seconds:.1f} s, ", end="")
    print(f"{busy:.1f} s of CPU, peak {peak:.2f} GB")
    began, busy = time.monotonic(), time.process_time()
    th.load(given.out / "run").recommend(user=run.corpus.users[0])
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    print(f"first question afterwards: {seconds:.1f} s, {busy:.1f} s of CPU")


if __name__ == "__main__":
    main()
