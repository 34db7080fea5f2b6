"""Text and image encoders, and the cache of their vectors."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfhashtag.encoders.backbone_image_encoder import BackboneImageEncoder
    from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
    from tfhashtag.encoders.image_decoding import decode_images
    from tfhashtag.encoders.image_encoder import ImageEncoder
    from tfhashtag.encoders.load import load_image_encoder, load_text_encoder
    from tfhashtag.encoders.pixel_image_encoder import PixelImageEncoder
    from tfhashtag.encoders.saved_model_image_encoder import SavedModelImageEncoder
    from tfhashtag.encoders.saved_model_text_encoder import SavedModelTextEncoder
    from tfhashtag.encoders.text_encoder import TextEncoder
    from tfhashtag.encoders.vector_cache import (
        Embeddings,
        Proposals,
        encode_corpus,
        encode_hashtags,
        encode_images,
        load_embeddings,
        load_hashtag_embeddings,
        load_proposals,
    )

__all__ = [
    "BackboneImageEncoder",
    "BackboneTextEncoder",
    "Embeddings",
    "ImageEncoder",
    "PixelImageEncoder",
    "Proposals",
    "SavedModelImageEncoder",
    "SavedModelTextEncoder",
    "TextEncoder",
    "decode_images",
    "encode_corpus",
    "encode_hashtags",
    "encode_images",
    "load_embeddings",
    "load_hashtag_embeddings",
    "load_image_encoder",
    "load_proposals",
    "load_text_encoder",
]

# KerasHub and TensorFlow Text alone take 150 MB, and who reads vectors has no need of an encoder.
_MODULES = {
    name: module
    for module, names in {
        "backbone_image_encoder": "BackboneImageEncoder",
        "backbone_text_encoder": "BackboneTextEncoder",
        "image_decoding": "decode_images",
        "image_encoder": "ImageEncoder",
        "load": "load_image_encoder load_text_encoder",
        "pixel_image_encoder": "PixelImageEncoder",
        "saved_model_image_encoder": "SavedModelImageEncoder",
        "saved_model_text_encoder": "SavedModelTextEncoder",
        "text_encoder": "TextEncoder",
        "vector_cache": "Embeddings Proposals encode_corpus encode_hashtags encode_images "
        "load_embeddings load_hashtag_embeddings load_proposals",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> Any:
    return sorted([*globals(), *__all__])
