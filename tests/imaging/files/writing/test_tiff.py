"""A TIFF of an image that is larger than memory is written part by part, and large planes become a pyramid."""

from itertools import pairwise

import dask.array
import numpy as np
import pytest
import tifffile
import zarr

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axis_view import AxisView
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.imaging.files.writing import image as writing
from napari_sr.imaging.files.writing import tiff
from napari_sr.imaging.pyramid import halved

RNG = np.random.default_rng(0)
SIZES = {"Z": 0.5, "Y": 0.2, "X": 0.1}
METADATA = Metadata(
    pixel_size={"Y": 0.2, "X": 0.1},
    unit="micrometer",
    origin={"Y": 3.0, "X": -4.5},
    channels=("DAPI", "GFP"),
    colors=((0, 0, 255), (0, 255, 0)),
    limits=((0.0, 100.0), (5.0, 250.0)),
    time_interval=2.5,
    name="cells",
)
IMAGES = {
    "YX": ("YX", RNG.integers(0, 4096, (130, 170), np.uint16)),
    "odd": ("YX", RNG.integers(0, 4096, (131, 67), np.uint16)),
    "float": ("ZYX", RNG.random((2, 70, 140), np.float32)),
    "bool": ("YX", RNG.random((70, 90)) > 0.5),
    "TCYX": ("TCYX", RNG.integers(0, 256, (2, 2, 80, 70), np.uint8)),
    "RGB": ("YXC", RNG.integers(0, 256, (90, 100, 3), np.uint8)),
    "RGBA stack": ("ZYXC", RNG.integers(0, 256, (2, 70, 66, 4), np.uint8)),
    "XTY": ("XTY", RNG.integers(0, 256, (100, 2, 70), np.uint8)),
    "big-endian": ("YX", RNG.integers(0, 4096, (80, 70)).astype(">u2")),
    "small planes": ("TYX", RNG.integers(0, 256, (5, 20, 30), np.uint8)),
}


class Lazy:
    """An array that is read where it is indexed, and keeps the size of the largest part that was read."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.largest = 0

    def __getitem__(self, index):
        part = self.data[index]
        self.largest = max(self.largest, part.size)
        return part


@pytest.fixture(autouse=True)
def small_pyramids(monkeypatch):
    """Planes of more than 64 pixels a side become pyramids in tiles of 16 pixels, and no lazy array is small."""
    monkeypatch.setattr(tiff, "UNTILED", 64)
    monkeypatch.setattr(tiff, "TILE", 16)
    monkeypatch.setattr(tiff, "_BAND", 16 * 48 * 2)
    monkeypatch.setattr(writing, "_AT_ONCE", 0)


def on_disk(letters, pixels):
    """Pixels with the axes that a TIFF has: Y and X last, before the colors."""
    color = letters.endswith("C")
    order = sorted(range(len(letters) - color), key=lambda axis: "TCZYX".index(letters[axis]))
    return pixels.transpose([*order, *range(len(letters) - color, len(letters))])


@pytest.mark.parametrize("source", [np.asarray, Lazy], ids=["in memory", "lazy"])
@pytest.mark.parametrize("name", IMAGES)
def test_pixels_and_levels_come_back(name, source, tmp_path):
    letters, pixels = IMAGES[name]
    path = tmp_path / "a.ome.tif"
    write_image(path, source(pixels), letters, {a: SIZES[a] for a in "YX"}, "um")
    expected = on_disk(letters, pixels)
    image = read_image(path)
    assert np.array_equal(image.data, expected)
    assert (image.pixel_size, image.unit) == ({"Y": 0.2, "X": 0.1}, "micrometer")
    planes = expected.ndim - (3 if letters.endswith("C") else 2)
    with tifffile.TiffFile(path) as file:
        (series,) = file.series
        levels = [level.asarray().reshape(-1, *level.shape[planes:]) for level in series.levels]
        tiled = series.keyframe.is_tiled
    assert tiled == (len(levels) > 1) == (max(expected.shape[planes : planes + 2]) > 64)
    assert max(levels[-1].shape[1:3]) <= 64
    for finer, coarser in pairwise(levels):
        assert np.array_equal(coarser, np.stack([halved(plane) for plane in finer]))


def test_the_metadata_are_those_of_a_small_file(tmp_path):
    pixels = RNG.integers(0, 256, (3, 2, 90, 70), np.uint8)
    for name, size in (("large", 90), ("small", 40)):
        write_image(tmp_path / f"{name}.ome.tif", pixels[..., :size, :size], "TCYX", metadata=METADATA)
    large, small = (read_image(tmp_path / f"{name}.ome.tif").fields() for name in ("large", "small"))
    assert large == small
    assert large == {**METADATA.fields(), "luts": ()}


def test_no_more_than_a_band_is_read_at_a_time(tmp_path):
    pixels = RNG.integers(0, 4096, (3, 300, 400), np.uint16)
    lazy = Lazy(pixels)
    write_image(tmp_path / "a.ome.tif", lazy, "ZYX")
    assert 0 < lazy.largest <= 16 * 48
    assert np.array_equal(read_image(tmp_path / "a.ome.tif").data, pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_small_planes_are_read_one_by_one(name, tmp_path):
    letters, pixels = IMAGES["small planes"]
    lazy = Lazy(pixels)
    write_image(tmp_path / name, lazy, letters)
    assert lazy.largest == 20 * 30
    assert np.array_equal(read_image(tmp_path / name).data, pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_each_chunk_of_a_dask_array_is_computed_once(name, tmp_path):
    pixels = RNG.integers(0, 4096, (2, 130, 170), np.uint16)
    computed = []

    def count(block, block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return block + np.uint16(1)

    lazy = dask.array.from_array(pixels, chunks=(2, 65, 100)).map_blocks(count, dtype=np.uint16, meta=pixels[:0])
    write_image(tmp_path / name, lazy, "ZYX")
    assert sorted(computed) == [(0, y, x) for y in range(2) for x in range(2)]
    assert np.array_equal(read_image(tmp_path / name).data, pixels + 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_zarr_array_is_written_in_any_order_of_axes(order, tmp_path):
    pixels = RNG.integers(0, 4096, (2, 130, 100), np.uint16)
    stored = zarr.create_array(tmp_path / "a.zarr", data=pixels.transpose(np.argsort(order)), chunks=(50, 50, 50))
    write_image(tmp_path / "a.ome.tif", AxisView(stored, order), "ZYX")
    assert np.array_equal(read_image(tmp_path / "a.ome.tif").data, pixels)


def test_a_file_of_more_than_4_gib_is_a_bigtiff(tmp_path, monkeypatch):
    letters, pixels = IMAGES["YX"]
    for name, largest in (("classic", 2**32), ("big", 50_000)):
        monkeypatch.setattr(tiff, "_CLASSIC", largest)
        write_image(tmp_path / f"{name}.ome.tif", pixels, letters)
        with tifffile.TiffFile(tmp_path / f"{name}.ome.tif") as file:
            assert file.is_bigtiff == (name == "big")
    # With the coarser levels the pixels need more than those of the image, 44,200 bytes.
    assert pixels.nbytes < 50_000


@pytest.mark.parametrize("shape", [(40, 3, 200), (40, 200, 3)])
def test_narrow_planes_are_stored_in_narrow_tiles(shape, tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "TILE", 64)
    pixels = RNG.integers(0, 4096, shape, np.uint16)
    path = tmp_path / "a.ome.tif"
    write_image(path, pixels, "TYX")
    with tifffile.TiffFile(path) as file:
        assert sorted((file.pages.first.tilelength, file.pages.first.tilewidth)) == [16, 64]
    assert np.array_equal(read_image(path).data, pixels)


def test_a_file_whose_whole_tiles_need_more_than_4_gib_is_a_bigtiff(tmp_path, monkeypatch):
    pixels = RNG.integers(0, 4096, (40, 3, 200), np.uint16)
    # The planes and their levels of 2 x 100 and 1 x 50 pixels, in tiles of 16 x 16.
    stored = 2 * 40 * 16 * (208 + 112 + 64)
    for name, largest in (("classic", stored), ("big", stored - 1)):
        monkeypatch.setattr(tiff, "_CLASSIC", largest)
        write_image(tmp_path / f"{name}.ome.tif", pixels, "TYX")
        with tifffile.TiffFile(tmp_path / f"{name}.ome.tif") as file:
            assert file.is_bigtiff == (name == "big")
            assert sum(sum(page.databytecounts) for level in file.series[0].levels for page in level.pages) == stored


def test_small_planes_of_more_than_4_gib_are_a_bigtiff(tmp_path, monkeypatch):
    letters, pixels = IMAGES["small planes"]
    monkeypatch.setattr(tiff, "_CLASSIC", pixels.nbytes - 1)
    write_image(tmp_path / "a.ome.tif", Lazy(pixels), letters)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert file.is_bigtiff
        assert np.array_equal(file.asarray(), pixels)


@pytest.mark.parametrize("name", ["YX", "small planes"])
def test_writing_is_canceled_between_parts_and_leaves_the_old_file(name, tmp_path):
    letters, pixels = IMAGES[name]
    path = tmp_path / "a.ome.tif"
    write_image(path, pixels[..., :5, :5], letters)
    calls = iter([False] * 3)
    with pytest.raises(Cancelled):
        write_image(path, Lazy(pixels), letters, cancel=lambda: next(calls, True))
    assert [one.name for one in tmp_path.iterdir()] == ["a.ome.tif"]
    assert read_image(path).data.shape[-2:] == (5, 5)


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    path = tmp_path / "a.ome.tif"
    write_image(path, np.zeros((4, 5), np.uint8), "YX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.ome\.tif cannot be written \(File too large\)"):
            write_image(path, Lazy(RNG.integers(0, 256, (400, 500), np.uint8)), "YX")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [one.name for one in tmp_path.iterdir()] == ["a.ome.tif"]
    assert read_image(path).data.shape == (4, 5)


def test_a_pyramid_without_some_tiles_is_refused(tmp_path):
    letters, pixels = IMAGES["YX"]
    path = tmp_path / "a.ome.tif"
    write_image(path, pixels, letters)
    with tifffile.TiffFile(path) as file:
        last = max(file.pages.first.dataoffsets)
    # The description and the coarser levels follow the tiles of the image.
    content = path.read_bytes()
    path.write_bytes(content[: last - 1])
    with pytest.raises(InputError):
        read_image(path)
