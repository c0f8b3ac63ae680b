"""Copies of layers have the geometry of their layers, in one unit."""

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_sr.errors import InputError
from napari_sr.training.data.images import training_images
from napari_sr.widgets.finetune.curves import smoothed
from napari_sr.widgets.finetune.layer_snapshot import copy_image, copy_shapes
from napari_sr.widgets.finetune.run import FinetunePlan, read_training_images
from napari_sr.widgets.finetune.validation_layers import captioned, stacked

ROTATED = {"scale": (0.2, 0.1), "translate": (3.0, -2.0), "rotate": 30, "shear": [0.3]}


def image(shape=(96, 96), **placed):
    values = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    return Image(values, **{"name": "cells", "units": ("um",) * len(shape), **placed})


def test_a_copy_converts_world_coordinates_as_its_layer():
    affine = np.array([[1.0, 0.2, 5.0], [-0.1, 0.9, 1.0], [0, 0, 1]])
    layer = image(**ROTATED, affine=affine)
    copy = copy_image(layer, tuple(layer.units))
    for point in ((0.0, 0.0), (3.5, -1.0), (-20.0, 8.0)):
        np.testing.assert_allclose(copy.world_to_data(point), layer.world_to_data(point), atol=1e-9)


def test_a_copy_in_another_unit_of_length_has_the_same_position():
    layer = image(**ROTATED)
    nanometer = image(units=("nm", "nm")).units
    copy = copy_image(layer, tuple(nanometer))
    assert [str(unit) for unit in copy.units] == ["nanometer", "nanometer"]
    np.testing.assert_allclose(copy.world_to_data((3500.0, -1000.0)), layer.world_to_data((3.5, -1.0)), atol=1e-9)


def test_pixels_are_not_converted_to_a_length():
    layer = image(units=("pixel", "pixel"), scale=(2.0, 2.0))
    copy = copy_image(layer, tuple(image().units))
    assert [str(unit) for unit in copy.units] == ["pixel", "pixel"]
    np.testing.assert_allclose(copy.scale, (2.0, 2.0))


def test_the_copy_holds_the_same_array():
    layer = image()
    assert copy_image(layer, tuple(layer.units)).data is layer.data


def test_shapes_in_micrometer_mark_an_image_in_nanometer():
    layer = image(units=("nm", "nm"), scale=(10.0, 10.0))
    shapes = Shapes([[(0, 0), (0, 0.475), (0.955, 0.475), (0.955, 0)]], shape_type="rectangle", units=("um", "um"))
    units = tuple(layer.units)
    (taken,) = training_images([copy_image(layer, units)], 2, train_on=copy_shapes(shapes, units))
    assert taken.train_on[:, :47].all()
    assert not taken.train_on[:, 49:].any()


def test_a_pair_in_two_units_is_matched():
    high = image(units=("nm", "nm"), scale=(100.0, 100.0))
    small = high.data.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    low = Image(small, name="low", units=("um", "um"), scale=(0.2, 0.2), translate=(0.05, 0.05))
    units = tuple(high.units)
    (taken,) = training_images([(copy_image(low, units), copy_image(high, units))], 2)
    assert taken.match.shift == pytest.approx((0.0, 0.0), abs=0.2)
    assert (taken.pixel_size, taken.unit) == (pytest.approx(100.0), "nanometer")


def test_a_pair_with_other_axes_is_refused():
    low, high = image((3, 24, 24), name="low"), image((48, 48))
    units = tuple(high.units)
    pairs = ((copy_image(low, units), copy_image(high, units)),)
    with pytest.raises(InputError, match="low has the axes ZYX"):
        read_training_images(FinetunePlan(request=None, base="", recipe=None, pairs=pairs, name="new"), 2)


def test_the_smoothed_loss_is_the_mean_of_the_last_values():
    values = np.arange(100.0)
    np.testing.assert_allclose(smoothed(values)[[0, 4, 99]], (0.0, 2.0, 97.0))
    assert np.isfinite(smoothed(np.array([np.nan, 1.0, 3.0]))[1:]).all()


def test_scenes_of_different_sizes_are_stacked_under_a_caption():
    one, other = np.full((10, 30), 0.5, np.float32), np.ones((6, 12), np.float32)
    whole = stacked([one, other])
    assert whole.shape == (24, 30)
    assert (whole[:10] == 0.5).all()
    assert (whole[18:, :12] == 1).all()
    image = captioned(whole, "now", 0.8)
    np.testing.assert_array_equal(image[-24:], whole)
    assert image[:-24].max() == pytest.approx(0.8, abs=0.1)
