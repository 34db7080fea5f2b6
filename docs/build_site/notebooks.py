"""Notebooks, executed and written as pages."""

import hashlib
import os
import pathlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import nbclient
import nbformat

ROOT = pathlib.Path(__file__).parent.parent.parent
_CODE = ("tfhashtag", "cli", "serving", "configs")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def executed(notebooks: list[pathlib.Path], folder: pathlib.Path) -> dict[str, str]:
    """A page for each notebook, with the outputs of running it now.

    Runs side by side, each in an empty folder. What was executed is kept under `folder` for as long
    as neither the notebook nor the code changes, so that a look at the pages need not wait.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda path: _executed(path, folder), notebooks))
    return {
        f"tutorials/{path.stem}.md": _page(notebook, path)
        for path, notebook in zip(notebooks, done, strict=True)
    }


def _executed(path, folder):
    source = path.read_bytes()
    kept = folder / f"{path.stem}-{_digest(source)}.ipynb"
    if kept.is_file():
        return nbformat.read(kept, as_version=4)
    notebook = nbformat.reads(source.decode("utf-8"), as_version=4)
    work = folder / path.stem
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "COLUMNS": "88",
    }
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(work)}}
    )
    client.execute(env=env)
    for old in folder.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    nbformat.write(notebook, kept)
    shutil.rmtree(work)
    return notebook


def _digest(source):
    """Of the notebook and of all the code that it may run."""
    digest = hashlib.sha256(source)
    for name in _CODE:
        for file in sorted((ROOT / name).rglob("*")):
            if file.suffix in (".py", ".yaml"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _page(notebook, path):
    """The notebook in Markdown; outputs stand beneath the cells that made them."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code" and "hidden" not in cell.metadata.get("tags", ()):
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown for output in cell.outputs if (shown := _output(output))]
    parts.append(
        f"---\n\nThis page is a notebook that ran when the site was built: "
        f"[{path.name}]({path.name})."
    )
    return "\n\n".join(parts) + "\n"


def _output(output):
    if output.output_type == "stream":
        return _printed(output.text)
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="output-html" markdown="0">\n{_dense(data["text/html"])}\n</div>'
    if "image/svg+xml" in data:
        return f'<div class="output-html" markdown="0">\n{_dense(data["image/svg+xml"])}\n</div>'
    if "image/png" in data:
        return f'![output](data:image/png;base64,{data["image/png"].strip()})'
    return _printed(data.get("text/plain", ""))


def _printed(text):
    """What a terminal would show at the end: colours out, rewritten lines as they were last."""
    lines = [line.rpartition("\r")[2].rstrip() for line in _COLOUR.sub("", text).split("\n")]
    shown = "\n".join(lines).strip("\n")
    return f'```{{ .text .output }}\n{shown}\n```' if shown.strip() else ""


def _dense(html):
    """HTML without empty lines, at which Markdown would stop reading it as HTML."""
    return "\n".join(line for line in html.splitlines() if line.strip())
