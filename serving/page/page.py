"""The files of the page and what it reads of the server, beside the REST API."""

import hashlib
import json
import pathlib
from collections.abc import Callable

from tfhashtag.serving.page.model_list import model_list
from tfhashtag.serving.rest.rest_answer import JSON, RestAnswer
from tfhashtag.serving.versions.model_store import ModelStore

MODELS_PATH = "/page/models"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing within the HTML, no text that becomes code, in nobody's frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
)

_Answer = Callable[[str, str, bytes], RestAnswer]


class Page:
    """Answers `/`, the files below `/page/` and `/page/models`; the rest is the REST API's.

    The page is plain files: HTML, CSS and JavaScript modules, without a build and without any
    other host. It asks the REST API as every client does; `/page/models` tells it which models
    there are, with their cards.

    Args:
        store: the loaded models.
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        folder = pathlib.Path(__file__).parent
        files = {path.name: path for path in folder.iterdir() if path.suffix in _TYPES}
        self._files = {
            f"/page/{name}": _answer(path.read_bytes(), _TYPES[path.suffix])
            for name, path in files.items()
        }
        self._files["/"] = self._files.pop("/page/index.html")

    def around(self, answer: _Answer) -> _Answer:
        """The same function of verb, path and body, with the page before it.

        Args:
            answer: of the REST API.
        """

        def with_page(verb: str, path: str, body: bytes) -> RestAnswer:
            if verb not in ("GET", "HEAD"):
                return answer(verb, path, body)
            if path == MODELS_PATH:
                return _answer(json.dumps(model_list(self._store)).encode(), JSON)
            return self._files.get(path) or answer(verb, path, body)

        return with_page


def _answer(body: bytes, content_type: str) -> RestAnswer:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return RestAnswer(200, body, content_type, (*_HEADERS, (b"etag", tag.encode())))
