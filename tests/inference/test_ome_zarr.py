"""Results on disk: whole or not there, and readable by others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from napari.layers import Image, Layer

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.part import Part
from napari_sr.inference import Job, ome_zarr, prepare_layer, run_layer, store, upscale_layer
from napari_sr.inference.ome_zarr import open_levels
from napari_sr.settings import JobSettings
from napari_sr.widgets.reader import get_reader
from tests.inference.small_models import rrdb
from tests.inference.test_layer import world_box

GRAY = rrdb(2, 1)


def stack(**options: Any) -> Image:
    data = np.random.default_rng(0).integers(0, 4000, (2, 21, 33), np.uint16)
    return Image(data, scale=(0.3, 0.1, 0.1), units=("micrometer",) * 3, translate=(1, 2, 3), name="cells", **options)


def test_the_layer_is_the_store_on_disk(tmp_path: Path) -> None:
    expected = upscale_layer(stack(), GRAY)
    data, kwargs, kind = upscale_layer(stack(), GRAY, out=tmp_path / "cells.zarr")
    assert isinstance(data, zarr.Array)
    layer = Layer.create(data, kwargs, kind)
    assert not layer.multiscale
    assert np.array_equal(np.asarray(layer.data[:]), expected[0])
    assert np.allclose(world_box(layer), world_box(stack()), atol=1e-9)
    assert kwargs["metadata"]["napari_sr"]["planes"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["cells.zarr"]


def test_it_says_axes_sizes_units_and_place_as_ome_zarr(tmp_path: Path) -> None:
    upscale_layer(stack(), GRAY, out=tmp_path / "cells.zarr")
    said = zarr.open_group(tmp_path / "cells.zarr", mode="r").attrs["ome"]
    assert said["version"] == "0.5"
    (image,) = said["multiscales"]
    assert image["axes"] == [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.3, 0.05, 0.05])
    assert translation["translation"] == pytest.approx([1, 1.975, 2.975])


def test_a_large_result_is_a_pyramid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    monkeypatch.setattr(store, "CHUNK", 16)
    data, kwargs, kind = upscale_layer(stack(), GRAY, out=tmp_path / "cells.zarr")
    shapes = [level.shape for level in data]
    assert shapes == [(2, 42, 66), (2, 21, 33), (2, 11, 17), (2, 6, 9)]
    layer = Layer.create(data, kwargs, kind)
    assert layer.multiscale
    finest = data[0][:].astype(float)
    assert np.abs(data[1][:] - finest.reshape(2, 21, 2, 33, 2).mean(axis=(2, 4))).max() <= 0.5
    assert data[2][0, -1, -1] == data[1][0, -1, -1]
    sets = zarr.open_group(tmp_path / "cells.zarr", mode="r").attrs["ome"]["multiscales"][0]["datasets"]
    assert [one["path"] for one in sets] == ["0", "1", "2", "3"]
    # The center of the first coarse pixel: 8 x 8 fine ones of 0.05.
    scale, translation = sets[3]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([0.3, 0.4, 0.4])
    assert translation["translation"] == pytest.approx([1, 1.95 + 0.2, 2.95 + 0.2])
    assert len(open_levels(tmp_path / "cells.zarr")) == 4


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.bool_])
@pytest.mark.parametrize("letters", ["YX", "XY", "ZYX", "YXC"])
def test_levels_keep_dtype_and_order_of_axes(tmp_path: Path, dtype: Any, letters: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", 8)
    axes = parse_axes(letters, tuple({"Z": 2, "Y": 19, "X": 13, "C": 3}[letter] for letter in letters))
    pixels = (100 * np.random.default_rng(1).random(axes.shape)).astype(dtype)
    ndim = axes.ndim - int(axes.rgb)
    described: Any = {"scale": [1.0] * ndim, "translate": [0.0] * ndim, "units": ["pixel"] * ndim}
    with ome_zarr.ome_zarr(tmp_path / "a.zarr", axes, name="a", **described) as finest:
        zarr.create_array(finest, data=pixels)
    levels = open_levels(tmp_path / "a.zarr")
    assert [level.dtype for level in levels] == [np.dtype(dtype)] * len(levels)
    assert levels[1].shape[axes.y] == 10
    assert levels[1].shape[axes.x] == 7
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs
    assert attributes["napari_sr"]["axes"] == letters
    assert ("ome" in attributes) == (letters in ("YX", "ZYX"))


def test_a_part_and_a_target_go_to_a_store_as_well(tmp_path: Path) -> None:
    job = Job(GRAY, JobSettings(target="0.04 um"))
    prepared = prepare_layer(job, stack(), part=Part(rows=(3, 9), at={"Z": 1}))
    on_disk = run_layer(job, prepared, out=tmp_path / "part.zarr")
    assert np.array_equal(on_disk[0][:], run_layer(job, prepared)[0])


def test_what_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Cancelled):
        upscale_layer(stack(), GRAY, out=tmp_path / "a.zarr", cancel=lambda: True)
    assert not list(tmp_path.iterdir())
    # While the coarser levels are made as well.
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    axes = parse_axes("YX", (40, 40))
    described: Any = {"scale": [1.0] * 2, "translate": [0.0] * 2, "units": ["pixel"] * 2, "cancel": lambda: True}
    with pytest.raises(Cancelled):
        with ome_zarr.ome_zarr(tmp_path / "a.zarr", axes, name="a", **described) as finest:
            zarr.create_array(finest, data=np.zeros((40, 40), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_taken_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "taken.zarr").mkdir()
    with pytest.raises(InputError, match="is there already"):
        upscale_layer(stack(), GRAY, out=tmp_path / "taken.zarr")
    with pytest.raises(InputError, match="There is no folder"):
        upscale_layer(stack(), GRAY, out=tmp_path / "no" / "a.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.zarr"]


@pytest.mark.parametrize("chunk", [1024, 16])
def test_a_store_is_opened_again_where_it_lay(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_zarr, "CHUNK", chunk)
    result = Layer.create(*upscale_layer(stack(), GRAY, out=tmp_path / "cells.ome.zarr"))
    read = get_reader(str(tmp_path / "cells.ome.zarr"))
    assert read is not None
    again = Layer.create(*read(str(tmp_path / "cells.ome.zarr"))[0])
    assert again.name == result.name
    assert again.units == result.units
    assert again.multiscale == (chunk == 16)
    finest = again.data[0] if again.multiscale else again.data
    assert np.array_equal(np.asarray(finest[:]), upscale_layer(stack(), GRAY)[0])
    assert np.allclose(again.scale, result.scale)
    assert np.allclose(again.translate, result.translate)


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain.zarr", data=np.zeros((4, 5), np.uint8))
    (tmp_path / "folder.zarr").mkdir()
    assert get_reader(str(tmp_path / "plain.zarr")) is None
    assert get_reader(str(tmp_path / "folder.zarr")) is None
