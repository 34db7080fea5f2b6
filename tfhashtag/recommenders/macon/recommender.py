"""MaCon as a recommender."""

import keras

from tfhashtag.recommenders.macon.context import MaconContext
from tfhashtag.recommenders.macon.model import MaconModel
from tfhashtag.recommenders.macon.settings import MaconSettings
from tfhashtag.recommenders.post_network import PostNetworkRecommender


class MaconRecommender(PostNetworkRecommender):
    """Trains `MaconModel` (AAAI 2019), which reads a post and the user's latest posts."""

    Settings = MaconSettings
    settings: MaconSettings
    parts = ("history",)
    Context = MaconContext
    model: MaconModel

    def _new_model(self, labels: int) -> keras.Model:
        return MaconModel(
            labels,
            self._image_width,
            self._vocabulary_size,
            dtype=self.options.dtype_policy,
            name="macon",  # stands in the checkpoint's keys
            **self.settings.network.model_dump(exclude={"pictures"}),
        )
