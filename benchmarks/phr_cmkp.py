"""Posts with pictures and without users: what the picture adds to the text.

    python benchmarks/phr_cmkp.py ../shared/data/cmkp/posts.jsonl WORK [--seeds 3] [--split test]

Five words that a tagger gave for each picture stand for the picture: through the text encoder they
are its five given proposals. Every post has a user of its own, so no post has a history. Split by
time, which is file order: 80 % train, 10 % valid, 10 % test; labels are the hashtags of at least
five train posts. WORK keeps the corpus and the runs; what is there is not made again.
"""

import json
import pathlib
import tempfile

import click
import numpy as np
import rich.console

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.store import read_corpus
from tfhashtag.encoders import encode_corpus, load_embeddings, load_proposals, load_text_encoder
from tfhashtag.evaluation.post_metrics import evaluate_posts
from tfhashtag.recommenders.rules.posts import NearestPosts, PopularHashtags
from tfhashtag.runs.train import train
from tfhashtag.tasks.posts.inputs import PostTables
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.training.options import TrainingOptions

ENCODER = "minilm"
METRICS = [f"{name}@{k}" for k in (1, 9) for name in ("HitRate", "Precision", "Recall", "F1")]
# Chosen on valid, as are the neighbours of the plain rules. With 1,907 train posts a large network
# beside the counts only learns them by heart.
NETWORK = {
    "true": (
        "network.features=16",
        "network.hidden=32",
        "network.dropout=0.7",
        "training.epochs=30",
        "training.patience=8",
    ),
    "false": ("training.epochs=40", "training.patience=6"),
}
# Similar posts of the text alone are those similar in text.
SYSTEMS = {
    "text alone": (
        "image_encoder=none",
        "data.visual_share=0.0",
        "network.sides=[textual, others]",
    ),
    "text + image": (
        "image_encoder=given",
        "data.visual_share=0.2",
        "network.sides=[visual, textual, others]",
    ),
}


def corpus_folder(posts: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
    """The imported and encoded corpus, with the vectors of five words as proposals."""
    folder = work / "corpus"
    if folder.is_dir():
        return folder
    encoder = load_text_encoder(ENCODER)
    found = [json.loads(line) for line in posts.read_text(encoding="utf-8").splitlines()]
    words = sorted({word for post in found for word in post["image_attributes"]})
    vectors = dict(zip(words, encoder.encode(words).round(4).tolist(), strict=True))
    with tempfile.TemporaryDirectory(dir=work) as aside:
        path = pathlib.Path(aside, "posts.jsonl")
        with path.open("w", encoding="utf-8") as file:
            for number, post in enumerate(found):
                row = {
                    "id": post["id"],
                    "user": f"user-{number}",
                    "text": post["text"],
                    "hashtags": post["hashtags"],
                    "proposals": [vectors[word] for word in post["image_attributes"]],
                }
                file.write(json.dumps(row) + "\n")
        import_posts("jsonl", path, folder, name="cmkp", split="global-time", keep_spelling=True)
    encode_corpus(folder, read_corpus(folder), encoder)
    return folder


def evaluated(labels: PostLabels, posts: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """All metrics of scores of the given posts."""
    return evaluate_posts(labels.rows.take(posts), scores, posts=posts)["metrics"]


def plain_rules(folder: pathlib.Path, splits: dict[str, np.ndarray], labels: PostLabels) -> dict:
    """Metrics of the plain rules by name and split; the best neighbours by F1@9 on valid."""
    corpus = read_corpus(folder)
    vectors = np.asarray(load_embeddings(folder, corpus, ENCODER))
    given = load_proposals(folder, corpus, "given")
    tokens = np.zeros((len(vectors), 1), np.int32)
    visual = PostTables(tokens, vectors, vectors[:1], given.vectors, given.rows_of_post).visual()

    def metrics(scorer):
        return {
            name: evaluated(labels, posts, scorer.score(posts)) for name, posts in splits.items()
        }

    found = {"popularity": metrics(PopularHashtags(corpus, labels))}
    for name, shares in (("text", (0.0,)), ("image", (1.0,)), ("both", (0.1, 0.2, 0.3, 0.5))):
        tried = {
            f"nearest {count} posts, {name}" + f" (omega {share})" * (name == "both"): metrics(
                NearestPosts(corpus, labels, vectors, visual, share, count)
            )
            for count in (10, 20, 50, 100)
            for share in shares
        }
        best = max(tried, key=lambda key: tried[key]["valid"]["F1@9"])
        found[best] = tried[best]
    return found


def trained(folder, run_folder, splits, overrides) -> dict:
    """Metrics by split of a run, trained where it is not there yet."""
    run = train(
        "phr", folder, run_folder, overrides=overrides, resume=True,
        options=TrainingOptions(progress=False),
    )  # fmt: skip
    recommender = run.recommender
    return {
        name: evaluated(recommender.labels, posts, recommender.score_posts(posts))
        for name, posts in splits.items()
    }


@click.command()
@click.argument("posts", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.argument("work", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="For all networks.")
@click.option("--name", default="", help="Of the runs' folders, where --set is used.")
def main(posts, work, seeds, split, overrides, name):
    """Prints each system's mean and deviation over seeds as a Markdown table."""
    work.mkdir(parents=True, exist_ok=True)
    folder = corpus_folder(posts, work)
    corpus = read_corpus(folder)
    labels = PostLabels.of_corpus(corpus, 5)
    splits = {
        which: labels.answerable(np.flatnonzero(corpus.split_of_post == Split[which.upper()]))
        for which in ("valid", "test")
    }
    console = rich.console.Console(soft_wrap=True, markup=False)
    console.print(
        f"{len(corpus):,} posts, {len(labels)} labels; with a label: "
        f"{len(splits['valid'])} valid and {len(splits['test'])} test posts\n"
    )
    console.print("| system | " + " | ".join(METRICS) + " |")
    console.print("|---" * (len(METRICS) + 1) + "|")

    def row(system, runs):
        cells = []
        for metric in METRICS:
            values = [found[split][metric] for found in runs]
            spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.4f}{spread}")
        console.print(f"| {system} | " + " | ".join(cells) + " |")

    for system, found in plain_rules(folder, splits, labels).items():
        row(system, [found])
    for residual, settings in NETWORK.items():
        for system, sides in SYSTEMS.items():
            title = f"PHR, {system}" + ", counts" * (residual == "true")
            runs = []
            for seed in range(seeds):
                run_folder = work / "runs" / f"{name}-{system}-{residual}-{seed}".replace(" ", "")
                switches = ["network.proposals=5", f"network.residual={residual}", f"seed={seed}"]
                chosen = [*settings, *sides, *switches, *overrides]
                runs.append(trained(folder, run_folder, splits, chosen))
            row(title, runs)


if __name__ == "__main__":
    main()
