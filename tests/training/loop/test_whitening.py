"""Training of a first layer in a basis where its input patches have identity covariance."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from napari_sr import Cancelled, InputError
from napari_sr.training import Recipe, Training
from napari_sr.training.events import StepDone
from napari_sr.training.generator.patch_networks import FirstConvolution
from napari_sr.training.loop.whitening import Whitening, measure_whitening, whiten_steps


def smooth(count, channels, side):
    """Images whose neighboring pixels are nearly alike, around a mean of 0.4."""
    noise = torch.rand(count, channels, side + 8, side + 8)
    return 0.4 + nn.functional.avg_pool2d(noise, 9, 1) - 0.5


def patches_of(layer, images):
    vectors = nn.functional.unfold(images, layer.kernel_size, stride=layer.kernel_size).transpose(1, 2)
    return vectors.reshape(-1, vectors.shape[-1]).double()


@pytest.mark.parametrize("channels", [1, 3])
def test_input_patches_have_identity_covariance_in_the_basis(channels):
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, 4, 3)
    images = smooth(64, channels, 48)
    whitening = measure_whitening(nn.Sequential(layer), layer, images.split(16))
    patches = patches_of(layer, images)
    whitened = (patches - whitening.mean) @ whitening.basis.double()
    before, after = (torch.linalg.eigvalsh(torch.cov(values.T)) for values in (patches, whitened))
    assert whitened.mean(0).abs().max() < 1e-2
    # The variance is 1 in directions with more than the floor's variance, and less in others.
    torch.testing.assert_close(after, before / (before + 1e-4), rtol=0.02, atol=1e-3)


def test_a_layer_without_bias_has_no_mean():
    layer = nn.Conv2d(1, 4, 3, bias=False)
    whitening = measure_whitening(nn.Sequential(layer), layer, [smooth(4, 1, 24)])
    assert whitening.mean.abs().max() == 0


def test_measuring_does_not_change_the_network():
    layer = nn.Conv2d(1, 4, 3)
    network = nn.Sequential(layer, nn.BatchNorm2d(4)).train()
    before = deepcopy(network.state_dict())
    measure_whitening(network, layer, [smooth(4, 1, 24)])
    assert network.training
    assert not layer._forward_pre_hooks
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("make", [lambda groups: torch.optim.Adam(groups, 1e-2), lambda g: torch.optim.SGD(g, 1e-2)])
def test_steps_equal_those_of_weights_behind_a_whitened_input(make, bias):
    torch.manual_seed(1)
    layer = nn.Conv2d(1, 4, 3, bias=bias).double()
    images, target = smooth(8, 1, 24).double(), torch.randn(8, 4, 22, 22).double()
    measured = measure_whitening(nn.Sequential(layer), layer, [images])
    whitening = Whitening(measured.mean.double(), measured.basis.double())
    # V and c of V B (x - m) + c, which another optimizer changes directly.
    inverse = torch.linalg.inv(whitening.basis)
    behind = nn.Parameter((layer.weight.flatten(1) @ inverse).detach())
    offset = nn.Parameter((layer.bias + layer.weight.flatten(1) @ whitening.mean).detach()) if bias else None
    optimizer, other = make([{"params": list(layer.parameters())}]), make([behind, *([offset] if bias else [])])
    whiten_steps(optimizer, layer, whitening)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(images), target).backward()
        optimizer.step()
        other.zero_grad()
        plain = (behind @ whitening.basis).view(layer.weight.shape)
        shift = None if offset is None else offset - plain.flatten(1) @ whitening.mean
        nn.functional.mse_loss(nn.functional.conv2d(images, plain, shift), target).backward()
        other.step()
    torch.testing.assert_close(layer.weight.detach(), (behind @ whitening.basis).detach().view(layer.weight.shape))
    if offset is not None:
        expected = offset - (behind @ whitening.basis) @ whitening.mean
        torch.testing.assert_close(layer.bias.detach(), expected.detach())


SRCNN = """
name = "white"
family = "srcnn"
seed = 5
precision = "float32"
patches = { size = 16, batch = 4, empty = 0.0 }
validation = { every = 4, block = 24, gap = 2 }

[network]
name = "SRCNN"
settings = { scale = 2, channels = 1, kernels = [5, 3, 3], features = [8, 4] }
start_as_interpolation = true

[[stages]]
steps = 8
losses = [{ kind = "mse" }]
optimizer = { learning_rate = 1e-3, whiten = true }
"""


def trained(folder, textured, **settings):
    training = Training(Recipe.from_toml(SRCNN), [textured()], folder=folder, device="cpu", **settings)
    return training.run().model.network.state_dict()


def test_a_resumed_run_has_the_basis_of_its_checkpoint(tmp_path, textured, monkeypatch):
    straight = trained(tmp_path / "straight", textured)
    steps = []

    def cancel():
        return len(steps) >= 5

    with pytest.raises(Cancelled):
        trained(
            tmp_path / "broken", textured, cancel=cancel, on_event=lambda e: isinstance(e, StepDone) and steps.append(e)
        )
    # The resumed run measures the whitening again, and then restores that of the checkpoint.
    monkeypatch.setattr(
        "napari_sr.training.loop.stage.measure_whitening",
        lambda *a: Whitening(torch.zeros(25), torch.full((25, 25), torch.nan)),
    )
    again = trained(tmp_path / "broken", textured)
    assert all(torch.equal(value, again[key]) for key, value in straight.items())


def test_mean_and_basis_are_copied_to_the_device_once():
    layer = nn.Conv2d(1, 4, 3, device="meta")
    optimizer = torch.optim.SGD([{"params": list(layer.parameters())}], 1e-2)
    whiten_steps(optimizer, layer, Whitening(torch.zeros(9), torch.eye(9)))

    def step():
        for parameter in layer.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        return [optimizer.param_groups[0][key] for key in ("mean", "basis")]

    first = step()
    assert all(value.device.type == "meta" for value in first)
    assert all(value is before for value, before in zip(step(), first, strict=True))


def test_only_the_generators_optimizer_is_whitened():
    with pytest.raises(InputError, match="whiten is for the generator's optimizer"):
        Recipe.from_toml(
            'family = "esrgan"\n[network]\nname = "RRDBNet"\n[[stages]]\nsteps = 1\n'
            'losses = [{ kind = "adversarial" }]\ndiscriminator = { optimizer = { whiten = true } }'
        )


def test_of_kernels_that_are_used_with_sums_of_zero_the_means_of_the_image_do_not_count():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 4, 3, bias=False)
    first = FirstConvolution(layer, 1, zero_sum=True)
    images = torch.cat((smooth(32, 1, 24), 0.1 + smooth(32, 1, 24)), 1)
    whitening = measure_whitening(nn.Sequential(first), layer, [(images,)])
    brighter = torch.cat((images[:, :1] + 3 * torch.rand(32, 1, 1, 1), images[:, 1:]), 1)
    again = measure_whitening(nn.Sequential(first), layer, [(brighter,)])
    torch.testing.assert_close(again.basis, whitening.basis, rtol=1e-3, atol=1e-3)
    patches = patches_of(layer, images)
    patches[:, :9] -= patches[:, :9].mean(1, keepdim=True)
    before = torch.linalg.eigvalsh(patches.T @ patches / len(patches))
    whitened = patches @ whitening.basis.double()
    after = torch.linalg.eigvalsh(whitened.T @ whitened / len(patches))
    torch.testing.assert_close(after, before / (before + 1e-3), rtol=0.02, atol=1e-3)
