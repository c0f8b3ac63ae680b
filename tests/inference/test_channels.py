"""Channels of the image and of the network: what is put around a network, compared with the same by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from napari_sr.errors import InputError
from napari_sr.imaging.color import GRAY_WEIGHTS, rgb_to_ycbcr, ycbcr_to_rgb
from napari_sr.imaging.resize import resize
from napari_sr.inference import Job, upscale
from napari_sr.inference.channels import (
    GrayThroughColor,
    InRange,
    LumaOfColor,
    check_channels,
    network_for,
    separate_colors,
)
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.networks import SRCNN, MSRResNet, RRDBNet
from napari_sr.settings import JobSettings
from napari_sr.zoo.card import Architecture, Card
from tests.inference.compute.streaming.drawn import with_drawn_weights
from tests.inference.small_models import identity, model_of, rrdb, through

CPU = torch.device("cpu")
Image = NDArray[np.float32]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def card(channels: int, color: Any, **more: Any) -> Card:
    return Card(
        name="small",
        family="esrgan",
        architecture=Architecture(network="RRDBNet"),
        scale=2,
        channels=channels,
        color=color,
        **more,
    )


def drawn(network: nn.Module) -> nn.Module:
    torch.manual_seed(4)
    return with_drawn_weights(network)


def color_network() -> nn.Module:
    return drawn(MSRResNet(scale=2, features=8, blocks=1))


def luma_network(scale: int = 2) -> nn.Module:
    return drawn(SRCNN(scale=scale, features=(6, 4)))


def plane(channels: int, height: int = 19, width: int = 13) -> Image:
    return np.random.default_rng(channels).random((channels, height, width), dtype=np.float32)


def run(network: nn.Module, image: Image) -> Image:
    with torch.inference_mode():
        out: Image = network(torch.from_numpy(image)[None])[0].numpy()
    return out


# Gray through color


def test_gray_goes_through_color_replicated_and_is_weighed_back() -> None:
    network, gray = color_network(), plane(1)
    around = network_for(network, card(3, "rgb"), 1)
    colors = run(network, np.repeat(gray, 3, 0))
    expected = sum(weight * color for weight, color in zip(GRAY_WEIGHTS, colors, strict=True))
    result = run(around, gray)
    assert result.shape == (1, 38, 26)
    assert np.abs(result[0] - expected).max() <= 1e-5
    # The weights matter: another luminance is another image.
    assert np.abs(colors.mean(0) - expected).max() > 1e-2


def test_the_weights_sum_to_one_so_that_gray_keeps_its_value() -> None:
    around: Any = network_for(color_network(), card(3, "rgb"), 1)
    assert isinstance(around, GrayThroughColor)
    assert float(around.weigh.weight.double().sum()) == pytest.approx(1.0, abs=1e-7)


# Luminance of colors


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_luminance_goes_through_and_colors_are_interpolated(scale: int) -> None:
    network, rgb = luma_network(scale), plane(3)
    around = network_for(network, card(1, "luma"), 3)
    ycbcr = rgb_to_ycbcr(np.moveaxis(rgb, 0, -1).astype(np.float64))
    luma = run(network, ycbcr[None, ..., 0].astype(np.float32))[0]
    chroma = [resize(ycbcr[..., c], (19 * scale, 13 * scale), kernel="bicubic") for c in (1, 2)]
    expected = np.moveaxis(ycbcr_to_rgb(np.stack([luma.astype(np.float64), *chroma], -1)), -1, 0)
    result = run(around, rgb)
    assert result.shape == (3, 19 * scale, 13 * scale)
    assert np.abs(result - expected).max() <= 1e-5


def test_luminance_of_colors_is_streamed_as_it_is_whole() -> None:
    around: Any = network_for(luma_network(3), card(1, "luma"), 3)
    rgb = plane(3, 90, 40)
    for memory in ("auto", 1):
        runner = PlaneRunner(around, CPU, memory=memory)  # type: ignore[arg-type]
        assert np.abs(through(runner, rgb) - run(around, rgb)).max() <= 2e-5
        assert runner.tiling.startswith("exact")


def test_colors_see_as_far_as_their_interpolation_even_where_the_network_does_not() -> None:
    nearest = drawn(SRCNN(scale=2, kernels=(1, 1, 1), features=(2, 2), upsampling="nearest"))
    around: Any = network_for(nearest, card(1, "luma"), 3)
    assert nearest.receptive_radius == 0
    rgb = plane(3, 41, 40)
    changed = rgb.copy()
    changed[0, 20, 20] += 1
    seen = np.abs(run(around, rgb) - run(around, changed)).max(0) > 1e-6
    rows = np.flatnonzero(seen.any(1)) // 2
    assert 0 < max(20 - rows.min(), rows.max() - 20) <= around.receptive_radius
    # Bands use this radius.
    assert np.abs(through(PlaneRunner(around, CPU, memory=1), rgb) - run(around, rgb)).max() <= 2e-5


def test_gray_through_luminance_is_the_same_image_in_color() -> None:
    network, gray = luma_network(), plane(1)
    colors = run(network_for(network, card(1, "luma"), 3), np.repeat(gray, 3, axis=0))
    alone = run(network_for(network, card(1, "luma"), 1), gray)
    assert np.abs(colors - alone).max() <= 1e-5


def test_luma_taken_out_of_colors_already_is_taken_as_it_is() -> None:
    network = luma_network()
    assert network_for(network, card(1, "luma"), 1, luma=True) is network


def test_gray_through_luminance_is_streamed_as_it_is_whole() -> None:
    around, image = network_for(luma_network(), card(1, "luma"), 1), plane(1)
    assert np.abs(through(PlaneRunner(around, CPU, memory=1), image) - run(around, image)).max() <= 2e-5


# What fits needs nothing


@pytest.mark.parametrize(("channels", "color", "colors"), [(3, "rgb", 3), (1, "gray", 1)])
def test_a_network_that_fits_is_given_as_it_is(channels: int, color: str, colors: int) -> None:
    network = RRDBNet(scale=2, in_channels=channels, out_channels=channels, features=8, growth=4, blocks=1)
    assert network_for(network, card(channels, color), colors) is network


# Ranges


def test_ranges_are_put_around_the_network() -> None:
    network, image = luma_network(), plane(1)
    ranges = {"intensity_range": (-1.0, 1.0), "output_range": (16.0, 235.0)}
    around = network_for(network, card(1, "gray", **ranges), 1)
    assert isinstance(around, InRange)
    expected = (run(network, image * 2 - 1) - 16) / (235 - 16)
    assert np.abs(run(around, image) - expected).max() <= 1e-5


def test_ranges_are_those_of_the_network_and_not_of_what_is_around_it() -> None:
    """Colors change space between 0 and 1, and only then go into the network's range."""
    network, rgb = luma_network(), plane(3)
    ranges = {"intensity_range": (0.0, 255.0), "output_range": (0.0, 255.0)}
    around = network_for(network, card(1, "luma", **ranges), 3)
    assert isinstance(around, LumaOfColor)
    ycbcr = rgb_to_ycbcr(np.moveaxis(rgb, 0, -1))
    luma = run(network, 255 * ycbcr[None, ..., 0])[0] / 255
    chroma = [resize(ycbcr[..., c], (38, 26), kernel="bicubic") for c in (1, 2)]
    expected = np.moveaxis(ycbcr_to_rgb(np.stack([luma, *chroma], -1)), -1, 0)
    assert np.abs(run(around, rgb) - expected).max() <= 2e-5


def test_a_network_in_its_range_is_streamed_as_it_is_whole() -> None:
    around = network_for(luma_network(), card(1, "gray", intensity_range=(-1.0, 1.0), output_range=(-2.0, 3.0)), 1)
    image = plane(1, 80, 30)
    runner = PlaneRunner(around, CPU)
    assert np.abs(through(runner, image) - run(around, image)).max() <= 2e-5
    assert runner.tiling.startswith("exact")


# Colors one by one


def test_only_a_gray_network_takes_colors_one_by_one() -> None:
    assert separate_colors(card(1, "gray"))
    assert not separate_colors(card(1, "luma"))
    assert not separate_colors(card(3, "rgb"))


def test_colors_one_by_one_are_three_gray_planes() -> None:
    model = rrdb(2, 1)
    image = np.random.default_rng(3).integers(0, 256, (4, 9, 8, 3), np.uint8)
    together = Job(model, JobSettings(batch=3)).run(image, "ZYXC").data
    for color in range(3):
        alone = upscale(np.ascontiguousarray(image[..., color]), model, "ZYX", intensity="dtype")
        assert np.array_equal(together[..., color], alone)


def test_gray_and_color_models_agree_with_their_network_through_a_job() -> None:
    settings = {"scale": 2, "features": 8, "blocks": 1}
    network = drawn(MSRResNet(**settings))  # type: ignore[arg-type]
    model = model_of(network, "MSRResNet", settings, color="rgb")
    image = plane(1)[0]
    result = upscale(image, model, "YX", intensity=(0.0, 1.0))
    expected = run(network_for(network, model.card, 1), image[None])[0]
    assert np.abs(result - expected).max() <= 1e-5


# Refusals and opacity


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_other_channels_are_refused(channels: int) -> None:
    with pytest.raises(InputError, match=f"'small' takes images of {channels} channels.* choose a model of 1 or 3"):
        check_channels(card(channels, "gray"))


def test_the_usual_channels_are_not_refused() -> None:
    for model in (identity(), identity(3, "rgb")):
        check_channels(model.card)
