"""Text and image encoders, and the embedding cache."""

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.embedding_cache import Embeddings, encode_corpus, load_embeddings
from tfhashtag.encoders.load import load_text_encoder
from tfhashtag.encoders.saved_model_text_encoder import SavedModelTextEncoder
from tfhashtag.encoders.text_encoder import TextEncoder

__all__ = [
    "BackboneTextEncoder",
    "Embeddings",
    "SavedModelTextEncoder",
    "TextEncoder",
    "encode_corpus",
    "load_embeddings",
    "load_text_encoder",
]
