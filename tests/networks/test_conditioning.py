"""Networks with conditions are right on every brightness, and fold into plain ones."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.networks.conditioning import NoiseLevels, WithNoise, folded, local_mean, zero_sum
from napari_sr.networks.mixture import ImageMixture

FREE = {"bias": False, "zero_sum": True, "noise_plane": True, "gate": 8}
SMALL = {
    "rrdb": lambda scale, **changes: RRDBNet(
        **{"scale": scale, "in_channels": 1, "out_channels": 1, "features": 6, "growth": 4, "blocks": 1}
        | FREE
        | {"padding": "replicate", "skip": "bicubic", "first_kernel": 5}
        | changes
    ),
    "srcnn": lambda scale, **changes: SRCNN(
        **{"scale": scale, "kernels": (5, 3, 3), "features": (8, 6)} | FREE | {"residual": True} | changes
    ),
    "deeper srcnn": lambda scale, **changes: SRCNN(
        **{"scale": scale, "kernels": (5, 3, 1, 3), "features": (8, 6, 4)} | FREE | {"residual": True} | changes
    ),
}


def made(name, scale=2, seed=0, **changes):
    torch.manual_seed(seed)
    network = SMALL[name](scale, **changes)
    for parameter in network.parameters():
        # Large enough that a mistake shows.
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network.eval().requires_grad_(False)


def drawn(seed=0, n=2, height=13, width=17):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, height, width, generator=generator), 0.1 * torch.rand(
        n, 1, height, width, generator=generator
    )


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("scale", [2, 4])
@given(gain=st.floats(0.01, 100), offset=st.floats(-3, 3), seed=st.integers(0, 9))
@settings(max_examples=15)
def test_contrast_and_offset_of_an_image_do_not_matter(name, scale, gain, offset, seed):
    network, (image, noise) = made(name, scale), drawn(seed)
    blur = torch.tensor([0.3, 1.2])
    plain = network(image, noise, blur)
    changed = network(gain * image + offset, gain * noise, blur)
    bound = 1e-5 * (gain + abs(offset)) * max(1.0, float(plain.abs().max()))
    assert (changed - (gain * plain + offset)).abs().max() <= bound


@pytest.mark.parametrize("name", SMALL)
def test_biases_break_that(name):
    network, (image, noise) = made(name, bias=True, gate=0), drawn()
    assert (network(2 * image, 2 * noise) - 2 * network(image, noise)).abs().max() > 1e-3


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("scale", [2, 4])
def test_a_flat_image_without_noise_stays_flat(name, scale):
    image = torch.full((1, 1, 9, 11), 0.37)
    result = made(name, scale)(image, torch.zeros_like(image), torch.tensor([1.0]))
    assert (result - 0.37).abs().max() < 1e-6


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("blur", [0.0, 0.6, 1.6])
def test_folded_equals_unfolded(name, blur):
    network, (image, noise) = made(name), drawn()
    whole = network(image, noise, torch.full((2,), blur))
    plain = network.folded(blur)
    assert plain.gate is None and not plain.zero_sum
    assert (plain(image, noise) - whole).abs().max() <= 1e-6 * max(1.0, float(whole.abs().max()))


def test_the_gate_changes_the_result():
    network, (image, noise) = made("rrdb"), drawn()
    assert (network.folded(0.0)(image, noise) - network.folded(1.2)(image, noise)).abs().max() > 1e-3


def test_a_mixture_of_images_is_folded_in_both():
    first, second = made("rrdb"), made("rrdb", seed=1)
    image, noise = drawn()
    mixed = folded(ImageMixture(first, second, 0.25), 0.8)
    wanted = 0.75 * first.folded(0.8)(image, noise) + 0.25 * second.folded(0.8)(image, noise)
    assert torch.allclose(mixed(image, noise), wanted, atol=1e-6)


def test_a_network_without_conditions_is_left_as_it_is():
    network = torch.nn.Conv2d(1, 1, 3)
    assert folded(network, 0.5) is network


def test_only_image_planes_lose_their_mean():
    weight = zero_sum(torch.rand(4, 3, 5, 5), 2)
    assert weight[:, :2].mean((2, 3)).abs().max() < 1e-7
    assert weight[:, 2].mean((1, 2)).min() > 0.1


def test_the_noise_plane_follows_the_local_mean_of_each_plane():
    network = made("rrdb").folded()
    image, _ = drawn()
    levels = NoiseLevels([1e-3, 2e-3], [1e-2, -1e-3], [1e-6, 1.9e-3])
    mean = local_mean(image)
    variance = torch.stack([1e-3 + 1e-2 * mean[0], (2e-3 - 1e-3 * mean[1]).clamp_min(1.9e-3)])
    found = WithNoise(network, levels).eval()(image)
    assert torch.allclose(found, network(image, variance.sqrt()), atol=1e-6)


def test_copies_of_a_network_share_the_noise_of_the_batch():
    levels = NoiseLevels()
    network = WithNoise(made("srcnn").folded(), levels)
    other = deepcopy(network)
    image, _ = drawn()
    levels.set([1e-2, 1e-2], [0, 0], [0, 0])
    assert torch.equal(other(image), network(image))
    before = other(image)
    levels.set([4e-2, 4e-2], [0, 0], [0, 0])
    assert not torch.equal(other(image), before)


@pytest.mark.parametrize(
    ("settings_", "words"),
    [({"bias": True}, "biases"), ({"first_kernel": 4}, "odd"), ({"unshuffle": 2, "gate": 0}, "noise plane")],
)
def test_settings_that_do_not_go_together_are_refused(settings_, words):
    with pytest.raises(ValueError, match=words):
        made("rrdb", **settings_)
