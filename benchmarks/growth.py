"""What each step costs as a corpus grows: wall, CPU seconds and peak memory of every command.

python benchmarks/growth.py --posts 10000 100000 [--config posts --stages import encode train]
    [--asks users-asked] [--set KEY=VALUE] [--work FOLDER] [--out docs/results]
python benchmarks/growth.py --posts 10000 100000 --config engagement --stages train update forget

Corpora are made in the shape of the Twitter data: 13.2 posts a user, 0.66 hashtags a post, both
with Zipf's tails and growing with the posts; texts are words of a theme and common ones; a tenth
repeats another; every post has likes. Their vectors come from a cheap encoder (the mean of 384
hashed numbers a word), so that encoding does not drown the rest. Every stage is the command that a
person would type, in a process of its own; its figures are those that the kernel keeps of the
process and its children. `query` asks a trained run in one process, a question at a time, and tells
the median. `update` takes 1,000 new posts into a copy of the run, a fifth of them by new users and
a twentieth with a new hashtag; `forget` takes a user out of another copy.

Results are kept in `FOLDER/growth.json`, stage by stage, so that sizes and stages may be added by a
later call; a stage that is there is not run again (`--again` runs it). With `--out` the table and
the figure of all that is there are written: `growth-table.md` and `growth.png`.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

OF_CORPUS = ("import", "statistics", "encode")
STAGES = (*OF_CORPUS, "train", "eval", "recommend", "query", "reach", "export", "update", "forget")
TAKE_IN = ("engagement", "posts")  # configurations whose runs can be updated
ROOT = pathlib.Path(__file__).parent.parent
WIDTH, BUCKETS = 384, 1 << 16
QUERIES, ASKED, NEW = 1000, 100, 1000
COMMAND = [sys.executable, "-c", "from tfhashtag.cli.main import main; main()"]


def make_posts(path, posts, seed=0):
    """Writes `posts` posts as JSON lines, a block at a time."""
    rng = np.random.default_rng(seed)
    came = np.random.default_rng(seed + 1)  # of what came of posts, which changes nothing else
    users, hashtags, themes = round(posts / 13.2), round(posts * 0.66), max(20, posts // 500)
    words = max(3000, posts // 4)
    # Weights fall as a power of the rank; every rank has its chance.
    heavy = 1 / np.arange(1, users + 1) ** 0.7
    heavy = np.cumsum(heavy / heavy.sum())
    tags = 1 / np.arange(1, hashtags + 1) ** 0.9
    tags = np.cumsum(tags / tags.sum())
    said = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(posts):
            user = int(np.searchsorted(heavy, rng.random()))
            theme = (user * 7 + int(rng.integers(0, 3))) % themes
            if said and rng.random() < 0.1:
                text = said[int(rng.integers(0, len(said)))]
            else:
                own = (theme * 31 + rng.integers(0, 40, 7)) % words
                common = (words * rng.random(4) ** 3).astype(int)
                text = " ".join(f"w{word}" for word in [*own, *common])
                if len(said) < 10_000:
                    said.append(text)
            count = 1 + int(rng.random() < 0.5)
            # Half of the hashtags are of the theme, half are anybody's.
            names = [
                (theme * 13 + int(rng.integers(0, 12))) % hashtags
                if rng.random() < 0.5
                else int(np.searchsorted(tags, rng.random()))
                for _ in range(count)
            ]
            post = {
                "id": str(number),
                "user": f"u{user}",
                "text": text,
                "hashtags": [f"tag{name}" for name in dict.fromkeys(names)],
                "timestamp": 1_500_000_000 + 60 * number,
                "likes": int(np.exp(came.normal(3 + user % 7 / 2, 1))),
            }
            file.write(json.dumps(post) + "\n")


def make_new_posts(path, posts):
    """Writes `NEW` posts that come after `posts` ones, with texts that are not there."""
    with (path.parent / "posts.jsonl").open() as file, path.open("w") as out:
        for number, line in enumerate(itertools.islice(file, NEW)):
            post = json.loads(line)
            post |= {"id": f"new-{number}", "text": f"{post['text']} new{number}"}
            post["timestamp"] += 60 * posts
            if number % 5 == 0:
                post["user"] = f"newcomer{number % 100}"
            if number % 20 == 0:
                post["hashtags"].append("newtag")
            out.write(json.dumps(post) + "\n")


def make_files(folder, posts, asks):
    """What is missing of the files that the stages read."""
    folder.mkdir(exist_ok=True)
    if not (folder / "posts.jsonl").exists():
        make_posts(folder / "posts.jsonl", posts)
    if not (folder / "new.jsonl").exists():
        make_new_posts(folder / "new.jsonl", posts)
    if not (folder / f"{asks}.jsonl").exists():
        fields = ("user", "text") if asks == "posts-asked" else ("user",)
        with (folder / "posts.jsonl").open() as file:
            some = [json.loads(line) for line in itertools.islice(file, QUERIES)]
        with (folder / f"{asks}.jsonl").open("w") as file:
            file.writelines(json.dumps({k: one[k] for k in fields}) + "\n" for one in some)


def make_encoder(folder):
    """A SavedModel: strings to the mean of hashed vectors of their words."""
    import tensorflow as tf

    class Encoder(tf.Module):
        def __init__(self):
            super().__init__()
            values = np.random.default_rng(0).standard_normal((BUCKETS, WIDTH)) / WIDTH**0.5
            self.table = tf.Variable(values.astype(np.float32), trainable=False)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts):
            words = tf.strings.split(texts)
            buckets = tf.strings.to_hash_bucket_fast(words.flat_values, BUCKETS)
            vectors = words.with_flat_values(tf.gather(tf.convert_to_tensor(self.table), buckets))
            total = tf.reduce_sum(vectors, axis=1)
            return total / tf.cast(tf.maximum(words.row_lengths(), 1), tf.float32)[:, None]

    tf.saved_model.save(Encoder(), str(folder))


def ask(run, queries):
    """Prints the median milliseconds of a question, the first ten of which do not count."""
    from tfhashtag.runs.run import Run

    opened, times = Run.open(run), []
    with open(queries, encoding="utf-8") as file:
        for line in itertools.islice(file, ASKED):
            started = time.perf_counter()
            opened.recommend(**json.loads(line))
            times.append(1000 * (time.perf_counter() - started))
    print(json.dumps({"p50_ms": round(statistics.median(times[10:]), 1)}))


def command_of(stage, folder, encoder, config, sets, asks):
    """The arguments of `tfhashtag` for a stage, and of this file for a query."""
    corpus, run = folder / "corpus", folder / f"run-{config}"
    queries = folder / f"{asks}.jsonl"
    more = [word for one in sets for word in ("--set", one)]
    return {
        "import": ["data", "import", "json", folder / "posts.jsonl", "--out", corpus],
        "statistics": ["data", "stats", corpus],
        "encode": ["encode", corpus, "--text-encoder", encoder, "--quiet"],
        "train": [
            "train", config, "--data", corpus, "--out", run, "--set", f"text_encoder={encoder}",
            "--set", "training.epochs=1", *more,
        ],
        "eval": ["eval", run],
        "recommend": [
            "recommend", run, "--queries", queries, "--out",
            folder / f"answers-{config}.jsonl",
        ],
        "query": ["--ask", run, queries],
        "reach": ["reach", run, "--out", folder / f"reach-{config}"],
        "export": ["export", run, "--out", folder / f"models-{config}", "--no-check"],
        "update": [
            "update", folder / f"updated-{config}", "--posts", folder / "new.jsonl", "--quiet",
        ],
        "forget": ["forget", folder / f"forgotten-{config}", "--user", "u0"],
    }[stage]  # fmt: skip


def left_by(stage, folder, config):
    """What a stage leaves, and what therefore goes before it is run again."""
    names = {
        "import": "corpus",
        "train": f"run-{config}",
        "recommend": f"answers-{config}.jsonl",
        "export": f"models-{config}",
        "update": f"updated-{config}",
        "forget": f"forgotten-{config}",
    }
    return folder / names[stage] if stage in names else None


def run_stage(stage, folder, encoder, config, sets, asks, limit):
    """Runs a command; wall and CPU seconds, peak memory, or how it ended."""
    left = left_by(stage, folder, config)
    if left is not None and left.exists():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if stage in ("update", "forget"):
        shutil.copytree(folder / f"run-{config}", left)
    arguments = [str(word) for word in command_of(stage, folder, encoder, config, sets, asks)]
    program = [sys.executable, __file__] if stage == "query" else COMMAND
    log = folder / f"{stage}.log"
    started = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*program, *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        code = None
        while code is None:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
            elif time.perf_counter() - started > limit:
                process.kill()
                _, _, usage = os.wait4(process.pid, 0)
                code = "time"
            else:
                time.sleep(0.1)
    found = {
        "wall": round(time.perf_counter() - started, 1),
        "cpu": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
        "command": " ".join(["tfhashtag", *arguments]).replace(f"{folder.parent}/", ""),
    }
    if stage == "query" and not code:
        found |= json.loads(log.read_text().strip().splitlines()[-1])
    if code == "time":
        found["failed"] = f"stopped after {limit} s"
    elif code:
        found["failed"] = log.read_text(errors="replace").strip().splitlines()[-1][:200]
    return found


def table_of(results):
    """The Markdown table of all that was run."""
    lines = [
        "| posts | stage | wall s | CPU s | peak MiB | CPU s a thousand posts | p50 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for posts, stages in sorted(results.items(), key=lambda pair: int(pair[0])):
        for name, one in stages.items():
            rate = f"{1000 * one['cpu'] / int(posts):.3f}"
            failed = f" ({one['failed']})" if "failed" in one else ""
            lines.append(
                f"| {int(posts):,} | {name}{failed} | {one['wall']} | {one['cpu']} | "
                f"{one['peak_mib']:,} | {rate} | {one.get('p50_ms', '')} |"
            )
    return "\n".join(lines) + "\n"


def draw(results, path):
    """CPU seconds and peak memory by the number of posts, a line a stage."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    names = list(dict.fromkeys(name for stages in results.values() for name in stages))
    for axes, key, title in (
        (panels[0], "cpu", "CPU seconds"),
        (panels[1], "peak_mib", "peak memory, MiB"),
    ):
        for name in names:
            points = sorted(
                (int(posts), stages[name][key])
                for posts, stages in results.items()
                if name in stages and "failed" not in stages[name]
            )
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel="posts", title=title)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--config", default="phr")
    parser.add_argument("--asks", choices=["posts-asked", "users-asked"], default="posts-asked")
    parser.add_argument("--set", action="append", default=[], help="of the training, key=value")
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("growth"))
    parser.add_argument("--out", type=pathlib.Path, help="folder for the table and the figure")
    parser.add_argument("--limit", type=float, default=480, help="seconds for a stage")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    if arguments.ask:
        ask(*arguments.ask)
        return
    work = arguments.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    encoder = work / "encoder"
    if not encoder.exists():
        # In a process of its own: a child's peak is at least what its parent held when it began.
        maker = multiprocessing.get_context("spawn").Process(target=make_encoder, args=(encoder,))
        maker.start()
        maker.join()
    kept = work / "growth.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for posts in arguments.posts:
        folder = work / str(posts)
        make_files(folder, posts, arguments.asks)
        stages = results.setdefault(str(posts), {})
        for stage in arguments.stages:
            name = stage if stage in OF_CORPUS else f"{stage} {arguments.config}"
            if name in stages and not arguments.again:
                continue
            if stage == "update" and arguments.config not in TAKE_IN:
                continue
            asked = arguments.config, arguments.set, arguments.asks, arguments.limit
            stages[name] = run_stage(stage, folder, encoder, *asked)
            kept.write_text(json.dumps(results, indent=2))
            print(posts, name, stages[name], flush=True)
            if "failed" in stages[name]:
                break
    print(table_of(results))
    if arguments.out:
        (arguments.out / "growth-table.md").write_text(table_of(results))
        draw(results, arguments.out / "growth.png")


if __name__ == "__main__":
    main()
