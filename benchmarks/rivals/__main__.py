"""What people would otherwise pick for "who will tag what", run as its users run it.

    python -m benchmarks.rivals CORPUS --out DIR [--seeds 3] [--ours RUN]

Each rival gets a virtual environment in --envs, kept there, and a script that imports that library
alone. It reads the train posts, which are what every system knows of a user, and the pairs to rank,
never a label of them. Its settings are chosen by MAP on valid among the
points of `RIVALS`, with seed 0; then it ranks test with each seed, the lists of `tfhashtag compare
engagement`, protocol `sampled`, and its runs join that comparison. The rivals know a hashtag by its
uses, its name and its texts before the moment. The systems of this project also read what others
write of it after the moment, a user's own messages hidden; an item's features cannot hide them.

DIR/rivals.md has the table, DIR/comparison the report, DIR/NAME/chosen.json each search. What is
there is not made again.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any

import click
import numpy as np

from tfhashtag import door
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import TfHashtagError
from tfhashtag.evaluation.trec import encoded_names, read_run
from tfhashtag.files import write_json
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks import USERS

HERE = pathlib.Path(__file__).parent
OURS, PLAIN = "engagement", ("popular",)
METRICS = ("MAP", "P@5", "nDCG@5")


@dataclasses.dataclass(frozen=True)
class Rival:
    """A library with one model of it.

    Attributes:
        environment, requirements: its virtual environment, and what pip installs there.
        script: beside this file.
        fixed: settings at all points.
        points: settings that are tried on valid.
        drawn: whether it has a seed.
    """

    environment: str
    requirements: tuple[str, ...]
    script: str
    fixed: dict[str, Any]
    points: tuple[dict[str, Any], ...]
    drawn: bool = True


IMPLICIT = ("implicit", ("implicit==0.7.3",), "implicit_models.py")
RIVALS = {
    "implicit BM25": Rival(
        *IMPLICIT,
        {"model": "bm25"},
        tuple(
            {"K": k, "K1": k1, "B": b} for k in (50, 5000) for k1 in (1.2, 100) for b in (0.2, 0.8)
        ),
        drawn=False,
    ),
    "implicit ALS": Rival(
        *IMPLICIT,
        {"model": "als", "iterations": 15},
        tuple(
            {"factors": factors, "regularization": 0.1, "alpha": alpha}
            for factors in (32, 128)
            for alpha in (1.0, 10.0, 40.0)
        ),
    ),
    "LightFM hybrid": Rival(
        "lightfm",  # the fork: LightFM 1.17 itself does not build on Python 3.11
        ("rectools-lightfm==1.17.3", "scikit-learn"),
        "lightfm_hybrid.py",
        {"loss": "warp"},
        tuple(
            {"no_components": 64, "words": words, "epochs": epochs}
            for words in (0.0, 1.0)
            for epochs in (10, 40)
        ),
    ),
    "RecTools SASRec": Rival(
        "rectools",
        ("torch==2.13.0", "rectools[torch]==0.19.0"),
        "rectools_sasrec.py",
        {"least": 2, "n_factors": 64, "session_max_len": 30, "n_blocks": 2, "n_heads": 2},
        (
            {"epochs": 5, "dropout_rate": 0.2},
            {"least": 5, "epochs": 5, "dropout_rate": 0.2},
            {"least": 5, "epochs": 15, "dropout_rate": 0.5},
            {"least": 5, "epochs": 15, "dropout_rate": 0.3, "batch_size": 32, "lr": 0.003},
        ),
    ),
    "Keras RS two-tower": Rival(
        "keras-rs",
        ("torch==2.13.0", "keras-rs==0.4.0"),
        "keras_rs_two_tower.py",
        {"width": 64, "learning_rate": 0.003},
        tuple(
            {"words": words, "dropout": dropout, "epochs": epochs}
            for words in (False, True)
            for dropout, epochs in ((0.2, 5), (0.5, 20))
        ),
    ),
}


def python_of(rival: Rival, envs: pathlib.Path) -> pathlib.Path:
    """The interpreter of its environment, which is made where it is not whole."""
    place = envs / rival.environment
    python, stamp = place / "bin" / "python", place / "requirements.txt"
    wanted = "\n".join(rival.requirements)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        click.echo(f"{rival.environment}: installing {', '.join(rival.requirements)}")
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        for requirement in rival.requirements:
            subprocess.run([python, "-m", "pip", "install", "-q", requirement], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def write_task(folder: pathlib.Path, queries: Any) -> None:
    """Writes what a rival may know at the moment of the queries, and the pairs to rank."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, lists = queries.corpus, queries.truth
    users = encoded_names(corpus.users, np.arange(len(corpus.users)))
    tags = encoded_names(corpus.hashtags, np.arange(len(corpus.hashtags)))
    with (folder / "posts.jsonl").open("w", encoding="utf-8") as file:
        for post in np.sort(queries.episode.history.values).tolist():
            row = {
                "user": users[corpus.user_of_post[post]],
                "text": corpus.messages[corpus.message_of_post[post]],
                "hashtags": [tags[tag] for tag in corpus.hashtags_of_post(post)],
            }
            file.write(json.dumps(row) + "\n")
    with (folder / "lists.tsv").open("w", encoding="utf-8") as file:
        for user, tag in zip(lists.user_of_value, lists.hashtags.values, strict=True):
            file.write(f"{users[user]}\t{tags[tag]}\n")


def run_script(
    rival: Rival, python: pathlib.Path, data: pathlib.Path, out: pathlib.Path, point: Any, seed: int
) -> None:
    """Runs a rival's script, alone on its environment; leaves its run, seconds and memory."""
    settings, kept = json.dumps({**rival.fixed, **point}), out / "settings.json"
    if kept.is_file() and kept.read_text(encoding="utf-8") == settings:
        return
    shutil.rmtree(out, ignore_errors=True)
    (out / "sampled").mkdir(parents=True)
    command = [str(python), str(HERE / rival.script), str(data), str(out), settings, str(seed)]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    started = time.monotonic()
    with (out / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=out, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(
            f"{rival.script} ended with {process.returncode}; see {log.name}"
        )
    (out / "run.trec").rename(out / "sampled" / "run.trec")
    cost = {
        **json.loads((out / "memory.json").read_text(encoding="utf-8")),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    write_json(out / "memory.json", cost)
    kept.write_text(settings, encoding="utf-8")  # last: all is there


def figures(queries: Any, run: pathlib.Path) -> dict[str, float]:
    """The metrics of a run."""
    ranking = queries.ranking(queries.scores_of(read_run(run, *queries.names)))
    return {name: float(v.mean()) for name, v in USERS.measure(queries, ranking, (5,)).items()}


def chosen(name: str, rival: Rival, python: pathlib.Path, out: pathlib.Path, valid: Any) -> Any:
    """The point with the highest MAP on valid; writes all to chosen.json."""
    tried = []
    for number, point in enumerate(rival.points):
        place = out / name / "valid" / str(number)
        run_script(rival, python, out / "data" / "valid", place, point, 0)
        tried.append({"settings": point, **figures(valid, place / "sampled" / "run.trec")})
        click.echo(f"{name}, valid: {point} MAP {tried[-1]['MAP']:.4f}")
    tried.sort(key=lambda each: -each["MAP"])
    write_json(out / name / "chosen.json", {"fixed": rival.fixed, "tried": tried})
    return tried[0]["settings"]


def table(found: Any, out: pathlib.Path, points: dict[str, Any]) -> str:
    """The comparison as Markdown: figures, cost, and the slices where little is known."""
    slices = [s for s in next(iter(found.beside.values())) if s != "beyond"]
    sizes = {s: int(next(iter(found.beside.values()))[s]["users"]) for s in slices}
    head = [*METRICS, *(f"MAP, {s} ({sizes[s]:,})" for s in slices)]
    head += ["fit, s", "rank, s", "CPU, s", "peak, MiB"]
    lines = ["| system | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for name, row in found.ranked.items():
        cells = [
            f"{row.means[m]:.4f}" + (f" ± {row.deviations[m]:.4f}" if row.deviations else "")
            for m in METRICS
        ]
        cells = [
            cell + ("\\*\\*" if m in row.against and row.against[m].p_value < 0.01 else "")
            for cell, m in zip(cells, METRICS, strict=True)
        ]
        cells += [f"{found.beside[name][s]['MAP']:.4f}" for s in slices]
        times, costs = found.times[name], found.files_of(name, "memory.json").values()
        cpu = [json.loads(path.read_text())["cpu_seconds"] for path in costs if name in points]
        cells += [f"{times[s]:.1f}" if s in times else "" for s in ("fit", "rank")]
        cells.append(f"{np.mean(cpu):.0f}" if cpu else "")
        cells.append(f"{found.memory[name]:,.0f}" if name in points else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"- {name}: {json.dumps(point)}" for name, point in points.items()]
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("corpus", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--envs",
    default=pathlib.Path.home() / ".cache" / "tfhashtag-rivals",
    show_default=True,
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="Folder of the virtual environments.",
)
@click.option("--ours", type=click.Path(exists=True, file_okay=False), help="A trained run.")
@click.option("--only", multiple=True, type=click.Choice(list(RIVALS)), help="Some of the rivals.")
def main(corpus, out, seeds, envs, ours, only):
    """Chooses settings on valid, ranks test, compares."""
    posts, data = read_corpus(corpus), load_settings(OURS).data
    queries = {s: USERS.queries(posts, data, s, "sampled", 0) for s in (Split.VALID, Split.TEST)}
    for split, asked in queries.items():
        write_task(out / "data" / split.name.lower(), asked)
    points = {}
    for name in only or RIVALS:
        rival = RIVALS[name]
        python = python_of(rival, envs.absolute())
        points[name] = chosen(name, rival, python, out.absolute(), queries[Split.VALID])
        runs = out.absolute() / name / "test"
        for seed in range(seeds if rival.drawn else 1):
            place = runs / f"seed-{seed}" if rival.drawn else runs
            run_script(rival, python, out.absolute() / "data" / "test", place, points[name], seed)
    runs = [f"{name}={out / name / 'test'}" for name in points]
    if ours is not None:
        if not (out / "ours" / "sampled" / "metrics.json").is_file():
            door.load(ours).evaluate(split="test", protocol="sampled", out=out / "ours" / "sampled")
        runs.append(f"{OURS}, ours={out / 'ours'}")
    against = runs[-1].partition("=")[0]
    try:
        found = door.compare(
            OURS, corpus, out / "comparison", systems=PLAIN, seeds=seeds, runs=runs,
            against=against, say=click.echo, apart=False,
        )  # fmt: skip
        found.check()
    except TfHashtagError as error:
        raise click.ClickException(str(error)) from error
    text = table(found, out, points)
    (out / "rivals.md").write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
