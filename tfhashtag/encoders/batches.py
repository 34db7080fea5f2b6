"""How much an encoder takes at a time where nothing is said; who reads vectors needs no encoder."""

BATCH_TOKENS = 4096
BATCH_IMAGES = 16
