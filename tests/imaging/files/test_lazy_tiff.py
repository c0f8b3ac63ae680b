"""Pixels that are read lazily are those that are read at once, and no more of the file is read than is needed."""

import gc
import os

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.imaging.files import lazy_tiff, read_image, tiff, write_image
from napari_sr.imaging.files.lazy_tiff import LazyTiff

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 4096, (40, 50), np.uint16)
STACK = RNG.integers(0, 4096, (3, 40, 50), np.uint16)
COLOR = RNG.integers(0, 256, (40, 50, 3), np.uint8)
DEFLATE = {"compression": "zlib"}


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    """Images of every size are read lazily."""
    monkeypatch.setattr(tiff, "LARGE", 0)


def written(path, data, **options):
    tifffile.imwrite(path, data, **options)
    return path


FILES = {
    "one strip": lambda path: written(path, GRAY),
    "big-endian": lambda path: written(path, STACK, byteorder=">", photometric="minisblack"),
    "strips": lambda path: written(path, GRAY, rowsperstrip=7, **DEFLATE),
    "one strip, compressed": lambda path: written(path, STACK, photometric="minisblack", **DEFLATE),
    "tiles": lambda path: written(path, GRAY, tile=(16, 32)),
    "tiles, compressed": lambda path: written(path, STACK, tile=(16, 32), photometric="minisblack", **DEFLATE),
    "predictor": lambda path: written(path, GRAY, tile=(16, 16), predictor=2, **DEFLATE),
    "float": lambda path: written(path, STACK.astype(np.float32), photometric="minisblack", rowsperstrip=9, **DEFLATE),
    "color": lambda path: written(path, COLOR),
    "color, tiles": lambda path: written(path, COLOR, tile=(16, 16), **DEFLATE),
    "opacity": lambda path: written(path, np.dstack([COLOR, COLOR[..., :1]]), extrasamples=["unassalpha"]),
    "BigTIFF": lambda path: written(path, STACK, bigtiff=True, photometric="minisblack"),
    "pyramid": lambda path: pyramid(path),
    "ImageJ": lambda path: write_image(path, STACK, "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.1}, "um") or path,
    "ImageJ, all axes": lambda path: write_image(path, np.stack([[STACK, STACK[::-1]]] * 2), "TCZYX") or path,
    "OME": lambda path: write_image(path.with_suffix(".ome.tif"), STACK, "ZYX") or path.with_suffix(".ome.tif"),
    "OME, all axes": lambda path: ome(path.with_suffix(".ome.tif")),
    "one column": lambda path: written(path, GRAY[:, :1]),
}


def pyramid(path):
    with tifffile.TiffWriter(path) as writer:
        options = {"tile": (16, 16), "photometric": "minisblack", **DEFLATE}
        writer.write(GRAY, subifds=1, **options)
        writer.write(GRAY[::2, ::2], subfiletype=1, **options)
    return path


def ome(path):
    data = np.stack([[STACK, STACK[::-1]]] * 2)
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "TZCYX"}, photometric="minisblack", tile=(16, 16))
    return path


def both(path):
    """The image read at once and lazily."""
    lazy = read_image(path, lazy=True)
    assert isinstance(lazy.data, LazyTiff)
    return read_image(path), lazy


@pytest.mark.parametrize("kind", FILES)
def test_pixels_and_metadata_are_those_that_are_read_at_once(tmp_path, kind):
    eager, lazy = both(FILES[kind](tmp_path / "in.tif"))
    assert (lazy.axes, lazy.data.shape, lazy.data.dtype) == (eager.axes, eager.data.shape, eager.data.dtype)
    assert np.array_equal(np.asarray(lazy.data), eager.data)
    assert {name: str(value) for name, value in lazy.fields().items()} == {
        name: str(value) for name, value in eager.fields().items()
    }


@pytest.mark.parametrize("kind", ["one strip", "tiles, compressed", "one strip, compressed", "color, tiles", "ImageJ"])
def test_a_result_is_that_of_the_image_read_at_once(tmp_path, kind):
    eager, lazy = both(FILES[kind](tmp_path / "in.tif"))
    results = [sr.upscale(image, "srcnn-x2", device="cpu", memory="1MiB") for image in (eager, lazy)]
    assert np.array_equal(*results)


ENTRIES = st.one_of(st.integers(-3, 2), st.slices(40))


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(["big-endian", "tiles, compressed", "one strip, compressed", "color, tiles", "OME"]))
def test_every_index_gives_what_numpy_gives(tmp_path_factory, data, kind):
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiff, "LARGE", 0)
        eager, lazy = both(FILES[kind](folder / "in.tif"))
    for _ in range(3):
        index = data.draw(st.lists(ENTRIES, min_size=1, max_size=3).map(tuple) | ENTRIES | st.just((..., slice(2, 9))))
        expected = eager.data[index]
        assert np.array_equal(lazy.data[index], expected)
        assert lazy.data[index].shape == expected.shape


def test_an_index_outside_the_image_is_an_index_error(tmp_path):
    _, lazy = both(FILES["big-endian"](tmp_path / "in.tif"))
    for index in (3, -4, (0, 40), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            lazy.data[index]


def test_small_images_and_those_that_need_a_conversion_are_read_at_once(tmp_path, monkeypatch):
    path = tmp_path / "in.tif"
    for options in (
        {"photometric": "miniswhite"},
        {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
    ):
        written(path, COLOR[..., 0], **options)
        assert isinstance(read_image(path, lazy=True).data, np.ndarray)
    written(path, COLOR, planarconfig="separate", photometric="rgb")
    assert isinstance(read_image(path, lazy=True).data, np.ndarray)
    written(path, GRAY, extratags=[(274, "H", 1, 6, True)])
    assert read_image(path, lazy=True).data.shape == (50, 40)
    monkeypatch.setattr(tiff, "LARGE", lazy_tiff.LARGE)
    assert isinstance(read_image(written(path, GRAY), lazy=True).data, np.ndarray)


def test_only_the_rows_of_an_uncompressed_image_that_are_needed_are_read(tmp_path):
    _, lazy = both(FILES["one strip"](tmp_path / "in.tif"))
    read, tiff_file = [], lazy.data._tiff

    class Counting:
        byteorder = tiff_file.byteorder
        seek = tiff_file.filehandle.seek

        def read_array(self, dtype, count):
            read.append(count)
            return tiff_file.filehandle.read_array(dtype, count)

        @property
        def filehandle(self):
            return self

    lazy.data._tiff = Counting()
    assert np.array_equal(lazy.data[10:14, 5:9], GRAY[10:14, 5:9])
    assert read == [4 * 50]


def counted(lazy):
    """Count the parts that are decoded."""
    indices, array = [], lazy.data._array

    class Counting:
        chunks = array.chunks

        def __getitem__(self, index):
            indices.append(index)
            return array[index]

    lazy.data._array = Counting()
    return indices


def test_tiles_are_decoded_once_for_rows_in_order_also_of_several_planes_in_turn(tmp_path):
    _, lazy = both(FILES["tiles, compressed"](tmp_path / "in.tif"))
    indices = counted(lazy)
    for row in range(16):
        for plane in range(3):
            assert np.array_equal(lazy.data[plane, row], STACK[plane, row])
    assert len(indices) == 3


def test_decoded_tiles_are_released_for_others(tmp_path, monkeypatch):
    _, lazy = both(FILES["tiles, compressed"](tmp_path / "in.tif"))
    band = 16 * 50 * 2
    monkeypatch.setattr(lazy_tiff, "_KEPT", 2 * band)
    for row in range(40):
        for plane in range(3):
            assert np.array_equal(lazy.data[plane, row], STACK[plane, row])
            assert sum(values.nbytes for values in lazy.data._decoded.values()) <= 2 * band
    # One part is kept even if it is larger.
    assert np.array_equal(lazy.data[0], STACK[0])
    assert len(lazy.data._decoded) == 1


def test_an_image_larger_than_memory_is_opened(tmp_path, monkeypatch):
    path = written(tmp_path / "in.tif", STACK, photometric="minisblack")
    monkeypatch.setattr(
        "napari_sr.imaging.files.series.psutil.virtual_memory", lambda: type("M", (), {"available": 99})
    )
    with pytest.raises(InputError, match="GiB are free"):
        read_image(path)
    assert np.array_equal(read_image(path, lazy=True).data[1, 3:5], STACK[1, 3:5])


@pytest.mark.parametrize("kind", ["one strip", "tiles, compressed"])
def test_a_file_that_is_damaged_later_is_an_error_of_one_sentence(tmp_path, kind):
    path = FILES[kind](tmp_path / "in.tif")
    lazy = read_image(path, lazy=True)
    os.truncate(path, 400)
    with pytest.raises(InputError, match=r"in\.tif cannot be read"):
        np.asarray(lazy.data)


def test_the_file_is_closed_with_the_image(tmp_path):
    lazy = read_image(FILES["one strip"](tmp_path / "in.tif"), lazy=True)
    handle = lazy.data._tiff.filehandle
    assert not handle.closed
    del lazy
    gc.collect()
    assert handle.closed


def test_the_coarser_levels_of_a_pyramid_are_read_lazily(tmp_path):
    image = read_image(pyramid(tmp_path / "a.tif"), lazy=True)
    assert [type(level) for level in image.levels] == [LazyTiff]
    assert np.array_equal(image.levels[0][...], GRAY[::2, ::2])
    assert read_image(tmp_path / "a.tif").levels == ()
    assert read_image(written(tmp_path / "b.tif", GRAY), lazy=True).levels == ()
