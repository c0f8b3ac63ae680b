"""Visible colors are continued into transparent pixels, so that cut-outs have no fringe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_sr.imaging.part import Part
from napari_sr.inference import Job, upscale
from napari_sr.inference.compute.opacity import REACH, spread_colors
from napari_sr.networks import SRCNN
from napari_sr.settings import JobSettings, Overlap
from tests.inference.compute.streaming.drawn import with_drawn_weights
from tests.inference.small_models import identity, model_of, rrdb

COLOR = (200, 40, 90)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def disc(height: int = 60, width: int = 70, dtype: str = "uint8", soft: bool = True) -> NDArray[Any]:
    """A disc of one color on transparent black, its edge soft."""
    y, x = np.mgrid[0:height, 0:width]
    away = 18 - np.hypot(y - 30, x - 33)
    opacity = np.clip(away / 3, 0, 1) if soft else (away > 0).astype(float)
    most = 1.0 if dtype == "float32" else float(np.iinfo(dtype).max)
    image = np.zeros((height, width, 4))
    image[..., 3] = opacity * most if dtype == "float32" else np.rint(opacity * most)
    image[image[..., 3] > 0, :3] = np.array(COLOR) / 255 * most
    return image.astype(dtype)


def srcnn() -> Any:
    settings = {"scale": 2, "kernels": (5, 1, 3), "features": (8, 4), "upsampling": "bicubic"}
    return model_of(with_drawn_weights(SRCNN(**settings)), "SRCNN", settings, color="gray")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("make", [lambda: rrdb(2), lambda: rrdb(2, 1), srcnn], ids=["rgb", "gray", "srcnn"])
def test_a_disc_of_one_color_stays_of_one_color(make: Any, dtype: str, soft: bool) -> None:
    image = disc(dtype=dtype, soft=soft)
    model = make()
    # With black and white as two values the image of one color passes through the network, too.
    intensity = (0, 1 if dtype == "float32" else np.iinfo(dtype).max)
    out = upscale(image, model, "YXC", intensity=intensity)
    flat = np.empty_like(image)
    flat[...] = image[30, 33]
    expected = upscale(flat, model, "YXC", intensity=intensity)[60, 66, :3]
    visible = out[..., 3] > 0
    # The disc is far from the border of the image, where the network pads its input.
    off = np.abs(out[visible][:, :3].astype(float) - expected)
    assert off.max() <= (1e-5 if dtype == "float32" else 1)


def test_opaque_images_are_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 4), np.uint8)
    image[..., 3] = 255
    assert np.array_equal(spread_colors(image), image[..., :3])
    colors = upscale(np.ascontiguousarray(image[..., :3]), rrdb(2), "YXC")
    assert np.array_equal(upscale(image, rrdb(2), "YXC")[..., :3], colors)


def test_visible_colors_stay_as_they_are() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    image[..., 3] *= np.random.default_rng(1).random((40, 30)) > 0.6
    visible = image[..., 3] > 0
    assert np.array_equal(spread_colors(image)[visible], image[visible][:, :3])
    assert np.array_equal(upscale(image, identity(3, "rgb"), "YXC")[visible], image[visible])


def test_transparent_pixels_get_the_color_of_the_nearest_visible_ones() -> None:
    image = np.zeros((50, 200, 4), np.uint8)
    image[20:30, 10:40] = (255, 0, 0, 255)
    image[20:30, 41:70] = (0, 0, 255, 255)
    image[25, 25] = (0, 0, 0, 1)
    spread = spread_colors(image)
    assert spread[25, 8].tolist() == [255, 0, 0]
    assert spread[25, 72].tolist() == [0, 0, 255]
    assert spread[25, 40].tolist() == [128, 0, 128]
    assert spread[18, 25].tolist() == [255, 0, 0]
    assert spread[25, 70 + REACH - 1].tolist() == [0, 0, 255]
    assert spread[25, 70 + REACH].tolist() == [0, 0, 0]


def test_blocks_equal_the_whole_and_transparent_planes_are_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    image = disc(150, 70)
    whole = spread_colors(image)
    monkeypatch.setattr("napari_sr.inference.compute.opacity._BLOCK", 1)
    assert np.array_equal(spread_colors(image), whole)
    empty = np.zeros((5, 6, 4), np.uint8)
    assert np.array_equal(spread_colors(empty), empty[..., :3])


@pytest.mark.parametrize("tiling", ["exact", Overlap(tile=32, overlap=8, blend=4)], ids=["exact", "tiles"])
def test_parts_and_lazy_images_equal_the_whole(tiling: Any) -> None:
    image = np.stack([disc(90, 100), disc(90, 100)[::-1]])
    job = Job(rrdb(2), JobSettings(tiling=tiling))
    whole = job.run(image, "ZYXC").data
    lazy = da.from_array(image, chunks=(1, 16, 16, 4))
    assert np.array_equal(job.run(lazy, "ZYXC").data, whole)
    if tiling == "exact":
        part = job.run(image, "ZYXC", part=Part(rows=(20, 55), columns=(10, 60), at={"Z": 1})).data
        assert np.abs(part[0].astype(int) - whole[1, 40:110, 20:120]).max() <= 1


def test_an_image_with_x_before_y_has_the_same_result() -> None:
    image = disc()
    out = upscale(image, rrdb(2), "YXC")
    assert np.array_equal(upscale(image.swapaxes(0, 1), rrdb(2), "XYC"), out.swapaxes(0, 1))


def test_a_plane_that_is_read_part_by_part_equals_one_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    image = disc()
    whole = upscale(image, rrdb(2), "YXC")
    monkeypatch.setattr("napari_sr.inference.run.work._is_small", lambda axes, image: False)
    lazy = da.from_array(image, chunks=(16, 16, 4))
    assert np.array_equal(upscale(lazy, rrdb(2), "YXC", memory=10**6), whole)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int64", "uint64"])
def test_integers_of_any_size_keep_their_colors_and_opacity(dtype: str) -> None:
    most = int(np.iinfo(dtype).max)
    image = np.zeros((12, 14, 4), dtype)
    image[3:9, 3:9] = (most, most // 2, 1, most)
    spread = spread_colors(image)
    assert [int(value) for value in spread[5, 5]] == [most, most // 2, 1]
    assert int(spread[1, 5, 0]) == most
    assert abs(int(spread[1, 5, 1]) - most // 2) <= most * 1e-15
    out = upscale(image, identity(3, "rgb"), "YXC", intensity=(0, most))
    assert np.array_equal(out[..., 3], image[..., 3])
    wider = upscale(image, rrdb(2), "YXC", intensity=(0, most))
    assert int(wider[11, 11, 3]) == most
    assert int(wider[0, 0, 3]) == 0


def test_an_opacity_that_fades_to_almost_nothing_leaves_finite_colors() -> None:
    y, x = np.mgrid[0:60, 0:60]
    image = np.zeros((60, 60, 4), np.float32)
    image[..., :3] = (0.2, 0.5, 0.9)
    image[..., 3] = np.exp(-((y - 30.0) ** 2 + (x - 30.0) ** 2) / 8)
    image[image[..., 3] == 0, :3] = 0
    assert 0 < image[..., 3][image[..., 3] > 0].min() < 1e-30
    spread = spread_colors(image)
    assert np.abs(spread - np.float32([0.2, 0.5, 0.9])).max() < 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, 9.97e36])
def test_missing_values_beyond_a_part_do_not_reach_it(value: float) -> None:
    image = np.random.default_rng(0).random((40, 80, 4)).astype(np.float32)
    image[:, 20:, 3] = 0
    expected = Job(rrdb(2)).run(image, "YXC", part=Part(columns=(0, 10))).data
    image[5, 50, 0] = image[7, 60, 3] = value
    spread = spread_colors(image)
    kept = np.isfinite(spread).all(-1) & (np.abs(spread) < 2).all(-1)
    assert kept[:, :50].all()
    options = JobSettings(intensity=(0.0, 1.0))
    part = Job(rrdb(2), options).run(image, "YXC", part=Part(columns=(0, 10))).data
    assert np.abs(part - expected).max() < 0.05


def test_missing_pixels_of_cut_outs_are_filled_and_marked() -> None:
    image = disc(dtype="float32")
    image[30, 33, 1] = np.nan
    image[30, 40, 3] = np.nan
    out = Job(rrdb(2), JobSettings(missing="fill", intensity=(0.0, 1.0))).run(image, "YXC").data
    assert np.isnan(out[60:62, 66:68, :3]).all()
    assert np.isnan(out[60:62, 80:82, 3]).all()
    assert np.count_nonzero(np.isnan(out)) == 4 * 3 + 4
    whole = Job(rrdb(2), JobSettings(intensity=(0.0, 1.0))).run(disc(dtype="float32"), "YXC").data
    present = ~np.isnan(out)
    assert np.abs(out - whole)[present].max() < 1e-5


def test_hot_pixels_of_cut_outs_are_carried() -> None:
    image = disc(dtype="float32")
    image[30, 33, 0] = 1e7
    out = Job(rrdb(2), JobSettings(intensity=(0.0, 1.0))).run(image, "YXC").data
    plain = Job(rrdb(2), JobSettings(intensity=(0.0, 1.0))).run(disc(dtype="float32"), "YXC").data
    assert out[..., 0].max() > 1e6
    assert out[..., 0].min() > -1e6
    far = np.hypot(*(np.mgrid[0:120, 0:140] - np.array([61, 67])[:, None, None])) > 24
    assert np.abs(out - plain)[far & (out[..., 3] > 0.5)].max() < 1e-3


def test_a_cut_out_of_one_color_everywhere_is_copied_with_its_opacity() -> None:
    image = disc()
    image[..., :3] = COLOR
    result = Job(rrdb(2)).run(image, "YXC")
    assert (result.data[..., :3] == COLOR).all()
    assert np.array_equal(result.data[..., 3], Job(rrdb(2)).run(disc(), "YXC").data[..., 3])
    assert result.data[60, 66, 3] == 255
    assert any("copied without the network" in warning for warning in result.report.warnings)
