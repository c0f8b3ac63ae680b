"""The plane of an image that is looked at is near the middle, and shows something."""

import numpy as np
import pytest

from napari_sr.training.data.image_planes import planes_by_image
from napari_sr.training.data.images import training_images
from napari_sr.training.data.plane_pairs import make_plane_pairs
from napari_sr.training.recipe import Data, Degradation

LEFT, RIGHT = np.s_[:24, :24], np.s_[:24, 24:]


@pytest.fixture
def planes(textured):
    """Five planes: the middle one shows something at the upper left, the one after it at the right, the others do not.

    The last one shows something everywhere.
    """
    stack = np.full((5, 96, 96), 9, np.uint8)
    stack[2, :48, :48] = textured(48, 48, 2)
    stack[3, :, 48:] = textured(96, 48, 3)
    stack[4] = textured(96, 96, 4)
    images = training_images([stack], 2)
    pairs, _ = make_plane_pairs(images, 2, Data(), Degradation(), "gray")
    return planes_by_image(images, pairs)[0]


@pytest.mark.parametrize(("part", "number"), [(LEFT, 2), (RIGHT, 3), (np.s_[24:, :20], 4), (np.s_[:, :], 2)])
def test_the_plane_nearest_to_the_middle_that_shows_something_is_chosen(planes, part, number):
    pair, spread = planes.middle(0, 0.1, part)
    assert pair is planes.pairs[number]
    assert spread == planes.spreads[number]


def test_the_middle_plane_is_chosen_where_none_shows_enough(planes):
    assert planes.middle(0, 100.0)[0] is planes.pairs[2]


def test_each_image_has_its_own_planes_at_its_own_largest_size(textured):
    high = textured(seed=1)
    images = training_images([textured(192, 192), (high[::2, ::2].copy(), high)], 2)
    pairs, _ = make_plane_pairs(images, 2, Data(sizes=(0.5, 0.25)), Degradation(), "gray")
    alone, paired = planes_by_image(images, pairs)
    assert [pair.size for pair in alone.pairs] == [0.5, 0.25]
    assert (alone.largest, paired.largest) == (0.5, 1.0)
