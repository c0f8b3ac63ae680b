"""Conditioned networks give the same results for patches as for images, and keep fine detail in lower precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sr import InputError
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.training.generator.generator import make_generator, patch_sizes
from napari_sr.training.generator.patch_networks import Normalized, PatchRRDBNet, PatchSRCNN, is_conditioned
from napari_sr.training.generator.starting_weights import load_start, new_network
from napari_sr.training.recipe import Network, Recipe
from napari_sr.zoo import Architecture, Card, Model

RIGHT = {"bias": False, "zero_sum": True, "noise_plane": True, "gate": 4}
SMALL = {"in_channels": 1, "out_channels": 1, "features": 6, "growth": 4, "blocks": 2}
RRDB = {**SMALL, **RIGHT, "padding": "replicate", "skip": "bicubic", "first_kernel": 5}


def built(kind, scale, **settings):
    torch.manual_seed(0)
    if kind == "SRCNN":
        small = {"features": (6, 4), "kernels": (5, 3, 3), **RIGHT, "residual": True}
        network = SRCNN(scale=scale, **{**small, **settings})
    else:
        network = RRDBNet(scale=scale, **{**RRDB, **settings})
    network.gate[2].weight.data.mul_(10)
    return network


def inputs(side=11, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(2, 1, side, side + 3, generator=generator)
    return x, 0.1 * torch.rand(2, 1, side, side + 3, generator=generator), torch.tensor([0.0, 1.2])


VARIANTS = [
    ("RRDBNet", {}),
    ("RRDBNet", {"padding": "zeros", "skip": "none", "zero_sum": False}),
    ("RRDBNet", {"noise_plane": False, "first_kernel": 3, "skip": "bilinear"}),
    ("SRCNN", {}),
    ("SRCNN", {"features": (6, 5, 4), "kernels": (5, 3, 1, 3)}),
    ("SRCNN", {"noise_plane": False, "zero_sum": False, "residual": False}),
]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(("kind", "settings"), VARIANTS)
def test_a_patch_network_gives_the_results_of_the_network(kind, settings, scale):
    network = built(kind, scale, **settings)
    patched = (PatchSRCNN if kind == "SRCNN" else PatchRRDBNet)(network)
    x, noise, blur = inputs()
    expected = network(x, noise, blur)
    torch.testing.assert_close(patched(x, noise, blur), expected, rtol=1e-4, atol=1e-5)
    assert {id(p) for p in patched.parameters()} == {id(p) for p in network.parameters()}


@pytest.mark.parametrize("kind", ["SRCNN", "RRDBNet"])
def test_gradients_are_those_of_the_network(kind):
    network = built(kind, 2)
    patched = (PatchSRCNN if kind == "SRCNN" else PatchRRDBNet)(network)
    gradients = []
    for forward in (network, patched):
        network.zero_grad()
        (forward(*inputs()) ** 2).mean().backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["SRCNN", "RRDBNet"])
def test_in_bfloat16_the_interpolation_keeps_the_precision_of_the_image(kind):
    network = built(kind, 2)
    last = network.convolutions[-1] if kind == "SRCNN" else network.conv_last
    last.weight.data.zero_()
    patched = (PatchSRCNN if kind == "SRCNN" else PatchRRDBNet)(network)
    x, noise, blur = inputs()
    expected = network(x, noise, blur)
    with torch.autocast("cpu", torch.bfloat16):
        result = patched(x, noise, blur)
    torch.testing.assert_close(result.float(), expected, rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["SRCNN", "RRDBNet"]), st.floats(0.1, 10), st.floats(-3, 3), st.integers(0, 1000))
def test_results_follow_contrast_and_brightness(kind, gain, offset, seed):
    network = built(kind, 2)
    forward = Normalized((PatchSRCNN if kind == "SRCNN" else PatchRRDBNet)(network))
    x, noise, blur = inputs(seed=seed)
    with torch.no_grad():
        expected = gain * forward(x, noise, blur) + offset
        result = forward(gain * x + offset, gain * noise, blur)
        images = gain * network(x, noise, blur) + offset
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-5 * (gain + abs(offset)))
    torch.testing.assert_close(result, images, rtol=0, atol=2e-5 * (gain + abs(offset)))


def recipe_of(network, settings, extra=""):
    lines = [f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for key, value in settings]
    text = "\n".join(lines)
    return Recipe.from_toml(
        f'name = "n"\nfamily = "esrgan"\n{extra}\n'
        f'[network]\nname = "{network}"\nstart_as_interpolation = true\n[network.settings]\n{text}\n'
        '[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]'
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [("RRDBNet", {"scale": 2, **RRDB}), ("SRCNN", {"scale": 2, "residual": True, "channels": 1, **RIGHT})],
)
def test_the_generator_of_a_conditioned_network_takes_noise_and_blur_and_starts_near_the_interpolation(name, settings):
    generator = make_generator(recipe_of(name, settings.items()), None, rgb=True)
    assert generator.conditioned
    assert (generator.margin, generator.color) == (0, "gray")
    x, noise, blur = inputs()
    _, for_images = generator.for_images()
    with torch.no_grad():
        result = generator.for_patches()(x, noise, blur)
        torch.testing.assert_close(for_images(x, noise, blur), result, rtol=1e-4, atol=1e-5)
        interpolated = (generator.network.skip if name == "RRDBNet" else generator.network.upsample)(x)
    assert (result - interpolated).std() < 0.3 * (interpolated - interpolated.mean()).std()
    assert patch_sizes(recipe_of(name, settings.items()).patches, generator.card)[1] == 8


def test_a_network_of_factor_4_starts_with_one_of_factor_2():
    settings = {"scale": 2, **RRDB}
    half = built("RRDBNet", 2)
    card = Card(name="half", family="esrgan", architecture=Architecture(network="RRDBNet", settings=settings),
                scale=2, channels=1, color="gray")  # fmt: skip
    model = Model(card, {"weights": half.state_dict()})
    architecture = Architecture(network="RRDBNet", settings={**settings, "scale": 4})
    network = new_network(Network(name="RRDBNet"), architecture, 0)
    load_start(network, architecture, model)
    for key, value in half.state_dict().items():
        if not key.startswith("gate.2"):
            assert torch.equal(network.state_dict()[key], value)
    features = torch.rand(1, 6, 5, 5)
    torch.testing.assert_close(network.conv_up2(features), features)
    sizes = [layer.out_channels for layer in network._gated()]
    ours = network.gate.factors(torch.tensor([0.8]), sizes)
    theirs = half.gate.factors(torch.tensor([0.8]), sizes[:-1])
    for one, other in zip(ours, (*theirs, theirs[-1]), strict=True):
        assert torch.equal(one, other)
    other = Architecture(network="RRDBNet", settings={**settings, "scale": 4, "features": 8})
    with pytest.raises(InputError, match="cannot start with the weights of half"):
        load_start(new_network(Network(name="RRDBNet"), other, 0), other, model)


def test_conditioned_networks_are_gray_and_conditions_need_one(tiny):
    three = {"scale": 2, **RRDB, "in_channels": 3, "out_channels": 3}
    with pytest.raises(InputError, match="gray planes only"):
        make_generator(recipe_of("RRDBNet", three.items()), None, rgb=True)
    with pytest.raises(InputError, match="gray planes only"):
        luma = recipe_of("RRDBNet", {"scale": 2, **RRDB}.items(), 'data = { color = "luma" }')
        make_generator(luma, None, rgb=True)
    conditions = "conditions = { noise = { gain = 1.0, read = 1.0 } }"
    plain = {"scale": 2, **SMALL, "skip": "bicubic"}
    with pytest.raises(InputError, match="takes neither noise nor blur"):
        make_generator(recipe_of("RRDBNet", plain.items(), conditions), None, rgb=False)
    assert not is_conditioned(make_generator(tiny, None, rgb=False).network)
