"""Discriminators are shown images on a moving grid, in the contrast of their patch, beside the generator's inputs.

Perceptual losses are shown them in the contrast of photographs.
"""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from napari_sr.errors import InputError
from napari_sr.networks.discriminators import UNetDiscriminator
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.upsample import Upsample
from napari_sr.training.data.patches import Batch
from napari_sr.training.loop.discriminator_inputs import beside_inputs, cut_shifted, in_patch_contrast, input_channels
from napari_sr.training.loop.stage_losses import StageLosses
from napari_sr.training.losses import frozen_features, perceptual
from napari_sr.training.recipe import Recipe

SIDE, SCALE = 16, 2


def batch_of(seed=0, *, conditioned=True, gain=1.0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    low, high = (torch.rand(3, 1, n, n, generator=generator) for n in (SIDE, SCALE * SIDE))
    noise, blur = 0.1 * torch.rand(3, 1, SIDE, SIDE, generator=generator), torch.tensor([0.0, 0.8, 1.6])
    low, high = gain * low + offset, gain * high + offset
    return Batch(low, high, gain * noise, blur) if conditioned else Batch(low, high)


def losses_of(discriminator, losses, *, shift=0, conditional=False, more=""):
    recipe = Recipe.from_toml(
        f"""
[[stages]]
steps = 1
shift = {shift}
losses = [{losses}]
discriminator = {{ kind = "unet", features = 2, conditional = {str(conditional).lower()}{more} }}
"""
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    return StageLosses(recipe.stages[0], torch.nn.Identity(), discriminator, fabric, patch=SCALE * SIDE, scale=SCALE)


def unet(channels=1):
    torch.manual_seed(0)
    return UNetDiscriminator(channels=channels, features=2).eval()


def test_every_shift_leaves_an_equal_size_and_moves_the_pixels():
    image = torch.arange(100.0).view(1, 1, 10, 10)
    for top in range(4):
        for left in range(4):
            cut = cut_shifted(image, (top, left), 3)
            assert cut.shape == (1, 1, 7, 7)
            assert torch.equal(cut, image[..., top : top + 7, left : left + 7])
    assert torch.equal(cut_shifted(image, (0, 0), 0), image)


def test_the_contrast_of_a_patch_does_not_matter_for_a_conditioned_network():
    plain, dim = batch_of(), batch_of(gain=0.2, offset=0.4)
    shown = [beside_inputs(*(in_patch_contrast(i, b) for i in (b.high, Upsample(2)(b.low))), b) for b in (plain, dim)]
    assert shown[0].shape[1] == input_channels(1, conditional=True, conditioned=True)
    torch.testing.assert_close(*shown, rtol=1e-3, atol=1e-4)
    # Without noise and blur, the values stay as they are.
    other = batch_of(conditioned=False)
    assert in_patch_contrast(other.high, other) is other.high
    assert beside_inputs(other.high, other.high, other).shape[1] == input_channels(
        1, conditional=True, conditioned=False
    )


def test_blur_and_noise_are_shown_where_they_are():
    batch = batch_of()
    shown = beside_inputs(batch.high, Upsample(2)(batch.low), batch)
    assert shown[:, 3].amax((1, 2)).tolist() == pytest.approx([0, 0.5, 1])
    expected = batch.noise[:, 0] / batch.low.std((1, 2, 3)).view(-1, 1, 1)
    torch.testing.assert_close(shown[:, 2, ::2, ::2], expected)


def test_matching_compares_the_features_of_the_discriminator():
    batch, discriminator = batch_of(), unet()
    losses = losses_of(discriminator, '{ kind = "matching" }, { kind = "adversarial" }')
    assert losses.generator(batch, batch.high)["matching"].item() == 0
    result = (batch.high + 0.1 * torch.rand(batch.high.shape)).requires_grad_()
    value = losses.generator(batch, result)["matching"]
    with torch.no_grad():
        features = [discriminator.logits_and_features(in_patch_contrast(i, batch))[1] for i in (result, batch.high)]
        by_hand = np.mean([float((a - b).abs().mean() / b.abs().mean()) for a, b in zip(*features, strict=True)])
    assert value.item() == pytest.approx(by_hand, rel=1e-4)
    value.backward()
    assert result.grad.abs().sum() > 0


def test_losses_ignore_the_pixels_that_a_shift_cuts_off():
    batch = batch_of()
    losses = losses_of(unet(), '{ kind = "matching" }, { kind = "adversarial" }', shift=7)
    result = torch.rand(batch.high.shape)
    before, other = losses.generator(batch, result, (7, 2)), losses.generator(batch, result, (0, 2))
    assert before["total"] != other["total"]
    result[..., :7, :] = 0
    result[..., :2] = 0
    result[..., -5:] = 0
    assert losses.generator(batch, result, (7, 2))["total"] == before["total"]


def test_a_conditional_discriminator_judges_by_the_input():
    batch, other = batch_of(0), batch_of(1)
    mixed = Batch(other.low, batch.high, other.noise, other.blur)
    result = torch.rand(batch.high.shape)
    alone, beside = (
        losses_of(unet(4 if conditional else 1), '{ kind = "adversarial" }', conditional=conditional)
        for conditional in (False, True)
    )
    assert beside.discriminator(batch, result) != beside.discriminator(mixed, result)
    scaled = Batch(batch.low, batch.high, other.noise, other.blur)
    assert alone.discriminator(batch, result) == alone.discriminator(scaled, result)


@pytest.mark.parametrize("conditional", [False, True])
def test_a_gradient_penalty_is_that_of_the_true_images_as_they_are_shown(conditional):
    batch, result, shown = batch_of(), torch.rand(3, 1, 32, 32), []
    discriminator = unet(4 if conditional else 1)
    plain, penalized = (
        losses_of(discriminator, '{ kind = "adversarial" }', shift=3, conditional=conditional, more=more)
        for more in ("", ", gradient_penalty = 2e6")
    )
    discriminator.register_forward_pre_hook(lambda module, inputs: shown.append(inputs[0]))
    extra = penalized.discriminator(batch, result, (1, 2)) - plain.discriminator(batch, result, (1, 2))
    true = shown[0].detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(true).mean((1, 2, 3)).sum(), true)
    by_hand = 1e6 * gradient[:, :1].square().sum((1, 2, 3)).mean()
    assert by_hand > 0
    assert extra.item() == pytest.approx(by_hand.item(), rel=1e-3)
    torch.testing.assert_close(true[:, :1], cut_shifted(in_patch_contrast(batch.high, batch), (1, 2), 3))


PERCEPTUAL = (
    '{ kind = "adversarial" }, { kind = "perceptual", network = "squeezenet", '
    'layers = { conv1 = 1.0, fire2 = 1.0 }, weights = "random.pth" }'
)


@pytest.fixture
def shown_to_features(monkeypatch):
    """The images that a perceptual loss passes to its network, which has random weights."""
    torch.manual_seed(1)
    network, seen = SqueezeNetFeatures(), []
    monkeypatch.setattr(frozen_features, "load_features", lambda name, file: (network, False))
    compute = perceptual.FeatureDistance.features
    monkeypatch.setattr(
        perceptual.FeatureDistance, "features", lambda self, image: seen.append(image) or compute(self, image)
    )
    return seen


def test_a_perceptual_loss_sees_patches_of_a_conditioned_network_in_the_contrast_of_photographs(shown_to_features):
    values = []
    for gain, offset in ((1.0, 0.0), (0.2, 0.4)):
        batch = batch_of(gain=gain, offset=offset)
        values.append(losses_of(unet(), PERCEPTUAL).generator(batch, batch.high.flip(-1))["perceptual"].item())
    assert values[0] > 0
    assert values[1] == pytest.approx(values[0], rel=1e-3)
    assert shown_to_features[0].mean().item() == pytest.approx(0.45, abs=0.02)
    assert shown_to_features[0].std().item() == pytest.approx(0.225, abs=0.02)


def test_a_relative_perceptual_loss_of_bicubic_interpolation_is_one(shown_to_features):
    batch = batch_of()
    relative = PERCEPTUAL.replace('kind = "perceptual"', 'kind = "perceptual", relative = true, rescale = 10.0')
    interpolated = Upsample(SCALE, "bicubic")(batch.low)
    assert losses_of(unet(), relative).generator(batch, interpolated)["perceptual"].item() == pytest.approx(1, abs=0.1)
    assert losses_of(unet(), relative).generator(batch, batch.high)["perceptual"].item() == 0


def test_a_perceptual_loss_sees_patches_of_other_networks_as_they_are(shown_to_features):
    batch = batch_of(conditioned=False)
    losses_of(unet(), PERCEPTUAL).generator(batch, torch.rand(batch.high.shape))
    assert torch.equal(shown_to_features[0], batch.high)


def test_a_shift_of_more_than_half_a_patch_is_refused():
    with pytest.raises(InputError, match="too small to be shifted by 17"):
        losses_of(unet(), '{ kind = "adversarial" }', shift=17)


def test_a_binned_relative_loss_leaves_finer_detail_alone():
    batch = batch_of()
    sign = torch.tensor([1.0, -1.0]).repeat(SIDE)
    checks = 0.2 * sign[:, None] * sign[None, :]
    recipe = '{ kind = "adversarial" }, { kind = "relative", binned = 2 }'
    losses = losses_of(unet(), recipe)
    assert losses.generator(batch, batch.high + checks)["relative"].item() == pytest.approx(0, abs=1e-6)
    assert losses.generator(batch, batch.high + 0.2)["relative"].item() > 0.1


@pytest.mark.parametrize(
    ("losses", "passes"),
    [
        ('{ kind = "adversarial", form = "standard" }', 1),
        ('{ kind = "adversarial", form = "least_squares" }', 1),
        ('{ kind = "adversarial", form = "relativistic" }', 2),
        ('{ kind = "adversarial", form = "standard" }, { kind = "matching" }', 2),
    ],
)
def test_truths_pass_the_discriminator_only_where_a_loss_compares_with_them(losses, passes):
    batch, discriminator, seen = batch_of(), unet(), []
    compute = discriminator.logits_and_features
    discriminator.logits_and_features = lambda x: seen.append(x) or compute(x)
    losses_of(discriminator, losses).generator(batch, torch.rand(batch.high.shape))
    assert len(seen) == passes
