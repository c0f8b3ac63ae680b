"""Networks with adapters for the channels and ranges of images."""

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
    GrayAdapter,
    LumaAdapter,
    RangeAdapter,
    check_channels,
    network_for,
    separate_colors,
)
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
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


def test_gray_is_replicated_and_the_result_is_the_weighted_sum_of_the_colors() -> None:
    network, gray = color_network(), plane(1)
    around = network_for(network, card(3, "rgb"), 1)
    colors = run(network, np.repeat(gray, 3, 0))
    expected = sum(weight * color for weight, color in zip(GRAY_WEIGHTS, colors, strict=True))
    result = run(around, gray)
    assert result.shape == (1, 38, 26)
    assert np.abs(result[0] - expected).max() <= 1e-5
    # The weights matter: another luminance is another image.
    assert np.abs(colors.mean(0) - expected).max() > 1e-2


def test_the_weights_of_the_colors_sum_to_one() -> None:
    around: Any = network_for(color_network(), card(3, "rgb"), 1)
    assert isinstance(around, GrayAdapter)
    assert float(around.weigh.weight.double().sum()) == pytest.approx(1.0, abs=1e-7)


# Luminance of colors


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_luma_passes_through_the_network_and_chroma_is_interpolated(scale: int) -> None:
    network, rgb = luma_network(scale), plane(3)
    around = network_for(network, card(1, "luma"), 3)
    ycbcr = rgb_to_ycbcr(np.moveaxis(rgb, 0, -1).astype(np.float64))
    luma = run(network, ycbcr[None, ..., 0].astype(np.float32))[0]
    chroma = [resize(ycbcr[..., c], (19 * scale, 13 * scale), kernel="bicubic") for c in (1, 2)]
    expected = np.moveaxis(ycbcr_to_rgb(np.stack([luma.astype(np.float64), *chroma], -1)), -1, 0)
    result = run(around, rgb)
    assert result.shape == (3, 19 * scale, 13 * scale)
    assert np.abs(result - expected).max() <= 1e-5


def test_luma_of_colors_streamed_equals_the_whole_image() -> None:
    around: Any = network_for(luma_network(3), card(1, "luma"), 3)
    rgb = plane(3, 90, 40)
    for memory in ("auto", 1):
        runner = PlaneRunner(PreparedNetwork(around, CPU), memory=memory)  # type: ignore[arg-type]
        assert np.abs(through(runner, rgb) - run(around, rgb)).max() <= 2e-5
        assert runner.tiling.startswith("exact")


def test_the_receptive_radius_includes_the_interpolation_of_chroma() -> None:
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
    assert np.abs(through(PlaneRunner(PreparedNetwork(around, CPU), memory=1), rgb) - run(around, rgb)).max() <= 2e-5


def test_gray_through_a_luma_network_equals_the_same_image_in_color() -> None:
    network, gray = luma_network(), plane(1)
    colors = run(network_for(network, card(1, "luma"), 3), np.repeat(gray, 3, axis=0))
    alone = run(network_for(network, card(1, "luma"), 1), gray)
    assert np.abs(colors - alone).max() <= 1e-5


def test_luma_planes_need_no_adapter() -> None:
    network = luma_network()
    assert network_for(network, card(1, "luma"), 1, luma=True) is network


def test_gray_through_a_luma_network_streamed_equals_the_whole_image() -> None:
    around, image = network_for(luma_network(), card(1, "luma"), 1), plane(1)
    assert (
        np.abs(through(PlaneRunner(PreparedNetwork(around, CPU), memory=1), image) - run(around, image)).max() <= 2e-5
    )


# What fits needs nothing


@pytest.mark.parametrize(("channels", "color", "colors"), [(3, "rgb", 3), (1, "gray", 1)])
def test_a_network_with_the_channels_of_the_image_needs_no_adapter(channels: int, color: str, colors: int) -> None:
    network = RRDBNet(scale=2, in_channels=channels, out_channels=channels, features=8, growth=4, blocks=1)
    assert network_for(network, card(channels, color), colors) is network


# Ranges


def test_values_are_mapped_to_the_ranges_of_the_network() -> None:
    network, image = luma_network(), plane(1)
    ranges = {"intensity_range": (-1.0, 1.0), "output_range": (16.0, 235.0)}
    around = network_for(network, card(1, "gray", **ranges), 1)
    assert isinstance(around, RangeAdapter)
    expected = (run(network, image * 2 - 1) - 16) / (235 - 16)
    assert np.abs(run(around, image) - expected).max() <= 1e-5


def test_colors_are_converted_before_values_are_mapped_to_the_range() -> None:
    """Colors change space between 0 and 1, and only then go into the network's range."""
    network, rgb = luma_network(), plane(3)
    ranges = {"intensity_range": (0.0, 255.0), "output_range": (0.0, 255.0)}
    around = network_for(network, card(1, "luma", **ranges), 3)
    assert isinstance(around, LumaAdapter)
    ycbcr = rgb_to_ycbcr(np.moveaxis(rgb, 0, -1))
    luma = run(network, 255 * ycbcr[None, ..., 0])[0] / 255
    chroma = [resize(ycbcr[..., c], (38, 26), kernel="bicubic") for c in (1, 2)]
    expected = np.moveaxis(ycbcr_to_rgb(np.stack([luma, *chroma], -1)), -1, 0)
    assert np.abs(run(around, rgb) - expected).max() <= 2e-5


def test_a_range_adapter_streamed_equals_the_whole_image() -> None:
    around = network_for(luma_network(), card(1, "gray", intensity_range=(-1.0, 1.0), output_range=(-2.0, 3.0)), 1)
    image = plane(1, 80, 30)
    runner = PlaneRunner(PreparedNetwork(around, CPU))
    assert np.abs(through(runner, image) - run(around, image)).max() <= 2e-5
    assert runner.tiling.startswith("exact")


# Colors one by one


def test_only_gray_networks_are_applied_to_each_color() -> None:
    assert separate_colors(card(1, "gray"))
    assert not separate_colors(card(1, "luma"))
    assert not separate_colors(card(3, "rgb"))


def test_separate_colors_equal_three_gray_planes() -> None:
    model = rrdb(2, 1)
    image = np.random.default_rng(3).integers(0, 256, (4, 9, 8, 3), np.uint8)
    together = Job(model, JobSettings(batch=3)).run(image, "ZYXC").data
    for color in range(3):
        alone = upscale(np.ascontiguousarray(image[..., color]), model, "ZYX", intensity="dtype")
        assert np.array_equal(together[..., color], alone)


def test_a_job_equals_the_adapted_network() -> None:
    settings = {"scale": 2, "features": 8, "blocks": 1}
    network = drawn(MSRResNet(**settings))  # type: ignore[arg-type]
    model = model_of(network, "MSRResNet", settings, color="rgb")
    image = plane(1)[0]
    result = upscale(image, model, "YX", intensity=(0.0, 1.0))
    expected = run(network_for(network, model.card, 1), image[None])[0]
    assert np.abs(result - expected).max() <= 1e-5


# Refusals and opacity


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_models_of_other_channels_are_refused(channels: int) -> None:
    with pytest.raises(InputError, match=f"'small' is for images of {channels} channels.* choose a model of 1 or 3"):
        check_channels(card(channels, "gray"))


def test_models_of_one_and_three_channels_are_accepted() -> None:
    for model in (identity(), identity(3, "rgb")):
        check_channels(model.card)
