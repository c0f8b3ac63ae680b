"""Results lie on their source in world coordinates and have its appearance."""

from itertools import product
from math import ceil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.errors import InputError
from napari_sr.imaging.geometry import linear_part, upscaled_transform
from napari_sr.imaging.napari_layer import check_layer, copy_contrast_range, finest_level, layer_axes, upscaled_kwargs
from napari_sr.inference.region import region_of

layers = pytest.importorskip("napari.layers")

UNITS = ("micrometer", "nanometer", "millimeter", "pixel")


def random_rotation(rng, ndim):
    matrix, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    return matrix


def random_shear(rng, ndim):
    upper = np.eye(ndim) + np.triu(rng.uniform(-0.7, 0.7, (ndim, ndim)), 1)
    return upper if rng.random() < 0.5 else upper.T


def random_layer(seed):
    """Draw an Image layer: rotated, sheared, anisotropic, gray or RGB(A), perhaps multiscale, with affine and units."""
    rng = np.random.default_rng(seed)
    ndim = int(rng.integers(2, 6))
    colors = () if rng.random() < 0.6 or ndim == 5 else (int(rng.integers(3, 5)),)
    shape = tuple(int(n) for n in rng.integers(1, 5, ndim - 2)) + tuple(int(n) for n in rng.integers(8, 20, 2))
    data = rng.integers(0, 255, shape + colors, dtype=np.uint8)
    if rng.random() < 0.3:
        data = [data, data[(..., slice(None, None, 2), slice(None, None, 2), *[slice(None)] * len(colors))]]
    affine = np.eye(ndim + 1)
    affine[:-1, :] += rng.normal(0, 0.5, (ndim, ndim + 1))
    rotations = [None, random_rotation(rng, ndim), float(rng.uniform(-180, 180))]
    if ndim >= 3:
        rotations.append(tuple(rng.uniform(-180, 180, 3)))
    return layers.Image(
        data,
        rgb=bool(colors),
        multiscale=isinstance(data, list),
        contrast_limits=(0, 255),
        scale=10 ** rng.uniform(-3, 3, ndim),
        translate=rng.normal(0, 100, ndim),
        rotate=rotations[rng.integers(len(rotations))],
        shear=None if rng.random() < 0.3 else random_shear(rng, ndim),
        affine=None if rng.random() < 0.3 else affine,
        units=rng.choice(UNITS, ndim).tolist(),
    )


def spatial_shape(layer):
    return np.array(finest_level(layer).shape[: layer.ndim])


def to_world(layer, pixels):
    return np.array([layer.data_to_world(pixel) for pixel in pixels])


def world_box(layer, pixels=None, first=0):
    """Return the corners of the outer edges of the pixels in world coordinates."""
    shape = spatial_shape(layer) if pixels is None else np.array(pixels)
    corners = np.array(list(product(*zip(first + np.zeros(len(shape)) - 0.5, first + shape - 0.5, strict=True))))
    return to_world(layer, corners)


def upscaled(layer, factor, axes=None):
    region = region_of(layer_axes(layer, axes), ceil(factor), factors=(factor, factor))
    data = np.zeros(region.shape, np.uint8)
    return layers.Layer.create(data, upscaled_kwargs(layer, region.factors, region.origin), "image")


def relative_difference(new, old):
    return np.abs(new - old).max() / np.ptp(old, axis=0).max()


def test_the_extent_of_random_layers_does_not_move():
    worst = 0.0
    for seed in range(250):
        layer = random_layer(seed)
        result = upscaled(layer, (1, 2, 3, 4, 8)[seed % 5])
        worst = max(worst, relative_difference(world_box(result), world_box(layer)))
        assert result.units == layer.units
        assert result.rgb == layer.rgb
    assert worst < 1e-9


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([2, 3, 4]))
def test_no_point_of_a_random_layer_moves(seed, factor):
    layer = random_layer(seed)
    result = upscaled(layer, factor)
    grown = np.where(np.arange(layer.ndim) >= layer.ndim - 2, factor, 1)
    source = np.random.default_rng(seed).uniform(-0.5, spatial_shape(layer) - 0.5, (20, layer.ndim))
    pairs = to_world(result, (source + 0.5) * grown - 0.5), to_world(layer, source)
    assert np.abs(pairs[0] - pairs[1]).max() < 1e-9 * np.ptp(world_box(layer), axis=0).max()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([2, 4]), st.data())
def test_a_crop_of_a_random_layer_lies_on_its_source_pixels(seed, factor, data):
    layer = random_layer(seed)
    shape = spatial_shape(layer)
    first = np.array([data.draw(st.integers(0, int(n) - 1)) for n in shape])
    size = np.array([data.draw(st.integers(1, int(n - f))) for n, f in zip(shape, first, strict=True)])
    factors = np.where(np.arange(layer.ndim) >= layer.ndim - 2, factor, 1)
    pixels = np.zeros((*(size * factors), *finest_level(layer).shape[layer.ndim :]), np.uint8)
    result = layers.Layer.create(pixels, upscaled_kwargs(layer, factors, first), "image")
    expected = world_box(layer, size, first)
    scale_of_things = max(np.ptp(expected, axis=0).max(), np.abs(expected).max())
    assert np.abs(world_box(result) - expected).max() < 1e-9 * scale_of_things


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_the_linear_part_is_that_of_napari(seed):
    layer = random_layer(seed)
    ours = linear_part(layer.scale, layer.rotate, layer.shear)
    np.testing.assert_allclose(ours, layer._transforms["data2physical"].linear_matrix, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rotate", [None, 30.0, (20.0, -35.0, 50.0)])
@pytest.mark.parametrize("shear", [None, [0.1, 0.2, 0.3], [[1, 0, 0], [0.4, 1, 0], [0.5, 0.6, 1]]])
def test_rotations_and_shears_have_all_forms_of_napari(rotate, shear):
    scale = [2.0, 0.5, 0.25]
    layer = layers.Image(np.zeros((3, 4, 5), np.uint8), scale=scale, rotate=rotate, shear=shear)
    np.testing.assert_allclose(
        linear_part(scale, rotate, shear), layer._transforms["data2physical"].linear_matrix, atol=1e-14
    )


def test_a_z_stack_in_micrometers_keeps_its_box_and_units_and_divides_only_its_pixels():
    stack = np.zeros((5, 16, 12), np.uint16)
    layer = layers.Image(stack, scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3, translate=(1, 2, 3))
    result = upscaled(layer, 4)
    np.testing.assert_allclose(result.scale, (0.3, 0.025, 0.025), rtol=1e-15)
    np.testing.assert_allclose(world_box(result), world_box(layer), rtol=0, atol=1e-12)
    assert [str(unit) for unit in result.units] == ["micrometer"] * 3
    assert result.data.shape == (5, 64, 48)


def test_the_axes_y_and_x_of_the_letters_are_upscaled():
    layer = layers.Image(np.zeros((7, 4, 9), np.uint8), scale=(2, 3, 5))
    result = upscaled(layer, 2, axes="XZY")
    assert result.data.shape == (14, 4, 18)
    np.testing.assert_allclose(result.scale, (1, 3, 2.5))
    np.testing.assert_allclose(world_box(result), world_box(layer))


def test_a_last_axis_of_three_in_a_gray_layer_is_x():
    layer = layers.Image(np.zeros((5, 8, 3), np.uint8), rgb=False)
    result = upscaled(layer, 2)
    assert result.data.shape == (5, 16, 6)
    assert result.rgb is False


def test_the_factor_is_the_ratio_of_the_lengths_if_they_are_rounded():
    layer = layers.Image(np.zeros((7, 10), np.uint8))
    assert upscaled(layer, 1.5).data.shape == (11, 15)
    np.testing.assert_allclose(upscaled(layer, 1.5).scale, (7 / 11, 10 / 15))
    np.testing.assert_allclose(world_box(upscaled(layer, 1.5)), world_box(layer))


def dressed_layer(data=None, **more):
    return layers.Image(
        np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5) if data is None else data,
        name="cells",
        colormap="magenta",
        contrast_limits=(10, 90),
        blending="additive",
        gamma=0.7,
        opacity=0.4,
        interpolation2d="linear",
        interpolation3d="nearest",
        rendering="iso",
        iso_threshold=33,
        attenuation=0.2,
        depiction="plane",
        projection_mode="max",
        axis_labels=("depth", "row", "column"),
        units=("second", "micrometer", "micrometer"),
        metadata={"stage": {"x": [1, 2]}},
        **more,
    )


def test_the_result_has_the_appearance_of_its_source():
    layer = dressed_layer()
    layer.contrast_limits_range = (0, 1000)
    result = upscaled(layer, 2)
    copy_contrast_range(layer, result)
    for key in (
        "contrast_limits contrast_limits_range blending gamma opacity interpolation2d interpolation3d rendering "
        "iso_threshold attenuation depiction projection_mode axis_labels units auto_contrast"
    ).split():
        assert getattr(result, key) == getattr(layer, key), key
    assert result.colormap.name == "magenta"
    assert result.visible


def test_a_custom_colormap_is_kept():
    colormaps = pytest.importorskip("napari.utils.colormaps")
    own = colormaps.Colormap([[0, 0, 0, 1], [0.2, 0.9, 0.4, 1]], name="of my own")
    result = upscaled(layers.Image(np.zeros((6, 5), np.uint8), colormap=own), 2)
    np.testing.assert_array_equal(result.colormap.colors, own.colors)


def test_changes_of_the_result_do_not_change_the_source():
    layer = dressed_layer(affine=np.diag([1.0, 2.0, 3.0, 1.0]))
    result = upscaled(layer, 2)
    result.metadata["stage"]["x"].append(3)
    result.affine = np.eye(4)
    result.plane.position = (9, 9, 9)
    result.contrast_limits = (0, 5)
    result.contrast_limits_range = (0, 6)
    assert layer.metadata == {"stage": {"x": [1, 2]}}
    assert layer.affine.affine_matrix[1, 1] == 2
    assert tuple(layer.plane.position) != (9, 9, 9)
    assert layer.contrast_limits == [10, 90]


def test_values_of_metadata_that_cannot_be_copied_are_shared():
    handle = (value for value in range(3))
    layer = layers.Image(np.zeros((6, 5), np.uint8), metadata={"file": handle, "kept": 1})
    assert upscaled(layer, 2).metadata == {"file": handle, "kept": 1}


def test_a_layer_without_units_gets_pixels():
    plain = layers.Image(np.zeros((6, 5), np.uint8))
    bare = SimpleNamespace(
        **{key: getattr(plain, key) for key in "data name scale translate rotate shear affine metadata rgb".split()}
    )
    kwargs = upscaled_kwargs(bare, np.full(2, 2.0), np.zeros(2))
    assert kwargs["units"] == ("pixel", "pixel")
    assert [str(unit) for unit in upscaled(plain, 2).units] == ["pixel", "pixel"]


def test_a_pyramid_becomes_one_image_of_its_finest_level():
    levels = [np.zeros((4, 16, 16), np.uint8), np.zeros((4, 8, 8), np.uint8)]
    layer = layers.Image(levels, multiscale=True, scale=(1, 0.5, 0.5))
    layer.locked_data_level = 1
    result = upscaled(layer, 2)
    assert finest_level(layer) is levels[0]
    assert result.multiscale is False
    assert result.data.shape == (4, 32, 32)
    np.testing.assert_allclose(world_box(result), world_box(layer))


def signed_distance(layer, plane, world):
    """Distance of world points from a plane of the last three data axes, in units of its thickness."""
    pixels = np.array([layer.world_to_data(point) for point in world])[:, -3:]
    return (pixels - np.array(plane.position)) @ np.array(plane.normal) / getattr(plane, "thickness", 1)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([2, 3, 4]))
def test_slicing_and_clipping_planes_cut_the_world_where_they_did(seed, factor):
    rng = np.random.default_rng(seed)
    shape = (3, 6, 8, 9)[-int(rng.integers(3, 5)) :]

    def drawn():
        normal = rng.normal(size=3)
        return {"position": tuple(rng.uniform(0, 6, 3)), "normal": tuple(normal / np.linalg.norm(normal))}

    layer = layers.Image(
        np.zeros(shape, np.uint8),
        scale=rng.uniform(0.2, 2, len(shape)),
        rotate=random_rotation(rng, len(shape)),
        plane={**drawn(), "thickness": float(rng.uniform(1, 3))},
        experimental_clipping_planes=[{**drawn(), "enabled": True}, {**drawn(), "enabled": False}],
    )
    result = upscaled(layer, factor)
    world = to_world(layer, rng.uniform(0, 8, (30, len(shape))))
    np.testing.assert_allclose(
        signed_distance(result, result.plane, world), signed_distance(layer, layer.plane, world), atol=1e-6
    )
    pairs = zip(result.experimental_clipping_planes, layer.experimental_clipping_planes, strict=True)
    for new, old in pairs:
        assert new.enabled == old.enabled
        np.testing.assert_array_equal(
            np.sign(np.round(signed_distance(result, new, world), 6)),
            np.sign(np.round(signed_distance(layer, old, world), 6)),
        )


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: layers.Labels(np.zeros((8, 9), np.uint8)), "labels"),
        (lambda: layers.Points(np.zeros((3, 2))), "points"),
        (lambda: layers.Shapes([np.zeros((4, 2))]), "shapes"),
        (lambda: layers.Surface((np.eye(3), np.array([[0, 1, 2]]))), "surface"),
        (lambda: layers.Vectors(np.zeros((3, 2, 2))), "vectors"),
        (lambda: layers.Tracks(np.array([[0, 0, 0, 0], [0, 1, 1, 1.0]])), "tracks"),
    ],
)
def test_other_layers_than_images_are_refused_with_the_remedy(make, kind):
    with pytest.raises(InputError, match=f"is a {kind} layer: choose an image layer"):
        check_layer(make())


def test_a_subclass_of_labels_is_a_labels_layer():
    class Painted(layers.Labels):
        pass

    with pytest.raises(InputError, match="is a labels layer"):
        check_layer(Painted(np.zeros((8, 9), np.uint8)))


@pytest.mark.parametrize(
    ("shape", "message"), [((9,), "at least two dimensions"), ((0, 9), "empty"), ((3, 0, 9), "empty")]
)
def test_a_layer_without_a_plane_is_refused(shape, message):
    with pytest.raises(InputError, match=message):
        check_layer(SimpleNamespace(name="odd", data=np.zeros(shape), rgb=False))


def test_an_image_layer_passes():
    for seed in range(20):
        check_layer(random_layer(seed))


def test_an_rgb_layer_refuses_letters_without_its_colors():
    layer = layers.Image(np.zeros((6, 5, 3), np.uint8), rgb=True)
    with pytest.raises(InputError, match="end them with C"):
        layer_axes(layer, "ZYX")


def test_vectors_of_different_lengths_and_factors_of_zero_are_refused():
    with pytest.raises(InputError, match="differ in length"):
        upscaled_transform([1, 1], [0, 0, 0], None, None, [2, 2])
    with pytest.raises(InputError, match="more than 0"):
        upscaled_transform([1, 1], [0, 0], None, None, [2, 0])
    with pytest.raises(InputError, match="upper triangle"):
        linear_part([1, 1, 1], shear=[0.1, 0.2])
    with pytest.raises(InputError, match="cannot act on 2 axes"):
        linear_part([1, 1], rotate=np.eye(3))
