"""One self-contained page: a template, its styles inside, nothing loaded from anywhere."""

import importlib.resources
import os
from collections.abc import Mapping
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer

_TEMPLATES = "tfhashtag.comparison"


def check_report() -> None:
    """Refuses to begin what would end without its report.

    Raises:
        ArtifactError: Jinja is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise ArtifactError(
            "the report needs Jinja; install it with `pip install 'tfhashtag[report]'`."
        ) from error


def write_report(path: str | os.PathLike, template: str, values: Mapping[str, Any]) -> None:
    """Fills in a template beside this module; every value is escaped.

    Args:
        path: of the page; appears whole or not at all.
        template: file name.
        values: names to what the template shows; `styles` is added.
    """
    import jinja2
    import markupsafe

    folder = importlib.resources.files(_TEMPLATES)

    def text(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The style sheet is the package's own file: no value of a user stands in it.
    styles = markupsafe.Markup(text("report.css"))
    page = environment.get_template(template).render(styles=styles, **values)
    with atomic_writer(path) as file:
        file.write(page)
