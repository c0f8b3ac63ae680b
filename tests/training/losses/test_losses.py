"""Losses of images against cases computed by hand."""

from math import ceil, sqrt

import pytest
import torch
from scipy import ndimage

from napari_sr.training.loop.stage_losses import _pixel_loss
from napari_sr.training.losses import functions as losses
from napari_sr.training.recipe import PixelLoss


def test_pixel_losses():
    result, truth = torch.tensor([0.0, 3.0]), torch.tensor([1.0, 1.0])
    assert _pixel_loss(PixelLoss(kind="l1"), result, truth).item() == pytest.approx(1.5)
    assert _pixel_loss(PixelLoss(kind="mse"), result, truth).item() == pytest.approx(2.5)
    charbonnier = PixelLoss(kind="charbonnier", epsilon=0.5)
    assert _pixel_loss(charbonnier, result, truth).item() == pytest.approx((sqrt(1.25) + sqrt(4.25)) / 2)


def test_binned_losses_compare_the_means_of_squares():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    # The means are 3, 5, 13 and 15; the last column is left out.
    found = _pixel_loss(PixelLoss(kind="mse", binned=2), image, torch.zeros(1, 1, 4, 5)).item()
    assert found == (3**2 + 5**2 + 13**2 + 15**2) / 4


def test_plain_shapes_are_blurred_and_each_is_stretched():
    image = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    image[1] = 0.25 + 0.01 * image[0]
    shapes = losses.plain_shapes(image, 1.5)
    expected = ndimage.gaussian_filter(image[0].double().numpy(), (0, 1.5, 1.5), mode="mirror", radius=(0, 5, 5))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    assert shapes[0].numpy() == pytest.approx(expected, abs=1e-5)
    # Brightness and contrast have no effect.
    assert shapes[1].numpy() == pytest.approx(expected, abs=1e-3)
    assert losses.plain_shapes(torch.full((1, 1, 8, 8), 0.3), 2.0).max() < 1e-3


def test_the_periodic_loss_is_what_repeats_with_the_factor_in_the_difference():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 24, 24, generator=generator)
    pattern = torch.tensor([[0.3, -0.1, -0.2], [0.0, 0.1, -0.1], [0.0, 0.0, 0.0]])
    woven = truth + pattern.repeat(8, 8)
    assert losses.periodic(woven, truth, 3).item() == pytest.approx((pattern**2).mean().item(), rel=1e-4)
    # Neither brightness, nor smooth differences, nor another period count.
    assert losses.periodic(truth + 0.2, truth, 3).item() == pytest.approx(0, abs=1e-9)
    smooth = 0.1 * torch.linspace(0, 1, 24).view(1, 1, 24, 1)
    assert losses.periodic(truth + smooth, truth, 3).item() < 2e-5
    other = truth + 0.2 * torch.tensor([1.0, -1.0]).repeat(12)
    assert losses.periodic(other, truth, 3).item() < 0.03 * 0.2**2


def _dots(side: int, period: float) -> torch.Tensor:
    """Return a pattern of dots with values from -1 to 1, shape (1, 1, side, side)."""
    wave = torch.cos(2 * torch.pi * torch.arange(side) / period)
    return (wave[:, None] * wave[None, :])[None, None]


def test_the_pattern_loss_is_large_for_rows_of_dots_and_not_for_more_or_less_detail():
    generator = torch.Generator().manual_seed(0)
    truth = 0.5 + 0.1 * torch.randn(1, 1, 96, 96, generator=generator)
    assert losses.pattern(truth, truth).item() == 0
    # As much detail in other places, and a third or three times of it, without a pattern.
    for amount in (0.03, 0.1, 0.3):
        other = 0.5 + amount * torch.randn(1, 1, 96, 96, generator=generator)
        assert losses.pattern(other, truth).item() < 0.01
    # Dots of any period, with a quarter of the variance of the truth's detail, and with all of it.
    for period in (2.5, 3.0, 3.3, 4.0):
        assert losses.pattern(truth + 0.1 * _dots(96, period), truth).item() > 0.07
        assert losses.pattern(truth + 0.2 * _dots(96, period), truth).item() > 0.25
    # Smooth images have only the power of rounding.
    smooth = torch.full((1, 1, 96, 96), 0.5)
    assert losses.pattern(smooth + 1e-5 * _dots(96, 3), smooth).item() < 1e-3


def test_the_pattern_loss_gives_little_weight_to_frequencies_at_which_the_truth_has_hardly_any_power():
    noise = torch.randn(96, 96, generator=torch.Generator().manual_seed(0))
    truth = 0.5 + 0.1 * torch.from_numpy(ndimage.gaussian_filter(noise.numpy(), 1.0))[None, None]
    # These dots have several times the power of the truth at their frequency, and a thousandth of its variance.
    assert losses.pattern(truth + 0.002 * _dots(96, 2.2), truth).item() < 0.03
    assert losses.pattern(truth + 0.03 * _dots(96, 2.2), truth).item() > 0.3


def test_the_gradient_of_the_pattern_loss_removes_dots():
    truth = 0.5 + 0.1 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    dots = _dots(64, 3)
    amount = torch.tensor(0.1, requires_grad=True)
    losses.pattern(truth + amount * dots, truth).backward()
    assert amount.grad.item() > 0


def test_the_sign_of_a_pattern_may_change_over_the_image():
    truth = torch.zeros(1, 1, 32, 32)
    pattern = 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16)
    pattern[:, 16:] *= -1
    assert losses.periodic(truth + pattern, truth, 2).item() == pytest.approx(0.01, rel=1e-4)
    # Small patches are averaged whole.
    assert losses.periodic(truth[..., :4, :4] + pattern[:4, :4], truth[..., :4, :4], 2).item() == pytest.approx(0.01)


def _fine(image, sigma):
    """Return images without their Gaussian blur, by SciPy."""
    blurred = ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma), mode="mirror", radius=ceil(3 * sigma))
    return image - torch.from_numpy(blurred)


def test_the_loss_of_bands_is_zero_at_the_mixture_and_relative_to_the_difference_in_each_band():
    generator = torch.Generator().manual_seed(2)
    reference, start = (torch.rand(2, 3, 24, 20, generator=generator) for _ in range(2))
    difference = start - reference
    fine = _fine(difference, 1.2)
    mixture = reference + 0.3 * (difference - fine) + 1.4 * fine

    def loss(result, contrast=1.0):
        images = (contrast * image for image in (result, reference, start))
        return losses.in_bands(*images, sigma=1.2, coarse=0.3, fine=1.4, floor=1e-9).item()

    # A band of the mixture has a little of the other, since a Gaussian does not separate them sharply.
    assert loss(mixture) < 0.1 * loss(reference)
    assert loss(reference) == pytest.approx((0.3**2 + 1.4**2) / 2, rel=1e-4)
    assert loss(start) == pytest.approx((0.7**2 + 0.4**2) / 2, rel=1e-4)
    assert loss(reference, contrast=1e-3) == pytest.approx(loss(reference), rel=1e-3)
