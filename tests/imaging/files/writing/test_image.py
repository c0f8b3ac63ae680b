"""A file that cannot be written is named with the cause, and the old file is unchanged."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging.files import Metadata, read_image, write_image

resource = pytest.importorskip("resource", reason="limits of a process are Unix's")

NOISE = np.random.default_rng(0).integers(0, 256, (400, 500), dtype=np.uint8)
NAMES = ["a.tif", "a.ome.tif", "a.png"]


@pytest.fixture
def small_files():
    """Files of this process stay below 64 KiB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", NAMES)
def test_the_error_of_a_full_disk_names_file_and_cause_and_nothing_is_left(tmp_path, small_files, name):
    with pytest.raises(InputError) as caught:
        write_image(tmp_path / name, NOISE)
    sentence = str(caught.value)
    assert sentence.startswith(f"The file {tmp_path / name} cannot be written (File too large)")
    assert "requested" not in sentence and "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_the_old_file(tmp_path, name, request):
    write_image(tmp_path / name, NOISE[:20, :20])
    request.getfixturevalue("small_files")
    with pytest.raises(InputError, match="cannot be written"):
        write_image(tmp_path / name, NOISE)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_image(tmp_path / name).data, NOISE[:20, :20])


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only file sys"),
    ],
)
def test_the_cause_is_that_of_the_system(tmp_path, monkeypatch, number, message):
    def failing(self, path, **options):
        raise OSError(number, message)

    monkeypatch.setattr(Image.Image, "save", failing)
    with pytest.raises(InputError, match=rf"a\.png cannot be written \({message}"):
        write_image(tmp_path / "a.png", NOISE)


def test_a_name_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(InputError, match=r"a\.tif cannot be written \(Is a directory\)"):
        write_image(tmp_path / "a.tif", NOISE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("name", ["a" * 246 + ".ome.tif", "é" * 123 + ".ome.tif"])
def test_a_long_name_is_written(tmp_path, name):
    write_image(tmp_path / name, NOISE)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_error_of_a_file_without_permission_names_the_cause(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", NOISE)

    def forbidden(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", forbidden)
    with pytest.raises(InputError, match=r"a\.png cannot be read \(Permission denied\)"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("letters", ["YX", "ZYX", "CYX", "TZYX", "TCZYX"])
@pytest.mark.parametrize(("height", "width"), [(5, 1), (1, 5), (1, 1)])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_images_of_one_row_or_column_come_back(tmp_path, letters, height, width, name):
    shape = (*range(2, len(letters)), height, width)
    image = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    write_image(tmp_path / name, image, letters)
    found = read_image(tmp_path / name)
    assert sorted(found.axes) == sorted(letters)
    np.testing.assert_array_equal(found.data, image.transpose([letters.index(letter) for letter in found.axes]))


def test_completed_is_called_with_the_whole_file_before_it_gets_its_name(tmp_path):
    path, seen = tmp_path / "out.tif", []

    def completed(temporary):
        seen.append((read_image(temporary).data.shape, path.exists()))

    write_image(path, np.zeros((5, 6), np.uint8), completed=completed)
    assert seen == [((5, 6), False)]
    assert path.exists()


def test_an_error_of_completed_leaves_the_existing_file(tmp_path):
    path = tmp_path / "out.tif"
    path.write_bytes(b"precious")

    def completed(temporary):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write_image(path, np.zeros((5, 6), np.uint8), completed=completed)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lazy_image_of_unknown_lengths_is_refused(tmp_path):
    lazy = pytest.importorskip("dask.array").arange(6, chunks=3)
    with pytest.raises(InputError, match=r"axes of unknown length, .*: call its compute_chunk_sizes first"):
        write_image(tmp_path / "a.ome.tif", lazy[lazy > 2][:, None], "YX")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr"])
def test_the_refusal_of_a_store_says_what_writes_one(tmp_path, name):
    with pytest.raises(InputError, match=rf'"{name}" would be a Zarr store, .*: give it the path as out, or use '):
        write_image(tmp_path / name, np.zeros((4, 4), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_unit_without_sizes_does_not_change_those_of_the_metadata(tmp_path):
    known = Metadata(pixel_size={"Y": 0.1, "X": 0.1}, unit="micrometer", origin={"Y": 5.0})
    image = np.zeros((16, 20), np.uint8)
    with pytest.raises(InputError, match="pixel size in micrometer, not in nm: give its pixel size"):
        write_image(tmp_path / "a.ome.tif", image, unit="nm", metadata=known)
    write_image(tmp_path / "a.ome.tif", image, unit="um", metadata=known)
    read = read_image(tmp_path / "a.ome.tif")
    assert (read.pixel_size, read.unit, read.origin) == (known.pixel_size, known.unit, {"Y": 5.0})
    write_image(tmp_path / "b.ome.tif", image, unit="nm", metadata=Metadata(pixel_size={"Y": 2.0, "X": 3.0}))
    read = read_image(tmp_path / "b.ome.tif")
    assert (read.pixel_size, read.unit) == ({"Y": 2.0, "X": 3.0}, "nanometer")
