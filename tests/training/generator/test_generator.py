"""The network as it processes patches and images."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.training import Training, load_recipe
from napari_sr.training.generator.generator import Unpadded, make_generator, patch_sizes, work_per_pixel
from napari_sr.training.recipe import Network, PatchSettings, Recipe
from napari_sr.zoo import Architecture, Card
from napari_sr.zoo.architectures import NETWORKS
from napari_sr.zoo.loading import FAMILIES


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kernels", [(9, 1, 5), (9, 5, 5), (3, 1, 3), (5, 3, 1, 3)])
@pytest.mark.parametrize("upsampling", ["bicubic", "bilinear", "nearest"])
def test_unpadded_srcnn_equals_the_whole_image(scale, kernels, upsampling):
    torch.manual_seed(0)
    network = SRCNN(scale=scale, kernels=kernels, features=(4, 3, 2)[: len(kernels) - 1], upsampling=upsampling)
    unpadded = Unpadded(network)
    image = torch.rand(1, 1, 40, 44)
    whole = network(image)
    side, m = 8, unpadded.margin
    y, x = 13, 15
    patch = image[..., y - m : y + side + m, x - m : x + side + m]
    expected = whole[..., scale * y : scale * (y + side), scale * x : scale * (x + side)]
    assert torch.allclose(unpadded(patch), expected, atol=1e-5)


def test_work_is_counted_without_computing():
    def card(features, growth, blocks):
        settings = {"features": features, "growth": growth, "blocks": blocks}
        architecture = Architecture(network="RRDBNet", settings=settings)
        return Card(name="n", family="esrgan", architecture=architecture, scale=4, channels=3, color="rgb")

    # ESRGAN: 17.93 million multiplications for each low-resolution pixel, from the sizes of its layers.
    assert work_per_pixel(card(64, 32, 23)) == pytest.approx(17.93e-3, rel=2e-3)


def test_patches_are_smaller_for_larger_networks():
    def sizes(features, growth, blocks):
        settings = {"features": features, "growth": growth, "blocks": blocks}
        architecture = Architecture(network="RRDBNet", settings=settings)
        card = Card(name="n", family="esrgan", architecture=architecture, scale=4, channels=3, color="rgb")
        return patch_sizes(PatchSettings(work=20.0, batch=8), card)

    small, large = sizes(16, 8, 2), sizes(64, 32, 23)
    assert small == ((48, 32, 24, 16, 12, 8), 8)
    assert large == ((16, 12, 8), 4)
    architecture = Architecture(network="SRCNN", settings={})
    card = Card(name="n", family="srcnn", architecture=architecture, scale=1, channels=1, color="luma")
    assert patch_sizes(PatchSettings(size=7, batch=3), card) == ((7,), 3)


def test_a_model_is_copied_before_it_is_trained(small_model, tiny):
    generator = make_generator(tiny.model_copy(update={"network": None}), small_model, rgb=False)
    with torch.no_grad():
        for parameter in generator.network.parameters():
            parameter.zero_()
    assert any(t.abs().sum() > 0 for t in small_model.network.state_dict().values())
    assert all(parameter.requires_grad for parameter in generator.network.parameters())


def test_a_training_cannot_start_with_the_weights_of_another_network(small_model, tiny):
    settings = {**tiny.network.settings, "features": 8}
    recipe = tiny.model_copy(update={"network": tiny.network.model_copy(update={"settings": settings})})
    with pytest.raises(InputError, match="cannot start with the weights of small"):
        make_generator(recipe, small_model, rgb=False)


def test_color_networks_process_gray_images_in_training_as_in_upscaling():
    recipe = Recipe.from_toml(
        'family = "esrgan"\n[network]\nname = "RRDBNet"\n'
        "settings = { scale = 2, features = 4, growth = 2, blocks = 1 }\n"
        '[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]'
    )
    gray, rgb = (make_generator(recipe, None, rgb=color) for color in (False, True))
    assert (gray.colors, gray.color) == (1, "gray")
    assert (rgb.colors, rgb.color) == (3, "rgb")
    assert gray.for_patches()(torch.rand(1, 1, 8, 8)).shape == (1, 1, 16, 16)
    assert isinstance(rgb.network, RRDBNet)


def test_initial_weights_follow_from_the_seed(tiny):
    def first(seed):
        recipe = tiny.model_copy(update={"seed": seed})
        return make_generator(recipe, None, rgb=False).network.conv_first.weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_the_papers_initial_weights_have_the_deviation_of_the_recipe():
    network = make_generator(load_recipe("srcnn"), None, rgb=True).network
    assert network.conv1.weight.std().item() == pytest.approx(1e-3, rel=0.05)
    assert network.conv1.bias.abs().max().item() == 0


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - FAMILIES.keys()))
def test_a_network_without_a_training_is_refused_before_images_are_read(tiny, tmp_path, name):
    settings = {"scale": 2} if name == "Interpolation" else {}
    recipe = tiny.model_copy(update={"network": Network(name=name, settings=settings)})
    with pytest.raises(InputError, match=f"^{name} cannot be trained for super-resolution: choose one of SRCNN"):
        Training(recipe, [tmp_path / "missing.tif"], folder=tmp_path / "run", device="cpu")


def test_a_network_that_cannot_start_as_an_interpolation_is_refused(tiny):
    without_skip = {"settings": {**tiny.network.settings, "skip": "none"}, "start_as_interpolation": True}
    recipe = tiny.model_copy(update={"network": tiny.network.model_copy(update=without_skip)})
    with pytest.raises(InputError, match="RRDBNet cannot start as an interpolation"):
        make_generator(recipe, None, rgb=False)


def test_too_few_features_to_start_as_an_interpolation_are_refused_with_the_key_of_the_recipe(tiny):
    network = Network(
        name="SRCNN", settings={"scale": 2, "channels": 3, "features": [8, 2]}, start_as_interpolation=True
    )
    with pytest.raises(InputError, match=r"a feature for each channel\. Change network.settings"):
        make_generator(tiny.model_copy(update={"network": network}), None, rgb=True)
