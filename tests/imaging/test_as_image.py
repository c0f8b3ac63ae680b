"""Images of callers become arrays with axes and pixel size, or are refused in one sentence."""

from pathlib import Path
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from PIL import Image
from scipy import sparse

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import as_array, as_image
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import ImageFile

LAYERS = pytest.importorskip("napari.layers")


class _Dataset(dict):
    """The part of a dataset of xarray by which it is known; it is a collection of dask too."""

    data_vars = property(dict)

    def __dask_graph__(self):
        return None


class Coordinate:
    """The part of a coordinate of xarray that is read."""

    def __init__(self, values, **attrs):
        self.values, self.attrs = np.asarray(values), attrs

    def __array__(self, dtype=None, copy=None):
        return self.values


class DataArray:
    """The part of an xarray DataArray that is read."""

    def __init__(self, data, dims, coords):
        self.data, self.dims, self.coords = data, dims, coords
        self.shape, self.dtype = data.shape, data.dtype

    def __getitem__(self, index):
        raise AssertionError("the pixels are those of `data`")


def stand_in(data, dims, coords):
    return DataArray(data, dims, {name: Coordinate(values, **attrs) for name, (values, attrs) in coords.items()})


def real(data, dims, coords):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(
        data, dims=dims, coords={name: (name, values, attrs) for name, (values, attrs) in coords.items()}
    )


MAKERS = pytest.mark.parametrize("named", [stand_in, real])


@pytest.mark.parametrize(
    "image",
    [
        [[1, 2, 3], [4, 5, 6]],
        ((1, 2, 3), (4, 5, 6)),
        torch.arange(6, dtype=torch.uint8).reshape(2, 3),
        memoryview(bytes(6)).cast("B", (2, 3)),
        np.zeros((2, 3), bool),
        np.zeros((2, 3), np.float16),
        np.matrix([[1, 2, 3], [4, 5, 6]]),
    ],
    ids=lambda image: type(image).__name__,
)
def test_array_likes_become_numpy_arrays(image):
    converted = as_image(image)
    assert type(converted.data) is np.ndarray
    assert (converted.data.shape, converted.axes.letters) == ((2, 3), "YX")
    assert (converted.pixel_size, converted.unit, converted.missing) == ({}, None, False)
    assert np.array_equal(converted.data, np.asarray(image))


@pytest.mark.parametrize("make", [lambda a: da.from_array(a, chunks=3), lambda a: zarr.array(a, chunks=(3, 3))])
def test_lazy_arrays_stay_lazy(make):
    array = make(np.arange(30.0).reshape(5, 6))
    assert as_image(array).data is array


def test_a_numpy_array_is_not_copied():
    image = np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(as_array(image), image)


@pytest.mark.parametrize("axes", ["ZYX", parse_axes("ZYX", (5, 4, 3))])
def test_axes_are_letters_or_axes(axes):
    assert as_image(np.zeros((5, 4, 3)), axes).axes == parse_axes("ZYX", (5, 4, 3))


def test_an_image_file_has_its_axes_and_pixel_size_unless_others_are_given():
    file = ImageFile(np.zeros((3, 4, 5), np.uint8), "ZYX", pixel_size={"Z": 1.0, "Y": 0.5, "X": 0.5}, unit="micrometer")
    image = as_image(file)
    assert (image.axes.letters, image.pixel_size, image.unit) == ("ZYX", file.pixel_size, "micrometer")
    image = as_image(file, "TYX", {"y": 5, "x": np.float32(5)}, "nm")
    assert (image.axes.letters, image.pixel_size, image.unit) == ("TYX", {"Y": 5.0, "X": 5.0}, "nanometer")
    assert as_image(as_image(file)).pixel_size == file.pixel_size


def test_an_image_file_keeps_its_metadata_and_its_position_in_the_same_unit():
    size, origin = {"Y": 0.5, "X": 0.5}, {"Y": 3.0, "X": -2.0}
    file = ImageFile(np.zeros((2, 4, 5)), "CYX", pixel_size=size, unit="micrometer", origin=origin, channels=("a", "b"))
    for image in (as_image(file), as_image(as_image(file))):
        assert (image.metadata.origin, image.metadata.channels) == (origin, ("a", "b"))
    assert as_image(file, None, {"Y": 1, "X": 1}, "um").metadata.origin == origin
    other = as_image(file, None, {"Y": 5, "X": 5}, "nm").metadata
    assert (other.origin, other.channels) == ({}, ("a", "b"))


def test_the_array_of_a_store_stays_lazy(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    sr.upscale(pixels, "srcnn-x2", device="cpu", out=tmp_path / "colors.zarr")
    zarr.create_array(tmp_path / "plain.zarr", data=pixels[..., 0])
    for name, kind in (("colors.zarr", AxisView), ("plain.zarr", zarr.Array)):
        file = sr.read_image(tmp_path / name)
        image = as_image(file)
        assert isinstance(image.data, kind)
        assert image.data is file.data
        assert np.array_equal(sr.upscale(file, "srcnn-x2", device="cpu"), sr.upscale(file.data[:], "srcnn-x2"))


@MAKERS
def test_named_dimensions_and_even_coordinates_give_axes_and_pixel_size(named):
    coords = {
        "z": ([0, 2, 4], {"units": "um"}),
        "y": (np.linspace(3, 2.1, 10), {"units": "micrometer"}),
        "x": (np.arange(8) * 100 + 7, {"units": "nm"}),
    }
    image = as_image(named(np.zeros((10, 3, 8), np.uint8), ("y", "z", "x"), coords))
    assert image.axes.letters == "YZX"
    assert image.unit == "nanometer"
    assert image.pixel_size == pytest.approx({"Z": 2000, "Y": 100, "X": 100})


@MAKERS
@pytest.mark.parametrize(
    ("dims", "letters"),
    [
        (("time", "channel", "y", "x"), "TCYX"),
        (("T", "C", "Y", "X"), "TCYX"),
        (("x", "y", "z", "c"), "XYZC"),
        (("dim_0", "dim_1", "dim_2", "dim_3"), "CZYX"),
    ],
)
def test_dimensions_are_found_by_name(named, dims, letters):
    assert as_image(named(np.zeros((2, 5, 6, 7), np.uint8), dims, {})).axes.letters == letters


@MAKERS
@pytest.mark.parametrize("dims", [("sample", "y", "x"), ("t", "time", "x")])
def test_ambiguous_dimensions_are_refused_unless_axes_are_given(named, dims):
    image = named(np.zeros((2, 5, 6), np.uint8), dims, {})
    with pytest.raises(InputError, match="give the axes"):
        as_image(image)
    assert as_image(image, "ZYX").axes.letters == "ZYX"


@MAKERS
@pytest.mark.parametrize(
    ("values", "attributes"),
    [
        ([0, 1, 3, 4, 5], {}),
        ([1, 1, 1, 1, 1], {}),
        ([0, 1, np.nan, 3, 4], {}),
        ([0, 1, 2, 3, 4], {"units": "degrees_north"}),
        (["a", "b", "c", "d", "e"], {}),
    ],
)
def test_other_coordinates_are_no_pixel_size(named, values, attributes):
    coords = {"y": (values, attributes), "x": (np.arange(6) * 0.5, {})}
    image = as_image(named(np.zeros((5, 6), np.uint8), ("y", "x"), coords))
    assert (image.pixel_size, image.unit) == ({"X": 0.5}, None)


@MAKERS
def test_a_unit_completes_coordinates_without_one_and_contradicts_others(named):
    def image(**attributes):
        return named(np.zeros((2, 3), np.uint8), ("y", "x"), {"x": ([0, 0.5, 1], attributes)})

    assert as_image(image(), unit="um").unit == "micrometer"
    assert as_image(image(units="micron"), unit="um").pixel_size == {"X": 0.5}
    with pytest.raises(InputError, match="in micrometer, not in nm"):
        as_image(image(units="um"), unit="nm")
    assert as_image(image(units="um"), pixel_size={"X": 2}, unit="nm").pixel_size == {"X": 2.0}


@MAKERS
def test_named_arrays_of_dask_stay_lazy(named):
    lazy = da.zeros((4, 5), dtype=np.uint8, chunks=2)
    assert isinstance(as_image(named(lazy, ("y", "x"), {})).data, da.Array)


def test_float32_coordinates_are_even_to_their_rounding(named=stand_in):
    x = np.arange(2000, dtype=np.float32) * np.float32(0.1) + np.float32(5000)
    image = as_image(named(np.zeros((2, 2000), np.uint8), ("y", "x"), {"x": (x, {})}))
    assert image.pixel_size["X"] == pytest.approx(0.1, rel=1e-3)


def test_masked_pixels_of_floats_become_nan():
    values = np.ma.masked_greater(np.arange(6, dtype=np.float32).reshape(2, 3), 4)
    image = as_image(values)
    assert image.missing
    assert type(image.data) is np.ndarray and image.data.dtype == np.float32
    assert np.array_equal(np.isnan(image.data), values.mask)
    assert as_image(image).missing
    lazy = as_image(da.ma.masked_greater(da.arange(6, chunks=3, dtype=float), 4).reshape(2, 3))
    assert lazy.missing
    assert np.isnan(np.asarray(lazy.data[1, 2])) and type(lazy.data.compute()) is np.ndarray


def test_masked_pixels_of_integers_are_refused_unless_none_is_masked():
    values = np.ma.MaskedArray(np.arange(6).reshape(2, 3), mask=False)
    assert not as_image(values).missing
    values[0, 0] = np.ma.masked
    with pytest.raises(InputError, match=r"1 missing pixels.*numpy\.ma\.filled"):
        as_image(values)
    with pytest.raises(InputError, match=r"numpy\.ma\.filled"):
        as_image(da.ma.masked_greater(da.arange(6, chunks=3), 4).reshape(2, 3))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "None is not an image"),
        ("cells.tif", "read it with read_image first"),
        (Path("cells.tif"), "read it with read_image first"),
        (b"bytes", "bytes is not an image"),
        (3, "int is not an image"),
        (np.float32(3), "float32 is not an image"),
        ({"a": 1}, "dict is not an image"),
        (iter([[1]]), "is not an image"),
        (type("Image", (), {"__module__": "SimpleITK.SimpleITK"})(), r"object of type SimpleITK\.Image is not"),
        ([["a", "b"]], "list is not an image"),
        ([[1, 2], [3]], "rows of one length"),
        ([None, None], "list is not an image"),
        (np.array([[1, None]]), "type object"),
        (np.array([["a"]]), "type <U1"),
        (np.zeros((2, 3), complex), "type complex128"),
        ([[1j, 2]], "type complex128"),
        (np.zeros((2, 3), "datetime64[s]"), "type datetime64"),
        (da.zeros((2, 3), dtype=complex), "type complex128"),
        (np.zeros(5), "two dimensions Y and X"),
        (np.zeros((0, 5)), "is empty"),
        (torch.zeros(2, 3, requires_grad=True), "cannot be used as an image"),
        (zarr.open_group(zarr.storage.MemoryStore()), "Group is not an image"),
        (SimpleNamespace(to_numpy=None, columns=None), "is a table"),
        (SimpleNamespace(dims=None, coords=None, data_vars=None), "has several arrays"),
        (SimpleNamespace(__cuda_array_interface__=None), "memory of a GPU"),
        (LAYERS.Image(np.zeros((4, 5)), name="cells"), '"cells" is a napari layer: use upscale_layer'),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_everything_else_is_refused_in_one_sentence(image, message):
    with pytest.raises(InputError, match=message) as caught:
        as_image(image)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "I", "F", "RGB", "RGBA"])
def test_a_picture_of_pillow_in_gray_or_rgb_is_taken(mode):
    picture = Image.new(mode, (5, 4))
    assert as_image(picture).axes.letters == ("YXC" if mode.startswith("RGB") else "YX")


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "LA", "PA"])
def test_a_picture_of_pillow_in_another_mode_is_refused_with_the_conversion(mode):
    picture = Image.new(mode, (5, 4))
    with pytest.raises(InputError, match=rf'in the mode {mode} .* convert\("RGBA?"\)') as caught:
        as_image(picture)
    converted = picture.convert(str(caught.value).split('"')[1])
    assert as_image(converted).axes.letters == "YXC"


class _Empty:
    """The part of an empty dataset of HDF5 that is read."""

    shape, dtype = None, np.dtype("f4")

    def __getitem__(self, index):
        raise AssertionError("there are no pixels")


class _Closed:
    """The part of a dataset in a closed HDF5 file that is read."""

    @property
    def shape(self):
        raise RuntimeError("Unable to synchronously get dataspace")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (dask.delayed(np.zeros)((4, 5)), "Delayed.* of dask has no shape: .*from_delayed"),
        (_Dataset(a=np.eye(4), b=np.eye(4)), r"A _Dataset of xarray has arrays by name: give one of \['a', 'b'\]\."),
        (sparse.csr_array(np.eye(4)), "csr_array is a sparse array: give what its todense"),
        (_Empty(), "is empty"),
        (_Closed(), r"_Closed cannot be used as an image \(Unable to"),
    ],
    ids=["delayed", "dataset", "sparse", "empty", "closed"],
)
def test_objects_with_a_shape_of_their_own_kind_are_refused_in_one_sentence(image, message):
    with pytest.raises(InputError, match=message) as caught:
        as_image(image)
    assert "\n" not in str(caught.value)


def test_a_real_table_is_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match="DataFrame is a table"):
        as_image(pandas.DataFrame({"a": [1, 2], "b": [3, 4]}))


def test_lengths_that_dask_does_not_have_are_refused():
    lazy = da.arange(6, chunks=3)
    with pytest.raises(InputError, match="compute_chunk_sizes"):
        as_image(lazy[lazy > 2][:, None], "YX")


@pytest.mark.parametrize(
    ("pixel_size", "unit", "message"),
    [
        (0.1, "um", "not a mapping"),
        ({"Y": 0, "X": 1}, "um", "pixel size 0"),
        ({"Y": "wide"}, "um", "not a number"),
        ({"Q": 1}, "um", "unknown axis"),
        ({"Y": 1}, "parsec", "parsec"),
        ({"Y": float("inf")}, None, "not finite"),
    ],
)
def test_a_pixel_size_that_cannot_be_used_is_refused(pixel_size, unit, message):
    with pytest.raises(InputError, match=message):
        as_image(np.zeros((4, 5)), None, pixel_size, unit)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"rows": 5}, "rows 5 are not a range"),
        ({"columns": (1, 2, 3)}, "not a range"),
        ({"rows": (0, 2.5)}, "end of the rows 2.5 cannot be used: give a whole number"),
        ({"rows": "ab"}, "first of the rows 'a'"),
        ({"at": 3}, "not a mapping"),
        ({"at": {"Z": 1.5}}, "position along Z 1.5"),
        ({"at": {"Y": 1}}, "none of T, C and Z"),
        ({"margin": 2.5}, "margin 2.5"),
        ({"margin": -1}, "0 or more"),
    ],
)
def test_a_part_of_other_types_is_refused_in_one_sentence(part, message):
    with pytest.raises(InputError, match=message):
        sr.Part(**part)


def test_a_part_takes_numpy_numbers_and_lists():
    part = sr.Part(rows=[np.int64(1), 3], columns=np.array([0, 4]), at={"Z": np.uint8(2)}, margin=np.int32(5))
    assert part == sr.Part(rows=(1, 3), columns=(0, 4), at={"Z": 2}, margin=5)
    assert [type(value) for value in (*part.rows, *part.at.values(), part.margin)] == [int] * 4
