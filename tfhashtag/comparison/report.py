"""One self-contained page: a template, its styles inside, nothing loaded from anywhere."""

import importlib.resources
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfhashtag import __version__
from tfhashtag.comparison.beside import beside_section
from tfhashtag.errors import required
from tfhashtag.files import write_text
from tfhashtag.settings import flat

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison


def check_report() -> None:
    """Refuses to begin what would end without its report.

    Raises:
        ArtifactError: Jinja or matplotlib is not installed.
    """
    required("jinja2", "the report needs Jinja", "report")
    required("matplotlib", "the figures need matplotlib", "report")


def write_report(path: str | os.PathLike, found: "Comparison") -> None:
    """Writes the page of a comparison; every value is escaped.

    Args:
        path: of the page; appears whole or not at all.
        found: the comparison.
    """
    render_page(path, "tfhashtag.comparison", _values(found))


def render_page(path: str | os.PathLike, package: str, values: Mapping[str, Any]) -> None:
    """Writes the page of a package's `report.html`, with the styles and macros of all reports.

    Args:
        path: of the page; appears whole or not at all.
        package: dotted name of where the template lies.
        values: of the template; each is escaped.
    """
    import jinja2
    import markupsafe

    def text(name: str) -> str:
        folder = package if name == "report.html" else "tfhashtag.comparison"
        return importlib.resources.files(folder).joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The style sheet is the package's own file: no value of a user stands in it.
    styles = markupsafe.Markup(text("report.css"))
    page = environment.get_template("report.html").render(
        styles=styles, version=__version__, **values
    )
    write_text(path, page)


def _values(found: "Comparison") -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {}
    for table in found.tables:
        of = next(one for one in found.study.tables if table.key.startswith(one.key))
        group = groups.setdefault(of.key, {"key": of.key, "title": of.title, "tables": []})
        group["tables"].append(table.page_values())
    beside = beside_section(found)
    return {
        "study": found.study,
        "corpus": found.corpus.name,
        "facts": found.study.facts(found),
        "headline": found.study.headline(found),
        "failed": found.failed,
        "footnote": found.footnote,
        "groups": list(groups.values()),
        "sections": [*found.study.sections(found), *([beside] if beside else [])],
        "query": f"{found.study.task.query}s",
        "times": _times(found.times, found.memory),
        "elsewhere": [system.name for system in found.settings.systems if system.run],
        "systems": [
            (system, _settings(found.settings[system.name].model_dump()))
            for system in found.settings.systems
            if system.name not in found.settings.missing
        ],
    }


def _settings(settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()
        for key, value in flat(settings).items()
    }


def _times(times: Mapping[str, Mapping[str, float]], memory: Mapping[str, float]) -> dict[str, Any]:
    steps = list(dict.fromkeys(step for parts in times.values() for step in parts))
    rows = [
        [
            name,
            *(f"{part[step]:.0f}" if step in part else "" for step in steps),
            f"{sum(part.values()):.0f}",
            f"{memory[name]:,.0f}" if name in memory else "",
        ]
        for name, part in times.items()
    ]
    total = sum(sum(parts.values()) for parts in times.values())
    head = ["system", *steps, "all", "peak, MiB"]
    return {"head": head, "rows": rows, "minutes": f"{total / 60:.0f}"}
