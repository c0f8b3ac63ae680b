"""Losses that are relative to the results of an earlier endpoint, and gradients that are weighted by their errors."""

import pytest
import torch
from lightning_fabric import Fabric

from napari_sr.networks.discriminators import UNetDiscriminator
from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.patch_networks import deviation_of
from napari_sr.training.loop.stage_losses import StageLosses, with_scaled_gradient
from napari_sr.training.recipe import Recipe

SIDE = 16


class Fixed(torch.nn.Module):
    """A generator whose results are given."""

    def __init__(self, results):
        super().__init__()
        self.results = results

    def forward(self, *inputs):
        return self.results + 0


def batch_of(seed=0):
    generator = torch.Generator().manual_seed(seed)
    low, high = (torch.rand(3, 1, n, n, generator=generator) for n in (SIDE, 2 * SIDE))
    return Batch(low, high, 0.1 * torch.rand(3, 1, SIDE, SIDE, generator=generator), torch.zeros(3))


def losses_of(losses, reference=None):
    recipe = Recipe.from_toml(
        f"""
[[stages]]
endpoint = "first"
steps = 0
losses = [{{ kind = "l1" }}]
[[stages]]
endpoint = "second"
steps = 1
{'reference = "first"' if reference is not None else ""}
losses = [{losses}]
{'discriminator = { kind = "unet", features = 2 }' if "adversarial" in losses else ""}
"""
    )
    torch.manual_seed(0)
    discriminator = UNetDiscriminator(channels=1, features=2).eval() if "adversarial" in losses else None
    fabric = Fabric(accelerator="cpu", devices=1)
    network = None if reference is None else Fixed(reference)
    return StageLosses(
        recipe.stages[1], torch.nn.Identity(), discriminator, fabric, patch=2 * SIDE, scale=2, reference=network
    )


def gradient(losses, batch, result):
    result = result.clone().requires_grad_()
    losses.generator(batch, result)["total"].backward()
    return result.grad


def test_a_relative_loss_is_one_where_the_result_is_as_far_from_the_truth_as_the_reference():
    batch = batch_of()
    sizes = torch.tensor([0.05, 0.1, 0.4]).view(3, 1, 1, 1)
    losses = losses_of('{ kind = "relative", floor = 0.001 }', batch.high + sizes)
    assert losses.generator(batch, batch.high - sizes)["relative"].item() == pytest.approx(1, rel=1e-3)
    # Each patch counts by its own reference.
    half = losses.generator(batch, batch.high + sizes * torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1, 1))
    assert half["relative"].item() == pytest.approx(2 / 3, rel=1e-3)


def test_without_a_reference_a_relative_loss_is_that_of_bicubic_interpolation():
    batch = batch_of()
    plain = losses_of('{ kind = "relative" }')
    interpolated = plain._interpolated(batch, batch.high)
    other = losses_of('{ kind = "relative" }', interpolated)
    values = [losses.generator(batch, batch.high + 0.1)["relative"].item() for losses in (plain, other)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_no_gradient_runs_through_the_reference():
    batch = batch_of()
    reference = (batch.high + 0.1).requires_grad_()
    gradient(losses_of('{ kind = "relative" }', reference), batch, batch.high + 0.2)
    assert reference.grad is None


def test_the_gradient_of_a_discriminator_is_divided_by_the_error_of_the_reference_and_by_the_noise():
    batch = batch_of()
    sizes = torch.tensor([0.02, 0.1, 0.4])
    reference = batch.high + sizes.view(3, 1, 1, 1)
    deviation = deviation_of(batch.low).flatten()
    plain = gradient(losses_of('{ kind = "adversarial", form = "least_squares" }', reference), batch, batch.high)
    even = '{ kind = "adversarial", form = "least_squares", evenness = 0.1 }'
    expected = 1 / (sizes / deviation + 0.1)
    found = gradient(losses_of(even, reference), batch, batch.high)
    torch.testing.assert_close(found, plain * expected.view(3, 1, 1, 1), rtol=1e-3, atol=1e-7)
    noisy = gradient(losses_of(even.replace("0.1", "0.1, noise = 0.2"), reference), batch, batch.high)
    hidden = (batch.noise.mean((1, 2, 3)) / deviation / 0.2) ** 2
    torch.testing.assert_close(noisy, found / (1 + hidden).view(3, 1, 1, 1), rtol=1e-3, atol=1e-7)


def test_weighted_gradients_leave_the_loss_as_it_is():
    batch = batch_of()
    plain, even = (
        losses_of(f'{{ kind = "adversarial"{more} }}', batch.high + 0.1).generator(batch, batch.high + 0.2)
        for more in ("", ", evenness = 0.1")
    )
    assert even["adversarial"].item() == pytest.approx(plain["adversarial"].item(), rel=1e-5)


def test_a_scaled_gradient_leaves_the_values():
    x = torch.rand(2, 1, 4, 4, requires_grad=True)
    scaled = with_scaled_gradient(x, torch.tensor([3.0, 0.5]))
    torch.testing.assert_close(scaled, x)
    scaled.sum().backward()
    assert torch.equal(x.grad, torch.tensor([3.0, 0.5]).view(2, 1, 1, 1).expand(2, 1, 4, 4))
