"""Results of a target size are the network's result, resized as by MATLAB."""

from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Layer

from napari_sr.errors import InputError
from napari_sr.imaging.resize import resize
from napari_sr.inference import Job, upscale, upscale_layer
from napari_sr.settings import JobSettings, Overlap
from tests.inference.small_models import identity, rrdb
from tests.inference.test_layer import world_box

GRAY, COLOR = rrdb(2, 1), rrdb(2)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    factor=st.floats(0.4, 5.0),
    colors=st.booleans(),
    memory=st.sampled_from(["auto", 200_000]),
)
def test_the_result_is_the_networks_result_resized(
    height: int, width: int, factor: float, colors: bool, memory: Any
) -> None:
    shape = (height, width, 3) if colors else (height, width)
    image = np.random.default_rng(0).random(shape, np.float32)
    model = COLOR if colors else GRAY
    out = upscale(image, model, target=factor, memory=memory, intensity=(0, 1))
    size = tuple(int(n * factor + 0.5) for n in (height, width))
    expected = resize(upscale(image, model, intensity=(0, 1)), size, axes=(0, 1))
    assert out.shape[:2] == size
    assert np.allclose(out, expected, atol=1e-4 * np.abs(expected).max())


def test_integers_are_rounded_once_at_the_end() -> None:
    image = np.random.default_rng(1).integers(0, 256, (20, 30), np.uint8)
    exact = resize(upscale(image.astype(np.float64), GRAY, intensity=(0, 255)), (30, 45))
    out = upscale(image, GRAY, target=1.5)
    assert np.abs(out - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    "tiling", ["exact", "none", Overlap(tile=40, overlap=16, blend=0)], ids=["exact", "none", "tiles"]
)
def test_every_tiling_gives_the_same_result(tiling: Any) -> None:
    image = np.random.default_rng(2).random((70, 50), np.float32)
    whole = resize(upscale(image, GRAY, intensity=(0, 1), tiling=tiling), (119, 85))
    assert np.allclose(upscale(image, GRAY, intensity=(0, 1), target=1.7, tiling=tiling), whole, atol=1e-4)


def test_opacity_is_resized_to_the_target_in_one_step() -> None:
    image = np.random.default_rng(3).integers(0, 65536, (20, 31, 4), np.uint16)
    out = upscale(image, COLOR, target=1.3)
    assert np.array_equal(out[..., 3], resize(image[..., 3], (26, 40), kernel="bilinear"))


def test_a_resized_stack_is_written_to_a_store(tmp_path: Any) -> None:
    stack = np.random.default_rng(4).integers(0, 4000, (3, 20, 24), np.uint16)
    upscale(stack, GRAY, "ZYX", target=3, out=tmp_path / "out.zarr")
    finest = zarr.open_group(tmp_path / "out.zarr", mode="r")["0"]
    assert np.array_equal(finest[:], upscale(stack, GRAY, "ZYX", target=3))


@pytest.mark.parametrize("target", [0.5, 2, 2.6, "0.031 um", "31 nm"])
def test_the_result_of_a_layer_covers_the_same_region(target: Any) -> None:
    data = np.random.default_rng(5).integers(0, 4000, (2, 21, 33), np.uint16)
    source = Image(data, scale=(0.3, 0.1, 0.08), units=("micrometer",) * 3, rotate=(5, 6, 7), translate=(1, 2, 3))
    result = Layer.create(*upscale_layer(source, GRAY, target=target))
    assert np.allclose(world_box(result), world_box(source), atol=1e-9)
    if isinstance(target, str):
        # As near as a whole number of pixels comes to it.
        assert np.allclose(result.scale[1:], 0.031, rtol=0.02)


def test_the_name_and_the_report_contain_the_size() -> None:
    image = np.random.default_rng(4).integers(0, 256, (20, 30), np.uint8)
    source = Image(image, scale=(0.1, 0.1), units=("micrometer",) * 2, name="cells")
    data, kwargs, _ = upscale_layer(source, GRAY, target="0.04 um")
    assert data.shape == (50, 75)
    assert kwargs["name"] == "cells (ESRGAN 0.04 µm)"
    assert kwargs["metadata"]["napari_sr"]["factors"] == (2.5, 2.5)
    assert kwargs["metadata"]["napari_sr"]["scale"] == 2
    report = Job(GRAY, JobSettings(target=2.5)).run(image).report
    assert "x2 resized to x2.5 and x2.5 on" in report.sentence()


def test_a_target_pixel_size_needs_the_pixel_size_of_the_image() -> None:
    with pytest.raises(InputError, match="own pixel size is not known"):
        upscale_layer(Image(np.zeros((4, 5), np.uint8)), GRAY, target="0.05 um")
    image = np.arange(20, dtype=np.uint8).reshape(4, 5)
    assert upscale(image, GRAY, target="50 nm", pixel_size={"Y": 0.1, "X": 0.2}, unit="um").shape == (8, 20)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("0.05 parsec", "neither a factor nor a pixel size"),
        ("much", "neither a factor nor a pixel size"),
        ("x2.5.1", "neither a factor nor a pixel size"),
        (0, "cannot be used"),
        (float("nan"), "not finite"),
        (True, "not a number"),
    ],
)
def test_invalid_targets_are_refused(target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Job(GRAY, JobSettings(target=target))


def test_a_size_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="leaves no pixel of 4"):
        upscale(np.zeros((4, 5), np.uint8), GRAY, target=0.05)


def test_the_identity_network_with_a_target_of_one_changes_nothing() -> None:
    image = np.random.default_rng(6).integers(0, 65536, (9, 8), np.uint16)
    assert np.array_equal(upscale(image, identity(), target=1), image)
