"""What `update --train` gives: weights that stay, that go on, and that are trained anew.

    python benchmarks/update_train.py --config posts --posts 8000 --out FOLDER [--set KEY=VALUE ...]

Posts of `data synth --trends` in order of time: a run is trained on the first 60 %, the next 20 %
come in, and the last 20 % are ranked as a test set from the moment before them. The vectors are of
the cheap encoder of `growth.py`.
"""

import argparse
import json
import pathlib
import shutil
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from growth import make_encoder

PARTS = (0.6, 0.8)


def rows_of(corpus, posts):
    """Posts as `update` takes them."""
    return [
        {
            "id": corpus.post_ids[post],
            "user": corpus.users[corpus.user_of_post[post]],
            "text": corpus.messages[corpus.message_of_post[post]],
            "hashtags": [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)],
            "timestamp": int(corpus.timestamps[post]),
        }
        for post in posts
    ]


def trained(config, corpus, folder, sets):
    """A run over a corpus that is split by each user's time, and the seconds of its training."""
    import dataclasses

    import tfhashtag as th
    from tfhashtag.corpus.splits import split_posts
    from tfhashtag.corpus.store import read_corpus, write_corpus
    from tfhashtag.encoders import encode_corpus, encode_hashtags, load_text_encoder

    splits = split_posts("own-time", corpus.user_of_post, 0, corpus.timestamps)
    write_corpus(dataclasses.replace(corpus, split_of_post=splits), folder / "corpus")
    encoder = load_text_encoder(str(folder.parent / "encoder"))
    encode_corpus(folder / "corpus", read_corpus(folder / "corpus"), encoder, progress=False)
    encode_hashtags(folder / "corpus", read_corpus(folder / "corpus"), encoder, progress=False)
    began = time.process_time()
    run = th.train(config, folder / "corpus", folder / "run", overrides=sets)
    return run, time.process_time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="posts")
    parser.add_argument("--posts", type=int, default=8000)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    import tfhashtag as th
    from tfhashtag.corpus.editing import select_posts
    from tfhashtag.corpus.synthetic_trends import synthetic_trends

    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    make_encoder(given.out / "encoder")
    sets = [f"text_encoder={given.out / 'encoder'}", *given.set]
    whole = synthetic_trends(given.posts, given.users, given.seed).corpus
    first, second = (int(share * given.posts) for share in PARTS)
    seconds = {}
    early, _ = trained(
        given.config, select_posts(whole, np.arange(first)), given.out / "early", sets
    )
    shutil.copytree(early.folder, given.out / "on")
    anew, seconds["anew"] = trained(
        given.config, select_posts(whole, np.arange(second)), given.out / "anew", sets
    )
    runs = {"stay": early, "on": th.load(given.out / "on"), "anew": anew}
    coming, last = rows_of(whole, range(first, second)), rows_of(whole, range(second, len(whole)))
    for name in ("stay", "on"):
        began = time.process_time()
        runs[name].update(coming, train=name == "on")
        seconds[name] = time.process_time() - began
    found = {name: run.update(last).figures for name, run in runs.items()}
    for name, figures in found.items():
        print(
            f"{name:5} {figures['metric']} {figures['value']:.4f} ± {1.96 * figures['error']:.4f}, "
            f"popularity {figures['popular']:.4f}, {seconds[name]:.1f} s of CPU"
        )
    (given.out / "figures.json").write_text(json.dumps({"figures": found, "seconds": seconds}))


if __name__ == "__main__":
    main()
