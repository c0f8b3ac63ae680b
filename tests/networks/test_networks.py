"""Super-resolution networks have the factor, channels, receptive radius and number of weights that they state."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from napari_sr.networks import SRCNN, MSRResNet, RRDBNet, SqueezeNetFeatures, SRResNet, SRVGGNetCompact

SMALL: dict[str, Callable[[], nn.Module]] = {
    "srcnn 9-1-5": lambda: SRCNN(kernels=(9, 1, 5), features=(6, 4)),
    "srcnn 9-3-5": lambda: SRCNN(kernels=(9, 3, 5), features=(6, 4)),
    "srcnn 9-5-5": lambda: SRCNN(kernels=(9, 5, 5), features=(6, 4)),
    "srcnn 9-3-3-1-5": lambda: SRCNN(kernels=(9, 3, 3, 1, 5), features=(6, 5, 4, 3)),
    "srcnn x2": lambda: SRCNN(scale=2, features=(6, 4)),
    "srcnn x3 rgb": lambda: SRCNN(scale=3, channels=3, features=(6, 4)),
    "srcnn x4 lanczos": lambda: SRCNN(scale=4, features=(6, 4), upsampling="lanczos3"),
    "srcnn x2 bilinear": lambda: SRCNN(scale=2, features=(6, 4), upsampling="bilinear"),
    "srcnn x3 nearest": lambda: SRCNN(scale=3, features=(6, 4), upsampling="nearest"),
    "srresnet x4": lambda: SRResNet(features=8, blocks=2),
    "srresnet x3": lambda: SRResNet(scale=3, features=8, blocks=1),
    "srresnet x8": lambda: SRResNet(scale=8, features=8, blocks=1),
    "srresnet prelu tanh": lambda: SRResNet(
        scale=2, features=8, blocks=1, middle="prelu", output="tanh", shared_prelu=True
    ),
    "msrresnet x4": lambda: MSRResNet(features=8, blocks=2),
    "msrresnet x3": lambda: MSRResNet(scale=3, features=8, blocks=1, last_bias=False),
    "rrdbnet x1": lambda: RRDBNet(scale=1, features=8, growth=4, blocks=1),
    "rrdbnet x2": lambda: RRDBNet(scale=2, features=8, growth=4, blocks=1),
    "rrdbnet x3": lambda: RRDBNet(scale=3, features=8, growth=4, blocks=1),
    "rrdbnet x4": lambda: RRDBNet(features=8, growth=4, blocks=2),
    "rrdbnet x8": lambda: RRDBNet(scale=8, features=8, growth=4, blocks=1),
    "rrdbnet x2 unshuffled": lambda: RRDBNet(scale=2, features=8, growth=4, blocks=1, unshuffle=2),
    "rrdbnet x1 unshuffled": lambda: RRDBNet(scale=1, features=8, growth=4, blocks=1, unshuffle=4),
    "rrdbnet x4 bilinear skip": lambda: RRDBNet(features=8, growth=4, blocks=1, skip="bilinear"),
    "rrdbnet x4 plus": lambda: RRDBNet(features=8, growth=4, blocks=1, plus=True),
    "rrdbnet 1 to 3 channels": lambda: RRDBNet(scale=2, in_channels=1, features=8, growth=4, blocks=1),
    "srvgg x4": lambda: SRVGGNetCompact(features=8, convs=2),
    "srvgg x2 relu": lambda: SRVGGNetCompact(scale=2, features=8, convs=1, activation="relu"),
}


@pytest.fixture(params=SMALL, ids=str)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Each kind of network, in float64."""
    torch.manual_seed(0)
    return SMALL[request.param]().double().eval()


def sharpen(network: nn.Module) -> None:
    """Set weights with which the farthest pixel changes the result: neither rounding nor a ReLU hides it."""
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.05, 0.15)
        if parameter.ndim == 4:
            parameter.data[:, :, [0, -1]] *= 10
    if isinstance(network, SRResNet):
        network.output = "linear"


@pytest.mark.parametrize("size", [(5, 7), (8, 12), (13, 3)])
def test_the_output_has_the_factor_and_the_channels_of_the_network(network: nn.Module, size: tuple[int, int]) -> None:
    out = network(torch.rand(2, network.in_channels, *size, dtype=torch.float64))
    assert out.shape == (2, network.out_channels, size[0] * network.scale, size[1] * network.scale)


def test_one_pixel_changes_the_output_up_to_the_receptive_radius_and_no_farther(network: nn.Module) -> None:
    sharpen(network)
    radius, scale, group = network.receptive_radius, network.scale, network.alignment
    # The distance depends on the position of the pixel in its group, so every position is tried.
    side = 2 * radius + 9 + 2 * group
    farthest = 0
    for offset in range(group):
        center = (radius + 4) // group * group + offset + group
        image = torch.rand(1, network.in_channels, side, 1 if group == 1 else 4 * group, dtype=torch.float64) * 1e-3
        moved = image.clone()
        moved[:, :, center] += 1
        changed = (network(moved) - network(image)).abs().amax(dim=(0, 1, 3)) > 0
        rows = changed.nonzero()[:, 0] // scale
        farthest = max(farthest, int((rows - center).abs().max()))
    assert farthest == radius


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (SRCNN(kernels=(9, 1, 5)), 8_129),
        (SRCNN(kernels=(9, 3, 5)), 24_513),
        (SRCNN(kernels=(9, 5, 5)), 57_281),
        (SRCNN(kernels=(9, 1, 5), channels=3), 20_099),
        (SRCNN(kernels=(9, 3, 5), channels=3), 36_483),
        (SRCNN(kernels=(9, 5, 5), channels=3), 69_251),
        (RRDBNet(), 16_697_987),
        (RRDBNet(blocks=6), 4_467_779),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_the_number_of_weights_is_that_of_the_paper(network: nn.Module, count: int) -> None:
    assert sum(p.numel() for p in network.parameters()) == count


def test_srresnet_has_about_one_and_a_half_million_weights_as_in_the_paper() -> None:
    assert sum(p.numel() for p in SRResNet().parameters()) == pytest.approx(1.55e6, rel=0.01)


@pytest.mark.parametrize(
    ("network", "radius"),
    [
        (SRCNN(kernels=(9, 1, 5)), 6),
        (SRCNN(kernels=(9, 3, 5)), 7),
        (SRCNN(kernels=(9, 5, 5)), 8),
        (SRCNN(kernels=(9, 3, 3, 5), features=(64, 32, 16)), 8),
        (RRDBNet(), 349),
        (RRDBNet(blocks=6), 94),
    ],
    ids=["9-1-5", "9-3-5", "9-5-5", "9-3-3-5", "23 blocks", "6 blocks"],
)
def test_the_receptive_radius_is_that_of_the_papers_layers(network: nn.Module, radius: int) -> None:
    assert network.receptive_radius == radius


def test_a_crop_at_its_alignment_gives_the_pixels_of_the_whole_image() -> None:
    torch.manual_seed(1)
    network = RRDBNet(scale=2, features=8, growth=4, blocks=1, unshuffle=2).double().eval()
    image = torch.rand(1, 3, 140, 4, dtype=torch.float64)
    whole, start = network(image), 10 * network.alignment
    crop = network(image[:, :, start:])
    margin = network.receptive_radius
    assert torch.allclose(whole[:, :, 2 * (start + margin) :], crop[:, :, 2 * margin :], atol=1e-12)


@pytest.mark.parametrize("factor", [0, 5, 6, 7])
def test_another_factor_is_refused(factor: int) -> None:
    with pytest.raises(ValueError, match=f"not by {factor}"):
        RRDBNet(scale=factor, features=4, growth=2, blocks=1)
    with pytest.raises(ValueError, match=f"not by {factor}"):
        SRResNet(scale=factor, features=4, blocks=1)


def test_a_long_skip_needs_equal_channels() -> None:
    with pytest.raises(ValueError, match="as many output channels"):
        RRDBNet(in_channels=1, out_channels=3, skip="bilinear", features=4, growth=2, blocks=1)


def test_dense_blocks_start_with_small_weights() -> None:
    torch.manual_seed(0)
    network = RRDBNet(features=32, growth=16, blocks=1)
    weight = network.body[0].rdb1.conv1.weight
    kaiming = (2 / (32 * 9)) ** 0.5
    assert weight.std().item() == pytest.approx(0.1 * kaiming, rel=0.05)


def test_squeezenet_gives_512_features_at_a_sixteenth() -> None:
    assert SqueezeNetFeatures()(torch.rand(1, 3, 128, 128)).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("kernels", [(9,), (9, 5), (9, 4, 5), (9, 5, 5), (9, 3, 3, 5)])
def test_srcnn_has_odd_kernels_and_features_for_all_but_the_last(kernels):
    with pytest.raises(ValueError, match="three or more odd kernel sizes"):
        SRCNN(kernels=kernels, features=(8,))


@pytest.mark.parametrize(("kernels", "features"), [((9, 5, 5), (8, 6)), ((9, 3, 1, 5), (8, 6, 5))])
@pytest.mark.parametrize("channels", [1, 3])
def test_srcnn_that_starts_as_interpolation_copies_every_channel(channels, kernels, features):
    torch.manual_seed(0)
    network = SRCNN(scale=3, channels=channels, kernels=kernels, features=features)
    network.init_as_interpolation()
    x = torch.rand(1, channels, 12, 10)
    with torch.no_grad():
        interpolated = network.upsample(x).clamp_min(0)
        # Near it, but not equal: the other features have some weight.
        assert 0 < (network(x) - interpolated).abs().mean() < 0.1
        network.convolutions[-1].weight[:, channels:] = 0
        torch.testing.assert_close(network(x), interpolated)


def test_srcnn_with_fewer_features_than_channels_cannot_start_as_interpolation():
    with pytest.raises(ValueError, match="a feature for each channel"):
        SRCNN(channels=3, features=(8, 2)).init_as_interpolation()


@pytest.mark.parametrize(("scale", "channels", "middle"), [(2, 1, "prelu"), (3, 3, "batch_norm"), (4, 3, "batch_norm")])
def test_srresnet_that_starts_as_interpolation_copies_every_channel(scale, channels, middle):
    torch.manual_seed(0)
    network = SRResNet(
        scale=scale, in_channels=channels, out_channels=channels, features=8, blocks=1, middle=middle
    ).eval()
    network.init_as_interpolation()
    x = torch.rand(1, channels, 12, 10)
    with torch.no_grad():
        interpolated = x
        for factor in (2, 2) if scale == 4 else (scale,):
            interpolated = nn.functional.interpolate(interpolated, scale_factor=factor, mode="bilinear")
        # The convolutions pad with zeros, where the interpolation repeats the edge.
        inner = (..., slice(6, -6), slice(6, -6))
        assert 0 < (network(x) - interpolated)[inner].abs().mean() < 0.1
        network.conv_out.weight[:, channels:] = 0
        torch.testing.assert_close(network(x)[inner], interpolated[inner])


@pytest.mark.parametrize("settings", [{"features": 2}, {"out_channels": 1}, {"output": "tanh"}])
def test_srresnet_that_cannot_start_as_interpolation_is_refused(settings):
    network = SRResNet(**{"in_channels": 3, "features": 4, "blocks": 1, **settings})
    with pytest.raises(ValueError, match="SRResNet needs a feature for each channel, as many output channels"):
        network.init_as_interpolation()
