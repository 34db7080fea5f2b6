"""Which rooms of the code a post passes on its way from a file to an answer.

    python benchmarks/rooms.py

Runs import, encoding, training, evaluation and recommendation of 300 made posts in this process,
and prints the packages and modules whose functions were called.
"""

import json
import pathlib
import sys
import tempfile
import threading

from tfhashtag.cli import main as command_line
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.testing.small_world import write_word_encoder

STEPS = (
    ("import", "data import jsonl {work}/posts.jsonl --out {work}/corpus"),
    ("encode", "encode {work}/corpus --text-encoder {work}/words"),
    (
        "train",
        "train phr --data {work}/corpus --out {work}/run --quiet --set text_encoder={work}/words "
        "--set training.epochs=1 --set data.minimum_posts=2",
    ),
    ("eval", "eval {work}/run"),
    ("recommend", "recommend {work}/run --text tea --k 3"),
)


def main():
    """Prints one line a step, and the rooms of all steps."""
    with tempfile.TemporaryDirectory() as folder:
        walk(pathlib.Path(folder))


def walk(work):
    """All steps in a folder."""
    write_posts(work / "posts.jsonl")
    write_word_encoder(work / "words")
    root = pathlib.Path(command_line.__file__).parent.parent
    seen: dict[str, None] = {}

    def note(frame, event, argument):
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(str(root)) and "/.venv/" not in name:
            seen[str(pathlib.Path(name).relative_to(root))] = None

    total: dict[str, None] = {}
    for name, line in STEPS:
        seen.clear()
        sys.setprofile(note)
        threading.setprofile(note)
        try:
            command_line.main(line.format(work=work).split())
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        modules = [path for path in seen if not path.startswith(("tests", "benchmarks"))]
        rooms = dict.fromkeys(str(pathlib.Path(path).parent) for path in modules)
        total |= dict.fromkeys(modules)
        print(f"{name}: {len(modules)} modules in {len(rooms)} rooms: {', '.join(sorted(rooms))}")
    rooms = dict.fromkeys(str(pathlib.Path(path).parent) for path in total)
    print(f"all: {len(total)} modules in {len(rooms)} rooms")


def write_posts(path):
    """A file of made posts."""
    corpus = synthetic_corpus(300, 20, 0)
    rows = (
        {
            "id": corpus.post_ids[post],
            "user": corpus.users[corpus.user_of_post[post]],
            "text": corpus.messages[corpus.message_of_post[post]],
            "hashtags": [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)],
        }
        for post in range(len(corpus))
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
