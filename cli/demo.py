"""`tfhashtag demo`: the whole path on a small made corpus, in minutes."""

import click

# With fewer, no hashtag has enough messages before one of the moments that are learned from.
_LEAST_POSTS, _POSTS_A_USER = 400, 4


@click.command("demo")
@click.option("--out", required=True, type=click.Path(), help="Folder for everything it makes.")
@click.option("--posts", default=4000, show_default=True, type=click.IntRange(1))
@click.option("--users", default=200, show_default=True, type=click.IntRange(10))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--config", default="engagement", show_default=True, help="Configuration to train.")
@click.option("--text-encoder", default="minilm", show_default=True)
def command(out, posts, users, seed, config, text_encoder):
    """Makes a corpus, trains, measures beside plain baselines, recommends for one user.

    A folder that a demo left is replaced; any other folder is refused.
    """
    from rich.console import Console

    from tfhashtag.corpus.corpus import Split
    from tfhashtag.corpus.store import read_corpus, write_corpus
    from tfhashtag.corpus.synthetic import synthetic_corpus
    from tfhashtag.evaluation import metrics_table
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.runs.evaluate import evaluate_run
    from tfhashtag.runs.recommend import recommend
    from tfhashtag.runs.train import train
    from tfhashtag.tasks.users.episode import evaluation_episode

    if posts < max(_LEAST_POSTS, _POSTS_A_USER * users):
        raise click.UsageError(
            f"--posts {posts} with --users {users} is too little to learn from and to measure; the "
            f"smallest that works is --posts {_LEAST_POSTS}, and {_POSTS_A_USER} posts a user "
            f"(--posts {max(_LEAST_POSTS, _POSTS_A_USER * users)} here)."
        )
    overrides = [f"seed={seed}", f"text_encoder={text_encoder}"]
    load_settings(config, overrides)  # a mistake is told before what stands there is replaced
    console = Console()
    out = _new_folder(out)
    data, run = out / "corpus", out / "run"

    console.rule("1  corpus")
    write_corpus(synthetic_corpus(posts, users, seed), data)
    corpus = read_corpus(data)
    console.print(
        f"{len(corpus):,} posts, {len(corpus.users):,} users, {len(corpus.hashtags):,} hashtags"
    )
    console.rule("2  encode")
    _encode(data, corpus, text_encoder)
    console.rule("3  train")
    trained = train(config, data, run, overrides=overrides)
    console.rule("4  evaluate")
    metrics = evaluate_run(run)
    episode = evaluation_episode(corpus, Split.TEST, seed=0)
    rows = {**_baselines(episode, trained.data.texts, seed), "trained": metrics}
    console.print(metrics_table(rows, average="all", title="Test split, average over all users"))
    console.rule("5  recommend")
    answered = [u for u in range(len(corpus.users)) if len(episode.history[u])]
    user = corpus.users[answered[0]]
    for row in recommend(run, user=user, k=5):
        console.print(f"  {user}  #{row['hashtag']:<24} {row['score']:.4f}")
    console.rule("6  files")
    click.echo(f"corpus     {data}\nrun        {run}\nmetrics    {run / 'metrics.json'}")
    click.echo(f"next       tfhashtag export {run} --out {out / 'models' / 'engagement'}")


def _new_folder(out):
    """The folder, empty but for the mark that it may be replaced."""
    import pathlib
    import shutil

    from tfhashtag.errors import ArtifactError

    out = pathlib.Path(out)
    marker = out / ".tfhashtag-demo"
    if out.exists():
        if not marker.is_file():
            raise ArtifactError(f"{out}: exists and is not a demo's folder. Give another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    marker.touch()
    return out


def _baselines(episode, vectors, seed):
    from tfhashtag.evaluation import evaluate
    from tfhashtag.recommenders.rules.users import (
        BertSimilarity,
        PopularityScorer,
        RandomScorer,
    )

    scorers = {
        "random": RandomScorer(seed),
        "popular": PopularityScorer("contexts"),
        "similar": BertSimilarity(vectors),
    }
    return {
        name: evaluate(episode.candidates, scorer.score(episode), seed=0)
        for name, scorer in scorers.items()
    }


def _encode(data, corpus, text_encoder):
    from tfhashtag.encoders import encode_corpus, encode_hashtags, load_text_encoder

    encoder = load_text_encoder(text_encoder)
    encode_corpus(data, corpus, encoder)
    encode_hashtags(data, corpus, encoder)
