"""`tfhashtag data`: corpora are downloaded, imported, made and described."""

from typing import Any

import click

from tfhashtag.cli.engine import engine_options
from tfhashtag.cli.options import NamingGroup, together
from tfhashtag.cli.output import emit, fields, json_output, listed, optional, text, thing, whole
from tfhashtag.cli.paths import UserPath, command_line
from tfhashtag.cli.progress import bars, counting
from tfhashtag.errors import TfHashtagError

_STRENGTH = click.FloatRange(0, 3)
_SHARE = click.FloatRange(0, 1)
_MADE = fields(
    folder=text("of the corpus"),
    posts=whole(),
    users=whole(),
    hashtags=whole(),
    told=listed(text(), "what was recognised, counted or skipped"),
)


@click.group("data", cls=NamingGroup)
def command() -> None:
    """Download, import, make and describe corpora."""


@command.command("download")
@click.argument("name")
@click.option("--out", required=True, type=UserPath(), help="Folder for the files.")
@click.option("--url", help="Base address instead of the authors' repository.")
@json_output(fields(folder=text(), files=listed(text())))
def download_command(name: str, out: Any, url: Any) -> None:
    """Fetches the public dataset NAME (howyoutag) and checks its pinned sums.

    \b
    Example:
      tfhashtag data download howyoutag --out howyoutag
    """
    from rich.progress import BarColumn, DownloadColumn, TextColumn

    from tfhashtag.corpus.downloading import download

    with bars(TextColumn("{task.description}"), BarColumn(), DownloadColumn()) as moved:
        paths = download(name, out, url=url, progress=moved)
    emit({"folder": str(out), "files": [path.name for path in paths]})
    click.echo(f"{out}: {', '.join(path.name for path in paths)}")
    click.echo(f"Next: {command_line('data', 'import', name, out, '--out', 'CORPUS')}")


# How files are written; what is not said is recognised, and told.
reading = together(
    click.option("--delimiter", metavar="SIGN", help="Between the columns of CSV; `tab`."),
    click.option("--encoding", metavar="NAME", help="Of text: latin-1, cp1252, utf-16, ..."),
    click.option(
        "--columns",
        metavar="OURS=THEIRS,...",
        help="Names of columns: user=username,text=tweet,hashtags=tags.",
    ),
    click.option("--hashtag-separator", metavar="SIGN", help="Between hashtags in a cell."),
    click.option("--join-words", is_flag=True, help="`green tea` of tags is the hashtag greentea."),
    click.option(
        "--hashtags-from",
        type=click.Choice(["auto", "field", "text"]),
        help="auto: from the texts where the field is absent or always empty.",
    ),
    click.option(
        "--text",
        "text_format",
        type=click.Choice(["auto", "plain", "html"]),
        help="auto: HTML where most texts are.",
    ),
    click.option("--sheet", metavar="NAME", help="Of a spreadsheet that has several."),
    click.option(
        "--time-unit",
        type=click.Choice(["s", "ms", "us", "ns", "days"]),
        help="Of numbers; days are those of a spreadsheet.",
    ),
    click.option("--time-format", metavar="F", help="As of strptime: '%d.%m.%Y %H:%M'."),
    click.option("--keep-spelling", is_flag=True, help="Keep Tea, tea and TEA apart."),
    click.option("--user", metavar="NAME", help="Who wrote the posts, where no field says it."),
    click.option("--images", type=UserPath(), help="Folder of pictures and clips; default PATH's."),
    click.option(
        "--frames",
        type=click.IntRange(1),
        help="Frames of a clip that stand for it as pictures; default 4.",
    ),
    click.option(
        "--hash-users",
        type=UserPath(),
        metavar="KEYFILE",
        help="Keyed hashes in place of user names, in texts, hashtags and ids, too; KEYFILE "
        "holds 16 bytes or more and is needed again by update, recommend and forget.",
    ),
    click.option("--drop-duplicates", is_flag=True, help="Leave out repeated posts."),
    click.option("--drop-retweets", is_flag=True, help="Leave out posts of others, RT @x: ..."),
    click.option(
        "--keep-hashtags-in-text", is_flag=True, help="Do not take a post's #tags out of it."
    ),
)


def given_of(options: Any) -> dict[str, Any]:
    """What was said, under the names of `th.import_posts`."""
    given = {name: value for name, value in options.items() if value not in (None, False)}
    if "delimiter" in given:
        given["delimiter"] = _sign("--delimiter", given["delimiter"])
    if "hashtag_separator" in given:
        given["hashtag_separator"] = _sign("--hashtag-separator", given["hashtag_separator"])
    if "columns" in given:
        pairs = [pair.split("=", 1) for pair in given["columns"].split(",")]
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise click.UsageError(
                f"--columns {given['columns']}: expected OURS=THEIRS,... such as user=username."
            )
        given["columns"] = {ours.strip(): theirs.strip() for ours, theirs in pairs}
    return given


def _sign(option: str, value: str) -> str:
    sign = {"tab": "\t", "\\t": "\t", "space": " "}.get(value, value)
    if len(sign) != 1:
        raise click.UsageError(f"{option} {value!r}: expected one sign, or `tab`.")
    return sign


@command.command("import")
@click.argument("source_format", metavar="FORMAT")
@click.argument("path", metavar="PATH", required=False, type=UserPath())
@click.option("--out", required=True, type=UserPath(), help="Corpus folder to make.")
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Count and report bad posts, and pictures of good ones, instead of stopping.",
)
@click.option("--name", help="Name of the corpus; default that of PATH.")
@click.option(
    "--split",
    type=click.Choice(["own-time", "global-time", "random-90-10"]),
    help="Split 80/10/10 by each user's time (default), by all time, or at random as in the "
    "thesis; also in place of the source's own splits.",
)
@click.option("--split-seed", default=0, type=click.IntRange(0))
@reading
@engine_options
@json_output(_MADE)
def import_command(source_format: Any, path: Any, out: Any, where: Any, **options: Any) -> None:
    """Reads PATH in FORMAT and writes a corpus folder.

    FORMAT is jsonl, json, csv, spreadsheet (.xlsx, .xls, .ods), parquet or arrow (Feather, ORC)
    with the fields user, text, hashtags, and perhaps id, timestamp, split, images (paths of
    pictures and clips, one or several), audio_text, proposals, and what came of the posts (likes,
    shares, replies, views, followers of the author); twitter, mastodon, bluesky, instagram (with
    Threads), facebook, telegram, tiktok, linkedin, nostr or reddit; howyoutag or macon; or auto.
    PATH is a file, compressed or not, a folder, a pattern such as 'part-*.jsonl.gz', or the ZIP
    archive of a platform.

    Lists, separators, units of time and the like are recognised and told; `tfhashtag data check`
    tells them without writing. A post's own hashtags are taken out of its text.

    \b
    Examples:
      tfhashtag data import csv posts.csv --out corpus --columns user=username
      tfhashtag data import twitter 'tweets/*.json' --out corpus --drop-retweets
      tfhashtag data import auto instagram-ann-2024-01-02.zip --out corpus
      tfhashtag data import jsonl parts --out corpus --engine spark --master spark://host:7077
    """
    from tfhashtag import door

    _check_order(source_format, path)
    told: list[str] = []

    def tell(line: Any) -> None:
        told.append(line.strip())
        click.echo(line, err=line.startswith("  skipped"))

    given_format = None if source_format == "auto" else source_format
    with counting("looking", "posts") as moved:
        options = {**given_of(options), "moved": moved, **where}
        corpus = door.import_posts(path, out, given_format, tell=tell, **options)
    emit(_sizes(out, corpus, told))


def _check_order(source_format: str, path: Any) -> None:
    """Says how it is written where FORMAT or PATH is left out, or both are swapped."""
    from tfhashtag.corpus.readers import FORMATS
    from tfhashtag.corpus.recognition import format_of

    known = ("auto", *FORMATS)
    if source_format not in known and path in known:
        written = command_line("data", "import", path, source_format, "--out", "corpus")
        raise click.UsageError(f"FORMAT stands before PATH: {written}")
    if path is None and source_format in known:
        raise click.UsageError(
            f"PATH is missing, a file or a folder of posts: tfhashtag data import {source_format} "
            "posts.csv --out corpus"
        )
    if path is None:
        try:
            looks = format_of(source_format)
        except TfHashtagError:
            looks = "auto"
        written = command_line("data", "import", looks, source_format, "--out", "corpus")
        raise click.UsageError(f"FORMAT is missing before {source_format}: {written}")


def _sizes(out: Any, corpus: Any, told: Any) -> dict[str, Any]:
    return {
        "folder": str(out),
        "posts": len(corpus),
        "users": len(corpus.users),
        "hashtags": len(corpus.hashtags),
        "told": told,
    }


@command.command("check")
@click.argument("path", type=UserPath())
@click.option("--format", "source_format", metavar="FORMAT", help="Default: recognised.")
@reading
@json_output(
    fields(
        told=listed(text(), "how it would be read"),
        oddities=listed(text(), "the first ten"),
        error=optional(text("what would come in wrong")),
        command=optional(text("the import that would read it")),
    )
)
def check_command(path: Any, source_format: Any, **options: Any) -> None:
    """Reads PATH whole, writes nothing, and prints the import command that would read it.

    Tells format, encoding, columns, separators, units, counts and the first ten oddities. What
    would come in wrong is an error.

    \b
    Example:
      tfhashtag data check posts.csv.gz
    """
    from tfhashtag.corpus.recognition import examine

    with counting("looking", "posts") as moved:
        found = examine(path, source_format, moved, **given_of(options))
    emit(
        {
            "told": list(found.lines),
            "oddities": list(found.odd),
            "error": found.error,
            "command": None if found.error is not None else found.command,
        }
    )
    for line in found.lines:
        click.echo(line)
    for number, line in enumerate(found.odd, 1):
        click.echo(f"oddity {number}: {line}")
    if found.error is not None:
        raise TfHashtagError(found.error)
    click.echo(f"\n{found.command}")


@command.command("synth")
@click.option("--out", required=True, type=UserPath(), help="Corpus folder to make.")
@click.option("--posts", default=4000, type=click.IntRange(1))
@click.option("--users", default=200, type=click.IntRange(1))
@click.option("--seed", default=0, type=click.IntRange(0))
@click.option(
    "--task",
    default="engagement",
    type=click.Choice(["engagement", "posts"]),
    help="Who will tag what, or which hashtags a post with picture and text needs.",
)
@click.option(
    "--trends",
    is_flag=True,
    help="Of --task engagement: hashtags that rise, fade, come on Mondays or in the morning; "
    "truth.json says which.",
)
@click.option(
    "--reach",
    is_flag=True,
    help="Of --task engagement: posts with outcomes, and authors who hide what hashtags add; "
    "truth.json has it.",
)
@click.option("--picture", type=_STRENGTH, help="Hashtags a post of its picture; default 1.")
@click.option("--text", type=_STRENGTH, help="Hashtags a post of its text; default 1.")
@click.option("--habit", type=_STRENGTH, help="Hashtags a post of its user's; default 1.")
@click.option("--similar", type=_STRENGTH, help="Hashtags of similar posts by others; default 1.")
@click.option("--noise", type=_STRENGTH, help="Hashtags of nothing; default 0.5.")
@click.option("--without-picture", type=_SHARE, help="Share of posts; default 0.05.")
@click.option("--without-text", type=_SHARE, help="Share of posts; default 0.05.")
@click.option("--newcomers", type=_SHARE, help="Share of users without history; default 0.05.")
@click.option("--themes", type=click.IntRange(2, 12), help="Of pictures, of texts; default 8.")
@click.option(
    "--pictures", type=click.IntRange(1, 16), help="Of a post; never the first shows the theme."
)
@click.option("--picture-size", type=click.IntRange(24, 512), help="In pixels; default 72.")
@json_output(_MADE)
def synth_command(
    out: Any, posts: Any, users: Any, seed: Any, task: Any, trends: Any, reach: Any, **of_posts: Any
) -> None:
    """Makes a corpus in which hashtags can be learned and what there is to learn is known.

    Options from --picture on are for --task posts: how many hashtags a post has from each source
    (0 takes the source away and leaves all else as it is). The source of every hashtag is written
    to truth.parquet, their shares to truth.json.

    \b
    Examples:
      tfhashtag data synth --out corpus --posts 1000 --users 50
      tfhashtag data synth --out pictures --task posts --habit 2
    """
    given = {name: value for name, value in of_posts.items() if value is not None}
    for option, wished in (("--trends", trends), ("--reach", reach)):
        if wished and task == "posts":
            raise click.UsageError(f"{option} is for --task engagement; drop one of them.")
    if trends and reach:
        raise click.UsageError("--trends and --reach are corpora of their own; drop one of them.")
    if task == "posts":
        from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts

        made = synthetic_posts(posts, users, seed, **given)
        write_synthetic_posts(made, out)
        corpus = made.corpus
    else:
        from tfhashtag.corpus.store import write_corpus
        from tfhashtag.corpus.synthetic import synthetic_corpus

        if given:
            option = "--" + next(iter(given)).replace("_", "-")
            raise click.UsageError(f"{option} is for --task posts alone; add it, or drop {option}.")
        if trends:
            from tfhashtag.corpus.synthetic_trends import synthetic_trends, write_synthetic_trends

            trending = synthetic_trends(posts, users, seed)
            write_synthetic_trends(trending, out)
            corpus = trending.corpus
        elif reach:
            from tfhashtag.corpus.synthetic_reach import synthetic_reach, write_synthetic_reach

            reaching = synthetic_reach(posts, users, seed)
            write_synthetic_reach(reaching, out)
            corpus = reaching.corpus
        else:
            corpus = synthetic_corpus(posts, users, seed)
            write_corpus(corpus, out)
    click.echo(
        f"{out}: {len(corpus):,} posts, {len(corpus.users):,} users, "
        f"{len(corpus.hashtags):,} hashtags"
    )
    told = []
    if task == "posts":
        shares = ", ".join(f"{name} {share:.1%}" for name, share in made.shares().items())
        told.append(f"{len(made.pictures):,} pictures; hashtags come from: {shares}")
        click.echo(told[0])
    emit(_sizes(out, corpus, told))


@command.command("stats")
@click.argument("folder", metavar="DIR", type=UserPath())
@click.option("--plot", type=UserPath(), help="Also draw Figure 3, as PNG or SVG.")
@click.option(
    "--overview",
    type=UserPath(),
    help="Also draw posts over time, frequencies, new hashtags and languages, as PNG or SVG.",
)
@json_output(
    fields(
        paper=thing("Table 1 of the engagement paper, as it is printed"),
        thesis=thing("Table 1 of the thesis"),
        uses=thing("task to what the corpus is good for"),
        notes=listed(text(), "repeats across splits, languages, scripts, times"),
        source=thing("how it was read"),
    )
)
def stats_command(folder: Any, plot: Any, overview: Any) -> None:
    """Prints Table 1 of the engagement paper and of the thesis for the corpus in DIR.

    Below them stands what the corpus is good for, repeats across splits, and how it was read.

    \b
    Example:
      tfhashtag data stats corpus --overview overview.png
    """
    import pathlib

    from rich.console import Console
    from rich.table import Table

    from tfhashtag.corpus.overview import plot_overview
    from tfhashtag.corpus.statistics import notes_of, plot_statistics, statistics_of
    from tfhashtag.corpus.store import read_corpus, source_of
    from tfhashtag.tasks.suitability import uses_of

    for option, path in (("--plot", plot), ("--overview", overview)):
        if path and pathlib.Path(path).suffix.lower() not in (".png", ".svg"):
            raise TfHashtagError(f"{option} {path}: expected a name that ends with .png or .svg.")
    corpus = read_corpus(folder)
    statistics = statistics_of(corpus)
    for source, rows in (("paper", statistics.rows()), ("thesis", statistics.post_rows())):
        table = Table("", "value", title=f"Table 1 of the {source}")
        table.columns[1].justify = "right"
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    uses, notes, recorded = uses_of(corpus), notes_of(corpus), source_of(folder)
    emit(
        {
            "paper": dict(statistics.rows()),
            "thesis": dict(statistics.post_rows()),
            "uses": {use.task: str(use) for use in uses},
            "notes": list(notes),
            "source": recorded,
        }
    )
    for use in uses:
        click.echo(f"models of {use.task}: {use}")
    for line in notes:
        click.echo(line)
    for line in recorded.get("told", []):
        click.echo(f"as it was read, {line}")
    for name, others in list(recorded.get("spellings", {}).items())[:5]:
        click.echo(f"joined: {name} for {', '.join(others)}")
    if plot:
        plot_statistics(statistics, plot)
        click.echo(plot)
    if overview:
        plot_overview(corpus, overview)
        click.echo(overview)
