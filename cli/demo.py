"""`tfhashtag demo`: the whole path on a small made corpus, in minutes."""

from typing import Any

import click

from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing
from tfhashtag.cli.paths import ConfigPath, UserPath, command_line

# With fewer, no hashtag has enough messages before one of the moments that are learned from.
_LEAST_POSTS, _POSTS_A_USER = 400, 4


@click.command("demo")
@click.option("--out", required=True, type=UserPath(), help="Folder for everything it makes.")
@click.option("--posts", default=4000, type=click.IntRange(1))
@click.option("--users", default=200, type=click.IntRange(10))
@click.option("--seed", default=0, type=click.IntRange(0))
@click.option("--config", type=ConfigPath(), default="engagement", help="Configuration to train.")
@click.option("--text-encoder", default="minilm")
@click.option(
    "--open",
    "opens",
    is_flag=True,
    help="At the end serve the model and open its page in the browser, until Ctrl-C.",
)
@json_output(
    fields(
        corpus=text("folder"),
        run=text("folder"),
        systems=listed(thing("system and its metrics"), "plain ones, then the trained"),
        user=text("who is recommended for"),
        recommended=listed(thing("hashtag and score")),
    )
)
def command(
    out: Any, posts: Any, users: Any, seed: Any, config: Any, text_encoder: Any, opens: Any
) -> None:
    """Makes a corpus, trains, measures beside plain baselines, recommends for one user.

    A folder that a demo left is replaced; any other folder is refused.

    \b
    Example:
      tfhashtag demo --out demo --open
    """
    from rich.console import Console

    import tfhashtag as th
    from tfhashtag.corpus.store import write_corpus
    from tfhashtag.corpus.synthetic import synthetic_corpus
    from tfhashtag.records import Records

    if posts < max(_LEAST_POSTS, _POSTS_A_USER * users):
        raise click.UsageError(
            f"--posts {posts} with --users {users} is too little to learn from and to measure; the "
            f"smallest that works is --posts {_LEAST_POSTS}, and {_POSTS_A_USER} posts a user "
            f"(--posts {max(_LEAST_POSTS, _POSTS_A_USER * users)} here)."
        )
    overrides = [f"seed={seed}", f"text_encoder={text_encoder}"]
    if opens:
        from tfhashtag.cli.serve import load_server

        load_server()
    _check(config, overrides)  # told before what stands there is replaced
    console = Console()
    out = _new_folder(out)
    data, run = out / "corpus", out / "run"

    console.rule("1  corpus")
    write_corpus(synthetic_corpus(posts, users, seed), data)
    corpus = th.read_corpus(data)
    console.print(
        f"{len(corpus):,} posts, {len(corpus.users):,} users, {len(corpus.hashtags):,} hashtags"
    )
    console.rule("2  encode")
    th.encode(corpus, text_encoder)
    console.rule("3  train")
    trained = th.train(config, corpus, run, overrides=overrides)
    console.rule("4  evaluate")
    metrics = trained.evaluate().result["averages"]["all"]
    rows = [*_baselines(trained, seed), {"system": "trained", **metrics}]
    console.print(Records(rows, "Test split, average over all users"))
    console.rule("5  recommend")
    wrote = set(corpus.user_of_post[corpus.split_of_post == 0].tolist())
    user = corpus.users[min(wrote)]
    best = trained.recommend(user=user, k=5)
    for row in best:
        console.print(f"  {user}  #{row['hashtag']:<24} {row['score']:.4f}")
    paths = {"corpus": str(data), "run": str(run)}
    emit({**paths, "systems": rows, "user": user, "recommended": list(best)})
    console.rule("6  files")
    click.echo(f"corpus     {data}\nrun        {run}\nmetrics    {run / 'metrics.json'}")
    if not opens:
        model = out / "models" / "engagement"
        click.echo(f"next       {command_line('export', run, '--out', model)}")
        return
    console.rule("7  page")
    model = out / "models" / "engagement"
    click.echo(f"model      {trained.export(model)}")
    serve_page(model.parent, model=model.name, history="\n".join(_messages(corpus, user)))


def _check(config: Any, overrides: Any) -> None:
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.recommenders.registry import recommender_class

    model = load_settings(config, overrides).model
    if recommender_class(model).task.name != "users":
        raise click.UsageError(
            f"--config {config}: `{model}` ranks hashtags for posts, the demo is of users. Make "
            "a corpus (`tfhashtag data synth --pictures 1 --out corpus`) and train on it "
            f"(`tfhashtag train {config} --data corpus --out run`)."
        )


def serve_page(models: Any, **begin: str) -> None:
    """Serves models and opens their page, until SIGTERM or Ctrl-C.

    Args:
        models: folder with `NAME/<version>/saved_model.pb`.
        begin: what the page begins with: `model`, `user`, `history`, `post`.
    """
    import webbrowser
    from urllib.parse import urlencode

    from tfhashtag.cli.serve import load_server, stop_on_signals
    from tfhashtag.serving.runtime.limits import Limits

    stopped = stop_on_signals()
    with load_server()(models, port=0, rest_port=0, limits=Limits()) as server:
        address = f"{server.rest_address}/#{urlencode(begin)}"
        click.echo(f"page       {address}\nCtrl-C ends it.")
        if _has_display():
            webbrowser.open(address)
        # A wait without a limit would keep the signal handlers from running.
        while not stopped.wait(0.5):
            pass


def _has_display() -> bool:
    """Whether a browser has a window to open: without one, Linux may have one in the terminal."""
    import os
    import sys

    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or bool(shown)


def _messages(corpus: Any, user: Any, most: int = 3) -> Any:
    """The newest messages of a user with their hashtags, oldest first."""
    place = corpus.users.index(user)
    posts = [post for post, author in enumerate(corpus.user_of_post.tolist()) if author == place]
    for post in posts[-most:]:
        start, end = corpus.hashtag_offsets[post : post + 2]
        tags = [f"#{corpus.hashtags[tag]}" for tag in corpus.hashtag_values[start:end]]
        yield " ".join([corpus.messages[corpus.message_of_post[post]], *tags])


def _new_folder(out: Any) -> Any:
    """The folder, empty but for the mark that it may be replaced."""
    import pathlib
    import shutil

    from tfhashtag.files import check_new_folder

    out = pathlib.Path(out)
    marker = out / ".tfhashtag-demo"
    if not marker.is_file():
        check_new_folder(out, mend="or one that a demo left")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    marker.touch()
    return out


def _baselines(run: Any, seed: Any) -> Any:
    """Rows of plain systems on the same lists."""
    from tfhashtag.corpus.corpus import Split
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.recommenders.registry import recommender_class

    rows = []
    for name, config in {
        "random": "random",
        "popular": "popular_contexts",
        "similar": "bert_sim",
    }.items():
        settings = load_settings(config, [f"seed={seed}"])
        plain = recommender_class(settings.model)(settings)
        plain.fit(run.data)
        queries = run.task.queries(run.corpus, settings.data, Split.TEST)
        result = run.task.evaluate(queries, plain.rank(queries))
        rows.append({"system": name, **result["averages"]["all"]})
    return rows
