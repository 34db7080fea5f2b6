"""Pages that run: notebooks, and Markdown whose blocks ` ```python run ` and ` ```bash run ` do."""

import hashlib
import os
import pathlib
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import nbclient
import nbformat
from traitlets.config import Config

ROOT = pathlib.Path(__file__).parent.parent.parent
_CODE = ("tfhashtag", "cli", "serving", "configs")
_BLOCK = re.compile(r"^```(python|bash) run ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RICH = '<pre style="white-space:pre;overflow-x:auto'  # text that `rich` shows in a notebook
_WIDGET = "application/vnd.jupyter.widget-view+json"
_BAR = re.compile("━ .*[0-9]+/[0-9]+")  # a progress bar
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def runs(path: pathlib.Path) -> bool:
    """Whether a page is to be executed."""
    if path.suffix == ".ipynb":
        return True
    return path.suffix == ".md" and bool(_BLOCK.search(path.read_text(encoding="utf-8")))


def executed(pages: dict[str, pathlib.Path], folder: pathlib.Path) -> dict[str, str]:
    """Pages with what their code printed now, by their names in the site.

    They run two at a time, each in an empty folder. What was executed is kept under `folder` for as
    long as neither the page nor the code changes, so that a look at the pages need not wait.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda path: _executed(path, folder), pages.values()))
    return {
        name: _page(notebook, path)
        for (name, path), notebook in zip(pages.items(), done, strict=True)
    }


def _executed(path, folder):
    source = path.read_text(encoding="utf-8")
    kept = folder / f"{path.stem}-{_digest(source.encode())}.ipynb"
    if kept.is_file():
        return nbformat.read(kept, as_version=4)
    notebook = (
        nbformat.reads(source, as_version=4) if path.suffix == ".ipynb" else _of_markdown(source)
    )
    work = folder / path.stem
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(":"),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "IPYTHONDIR": str(folder / "ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "COLUMNS": "84",
    }
    with tempfile.TemporaryDirectory() as sockets:  # one for each: kernels run side by side
        channel = {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}
        client = nbclient.NotebookClient(
            notebook,
            timeout=None,  # a busy machine takes its time
            startup_timeout=600,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(work)}},
            config=Config({"ConnectionFileMixin": channel}),
        )
        with (folder / f"{path.stem}.log").open("wb") as notices:  # of TensorFlow's libraries
            client.execute(env=env, stderr=notices)
    for old in folder.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    nbformat.write(notebook, kept)
    shutil.rmtree(work)
    return notebook


def _of_markdown(text):
    """Cells of a page: its text, and the blocks that run."""
    notebook = nbformat.v4.new_notebook()
    end = 0
    for found in _BLOCK.finditer(text):
        language, flags, code = found.groups()
        notebook.cells.append(nbformat.v4.new_markdown_cell(text[end : found.start()].strip()))
        cell = nbformat.v4.new_code_cell(f"%%bash\n{code}" if language == "bash" else code)
        cell.metadata["tags"] = ["raises-exception" if f == "fails" else f for f in flags.split()]
        notebook.cells.append(cell)
        end = found.end()
    notebook.cells.append(nbformat.v4.new_markdown_cell(text[end:].strip()))
    return notebook


def _digest(source):
    """Of a page and of all the code that it may run, this file's included."""
    digest = hashlib.sha256(source + pathlib.Path(__file__).read_bytes())
    for name in _CODE:
        for file in sorted((ROOT / name).rglob("*")):
            if file.suffix in (".py", ".yaml"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _page(notebook, path):
    """In Markdown; what a cell printed stands beneath it, what is hidden ran all the same."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif "hidden" not in cell.metadata.get("tags", ()):
            shell = cell.source.startswith("%%bash\n")
            source = cell.source.removeprefix("%%bash\n").strip()
            parts.append(f"```{'bash' if shell else 'python'}\n{source}\n```")
            parts += _outputs(cell.outputs)
    if path.suffix == ".ipynb":
        parts.append(f"The notebook: [{path.name}]({path.name}). It ran when this site was built.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _outputs(outputs):
    """What a cell gave, in order; what was printed piece by piece is one block."""
    shown, printed = [], ""
    for output in outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            printed += _text(output.text)
        elif data.get("text/html", "").startswith(_RICH) or set(data) == {"text/plain"}:
            printed += _text(data.get("text/plain", "")) + "\n"
        elif _WIDGET not in data and output.output_type != "error":
            shown += [_printed(printed), _drawn(data)]
            printed = ""
    return [block for block in [*shown, _printed(printed)] if block]


def _drawn(data):
    for kind in ("text/html", "image/svg+xml"):
        if kind in data:  # without empty lines, at which Markdown would stop reading it as HTML
            dense = "\n".join(line for line in data[kind].splitlines() if line.strip())
            return f'<div class="output-html" markdown="0">\n{dense}\n</div>'
    kind = next(kind for kind in ("image/png", "image/jpeg") if kind in data)
    return f"![output](data:{kind};base64,{''.join(data[kind].split())})"


def _text(text):
    """What a terminal would show at the end: colours out, rewritten lines as they were last."""
    lines = [line.rpartition("\r")[2].rstrip() for line in _COLOUR.sub("", text).split("\n")]
    return "\n".join(line for line in lines if not _BAR.search(line))


def _printed(text):
    shown = text.strip("\n")
    return f"```{{ .text .output }}\n{shown}\n```" if shown.strip() else ""
