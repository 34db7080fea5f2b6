"""A text encoder from a checkpoint: backbone, tokenizer, and the settings that it declares."""

import functools
import json
import pathlib
import shutil
from typing import Any

import tensorflow as tf

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.bert_normalizer import normalize_bert
from tfhashtag.encoders.bertweet_tokenizer import BertweetTokenizer
from tfhashtag.encoders.hub_access import from_hub
from tfhashtag.encoders.keras_hub_internals import preset_file
from tfhashtag.errors import EncoderError

DEFAULT_LENGTH = 128
_BESIDE = (  # files of a checkpoint that say how texts are read and vectors are made
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "vocab.txt",
    "bpe.codes",
)


def text_checkpoint(
    name: str, source: str, settings: dict[str, Any], ways_out: str
) -> BackboneTextEncoder:
    """The encoder of a Hugging Face or KerasHub checkpoint.

    Args:
        name: of the encoder.
        source: folder, preset or handle.
        settings: `max_length`, `pooling` and `normalize`; None: what the checkpoint declares.
        ways_out: what to do where it cannot be fetched.

    Raises:
        EncoderError: it cannot be loaded.
    """
    import keras_hub

    with from_hub(source, f"Text encoder `{name}`", ways_out):
        backbone = keras_hub.models.Backbone.from_preset(source)
        declared = declared_settings(source)
        tokenize, vocabulary, special_ids = _load_tokenizer(source)
    limit = getattr(backbone, "max_sequence_length", None) or DEFAULT_LENGTH
    settings = {key: value for key, value in settings.items() if value is not None}
    encoder = BackboneTextEncoder(
        backbone,
        tokenize,
        name=name,
        special_ids=special_ids,
        vocabulary=vocabulary,
        **{"max_length": min(DEFAULT_LENGTH, limit), **declared, **settings},
    )
    encoder.save = functools.partial(_save, backbone, source)
    return encoder


def _save(backbone: Any, source: str, folder: pathlib.Path) -> None:
    """Writes a preset of KerasHub, with the tokenizer and what else its checkpoint declares."""
    import keras_hub

    backbone.save_to_preset(str(folder))
    for name in _BESIDE:
        try:
            file = pathlib.Path(preset_file(source, name))
        except FileNotFoundError:
            continue
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / name)
    if not (folder / "bpe.codes").is_file():
        keras_hub.tokenizers.Tokenizer.from_preset(source).save_to_preset(str(folder))


def _optional_json(source: str, path: str) -> Any:
    try:
        file = preset_file(source, path)
    except FileNotFoundError:
        return None
    return json.loads(pathlib.Path(file).read_text(encoding="utf-8"))


def declared_settings(source: str) -> dict[str, Any]:
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


def _load_tokenizer(source: str) -> Any:
    import keras_hub

    published = _optional_json(source, "tokenizer_config.json")
    config = _optional_json(source, "config.json") or {}
    classes = [file.get("tokenizer_class") for file in (published or {}, config)]
    if "BertweetTokenizer" in classes:
        bertweet = BertweetTokenizer(
            preset_file(source, "vocab.txt"), preset_file(source, "bpe.codes")
        )
        special_ids = (bertweet.start_token_id, bertweet.end_token_id, bertweet.pad_token_id)
        return in_graph(bertweet), bertweet.get_vocabulary(), special_ids
    tokenizer = keras_hub.tokenizers.Tokenizer.from_preset(source)
    # Names of layers count up within a process and say nothing about the tokens.
    config = [item for item in tokenizer.get_config().items() if item[0] != "name"]
    vocabulary = [type(tokenizer).__name__, sorted(config, key=str), tokenizer.get_vocabulary()]
    special_ids = (tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.pad_token_id)
    if published is None or not isinstance(tokenizer, keras_hub.tokenizers.BertTokenizer):
        return in_graph(tokenizer), vocabulary, special_ids
    # KerasHub reads `do_lower_case` alone; the checkpoint was trained with the rest as well.
    lowercase = bool(published.get("do_lower_case", True))
    strip_accents = published.get("strip_accents")
    strip_accents = lowercase if strip_accents is None else bool(strip_accents)
    plain = keras_hub.tokenizers.BertTokenizer(
        vocabulary=tokenizer.get_vocabulary(), lowercase=False
    )
    vocabulary.append(("bert", lowercase, strip_accents))

    def tokenize(strings: Any) -> Any:
        return plain(normalize_bert(strings, lowercase, strip_accents))

    return in_graph(tokenize), vocabulary, special_ids


def in_graph(tokenizer: Any) -> Any:
    """KerasHub tokenises eagerly in Python and in the graph with TF Text: always the latter."""

    def tokenize(strings: Any) -> Any:
        if tf.executing_eagerly():
            raise EncoderError("The tokenizer must be called inside a `tf.function`.")
        return tokenizer(strings)

    return tokenize
