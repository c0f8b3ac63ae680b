"""The error relative to bicubic interpolation, and the shift of uniform patches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric import Fabric

from napari_sr.networks.upsample import Upsample
from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.patch_networks import deviation_of
from napari_sr.training.loop.stage_losses import StageLosses
from napari_sr.training.losses.relative import relative_error, shift_of_mean
from napari_sr.training.recipe import RelativeLoss, Stage


def images(seed, count=3):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 1, 8, 8, generator=generator)
    truth = torch.rand(count, 1, 16, 16, generator=generator)
    return low, truth, Upsample(2, "bicubic")(low)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 2.0))
def test_it_is_the_quotient_of_the_squared_errors(seed, fraction):
    low, truth, interpolated = images(seed)
    result = truth + fraction * (interpolated - truth)
    error = relative_error(result, truth, interpolated, deviation_of(low), floor=1e-3, absolute=0.0)
    torch.testing.assert_close(error, torch.full((3,), fraction**2), rtol=1e-3, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5))
def test_contrast_and_brightness_do_not_change_it(seed, gain, offset):
    low, truth, interpolated = images(seed)
    result = truth + 0.1 * (interpolated - low.mean())

    def error(*parts):
        r, t, i, x = (gain * part + offset for part in parts) if len(parts) == 4 else parts
        return relative_error(r, t, i, deviation_of(x), floor=1e-6, absolute=0.3)

    plain = relative_error(result, truth, interpolated, deviation_of(low), floor=1e-6, absolute=0.3)
    torch.testing.assert_close(error(result, truth, interpolated, low), plain, rtol=2e-3, atol=1e-5)


def test_the_floor_is_in_gray_levels_and_limits_the_weight_of_exact_interpolations():
    truth = torch.full((1, 1, 16, 16), 0.5)
    error = relative_error(truth + 2 / 255, truth, truth, torch.ones(1, 1, 1, 1), floor=0.25, absolute=0.0)
    assert error.item() == pytest.approx(64, rel=1e-4)
    with_absolute = relative_error(
        truth + 0.1, truth, truth + 0.1, torch.full((1, 1, 1, 1), 0.2), floor=1e-4, absolute=3.0
    )
    assert with_absolute.item() == pytest.approx(1 + 3 * 0.25, rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 0.2), st.floats(0, 0.5))
def test_a_shift_is_relative_to_the_noise_and_limited(seed, noise, shift):
    low, _, interpolated = images(seed)
    value = shift_of_mean(interpolated + shift, interpolated, torch.full_like(low, noise), deviation_of(low))
    torch.testing.assert_close(value, torch.full((3,), min(1.0, (shift / noise) ** 2)), rtol=1e-3, atol=1e-4)


def losses_of(batch, result, **settings):
    stage = Stage(steps=1, losses=(RelativeLoss(kind="relative", **settings),))
    losses = StageLosses(stage, torch.nn.Identity(), None, Fabric(accelerator="cpu", devices=1), patch=16, scale=2)
    return losses.generator(batch, result)["relative"]


def test_only_artificial_patches_have_a_penalty_on_the_shift():
    low, truth, interpolated = images(0)
    noise, artificial = torch.full_like(low, 0.1), torch.tensor([True, False, False])
    batch = Batch(low, truth, noise, torch.zeros(3), artificial)
    result = (interpolated + 0.02).requires_grad_()
    plain, penalized = losses_of(batch, result), losses_of(batch, result, flat=30.0)
    assert (penalized - plain).item() == pytest.approx(30 * 0.2**2 / 3, rel=1e-3)
    penalized.backward()
    assert result.grad.abs().sum() > 0
    # Without noise planes there is nothing to divide by.
    torch.testing.assert_close(losses_of(Batch(low, truth), result, flat=30.0), plain)


def test_the_margin_that_a_network_consumes_is_not_compared():
    low, truth, _ = images(1)
    wide = torch.nn.functional.pad(low, (2,) * 4, mode="replicate")
    inner = Upsample(2, "bicubic")(wide)[..., 4:-4, 4:-4]
    value = losses_of(Batch(wide, truth), inner, floor=1e-4)
    assert value.item() == pytest.approx(1, rel=1e-4)
