"""Names of images are those of their files without the endings, and images in a folder are found by them."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sr.imaging.files import find_images, is_image, stem_of, write_image


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cells.tif", "cells"),
        ("exp.1.ome.tif", "exp.1"),
        ("cells 0.5um.OME.TIFF", "cells 0.5um"),
        ("z0.4.ome.zarr", "z0.4"),
        ("plain.zarr", "plain"),
        (".tif", ".tif"),
        ("folder", "folder"),
    ],
)
def test_a_name_is_cut_at_its_ending_only(name, stem):
    assert stem_of(Path("a.b") / name) == stem


def test_images_of_a_folder_are_its_files_and_stores(tmp_path):
    for name in ("b.tif", "a.png"):
        write_image(tmp_path / name, np.zeros((4, 5), np.uint8))
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / ".c.tif").write_text("hidden")
    (tmp_path / "no store.zarr").mkdir()
    zarr.create_array(tmp_path / "s.zarr", shape=(4, 5), dtype=np.uint8)[:] = 1
    assert [path.name for path in find_images(tmp_path)] == ["a.png", "b.tif", "s.zarr"]
    assert [is_image(tmp_path / name) for name in ("a.png", "s.zarr", "no store.zarr", "gone")] == [
        True,
        True,
        False,
        False,
    ]
