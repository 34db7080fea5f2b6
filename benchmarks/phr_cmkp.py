"""Posts with pictures and without users: what the picture adds to the text.

    python benchmarks/phr_cmkp.py ../shared/data/cmkp/posts.jsonl WORK [--seeds 3] [--split test]
    python benchmarks/phr_cmkp.py ../shared/data/cmkp/posts.jsonl WORK --folds 5 [--seeds 1]

Five words that a tagger gave for each picture stand for the picture: through the text encoder they
are its five given proposals. Every post has a user of its own, so no post has a history. Split by
time, which is file order: 80 % train, 10 % valid, 10 % test; labels are the hashtags of at least
five train posts. WORK keeps the corpus and the runs; what is there is not made again.

With --folds every post is predicted once, from the posts of the other folds. Folds are drawn by
lot, since the first of them in time would have nothing before it to learn from; posts of the same
text are in one fold. A tenth of the others is each fold's valid part, which chooses the epoch and
the plain rules' neighbours. Sizes of networks stay those that valid of the split by time preferred.
"""

import dataclasses
import json
import pathlib
import shutil
import tempfile

import click
import numpy as np
import rich.console

from tfhashtag.comparison.f1_of_posts import with_f1
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.encoders import encode_corpus, load_embeddings, load_proposals, load_text_encoder
from tfhashtag.evaluation.post_metrics import per_post, post_averages
from tfhashtag.evaluation.significance import compare_paired
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


def fold_folder(folder: pathlib.Path, work: pathlib.Path, fold: int, folds: int) -> pathlib.Path:
    """The same corpus and vectors with a fold as test; made where it is not there yet."""
    place = work / f"fold-{fold}-of-{folds}"
    if place.is_dir():
        return place
    corpus = read_corpus(folder)
    rng = np.random.default_rng(0)
    fold_of_text = rng.permutation(len(corpus.messages)) % folds
    valid = rng.random(len(corpus.messages)) < 0.1
    splits = np.where(valid, Split.VALID, Split.TRAIN).astype(np.int8)
    splits[fold_of_text == fold] = Split.TEST
    moved = dataclasses.replace(corpus, split_of_post=splits[corpus.message_of_post])
    write_corpus(moved, place)
    shutil.copytree(folder / "embeddings", place / "embeddings")
    return place


def evaluated(labels: PostLabels, posts: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of each of the given posts by metric, of given scores."""
    return per_post(labels.rows.take(posts), scores, posts=posts)


def plain_rules(folder: pathlib.Path, splits: dict[str, np.ndarray], labels: PostLabels) -> dict:
    """Figures of the plain rules by name and split; the best neighbours by F1@9 on valid."""
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
        best = max(tried, key=lambda key: post_averages(tried[key]["valid"])["F1@9"])
        found[best] = tried[best]
    return found


def trained(folder, run_folder, splits, overrides) -> dict:
    """Figures by split of a run, trained where it is not there yet."""
    run = train(
        "phr", folder, run_folder, overrides=overrides, resume=True,
        options=TrainingOptions(progress=False),
    )  # fmt: skip
    recommender = run.recommender
    return {
        name: evaluated(recommender.labels, posts, recommender.score_posts(posts))
        for name, posts in splits.items()
    }


def asked(folder: pathlib.Path) -> tuple[PostLabels, dict[str, np.ndarray]]:
    """The labels of a corpus, and the valid and test posts that have one."""
    corpus = read_corpus(folder)
    labels = PostLabels.of_corpus(corpus, 5)
    return labels, {
        which: labels.answerable(np.flatnonzero(corpus.split_of_post == Split[which.upper()]))
        for which in ("valid", "test")
    }


def networks(folder, runs, splits, seeds, residuals, overrides, name="") -> dict[str, list[dict]]:
    """Figures by split of each network, seed by seed."""
    found = {}
    for residual in residuals:
        for system, sides in SYSTEMS.items():
            title = f"PHR, {system}" + ", counts" * (residual == "true")
            found[title] = []
            for seed in range(seeds):
                place = runs / f"{name}-{system}-{residual}-{seed}".replace(" ", "")
                switches = ["network.proposals=5", f"network.residual={residual}", f"seed={seed}"]
                chosen = [*NETWORK[residual], *sides, *switches, *overrides]
                found[title].append(trained(folder, place, splits, chosen))
    return found


def row(console, system: str, runs: list[dict[str, np.ndarray]]) -> None:
    """Prints a system's mean and deviation over seeds."""
    means = [post_averages(values) for values in runs]
    cells = []
    for metric in METRICS:
        values = [found[metric] for found in means]
        spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.4f}{spread}")
    console.print(f"| {system} | " + " | ".join(cells) + " |")


def pooled(folder, work, folds, seeds, overrides, name, console) -> dict[str, list[dict]]:
    """Test figures of all posts by system, seed by seed; neighbours are chosen on each valid."""
    parts: dict[str, list[list[dict]]] = {}
    for fold in range(folds):
        place = fold_folder(folder, work, fold, folds)
        labels, splits = asked(place)
        console.print(f"fold {fold}: {len(labels)} labels, {len(splits['test'])} test posts")
        plain = plain_rules(place, splits, labels)
        rules = {
            f"nearest posts, {kind}": [next(v for k, v in plain.items() if f"posts, {kind}" in k)]
            for kind in ("text", "image", "both")
        }
        found = {"popularity": [plain["popularity"]], **rules}
        runs = work / f"runs-{fold}-of-{folds}"
        found |= networks(place, runs, splits, seeds, ["true"], overrides, name)
        for system, by_seed in found.items():
            parts.setdefault(system, []).append([of_split["test"] for of_split in by_seed])
    return {
        system: [
            {metric: np.concatenate([each[metric] for each in of_seed]) for metric in of_seed[0]}
            for of_seed in zip(*of_fold, strict=True)
        ]
        for system, of_fold in parts.items()
    }


def differences(console, found: dict[str, list[dict]], ours: str) -> None:
    """Prints what a system has more than the others, paired over posts, mean of the seeds."""
    means = {
        system: with_f1({m: np.mean([one[m] for one in runs], axis=0) for m in runs[0]})
        for system, runs in found.items()
    }
    console.print(f"\n{ours}, less | metric | difference | 95 % interval | p")
    for system, values in means.items():
        for metric in ("HitRate@1", "HitRate@9", "Recall@9", "F1@9") * (system != ours):
            tested = compare_paired(means[ours][metric], values[metric])
            console.print(
                f"{system} | {metric} | {tested.difference:+.4f} | {tested.low:+.4f} to "
                f"{tested.high:+.4f} | {tested.p_value:.2g}"
            )


@click.command()
@click.argument("posts", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.argument("work", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--folds", type=click.IntRange(2), help="Cross-validation in place of the split.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="For all networks.")
@click.option("--name", default="", help="Of the runs' folders, where --set is used.")
def main(posts, work, seeds, split, folds, overrides, name):
    """Prints each system's mean and deviation over seeds as a Markdown table."""
    work.mkdir(parents=True, exist_ok=True)
    folder = corpus_folder(posts, work)
    console = rich.console.Console(soft_wrap=True, markup=False)
    if folds:
        found = pooled(folder, work, folds, seeds, overrides, name, console)
    else:
        labels, splits = asked(folder)
        counts = " and ".join(f"{len(rows)} {which}" for which, rows in splits.items())
        console.print(f"{len(labels)} labels; with a label: {counts} posts\n")
        found = {
            system: [of_split] for system, of_split in plain_rules(folder, splits, labels).items()
        }
        found |= networks(folder, work / "runs", splits, seeds, NETWORK, overrides, name)
        found = {system: [one[split] for one in runs] for system, runs in found.items()}
    console.print("| system | " + " | ".join(METRICS) + " |")
    console.print("|---" * (len(METRICS) + 1) + "|")
    for system, runs in found.items():
        row(console, system, runs)
    differences(console, found, "PHR, text + image, counts")


if __name__ == "__main__":
    main()
