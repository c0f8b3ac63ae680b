"""Discriminators have the layers of the papers, and take any patch that is large enough."""

import pytest
import torch
from torch import nn

from napari_sr.networks.discriminators import (
    ESRGANDiscriminator,
    ProjectedDiscriminator,
    SRGANDiscriminator,
    UNetDiscriminator,
)


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


class Frozen(nn.Module):
    """Two layers of features of one-channel images, of a half and a quarter of their size."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(1, 3, 3, 2, 1), nn.Conv2d(3, 5, 3, 2, 1)

    def forward(self, x):
        first = self.first(x)
        return {"first": first, "second": self.second(first)}


def projected(**settings):
    return ProjectedDiscriminator(Frozen(), {"first": 3, "second": 5}, colors=1, features=2, **settings)


def test_a_projected_discriminator_classifies_every_position_of_every_layer():
    assert projected()(torch.rand(2, 1, 32, 24)).shape == (2, 2, 16, 12)


def test_weights_of_the_frozen_network_are_not_those_of_the_discriminator_but_move_with_it():
    network = projected()
    frozen = network._frozen[0]
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    assert all(key.startswith("heads.") for key in network.state_dict())
    assert not {id(p) for p in network.parameters()} & {id(p) for p in frozen.parameters()}
    network.requires_grad_(False).double()
    assert all(p.requires_grad and p.dtype == torch.float64 for p in frozen.parameters())
    assert network(torch.rand(1, 1, 16, 16, dtype=torch.float64)).dtype == torch.float64
    for key, value in frozen.state_dict().items():
        torch.testing.assert_close(value.float(), before[key])


def test_a_conditional_projected_discriminator_compares_with_the_interpolated_image_and_the_planes():
    network = projected(conditional=True, planes=2).eval()
    x = torch.rand(2, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    logits = network(x)
    assert logits.shape == (2, 2, 16, 16)
    for channel in range(4):
        changed = x.clone()
        changed[0, channel] += torch.rand(32, 32, generator=torch.Generator().manual_seed(1))
        other = network(changed)
        assert (other[0] - logits[0]).abs().max() > 1e-4
        torch.testing.assert_close(other[1], logits[1])


def test_no_gradient_is_computed_for_the_interpolated_image():
    network = projected(conditional=True)
    needed = []
    network._frozen[0].register_forward_hook(lambda layer, inputs, found: needed.append(found["second"].requires_grad))
    network._frozen[0].requires_grad_(False)
    image, interpolated = torch.rand(2, 2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    network(torch.cat([image, interpolated], 1)).sum().backward()
    assert needed == [True, False]
    assert image.grad.abs().max() > 0


def test_a_layer_with_strong_features_does_not_count_more():
    network = projected().eval()
    x = torch.rand(1, 1, 16, 16)
    before = network(x)
    with torch.no_grad():
        # The features of both layers are 100 times as strong.
        network._frozen[0].second.bias.mul_(100)
        for p in network._frozen[0].first.parameters():
            p.mul_(100)
    torch.testing.assert_close(network(x), before)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (SRGANDiscriminator(channels=1, patch=32, features=2), 8),
        (ESRGANDiscriminator(channels=1, patch=32, features=2), 10),
        (UNetDiscriminator(channels=1, features=2), 7),
        (projected(), 4),
    ],
    ids=["srgan", "esrgan", "unet", "projected"],
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
