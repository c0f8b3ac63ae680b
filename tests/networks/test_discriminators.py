"""Discriminators have the layers of the papers, and take any patch that is large enough."""

import pytest
import torch
from torch import nn

from napari_sr.networks.discriminators import ESRGANDiscriminator, SRGANDiscriminator, UNetDiscriminator


def convolutions(network):
    return [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for layer in network.features
        if isinstance(layer, nn.Conv2d)
    ]


def test_srgan_has_the_layers_of_figure_4():
    with torch.device("meta"):
        network = SRGANDiscriminator()
    assert convolutions(network) == [
        (3, 64, 3, 1),
        (64, 64, 3, 2),
        (64, 128, 3, 1),
        (128, 128, 3, 2),
        (128, 256, 3, 1),
        (256, 256, 3, 2),
        (256, 512, 3, 1),
        (512, 512, 3, 2),
    ]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.features) == 7
    assert (network.classifier[0].in_features, network.classifier[0].out_features) == (512 * 6 * 6, 1024)


def test_esrgan_has_five_strided_convolutions():
    with torch.device("meta"):
        network = ESRGANDiscriminator()
    assert [c[1] for c in convolutions(network)] == [64, 64, 128, 128, 256, 256, 512, 512, 512, 512]
    assert [c[2:] for c in convolutions(network)] == [(3, 1), (4, 2)] * 5
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.features) == 9
    assert (network.classifier[0].in_features, network.classifier[0].out_features) == (512 * 4 * 4, 100)


@pytest.mark.parametrize("make", [SRGANDiscriminator, ESRGANDiscriminator])
@pytest.mark.parametrize("patch", [32, 50, 96])
def test_any_patch_gives_one_logit_an_image(make, patch):
    network = make(channels=1, patch=patch, features=2)
    assert network(torch.rand(2, 1, patch, patch)).shape == (2, 1)


def test_a_patch_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="too small"):
        ESRGANDiscriminator(patch=16)


def test_the_u_net_gives_a_logit_for_every_pixel_of_any_size():
    network = UNetDiscriminator(channels=1, features=2)
    assert network(torch.rand(1, 1, 21, 34)).shape == (1, 1, 21, 34)


def test_spectral_norm_sets_the_largest_singular_value_to_one():
    torch.manual_seed(0)
    network = UNetDiscriminator(features=4)
    for _ in range(200):
        network(torch.zeros(1, 3, 8, 8))
    network.eval()
    for layer in [*network.down, *network.up]:
        values = torch.linalg.svdvals(layer.weight.detach().flatten(1))
        assert values[0].item() == pytest.approx(1, rel=2e-2)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (SRGANDiscriminator(channels=1, patch=32, features=2), 8),
        (ESRGANDiscriminator(channels=1, patch=32, features=2), 10),
        (UNetDiscriminator(channels=1, features=2), 7),
    ],
    ids=["srgan", "esrgan", "unet"],
)
def test_features_are_those_behind_the_output(network, count):
    image = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network.eval()
    logits, features = network.logits_and_features(image)
    torch.testing.assert_close(logits, network(image))
    assert len(features) == count
    for feature in features:
        (gradient,) = torch.autograd.grad(logits.sum(), feature, retain_graph=True)
        assert gradient.abs().sum() > 0
