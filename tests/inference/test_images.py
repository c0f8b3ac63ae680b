"""Images of every kind are upscaled and estimated, with their own axes and pixel size."""

import dask.array as da
import numpy as np
import pytest
import xarray
import zarr

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.imaging.files import ImageFile
from napari_sr.inference import Job
from tests.inference.small_models import rrdb

MODEL = rrdb(2, 1)
STACK = np.random.default_rng(0).integers(0, 255, (3, 8, 10), np.uint8)
RESULT = sr.upscale(STACK, MODEL, axes="ZYX", device="cpu")


@pytest.mark.parametrize(
    "image",
    [
        da.from_array(STACK, chunks=(1, 8, 10)),
        zarr.array(STACK, chunks=(1, 8, 10)),
        xarray.DataArray(STACK, dims=("z", "y", "x")),
        ImageFile(STACK, "ZYX"),
        np.ma.MaskedArray(STACK, mask=False),
    ],
    ids=lambda image: type(image).__name__,
)
def test_every_kind_of_array_is_upscaled_to_the_same_pixels(image):
    assert np.array_equal(sr.upscale(image, MODEL, device="cpu"), RESULT)


def test_a_list_is_upscaled():
    image = STACK[0].tolist()
    expected = sr.upscale(STACK[0].astype(np.int64), MODEL, device="cpu")
    assert np.array_equal(sr.upscale(image, MODEL, device="cpu"), expected)
    assert np.array_equal(Job(MODEL).run(image).data, expected)
    assert sr.estimate(image, MODEL).result.shape == expected.shape


def test_a_target_and_a_store_use_the_pixel_size_of_the_image(tmp_path):
    coords = {
        name: ("y" if name == "y" else "x", np.arange(n) * 0.2, {"units": "um"}) for name, n in (("y", 8), ("x", 10))
    }
    image = xarray.DataArray(STACK[0], dims=("y", "x"), coords=coords)
    assert sr.upscale(image, MODEL, target="50 nm", device="cpu").shape == (32, 40)
    assert sr.estimate(image, MODEL).result_pixel_size == {"Y": 0.1, "X": 0.1}
    sr.upscale(image, MODEL, out=tmp_path / "a.ome.zarr", device="cpu")
    axes = zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs["ome"]["multiscales"][0]["axes"]
    assert [axis.get("unit") for axis in axes][-2:] == ["micrometer", "micrometer"]


@pytest.mark.parametrize("call", [sr.upscale, sr.estimate, lambda image, model: Job(model).run(image)])
@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("cells.tif", "read it with read_image first"),
        (None, "None is not an image"),
        (STACK.astype(complex), "type complex128"),
        (np.ma.masked_greater(STACK, 100), r"numpy\.ma\.filled"),
    ],
)
def test_what_is_not_an_image_is_refused(call, image, message):
    with pytest.raises(InputError, match=message):
        call(image, MODEL)


def test_missing_pixels_of_floats_are_refused_as_nan():
    image = np.ma.masked_greater(STACK[0].astype(np.float32), 100)
    with pytest.raises(InputError, match="NaN"):
        sr.upscale(image, MODEL)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 2.5}, "The batch 2.5 cannot be used: give a whole number of 1 or more"),
        ({"batch": None}, None),
        ({"self_ensemble": "yes"}, "neither true nor false"),
        ({"intensity": (1, "many")}, "not a number"),
        ({"target": [2]}, "not a number"),
        ({"noise": np.complex64(1)}, r"The noise \(1\+0j\) is not a number"),
        ({"memory": 1.5}, "not a budget"),
        ({"device": 3}, "does not exist"),
        ({"axes": ["Z", "Y", "X"]}, "not text"),
        ({"pixel_size": 0.1}, "not a mapping"),
    ],
)
def test_settings_of_other_types_are_refused_in_one_sentence(settings, message):
    if message is None:
        assert sr.upscale(STACK, MODEL, **settings).shape == RESULT.shape
        return
    with pytest.raises(InputError, match=message):
        sr.upscale(STACK, MODEL, **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), "None is not a model"),
        ((MODEL, {"device": "cpu"}), "not job settings"),
    ],
)
def test_a_job_of_other_types_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        Job(*arguments)


@pytest.mark.parametrize("door", [sr.upscale, sr.upscale_files])
def test_an_array_is_no_model(door, tmp_path):
    sr.write_image(tmp_path / "a.tif", STACK, "ZYX")
    arguments = (STACK,) if door is sr.upscale else (tmp_path / "a.tif", tmp_path / "out")
    with pytest.raises(InputError, match="is not a model: give a model, the name of one, or the path of a file"):
        door(*arguments, np.array([[0, 0]], dtype=object))


def test_a_job_takes_the_name_of_a_model():
    assert Job("srcnn-x2").model.name == "srcnn-x2"


def test_a_part_of_another_type_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="is not a part of an image"):
        sr.upscale(STACK, MODEL, part=(0, 5))


@pytest.mark.parametrize("layer", [STACK, None])
def test_what_is_not_a_layer_is_refused_in_one_sentence(layer):
    with pytest.raises(InputError, match="is not a napari layer: use upscale"):
        sr.upscale_layer(layer, MODEL)
