"""Zarr stores as images: OME-Zarr of two versions, plain arrays, and groups that hold none."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_sr.errors import InputError
from napari_sr.imaging.atomic import OLD, temporary_name
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import read_image

DATA = np.random.default_rng(0).integers(0, 4000, (2, 3, 12, 16), np.uint16)


def multiscales(name="cells"):
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": letter, "type": "space", "unit": "micrometer"} for letter in "zyx"]
    level = {
        "path": "0",
        "coordinateTransformations": [
            {"type": "scale", "scale": [1, 0.5, 0.2, 0.1]},
            {"type": "translation", "translation": [0, 0, 4.0, -3.0]},
        ],
    }
    scales = {"axes": axes, "datasets": [level], "name": name}
    scales["coordinateTransformations"] = [{"type": "scale", "scale": [1, 2, 1, 1]}]
    return scales


OMERO = {
    "channels": [
        {"label": "DAPI", "color": "0000FF", "window": {"start": 10, "end": 900, "min": 0, "max": 4000}},
        {"label": "GFP", "color": "00FF00"},
    ]
}


def store(path, version, data=DATA, name="cells"):
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=data, chunks=(1, 1, 8, 8))
    described = {"multiscales": [multiscales(name)], "omero": OMERO}
    group.attrs.update(described if version == "0.4" else {"ome": {"version": "0.5", **described}})
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_is_read_without_its_pixels(tmp_path, version):
    found = read_image(store(tmp_path / "a.ome.zarr", version))
    assert isinstance(found.data, zarr.Array)
    np.testing.assert_array_equal(found.data[:], DATA)
    assert (found.axes, found.unit, found.name) == ("CZYX", "micrometer", "cells")
    assert found.pixel_size == pytest.approx({"Z": 1.0, "Y": 0.2, "X": 0.1})
    assert found.origin == pytest.approx({"Y": 4.0, "X": -3.0})
    assert (found.channels, found.colors) == (("DAPI", "GFP"), ((0, 0, 255), (0, 255, 0)))
    assert found.limits == ((10.0, 900.0), None)


def test_a_store_of_several_images_gives_the_largest(tmp_path):
    zarr.create_group(tmp_path / "a.zarr")
    store(tmp_path / "a.zarr" / "0", "0.5", DATA[:, :, :4, :4], "thumb")
    store(tmp_path / "a.zarr" / "1", "0.5")
    found = read_image(tmp_path / "a.zarr")
    assert (found.data.shape, found.other_series) == (DATA.shape, ('0 "thumb" (2 x 3 x 4 x 4)',))
    assert read_image(tmp_path / "a.zarr", series="thumb").data.shape == (2, 3, 4, 4)


def test_a_plain_array_has_the_axes_of_its_shape(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=DATA)
    found = read_image(tmp_path / "a.zarr")
    assert (found.axes, found.pixel_size) == ("CZYX", {})
    axes = parse_axes(found.axes, found.data.shape)
    np.testing.assert_array_equal(axes.plane(found.data, next(axes.plane_indices())), DATA[0, 0])


@pytest.mark.parametrize("letters", ["YXC", "ZYXC"])
def test_a_result_of_ours_keeps_its_colors_whatever_their_order_on_disk(tmp_path, letters):
    image = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3)[-len(letters) :], np.uint8)
    group = zarr.create_group(tmp_path / "a.ome.zarr")
    group.create_array("0", data=np.moveaxis(image, -1, 0))
    spatial = letters[:-1]
    own = {"name": "a", "axes": letters, "on_disk": "C" + spatial, "scale": [0.5] * len(spatial)}
    own |= {"translate": [1.0] * len(spatial), "units": ["micrometer"] * len(spatial)}
    described = {"axes": [{"name": letter, "type": "space", "unit": "micrometer"} for letter in spatial.lower()]}
    described["axes"].insert(0, {"name": "c", "type": "channel"})
    steps = [
        {"type": "scale", "scale": [1.0] + [0.5] * len(spatial)},
        {"type": "translation", "translation": [0.0] + [1.0] * len(spatial)},
    ]
    described["datasets"] = [{"path": "0", "coordinateTransformations": steps}]
    group.attrs.update({"napari_sr": own, "ome": {"version": "0.5", "multiscales": [described], "omero": OMERO}})
    found = read_image(tmp_path / "a.ome.zarr")
    assert (found.axes, found.data.shape, found.data.dtype) == (letters, image.shape, np.uint8)
    np.testing.assert_array_equal(found.data, image)
    axes = parse_axes(letters, found.data.shape)
    for index in axes.plane_indices():
        np.testing.assert_array_equal(axes.plane(found.data, index), image[index])
        part = axes.part(index, slice(2, 5), slice(3, 9), 1)
        np.testing.assert_array_equal(found.data[part], image[part])
    assert found.pixel_size == pytest.approx(dict.fromkeys(spatial, 0.5))
    assert found.channels == ()


def test_a_store_whose_replacement_was_interrupted_is_restored(tmp_path):
    store(tmp_path / "a.zarr", "0.5")
    (tmp_path / "a.zarr").rename(temporary_name(tmp_path / "a.zarr").with_suffix(OLD))
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr").data[:], DATA)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"ome": {"plate": {"rows": []}}}, "is a plate or a well of images without an image in it"),
        ({}, "contains no image"),
        ({"ome": {"multiscales": [{"axes": [{"name": "angle"}] * 4, "datasets": [{"path": "0"}]}]}}, "axes ANGLE"),
        ({"ome": {"multiscales": [{"axes": [], "datasets": [{"path": "7"}]}]}}, "has no array 7"),
    ],
)
def test_a_store_without_an_image_is_refused(tmp_path, attributes, message):
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=DATA)
    group.attrs.update(attributes)
    with pytest.raises(InputError, match=rf"a\.zarr.*{message}") as caught:
        read_image(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)
