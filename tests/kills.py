"""Kills commands at random points, again and again: is what stood there whole, does it go on?

    python tests/kills.py --kills 100 import encode train export tune update forget
    make test-kill

A command is run once to its end: what it leaves is the right result. Then it is killed (SIGKILL)
after a random part of that time, in a folder of its own, and after each kill:

- what it reads is as it was, and what it leaves under its final name is whole and right, or absent;
- the same command, given again, comes to the right result;
- then nothing else lies there, hidden or not.

Commands run in forks of a process that has the libraries loaded, so that the time in which they are
killed is that of their work. Prints a line a command and, with --out, writes the figures as JSON.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any

ROOT = pathlib.Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "recommenders" / "toy")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

LOCKS = {".lock"}
GONE = "somebody-who-goes"
AUDIENCE = """model: audience
text_encoder: words  # in the folder in which the command runs
data: {taste_width: 6}
network: {members: 1, hidden: [4]}
training: {epochs: 3, futures: [[0.6, 1.0]], refit: false}
"""
TUNED = """model: collaborative
tune:
  training.factors: {low: 2, high: 16}
"""


class Case:
    """A command and what it must leave.

    Args:
        name: of the command.
        prepare: fills an empty folder with what the command reads.
        run: the command, in that folder.
        right: what the result is, from the folder; raises where it is not whole; None for none yet.
        reads: names in the folder that must stay as they are.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[pathlib.Path], None],
        run: Callable[[pathlib.Path], None],
        right: Callable[[pathlib.Path], Any],
        reads: tuple[str, ...],
    ) -> None:
        self.name, self.prepare, self.run, self.right, self.reads = name, prepare, run, right, reads


def digest(path: pathlib.Path) -> str:
    """Of a file, or of all files of a folder but locks."""
    found = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file.name not in LOCKS:
            found.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return found.hexdigest()


def names(folder: pathlib.Path) -> set[str]:
    """Every file and folder, hidden or not; names that differ from run to run are made equal."""
    return {
        str(path.relative_to(folder)).split("events.out")[0]
        for path in folder.rglob("*")
        if path.name not in LOCKS
    }


def in_fork(
    run: Callable[[pathlib.Path], None], folder: pathlib.Path, kill_after: float | None
) -> str:
    """`done`, `killed`, or what the run failed with."""
    log = folder.parent / "fork.log"
    pid = os.fork()
    if pid == 0:
        os.setsid()
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            os.chdir(folder)
            run(folder)
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group of its own
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    return "done" if os.WEXITSTATUS(status) == 0 else log.read_text()[-2000:]


def study(case: Case, kills: int, seed: int, scratch: pathlib.Path) -> dict[str, Any]:
    """Figures of a command; faults are told at once."""
    source = scratch / "source"
    source.mkdir()
    ended = in_fork(case.prepare, source, None)
    if ended != "done":
        raise SystemExit(f"{case.name}: cannot be prepared: {ended}")
    reads = {name: digest(source / name) for name in case.reads}
    times = []
    for attempt in range(2):  # the first fills caches
        clean = scratch / f"clean{attempt}"
        shutil.copytree(source, clean)
        started = time.monotonic()
        ended = in_fork(case.run, clean, None)
        times.append(time.monotonic() - started)
        if ended != "done":
            raise SystemExit(f"{case.name}: fails without any kill: {ended}")
    wanted, whole = case.right(clean), names(clean)
    draw = random.Random(seed)
    found = {"kills": 0, "ended before": 0, "litter before the repeat": 0, "seconds": times[-1]}
    faults: list[str] = []
    while found["kills"] < kills:
        place = scratch / "place"
        shutil.copytree(source, place)
        after = draw.uniform(0.0, times[-1])
        ended = in_fork(case.run, place, after)
        if ended != "killed":
            found["ended before"] += 1
            if ended != "done":
                faults.append(f"failed at once: {ended}")
                break
            shutil.rmtree(place)
            continue
        found["kills"] += 1
        head = f"{case.name}, kill {found['kills']} after {after:.2f} s"
        faults += [f"{head}: {what}" for what in after_kill(case, place, reads, wanted)]
        found["litter before the repeat"] += bool(names(place) - whole)
        ended = in_fork(case.run, place, None)
        if ended != "done":
            faults.append(f"{head}: the repeat fails: {ended}")
        else:
            if (repeated := case.right(place)) != wanted:
                faults.append(f"{head}: the repeat gives {repeated}, not {wanted}")
            if litter := names(place) - whole:
                faults.append(f"{head}: left for good: {sorted(litter)[:5]}")
        shutil.rmtree(place)
    for fault in faults[:5]:
        print(fault, flush=True)
    return {**found, "faults": len(faults)}


def after_kill(case: Case, place: pathlib.Path, reads: dict[str, str], wanted: Any) -> list[str]:
    """What is wrong right after a kill."""
    faults = [
        f"`{name}` was changed" for name, sum_ in reads.items() if digest(place / name) != sum_
    ]
    try:
        left = case.right(place)
    except Exception as error:
        return [*faults, f"the result is not whole: {error!r}"]
    if left is not None and left != wanted:
        faults.append(f"a result that is wrong: {left}")
    return faults


def cases() -> list[Case]:
    """The commands at small size."""
    return [
        Case("import", posts_file, import_posts, corpus_digest, ("posts.csv",)),
        Case("encode", encoded_or_not(False), encode, vectors_digest, ("words",)),
        Case("train", trainable, train, run_digest, ("corpus", "c.yaml")),
        Case("export", trained, export, versions_of, ("run/weights", "run/data", "models/m/1")),
        Case("tune", tunable, tune, best_of, ("corpus", "c.yaml")),
        Case("update", updatable, update, state_of(1), ("run/weights", "run/run.json")),
        Case("forget", updated, forget, state_of(1, GONE), ("corpus", "words")),
    ]


def posts_file(folder: pathlib.Path) -> None:
    from tfhashtag.corpus.synthetic import synthetic_corpus

    corpus = synthetic_corpus(1500, 60, 0)
    lines = ["user,text,hashtags"]
    for post in range(len(corpus)):
        tags = " ".join(corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post))
        text = corpus.messages[corpus.message_of_post[post]].replace('"', "")
        lines.append(f'{corpus.users[corpus.user_of_post[post]]},"{text}",{tags}')
    (folder / "posts.csv").write_text("\n".join(lines) + "\n")


def import_posts(folder: pathlib.Path) -> None:
    import tfhashtag as th

    if not (folder / "corpus").exists():
        th.import_posts(folder / "posts.csv", folder / "corpus")


def corpus_digest(folder: pathlib.Path) -> Any:
    from tfhashtag.corpus.store import read_corpus

    return read_corpus(folder / "corpus").digest if (folder / "corpus").exists() else None


def encoded_or_not(encoded: bool) -> Callable[[pathlib.Path], None]:
    def prepare(folder: pathlib.Path) -> None:
        from tfhashtag.corpus.store import write_corpus
        from tfhashtag.corpus.synthetic import synthetic_corpus
        from tfhashtag.testing.small_world import write_word_encoder

        write_corpus(synthetic_corpus(600, 30, 0), folder / "corpus")
        write_word_encoder(folder / "words")
        if encoded:
            encode(folder)

    return prepare


def encode(folder: pathlib.Path) -> None:
    import tfhashtag as th

    th.encode(folder / "corpus", "words", progress=False, batch_tokens=64)


def vectors_digest(folder: pathlib.Path) -> Any:
    from tfhashtag.corpus.store import read_corpus

    read_corpus(folder / "corpus")  # is whole
    finished = sorted((folder / "corpus").glob("*embeddings/*/[!.]*/meta.json"))
    sums = [hashlib.sha256((m.parent / "vectors.npy").read_bytes()).hexdigest() for m in finished]
    return sums if len(sums) == 2 else None


def trainable(folder: pathlib.Path) -> None:
    encoded_or_not(True)(folder)
    (folder / "c.yaml").write_text(AUDIENCE)


def train(folder: pathlib.Path) -> None:
    from tfhashtag.runs.train import train as train_run
    from tfhashtag.training.options import TrainingOptions

    options = TrainingOptions(progress=False)
    train_run(folder / "c.yaml", folder / "corpus", folder / "run", resume=True, options=options)


def run_digest(folder: pathlib.Path) -> Any:
    from tfhashtag.runs.run import Run

    if not (folder / "run").exists():
        return None
    run = Run.open(folder / "run")
    if not run.complete:
        return None
    with __import__("numpy").load(run.weights / "model.npz") as arrays:
        found = hashlib.sha256()
        for name in sorted(arrays.files):
            found.update(name.encode() + arrays[name].tobytes())
    return found.hexdigest()


def trained(folder: pathlib.Path) -> None:
    encoded_or_not(True)(folder)
    (folder / "c.yaml").write_text("model: toy\ntext_encoder: words\n")
    train(folder)
    export(folder)


def export(folder: pathlib.Path) -> None:
    """The next version, unless a second one is there: a repeat after a kill makes no third."""
    import tfhashtag as th

    if not (folder / "models" / "m" / "2").is_dir():
        th.load(folder / "run").export(folder / "models" / "m", check=False)


def versions_of(folder: pathlib.Path) -> Any:
    found = sorted(path for path in (folder / "models" / "m").iterdir() if path.name.isdigit())
    for version in found:
        for name in ("saved_model.pb", "assets.extra/signatures.json", "variables/variables.index"):
            if not (version / name).is_file():
                raise ValueError(f"{version}: no {name}")
    return [path.name for path in found] if len(found) == 2 else None


def tunable(folder: pathlib.Path) -> None:
    from tfhashtag.corpus.store import write_corpus
    from tfhashtag.corpus.synthetic import synthetic_corpus

    write_corpus(synthetic_corpus(400, 20, 0), folder / "corpus")
    (folder / "c.yaml").write_text(TUNED)


def tune(folder: pathlib.Path) -> None:
    from tfhashtag.tuning import tune as tune_settings

    tune_settings(folder / "c.yaml", folder / "corpus", folder / "out", trials=5, apart=False)


def best_of(folder: pathlib.Path) -> Any:
    path = folder / "out" / "tuning.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    return found["best"], [(one["trial"], one["figures"], one["settings"]) for one in
                           found["trials"]]  # fmt: skip


def updatable(folder: pathlib.Path) -> None:
    trainable(folder)
    train(folder)


def update(folder: pathlib.Path) -> None:
    """Posts of somebody known and of somebody new, with texts and a hashtag that are new."""
    import tfhashtag as th

    posts = [
        {
            "id": f"new {n}",
            "user": user,
            "text": f"what is new {n}",
            "hashtags": ["brandnew"],
            "timestamp": 1_900_000_000 + n,
        }
        for n in range(20)
        for user in [("user0001", GONE)[n % 2]]
    ]
    th.load(folder / "run").update(posts)


def updated(folder: pathlib.Path) -> None:
    updatable(folder)
    update(folder)


def forget(folder: pathlib.Path) -> None:
    import tfhashtag as th
    from tfhashtag.runs.forget import NothingToForgetError

    with contextlib.suppress(NothingToForgetError):  # a repeat after a kill at the very end
        th.forget(folder / "run", user=GONE)


def state_of(number: int, gone: str | None = None) -> Callable[[pathlib.Path], Any]:
    """What a run holds in a state, without somebody; None while it is as it was, and whole."""

    def right(folder: pathlib.Path) -> Any:
        from tfhashtag.runs.run import Run

        run = Run.open(folder / "run")
        texts, known = run.data.texts, run.corpus.users
        if len(texts) != len(run.corpus.messages) or not run.complete:
            raise ValueError("a run that is not whole")
        if run.state != number or gone in known:
            return None
        if gone is not None:
            for file in (folder / "run").rglob("*"):
                if file.is_file() and gone.encode() in file.read_bytes():
                    raise ValueError(f"{file} names {gone}")
        found = hashlib.sha256(texts.tobytes())
        weights = digest(run.weights)
        return [run.state, run.corpus.digest, known, found.hexdigest(), weights]

    return right


class ToyPoint:
    """What an installed package's entry point is to the registry."""

    dist, value = None, "tfhashtag_toy"

    def load(self) -> Any:
        from tfhashtag_toy import ToyRecommender

        return ToyRecommender


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Kills commands at random points.")
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="default: all")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="JSON of the figures")
    given = parser.parse_args()
    import keras_hub
    import pandas  # noqa: F401
    import tensorflow as tf  # noqa: F401

    import tfhashtag.tuning
    from tfhashtag.recommenders import registry

    assert keras_hub and tfhashtag.tuning
    registry._others = lambda: {"toy": ToyPoint()}  # type: ignore[assignment, dict-item]
    results = {}
    for case in cases():
        if given.commands and case.name not in given.commands:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            results[case.name] = study(case, given.kills, given.seed, pathlib.Path(scratch))
        print(case.name, json.dumps(results[case.name]), flush=True)
        if given.out:
            given.out.write_text(json.dumps(results, indent=2) + "\n")
    if any(found["faults"] for found in results.values()):
        raise SystemExit("what was killed was not mended; see above")


if __name__ == "__main__":
    main()
