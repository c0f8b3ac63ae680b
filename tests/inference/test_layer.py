"""Results of layers cover the region of the world that their layer covers."""

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer, Points

from napari_sr.errors import InputError
from napari_sr.inference import upscale_layer
from tests.inference.small_models import rrdb


def world_box(layer: Layer) -> np.ndarray:
    """Corners of the pixels' outer edges, in the world."""
    shape = layer.data.shape[:-1] if getattr(layer, "rgb", False) else layer.data.shape
    ends = np.array([(-0.5, n - 0.5) for n in shape])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, len(shape))
    return np.array([layer.data_to_world(corner) for corner in corners])


def test_a_z_stack_covers_the_same_region_with_smaller_pixels() -> None:
    data = np.random.default_rng(0).integers(0, 4000, (3, 16, 20), np.uint16)
    source = Image(data, scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3, translate=(1, 2, 3), name="cells")
    result = Layer.create(*upscale_layer(source, rrdb(4, 1)))
    assert result.data.shape == (3, 64, 80)
    assert result.data.dtype == np.uint16
    assert np.allclose(result.scale, (0.3, 0.025, 0.025))
    assert [str(unit) for unit in result.units] == ["micrometer"] * 3
    assert np.allclose(world_box(result), world_box(source), atol=1e-12)
    assert result.name == "cells (ESRGAN x4)"


@pytest.mark.parametrize("colors", [3, 4])
def test_rgb_layers_stay_rgb(colors: int) -> None:
    data = np.random.default_rng(0).integers(0, 256, (8, 9, colors), np.uint8)
    source = Image(data, rgb=True, scale=(2, 3), rotate=30, shear=[0.2])
    result = Layer.create(*upscale_layer(source, rrdb(2)))
    assert result.rgb
    assert result.data.shape == (16, 18, colors)
    assert np.allclose(world_box(result), world_box(source), atol=1e-10)


def test_the_finest_level_of_a_multiscale_layer_is_upscaled() -> None:
    data = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8)
    source = Image([data, data[::2, ::2]], multiscale=True, scale=(0.5, 0.5))
    result = Layer.create(*upscale_layer(source, rrdb(2, 1)))
    assert not result.multiscale
    assert result.data.shape == (64, 80)
    assert np.allclose(result.scale, (0.25, 0.25))


def test_contrast_limits_can_be_the_intensity_range() -> None:
    data = np.random.default_rng(0).integers(0, 4000, (16, 20), np.uint16)
    source = Image(data, contrast_limits=(100, 3000))
    kwargs: dict[str, Any] = upscale_layer(source, rrdb(2, 1), intensity="contrast")[1]
    assert kwargs["metadata"]["napari_sr"]["intensity"] == {"": (100.0, 3000.0)}


def test_the_layer_is_not_changed() -> None:
    data = np.random.default_rng(0).integers(0, 256, (8, 9), np.uint8)
    source = Image(data.copy(), metadata={"kept": [1]})
    result = Layer.create(*upscale_layer(source, rrdb(2, 1)))
    assert np.array_equal(source.data, data)
    assert source.metadata == {"kept": [1]}
    result.metadata["kept"].append(2)
    assert source.metadata["kept"] == [1]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Labels(np.zeros((4, 4), int), name="mask"), '"mask" is a labels layer: choose an image layer'),
        (Points(np.zeros((4, 2)), name="spots"), '"spots" is a points layer: choose an image layer'),
    ],
)
def test_other_types_of_layers_are_refused_by_name(layer: Layer, message: str) -> None:
    with pytest.raises(InputError, match=message):
        upscale_layer(layer, rrdb(2, 1))


def test_colors_with_five_other_axes_are_refused_with_the_command_that_splits_them() -> None:
    layer = Image(np.zeros((1, 1, 1, 8, 8, 3), np.uint8), rgb=True, name="stained")
    remedy = "choose one with at most 4, or split its colors with Split RGB in its menu"
    with pytest.raises(InputError, match=f'"stained" has 5 dimensions besides its colors: {remedy}'):
        upscale_layer(layer, rrdb(2, 1))
    for color in np.moveaxis(layer.data, -1, 0):
        assert upscale_layer(Image(color), rrdb(2, 1))[0].shape == (1, 1, 1, 16, 16)
