"""Which rooms of the code a post passes on its way from a file to an answer.

    python -m benchmarks.rooms WORK

Runs import, encoding, training, evaluation and recommendation of a small made corpus of posts in
this process, and prints the packages and modules whose functions were called.
"""

import pathlib
import sys
import threading

from tfhashtag.cli import main as command_line

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
    work = pathlib.Path(sys.argv[1])
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


if __name__ == "__main__":
    main()
