"""How the folders of models are followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Watching:
    """What a `ModelStore` takes of the folders, and when it looks at them again.

    Args:
        versions: of a folder of models: by model name, the versions to load instead of its newest.
        poll_seconds: how often the folders are looked at; 0 for never.
        allow_unavailable_labels: let labels point to versions that are not available, as
            TensorFlow Serving's `--allow_version_labels_for_unavailable_models` does, so that a
            configuration may have some from the beginning.
        unload_missing: unload a model whose folder is gone. Without it the model stays, as with
            TensorFlow Serving: a folder on a network is sometimes out of reach for a moment.
    """

    versions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    poll_seconds: float = 1.0
    allow_unavailable_labels: bool = False
    unload_missing: bool = False
