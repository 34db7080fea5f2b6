"""Messages a second of our MiniLM encoder beside sentence-transformers, same weights, same cores.

    python benchmarks/encode_throughput.py FOLDER --peer-python /path/to/python --out result.json

FOLDER holds train.csv, valid.csv and test.csv of the howyoutag data (text first, tab-separated).
The peer's Python needs `sentence-transformers` and PyTorch. The two sides take turns on the same
slices of the texts, so that other load on the machine meets both; while one works the other waits
for its input. A slice holds every n-th text, and each side sees all texts at the end. Loading the
models and one warm-up slice of 256 texts are not counted; tokenising is.

Printed and written: wall and CPU seconds of both sides, over all texts (a text that occurs twice
counts twice for both; ours encodes it once and copies, as `tfhashtag encode` does) and over the
distinct texts alone, and the smallest cosine between the two vectors of a text.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PEER = """
import json, sys, time
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[2]))
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
print("ready", flush=True)
for line in sys.stdin:
    source, target = json.loads(line)
    texts = json.load(open(source, encoding="utf-8"))
    wall, cpu = time.perf_counter(), time.process_time()
    vectors = model.encode(texts, show_progress_bar=False)
    spent = [time.perf_counter() - wall, time.process_time() - cpu]
    np.save(target, vectors)
    print(json.dumps(spent), flush=True)
"""


class Peer:
    """sentence-transformers in a process of its own, asked slice by slice."""

    def __init__(self, python, model, threads, folder):
        self.folder = pathlib.Path(folder)
        # PyTorch's threads would spin between calls and take time from the other side.
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "TOKENIZERS_PARALLELISM": "true",
        }
        self.process = subprocess.Popen(
            [python, "-c", PEER, model, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._expect(lambda line: line.strip() == "ready")

    def _expect(self, wanted):
        for line in self.process.stdout:
            if wanted(line):
                return line
        raise SystemExit("error: the peer's Python ended; has it sentence-transformers and torch?")

    def encode(self, texts):
        """Vectors of texts, wall seconds and CPU seconds."""
        import numpy as np

        source, target = self.folder / "texts.json", self.folder / "vectors.npy"
        source.write_text(json.dumps(texts), encoding="utf-8")
        self.process.stdin.write(json.dumps([str(source), str(target)]) + "\n")
        self.process.stdin.flush()
        wall, cpu = json.loads(self._expect(lambda line: line.startswith("[")))
        return np.load(target), wall, cpu


def read_texts(folder):
    texts = []
    for name in ("train", "valid", "test"):
        with open(pathlib.Path(folder) / f"{name}.csv", encoding="utf-8", newline="\n") as file:
            texts += [line.rstrip("\n").split("\t")[0] for line in file]
    return texts


def main():  # noqa: PLR0915
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--out")
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--limit", type=int, help="only the first N texts")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    from tfhashtag.encoders import load_text_encoder
    from tfhashtag.encoders.minilm import find_minilm

    texts = read_texts(arguments.folder)[: arguments.limit]
    encoder = load_text_encoder("minilm")
    seconds = {side: {kind: [] for kind in ("wall", "cpu")} for side in ("ours", "peer")}
    distinct_ours = distinct_peer = 0.0
    smallest, ratios = 1.0, []
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(arguments.peer_python, str(find_minilm()), arguments.threads, folder)
        peer.encode(texts[:256])
        encoder.encode(texts[:256])
        # Equal texts go into one slice, as they would meet in one run over everything.
        slice_of = {}
        for text in texts:
            slice_of.setdefault(text, len(slice_of) % arguments.slices)
        for number in range(arguments.slices):
            part = [text for text in texts if slice_of[text] == number]
            results = {}
            for side in ("ours", "peer") if number % 2 else ("peer", "ours"):
                if side == "peer":
                    theirs, wall, cpu = peer.encode(part)
                else:
                    start, start_cpu = time.perf_counter(), time.process_time()
                    distinct = list(dict.fromkeys(part))
                    row = {text: index for index, text in enumerate(distinct)}
                    vectors = encoder.encode(distinct)
                    ours = vectors[[row[text] for text in part]]
                    wall = time.perf_counter() - start
                    cpu = time.process_time() - start_cpu
                seconds[side]["wall"].append(wall)
                seconds[side]["cpu"].append(cpu)
                results[side] = wall
            share = len(distinct) / len(part)
            distinct_ours += results["ours"]
            distinct_peer += results["peer"] * share
            ratios.append(results["peer"] / results["ours"])
            norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
            smallest = min(smallest, float(((ours * theirs).sum(axis=1) / norms).min()))
            print(
                f"slice {number + 1}/{arguments.slices}: {len(part)} texts, "
                f"ours {results['ours']:.2f} s, peer {results['peer']:.2f} s, "
                f"ratio {ratios[-1]:.2f}, smallest cosine so far {smallest:.6f}",
                flush=True,
            )
        peer.process.stdin.close()
        peer.process.wait()
    total = {side: {kind: sum(values) for kind, values in both.items()}
             for side, both in seconds.items()}  # fmt: skip
    count = len(texts)
    result = {
        "texts": count,
        "distinct": len(slice_of),
        "threads": arguments.threads,
        "seconds": total,
        "texts_per_second": {side: count / total[side]["wall"] for side in total},
        "ratio_all_texts": total["peer"]["wall"] / total["ours"]["wall"],
        "ratio_distinct_texts": distinct_peer / distinct_ours,
        "ratio_cpu_seconds": total["peer"]["cpu"] / total["ours"]["cpu"],
        "ratio_per_slice": [min(ratios), float(np.median(ratios)), max(ratios)],
        "smallest_cosine": smallest,
        "versions": {"tensorflow": tf.__version__, "python": sys.version.split()[0]},
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        from tfhashtag.files import write_json

        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
