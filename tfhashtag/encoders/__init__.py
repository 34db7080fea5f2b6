"""Text and image encoders, and the cache of their vectors."""

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
