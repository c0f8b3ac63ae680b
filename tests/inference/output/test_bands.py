"""Bands of rows or columns: each is written once, and recorded when it is in the store."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.axis_view import AxisView
from napari_sr.inference.output import ome_zarr
from napari_sr.inference.output.bands import Bands, Placed
from napari_sr.inference.output.ome_zarr import new_store, shards_of
from napari_sr.inference.output.record import FinishedLines
from napari_sr.inference.output.store_metadata import StorePlace

CHUNK = 8


class Counted:
    """An array in memory that counts the writes."""

    def __init__(self, shape, chunks, dtype=np.uint16):
        self.values, self.chunks, self.shape, self.dtype = np.zeros(shape, dtype), chunks, shape, np.dtype(dtype)
        self.writes = []

    def __setitem__(self, index, values):
        self.writes.append(index)
        self.values[index] = values


def bands_of(letters, shape, finished=None, along="Y"):
    axes = parse_axes(letters, shape)
    chunks = tuple(min(n, CHUNK) if a in "YX" else 1 for a, n in zip(letters, shape, strict=True))
    array = Counted(shape, chunks)
    return axes, array, Bands(AxisView(array, range(len(shape))), axes, axes.y if along == "Y" else axes.x, finished)


def write(axes, bands, image, cuts, index, along):
    """Write a plane from the first line on in strips that end at the given lines."""
    plane = axes.plane(image, index)
    for first, last in zip((0, *cuts), (*cuts, plane.shape["YX".index(along)]), strict=True):
        rows, columns = slice(0, plane.shape[0]), slice(0, plane.shape[1])
        rows, columns = (slice(first, last), columns) if along == "Y" else (rows, slice(first, last))
        if first < last:
            axes.place(bands, axes.part(index, rows, columns), plane[rows, columns])


def assert_whole_bands(written, length):
    """Check that each band of lines was written once, alone or with others."""
    assert all(span.start % CHUNK == 0 for span in written)
    assert all(span.stop % CHUNK == 0 or span.stop == length for span in written)
    lines = [line for span in written for line in range(span.start, span.stop)]
    assert len(lines) % length == 0


LETTERS = ["YX", "XY", "ZYX", "XZY", "YXC", "XYC"]


@given(st.sampled_from(LETTERS), st.sampled_from("YX"), st.integers(1, 40), st.lists(st.integers(0, 40), max_size=8))
def test_strips_of_any_height_give_the_image_with_one_write_a_band(letters, along, height, cuts):
    lengths = {"Y": 10, "X": 10, "Z": 2, "C": 3, along: height}
    shape = tuple(lengths[letter] for letter in letters)
    axes, array, bands = bands_of(letters, shape, along=along)
    image = np.random.default_rng(0).integers(1, 1000, shape).astype(np.uint16)
    cuts = sorted(min(cut, height) for cut in cuts)
    for index in axes.plane_indices():
        write(axes, bands, image, cuts, index, along)
    np.testing.assert_array_equal(array.values, image)
    assert_whole_bands([index[bands.along] for index in array.writes], height)


@given(st.integers(1, 40), st.lists(st.integers(0, 40), max_size=8))
def test_colors_with_alpha_are_written_once_a_band(height, cuts):
    _, array, bands = bands_of("YXC", (height, 10, 4))
    image = np.random.default_rng(0).integers(1, 1000, (height, 10, 4)).astype(np.uint16)
    cuts = sorted(min(cut, height) for cut in cuts)
    for top, bottom in zip((0, *cuts), (*cuts, height), strict=True):
        if top < bottom:
            bands[slice(top, bottom), slice(0, 10), slice(0, 3)] = image[top:bottom, :, :3]
    bands[slice(None), slice(None), 3] = image[..., 3]
    np.testing.assert_array_equal(array.values, image)
    assert_whole_bands([index[0] for index in array.writes if isinstance(index[2], slice)], height)


def test_rows_of_planes_that_are_computed_together_are_kept_apart(tmp_path):
    finished = FinishedLines(tmp_path / "rows")
    axes, array, bands = bands_of("ZYX", (2, 20, 10), finished)
    image = np.arange(400, dtype=np.uint16).reshape(2, 20, 10)
    for top in range(0, 20, 5):
        for index in axes.plane_indices():
            axes.place(
                bands, axes.part(index, slice(top, top + 5), slice(0, 10)), axes.plane(image, index)[top : top + 5]
            )
    np.testing.assert_array_equal(array.values, image)
    assert [finished[(z,)] for z in (0, 1)] == [20, 20]


def test_the_record_has_whole_bands_only(tmp_path):
    finished = FinishedLines(tmp_path / "rows")
    _, array, bands = bands_of("YX", (30, 10), finished)
    bands[slice(0, 13), slice(0, 10)] = np.ones((13, 10), np.uint16)
    assert finished[()] == CHUNK
    assert array.values[:CHUNK].all()
    assert not array.values[CHUNK:].any()
    bands.write_rest()
    assert array.values[:13].all()
    assert finished[()] == CHUNK


@given(
    st.sampled_from(LETTERS),
    st.sampled_from("YX"),
    st.lists(st.integers(1, 39), max_size=3, unique=True).map(sorted),
    st.lists(st.integers(0, 40), max_size=8),
)
def test_pieces_of_lines_are_written_once_a_band(letters, along, edges, height_cuts):
    shape = {"Y": 40, "X": 40, "Z": 2, "C": 3}
    axes, array, bands = bands_of(letters, tuple(shape[letter] for letter in letters), along=along)
    image = np.random.default_rng(0).integers(0, 60000, axes.shape, np.uint16)
    cuts = sorted(height_cuts)
    for index in axes.plane_indices():
        array.writes.clear()
        for left, right in zip((0, *edges), (*edges, 40), strict=True):
            for first, last in zip((0, *cuts), (*cuts, 40), strict=True):
                lines, across = slice(first, last), slice(left, right)
                rows, columns = (lines, across) if along == "Y" else (across, lines)
                part = axes.part(index, rows, columns)
                axes.place(bands, part, axes.plane(image, part))
        assert_whole_bands([write[axes.letters.index(along)] for write in array.writes], 40)
    np.testing.assert_array_equal(array.values, image)


def test_tiles_and_bands_of_columns_are_recorded_when_the_plane_is_complete(tmp_path):
    finished = FinishedLines(tmp_path / "rows")
    _, array, bands = bands_of("YX", (20, 10), finished)
    bands[slice(0, 4), slice(0, 10)] = np.full((4, 10), 1, np.uint16)
    bands[slice(4, 20), slice(0, 5)] = np.full((16, 5), 2, np.uint16)
    assert not finished
    bands[slice(4, 20), slice(5, 10)] = np.full((16, 5), 3, np.uint16)
    assert finished[()] == 20
    assert (array.values[:4] == 1).all()
    assert (array.values[4:, :5] == 2).all()
    assert (array.values[4:, 5:] == 3).all()


def test_a_plane_with_alpha_is_recorded_with_its_alpha(tmp_path):
    finished = FinishedLines(tmp_path / "rows")
    _, _, bands = bands_of("YXC", (20, 10, 4), finished)
    bands[slice(0, 20), slice(0, 10), slice(0, 3)] = np.ones((20, 10, 3), np.uint16)
    assert not finished
    bands[slice(None), slice(None), 3] = np.ones((20, 10), np.uint16)
    assert finished[()] == 20


def test_a_line_that_was_cut_off_is_ignored(tmp_path):
    path = tmp_path / "rows"
    FinishedLines(path).add((1, 2), 16)
    with path.open("ab") as file:
        file.write(b"[1, 2, 3")
    record = FinishedLines(path)
    assert record[(1, 2)] == 16
    record.add((0, 0), 8)
    assert (FinishedLines(path)[(1, 2)], FinishedLines(path)[(0, 0)]) == (16, 8)


def test_finished_lines_are_not_written_again(tmp_path):
    finished = FinishedLines(tmp_path / "rows")
    finished.add((1,), CHUNK)
    _, array, bands = bands_of("ZYX", (2, 20, 10), finished)
    # The rest of the plane 1 begins 3 rows above the first row that is left.
    rest = Placed(bands, (1, CHUNK - 3, 0), 1, skipped=3)
    rest[0, slice(0, 2), slice(0, 10)] = np.full((2, 10), 9, np.uint16)
    rest[0, slice(2, 15), slice(0, 10)] = np.full((13, 10), 7, np.uint16)
    assert not array.values[:, :CHUNK].any()
    assert (array.values[1, CHUNK:] == 7).all()
    assert finished[(1,)] == 20


@pytest.mark.parametrize(
    ("shape", "chunks", "shards"),
    [
        ((16_000, 16_000), (1024, 1024), None),
        ((16_400, 16_400), (1024, 1024), (1024, 8192)),
        ((300, 2000, 1000), (1, 1024, 1000), None),
        ((300, 2000, 2000), (1, 1024, 1024), (1, 1024, 2048)),
    ],
)
def test_large_arrays_have_shards_of_one_row_of_chunks(shape, chunks, shards):
    assert shards_of(shape, chunks, across=len(shape) - 1) == shards


def test_a_store_with_shards_has_all_levels(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    monkeypatch.setattr(ome_zarr, "_MOST_FILES", 4)
    image = np.random.default_rng(0).integers(0, 1000, (70, 90)).astype(np.uint16)
    with new_store(tmp_path / "a.zarr", parse_axes("YX", image.shape), image.dtype, StorePlace()) as finest:
        for top in range(0, 70, 7):
            finest[slice(top, top + 7), slice(0, 90)] = image[top : top + 7]
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group["0"].shards == (8, 64)
    np.testing.assert_array_equal(group["0"][:], image)
    level = image
    for name in sorted(set(group.array_keys()) - {"0"}, key=int):
        even = np.pad(level, [(0, n % 2) for n in level.shape], mode="edge").astype(float)
        level = np.rint(even.reshape(even.shape[0] // 2, 2, -1, 2).mean((1, 3))).astype(np.uint16)
        np.testing.assert_array_equal(group[name][:], level)
    # 9 rows of files for 9 x 12 chunks.
    assert len(list((tmp_path / "a.zarr" / "0" / "c").rglob("*"))) < 40
