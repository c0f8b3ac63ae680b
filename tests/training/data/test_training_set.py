"""Patches and validation scenes are made from whatever an image shows, in any data type and on any plane."""

import numpy as np
import pytest

from napari_sr.training.data.images import training_images
from napari_sr.training.data.training_set import make_training_set
from napari_sr.training.recipe import Recipe

RECIPE = Recipe.from_toml(
    """
    seed = 5
    patches = { size = 8, batch = 4 }
    validation = { block = 16, gap = 2 }
    stages = [{ steps = 2, losses = [{ kind = "l1" }] }]
    """
)


def prepared(images, recipe=RECIPE, validation=()):
    images, held = (training_images(group, 2) if group else [] for group in (images, list(validation)))
    return make_training_set(images, held, recipe, scale=2, sizes=(8,), margin=0, color="gray")


@pytest.mark.parametrize(("dtype", "factor"), [(np.float16, 30), (np.float32, 1e22)])
def test_floats_whose_squares_overflow_are_trained_on_as_others_are(textured, dtype, factor):
    image = (textured().astype(dtype) * dtype(factor)).astype(dtype)
    given, usual = prepared([image]), prepared([image.astype(np.float64)])
    assert len(given.patches) == len(usual.patches)
    np.testing.assert_allclose(given.scenes[0].high, usual.scenes[0].high, atol=1e-6)
