"""Upscaling of whole images: dtype, axes and values of the result."""

from itertools import permutations
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sr.errors import Cancelled, InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.resize import resize
from napari_sr.inference import Job, upscale
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.settings import JobSettings, Overlap
from tests.inference.small_models import identity, rrdb

IDENTITY = identity()
IDENTITY_GRAY = identity(color="gray")
IDENTITY_RGB = identity(3, "rgb")


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """An image of random values."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    image=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=6))
    ),
    intensity=st.sampled_from(["dtype", (0.0, 1.0), (100.0, 4000.5), (-3.0, 70000.0)]),
)
def test_the_identity_network_reproduces_every_image_bit_for_bit(image: np.ndarray, intensity: Any) -> None:
    letters = "TCZYX"[-image.ndim :] if image.ndim != 4 else "CZYX"
    if letters.endswith("YX"):
        out = upscale(image, IDENTITY, letters, intensity=intensity)
        assert out.dtype == image.dtype
        assert np.array_equal(out, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_identity_network_reproduces_every_value_of_the_dtype(dtype: type) -> None:
    image = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1)
    for intensity in ("auto", "dtype", "percentile", (7.0, 1234.5)):
        assert np.array_equal(upscale(image, IDENTITY, intensity=intensity), image)
        # One channel into three and back: weights that sum to 1.
        assert np.array_equal(upscale(image, IDENTITY_RGB, intensity=intensity), image)


@pytest.mark.parametrize("model", [IDENTITY_RGB, IDENTITY_GRAY], ids=["rgb", "gray"])
def test_the_identity_network_reproduces_colors(model: Any) -> None:
    image = np.random.default_rng(0).integers(0, 65536, (5, 6, 4), np.uint16)
    assert np.array_equal(upscale(image, model, "YXC"), image)


def test_the_identity_network_of_luminance_reproduces_colors_to_rounding() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    assert np.abs(upscale(image, IDENTITY, "YXC").astype(int) - image).max() <= 1


@pytest.mark.parametrize("letters", ["".join(p) for p in permutations("CZYX")])
def test_any_order_of_axes_gives_the_same_planes(letters: str) -> None:
    model = rrdb(2)
    image = np.random.default_rng(1).integers(0, 256, (2, 2, 6, 7), np.uint8)
    expected = upscale(image, model, "CZYX")
    order = ["CZYX".index(letter) for letter in letters]
    out = upscale(image.transpose(order), model, letters)
    assert np.array_equal(out, expected.transpose(order))


def test_a_stack_is_its_planes_one_by_one() -> None:
    model = rrdb(3, 1)
    stack = np.random.default_rng(2).integers(0, 4000, (3, 8, 9), np.uint16)
    together = upscale(stack, model, "ZYX", intensity=(0, 4000))
    assert together.shape == (3, 24, 27)
    for n in range(3):
        alone = upscale(stack[n], model, "YX", intensity=(0, 4000))
        # Planes that go together may be summed in another order, so a value halfway between two rounds either way.
        assert np.abs(together[n].astype(int) - alone).max() <= 1
        assert (together[n] != alone).mean() < 0.02


def test_one_intensity_map_for_the_whole_stack() -> None:
    """A dim plane of a stack is not stretched: the map is chosen once."""
    stack = np.stack([np.full((6, 6), 10, np.uint16), np.arange(36, dtype=np.uint16).reshape(6, 6) * 1000])
    result = Job(rrdb(2, 1)).run(stack, "ZYX")
    assert len(result.report.intensity) == 1


def test_separate_channels_have_a_map_each() -> None:
    image = np.random.default_rng(3).integers(0, 60000, (2, 6, 6), np.uint16)
    image[1] //= 100
    report = Job(rrdb(2, 1)).run(image, "CYX").report
    assert set(report.intensity) == {"0", "1"}
    assert report.intensity["0"][1] > 50 * report.intensity["1"][1]


def test_gray_through_a_color_network_stays_gray() -> None:
    image = np.random.default_rng(4).integers(0, 256, (6, 7), np.uint8)
    assert upscale(image, rrdb(2), "YX").shape == (12, 14)


def test_opacity_is_resized_and_not_invented() -> None:
    image = np.random.default_rng(5).integers(0, 256, (6, 7, 4), np.uint8)
    out = upscale(image, rrdb(2), "YXC")
    assert np.array_equal(out[..., 3], resize(image[..., 3], factor=2, kernel="bilinear"))


def test_dask_arrays_give_the_result_of_numpy_arrays() -> None:
    image = np.random.default_rng(6).integers(0, 4000, (2, 12, 10), np.uint16)
    lazy = da.from_array(image, chunks=(1, 5, 4))
    assert np.array_equal(upscale(lazy, rrdb(2, 1), "ZYX"), upscale(image, rrdb(2, 1), "ZYX"))


def test_the_cards_ranges_are_those_of_the_network() -> None:
    """An identity network trained from [0, 255] to [-1, 1] makes v / 255 of v: the card undoes it."""
    image = np.random.default_rng(7).random((6, 6), dtype=np.float32)
    plain = upscale(image, IDENTITY, intensity=(0, 1))
    stretched = identity(color="gray", intensity_range=(0.0, 255.0), output_range=(0.0, 255.0))
    assert np.allclose(upscale(image, stretched, intensity=(0, 1)), plain, atol=1e-6)
    wider = identity(color="gray", output_range=(0.0, 2.0))
    assert np.allclose(upscale(image, wider, intensity=(0, 1)), plain / 2, atol=1e-6)


def test_clipped_values_are_counted() -> None:
    # Halving the output range doubles the values: every pixel above the middle leaves uint8.
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    result = Job(identity(color="gray", output_range=(0.0, 0.5))).run(image, "YX")
    assert result.report.clipped == 128
    assert result.data.max() == 255


@pytest.mark.parametrize("tiling", ["exact", Overlap(tile=16, overlap=2, blend=1)], ids=["exact", "tiles"])
def test_progress_only_grows_and_ends_full(tiling: Any) -> None:
    seen: list[tuple[int, int]] = []
    job = Job(rrdb(2, 1), JobSettings(tiling=tiling, memory=10**6))
    job.run(drawn((2, 200, 30)), "ZYX", progress=lambda done, total: seen.append((done, total)))
    totals = {total for _, total in seen}
    assert len(totals) == 1
    assert seen == sorted(seen)
    assert seen[0][0] == 0
    assert seen[-1][0] == totals.pop()
    assert len(seen) > 6


def test_progress_counts_the_planes_of_a_channel_that_is_copied() -> None:
    seen: list[tuple[int, int]] = []
    image = drawn((3, 2, 8, 8))
    image[1] = 7
    job = Job(rrdb(2, 1), JobSettings(batch=1))
    result = job.run(image, "CZYX", progress=lambda done, total: seen.append((done, total)))
    assert seen[:3] == [(0, 48), (8, 48), (16, 48)]
    assert seen == sorted(seen)
    assert seen[-1] == (48, 48)
    assert (result.data[1] == 7).all()
    assert np.array_equal(result.data[[0, 2]], upscale(image[[0, 2]], rrdb(2, 1), "CZYX", batch=1))


@pytest.mark.parametrize("alike", [False, True], ids=["through the network", "copied"])
def test_cancel_ends_the_job(alike: bool) -> None:
    seen: list[int] = []
    image = drawn((5, 8, 8))
    if alike:
        image[:] = 7
    job = Job(rrdb(2, 1), JobSettings(batch=1))
    with pytest.raises(Cancelled):
        job.run(
            image,
            "ZYX",
            progress=lambda done, _: seen.append(done),
            cancel=lambda: bool(seen) and seen[-1] >= 16,
        )
    assert seen[-1] == 16


def test_a_report_is_one_line() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    report = Job(rrdb(2, 1), JobSettings(device="cpu")).run(image).report
    line = report.sentence()
    assert "x2 on cpu in float32, 1 plane" in line
    assert "\n" not in line
    assert report.as_dict()["planes"] == 1


@pytest.mark.parametrize(
    ("image", "axes", "message"),
    [
        (np.zeros(5), None, "at least the two dimensions"),
        (np.zeros((0, 5)), None, "empty"),
        (np.zeros((4, 5)), "YQ", "Q"),
        (np.zeros((4, 5)), "ZYX", "do not fit an image of 2 dimensions"),
        (np.array([[np.nan, 1.0]]), None, "1 NaN value"),
        (np.array([[np.inf, 1.0]]), None, "1 infinite value"),
        (np.zeros((4, 4), complex), None, "complex"),
    ],
)
def test_bad_images_are_refused_in_one_sentence(image: np.ndarray, axes: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        upscale(image, rrdb(2, 1), axes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"device": "abacus"}, "device 'abacus' does not exist"),
        ({"precision": "float8"}, "precision 'float8' does not exist"),
        ({"tiling": "squares"}, "tiling 'squares' does not exist"),
        ({"intensity": "guess"}, "intensity 'guess' does not exist"),
        ({"intensity": (5, 5)}, "is empty"),
    ],
)
def test_unknown_settings_are_refused_in_one_sentence(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        upscale(np.zeros((4, 4), np.uint8), rrdb(2, 1), **setting)


@pytest.mark.parametrize("image", [np.full((4, 5), 7, np.uint16), np.full((4, 5), -0.3, np.float32)])
def test_an_image_of_one_value_is_copied_and_the_report_has_the_value(image: np.ndarray) -> None:
    result = Job(rrdb(2, 1)).run(image, "YX")
    assert result.data.dtype == image.dtype
    assert np.array_equal(result.data, np.full((8, 10), image[0, 0]))
    assert f"All pixels have the value {image[0, 0]:g}, which was copied" in result.report.sentence()


def test_a_model_of_four_channels_is_refused() -> None:
    with pytest.raises(InputError, match="4 channels"):
        Job(rrdb(2, 4))


@pytest.mark.parametrize("shared", [False, True])
def test_a_job_gives_the_memory_of_its_device_back_unless_its_network_is_used_again(
    monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    released: list[torch.device] = []
    monkeypatch.setattr("napari_sr.inference.run.run_region.release_memory", released.append)
    job = Job("srcnn-x2", JobSettings(device="cpu", intensity=(0, 1)))
    image = np.random.default_rng(0).random((9, 8), np.float32)
    region = job.region(parse_axes("YX", image.shape))
    job.run_region(image, region, network=JobNetwork(job.model, job.settings) if shared else None)
    assert released == ([] if shared else [torch.device("cpu")])


def test_results_can_be_compared_and_kept_in_a_list() -> None:
    results = [Job(IDENTITY_GRAY).run(drawn((8, 8))) for _ in range(2)]
    assert results.index(results[1]) == 1
    assert results[0] != results[1]
