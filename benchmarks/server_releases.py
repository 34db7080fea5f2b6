"""The operations that each TensorFlow release registers, out of its wheels.

    python -m pip download --no-deps --python-version 3.12 --only-binary=:all: \
        --platform manylinux_2_17_x86_64 -d WHEELS tensorflow-cpu==2.19.1 tensorflow-text==2.19.0
    python benchmarks/server_releases.py WHEELS --out tfhashtag/export/server_releases.json

A stock server is linked with the core operations of its TensorFlow release and with those of TF
Text. For every release of which WHEELS holds `tensorflow_cpu-*.whl`, the libraries of it and of
`tensorflow_text-*.whl` of the same minor release are unpacked, loaded in a fresh process without
Python's part of TensorFlow, and asked for their operations.

A library of TF Text that calls functions which no library of TensorFlow's wheel has (ten of 2.19)
cannot be loaded: it is named and left out. An operation that the releases on both sides have is
taken to be in a release all the same: none leaves for one release and comes back.

The file names the operations that all releases have, and for each other one its releases.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

from tensorflow.core.framework import op_def_pb2

from tfhashtag.export import bare_process

NEEDED = re.compile(
    r"tensorflow/(__init__\.py|libtensorflow_[a-z]+\.so\.2)"
    r"|tensorflow_text/(__init__\.py|python/ops/\w+\.so)"
)
UNUSABLE = re.compile(r"(\S+/tensorflow_text/python/ops/\w+\.so): (.*)")
RELEASE = re.compile(r"tensorflow_(?:cpu|text)-(\d+\.\d+)")


def unpack(wheel, folder):
    """Writes the libraries of a wheel into a folder."""
    with zipfile.ZipFile(wheel) as file:
        for name in filter(NEEDED.fullmatch, file.namelist()):
            file.extract(name, folder)


def operations(wheels):
    """Names of the operations of one release."""
    with tempfile.TemporaryDirectory() as folder:
        for wheel in wheels:
            unpack(wheel, folder)
        out = os.path.join(folder, "list")
        command = [sys.executable, "-P", bare_process.__file__, "ops", out]
        while True:
            done = subprocess.run(
                command, env={"PYTHONPATH": folder}, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                break
            unusable = UNUSABLE.search(done.stderr)
            if unusable is None:
                raise RuntimeError(done.stderr)
            print(f"{os.path.basename(unusable[1])} is left out: {unusable[2]}", file=sys.stderr)
            os.unlink(unusable[1])
        ops = op_def_pb2.OpList.FromString(pathlib.Path(out + ".ops").read_bytes())
    return {op.name for op in ops.op}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    found = {}
    for wheel in sorted(arguments.wheels.glob("tensorflow_*.whl")):
        found.setdefault(RELEASE.match(wheel.name)[1], []).append(wheel)
    releases = sorted(found, key=lambda release: [int(part) for part in release.split(".")])
    ops = {release: operations(found[release]) for release in releases}
    for before, release, after in zip(releases, releases[1:], releases[2:], strict=False):
        ops[release] |= ops[before] & ops[after]
    everywhere = set.intersection(*ops.values())
    others = sorted(set.union(*ops.values()) - everywhere)
    table = {
        "wheels": [wheel.name.rsplit("-cp", 1)[0] for name in releases for wheel in found[name]],
        "releases": releases,
        "everywhere": sorted(everywhere),
        "in_some": {op: [name for name in releases if op in ops[name]] for op in others},
    }
    arguments.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    for release in releases:
        print(release, len(ops[release]))
    print(len(everywhere), "in all,", len(others), "in some:", ", ".join(others))


if __name__ == "__main__":
    main()
