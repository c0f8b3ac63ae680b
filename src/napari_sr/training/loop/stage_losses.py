"""The losses of a stage, for generator and discriminator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Literal, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from napari_sr.errors import InputError
from napari_sr.networks.discriminators import Discriminator
from napari_sr.networks.upsample import Upsample
from napari_sr.training import recipe
from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.patch_networks import deviation_of
from napari_sr.training.loop.discriminator_inputs import beside_inputs, cut_shifted, in_patch_contrast
from napari_sr.training.loop.precision import placed
from napari_sr.training.losses import adversarial as adversarial_losses
from napari_sr.training.losses import functions
from napari_sr.training.losses.perceptual import FeatureDistance
from napari_sr.training.losses.relative import relative_error, shift_of_mean

#: Smallest mean of the features of a layer by which their distance is divided.
_LEAST_FEATURE = 1e-6
#: Smallest difference of two results in a band by which an error is divided: a quarter of a gray level of 255.
_LEAST_DIFFERENCE = 0.25 / 255
#: Mean and standard deviation of photographs, black at 0 and white at 1 (those of ImageNet, over the colors).
_PHOTOGRAPH_MEAN, _PHOTOGRAPH_DEVIATION = 0.45, 0.225

#: Returns the results to which losses are relative.
Baseline = Callable[[], Tensor]


class StageLosses:
    """The losses of a stage.

    Parameters
    ----------
    stage : recipe.Stage
        The stage of the recipe.
    forward : nn.Module
        The generator as it processes patches; called again for equivariance losses.
    discriminator : Discriminator or None
        The discriminator of an adversarial loss.
    fabric : Fabric
        Device and precision.
    patch : int
        Side of a high-resolution patch in pixels.
    scale : int
        Factor of the generator.
    reference : nn.Module, optional
        The generator with the weights of the stage's reference, as it processes patches. By default the stage has no
        reference, and losses are relative to bicubic interpolation.
    start : nn.Module, optional
        The generator with the weights at the start of the stage, as it processes patches; for the loss `bands`.

    Raises
    ------
    InputError
        If the weights of a perceptual loss cannot be loaded, or the patch is too small for a binned loss or the shift.
    """

    def __init__(
        self,
        stage: recipe.Stage,
        forward: nn.Module,
        discriminator: Discriminator | None,
        fabric: Fabric,
        *,
        patch: int,
        scale: int,
        reference: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> None:
        self._stage, self._fabric = stage, fabric
        self._forward, self._discriminator, self._reference, self._start = forward, discriminator, reference, start
        for loss in stage.losses:
            if isinstance(loss, recipe.PixelLoss | recipe.RelativeLoss) and loss.binned > patch:
                raise InputError(
                    f"High-resolution patches of {patch} pixels are too small to be binned by {loss.binned}: choose "
                    "larger patches, or a smaller binned in the stage's losses."
                )
            if isinstance(loss, recipe.PatternLoss) and patch < functions.POWER_TILE:
                raise InputError(
                    f"High-resolution patches of {patch} pixels are too small for a pattern loss: choose patches that "
                    f"are at least {functions.POWER_TILE} pixels wide at high resolution."
                )
        if stage.shift > patch // 2:
            raise InputError(
                f"High-resolution patches of {patch} pixels are too small to be shifted by {stage.shift}: choose "
                "larger patches, or a smaller shift of the stage."
            )
        self._scale = scale
        self._interpolation = Upsample(scale, "bicubic").to(fabric.device)
        self._perceptual = {
            n: placed(FeatureDistance(loss), fabric.device)
            for n, loss in enumerate(stage.losses)
            if isinstance(loss, recipe.PerceptualLoss)
        }

    def generator(self, batch: Batch, result: Tensor, offset: tuple[int, int] = (0, 0)) -> dict[str, Tensor]:
        """Compute the losses of the generator.

        Parameters
        ----------
        batch : Batch
            The patches.
        result : Tensor, float32, shape (N, C, scale Y, scale X)
            Results of the generator.
        offset : (int, int), default (0, 0)
            Rows and columns, 0 to the shift of the stage, that are cut off at the upper left for the perceptual losses
            and the discriminator.

        Returns
        -------
        dict of str to Tensor
            Losses without their weights, by their names in the stage, and their weighted sum as "total".
        """
        values: dict[str, Tensor] = {}
        total = torch.zeros((), device=result.device)
        high = batch.high
        # Computed for the first loss that needs it.
        baseline = cache(partial(self._baseline, batch, result))
        outputs = self._outputs(batch, result, offset, baseline) if self._discriminator is not None else None
        for n, loss in enumerate(self._stage.losses):
            if isinstance(loss, recipe.PixelLoss):
                value = _pixel_loss(loss, result, high)
            elif isinstance(loss, recipe.PerceptualLoss):
                value = self._perceived(n, loss, batch, result, offset, baseline)
            elif isinstance(loss, recipe.EquivarianceLoss):
                value = self._equivariance(loss, batch, result)
            elif isinstance(loss, recipe.PeriodicLoss):
                value = functions.periodic(result, high, self._scale)
            elif isinstance(loss, recipe.PatternLoss):
                value = functions.pattern(result, high)
            elif isinstance(loss, recipe.RelativeLoss):
                value = self._relative(loss, batch, result, baseline)
            elif isinstance(loss, recipe.BandsLoss):
                value = self._in_bands(loss, batch, result, baseline)
            else:
                assert outputs is not None
                value = outputs.matching() if isinstance(loss, recipe.MatchingLoss) else outputs.loss(loss.form)
            values[self._stage.loss_names[n]] = value
            total = total + loss.weight * value.float()
        values["total"] = total
        return values

    def discriminator(self, batch: Batch, result: Tensor, offset: tuple[int, int] = (0, 0)) -> Tensor:
        """Compute the loss of the discriminator for results that are detached from the generator."""
        adversarial = self._stage.adversarial
        assert adversarial is not None
        function = {
            "standard": adversarial_losses.standard_discriminator,
            "relativistic": adversarial_losses.relativistic_discriminator,
            "least_squares": adversarial_losses.least_squares_discriminator,
        }[adversarial.form]
        assert self._stage.discriminator is not None
        assert self._discriminator is not None
        penalty = self._stage.discriminator.gradient_penalty
        shown = self._shown(batch.high, batch, offset)
        if penalty:
            # In float32, since half precision is too coarse for the gradient of a gradient.
            real = self._discriminator(shown.requires_grad_())
        else:
            real, _ = self._classified(shown)
        fake, _ = self._classified(self._shown(result, batch, offset))
        value = function(real, fake)
        if not penalty:
            return value
        return value + penalty * adversarial_losses.half_squared_gradient(real, shown, batch.high.shape[1])

    @contextmanager
    def frozen_discriminator(self) -> Iterator[None]:
        """Compute no gradients for the weights of the discriminator inside the context, only through it."""
        if self._discriminator is None:
            yield
            return
        self._discriminator.requires_grad_(False)
        try:
            yield
        finally:
            self._discriminator.requires_grad_(True)

    def _equivariance(self, loss: recipe.EquivarianceLoss, batch: Batch, result: Tensor) -> Tensor:
        inputs = batch.inputs
        if loss.blurred:
            # Plain shapes have no noise.
            inputs = (functions.plain_shapes(batch.low, loss.blurred), *(torch.zeros_like(x) for x in inputs[1:]))
        rotated_inputs = (x.flip(-2, -1) if x.ndim == 4 else x for x in inputs)
        with self._fabric.autocast():
            if loss.blurred:
                result = self._forward(*inputs)
            rotated = self._forward(*rotated_inputs)
        return functional.mse_loss(rotated.float().flip(-2, -1), result.float())

    def _interpolated(self, batch: Batch, result: Tensor) -> Tensor:
        """Interpolate the low-resolution patches, without the margin that some networks consume."""
        with torch.no_grad():
            interpolated: Tensor = self._interpolation(batch.low)
            cut = (interpolated.shape[-1] - result.shape[-1]) // 2
            return interpolated[..., cut : cut + result.shape[-2], cut : cut + result.shape[-1]]

    def _baseline(self, batch: Batch, result: Tensor) -> Tensor:
        """Return the results to which losses are relative: of the reference, or of bicubic interpolation."""
        return self._interpolated(batch, result) if self._reference is None else self._fixed(self._reference, batch)

    def _fixed(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the results of weights that are not trained."""
        with torch.no_grad(), self._fabric.autocast():
            found: Tensor = network(*batch.inputs)
        return found.float()

    def _in_bands(self, loss: recipe.BandsLoss, batch: Batch, result: Tensor, baseline: Baseline) -> Tensor:
        assert self._start is not None
        start = self._fixed(self._start, batch)
        return functions.in_bands(
            result, baseline(), start, sigma=loss.sigma, coarse=loss.coarse, fine=loss.fine, floor=_LEAST_DIFFERENCE
        )

    def _relative(self, loss: recipe.RelativeLoss, batch: Batch, result: Tensor, baseline: Baseline) -> Tensor:
        deviation = deviation_of(batch.low)
        own, truth, other = (functional.avg_pool2d(image, loss.binned) for image in (result, batch.high, baseline()))
        value = relative_error(own, truth, other, deviation, floor=loss.floor, absolute=loss.absolute)
        if loss.flat and batch.noise is not None and batch.artificial is not None:
            shift = shift_of_mean(result, self._interpolated(batch, result), batch.noise, deviation)
            value = value + loss.flat * batch.artificial * shift
        return value.mean()

    def _outputs(self, batch: Batch, result: Tensor, offset: tuple[int, int], baseline: Baseline) -> _Outputs:
        adversarial = self._stage.adversarial
        if adversarial is not None and adversarial.evenness:
            result = with_scaled_gradient(result, _weights_of_patches(adversarial, batch, baseline()))
        fake, features = self._classified(self._shown(result, batch, offset))
        if not self._compares_with_truth:
            return _Outputs(fake, features)
        with torch.no_grad():
            real, expected = self._classified(self._shown(batch.high, batch, offset))
        return _Outputs(fake, features, real, expected)

    def _perceived(
        self,
        number: int,
        loss: recipe.PerceptualLoss,
        batch: Batch,
        result: Tensor,
        offset: tuple[int, int],
        baseline: Baseline,
    ) -> Tensor:
        """Return a perceptual loss."""
        images = [result, batch.high, *([baseline()] if loss.relative else [])]
        shown = (cut_shifted(self._photographic(image, batch), offset, self._stage.shift) for image in images)
        with self._fabric.autocast():
            value: Tensor = self._perceptual[number](*shown)
        return value

    @staticmethod
    def _photographic(image: Tensor, batch: Batch) -> Tensor:
        """Scale images of a conditioned network to the mean and contrast of photographs, patch by patch."""
        if batch.noise is None:
            return image
        return _PHOTOGRAPH_MEAN + _PHOTOGRAPH_DEVIATION * in_patch_contrast(image, batch)

    @property
    def _compares_with_truth(self) -> bool:
        """Whether a loss of the generator needs the discriminator's output for the truth."""
        adversarial = self._stage.adversarial
        relativistic = adversarial is not None and adversarial.form == "relativistic"
        return relativistic or any(isinstance(loss, recipe.MatchingLoss) for loss in self._stage.losses)

    def _shown(self, image: Tensor, batch: Batch, offset: tuple[int, int]) -> Tensor:
        """Return images as the discriminator is shown them."""
        assert self._stage.discriminator is not None
        # The features of a projected discriminator are those of a network that was trained on photographs.
        scaled = self._photographic if self._stage.discriminator.kind == "projected" else in_patch_contrast
        shown = scaled(image, batch)
        if self._stage.discriminator.conditional:
            shown = beside_inputs(shown, scaled(self._interpolated(batch, image), batch), batch)
        return cut_shifted(shown, offset, self._stage.shift)

    def _classified(self, shown: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the discriminator's output for images from `_shown`, before any sigmoid, and its features."""
        assert self._discriminator is not None
        with self._fabric.autocast():
            logits, features = self._discriminator.logits_and_features(shown)
        return logits.float(), features


class _Outputs(NamedTuple):
    """Outputs and features of the discriminator for results, and for truths where a loss compares both."""

    fake: Tensor
    features: list[Tensor]
    real: Tensor | None = None
    expected: Sequence[Tensor] = ()

    def loss(self, form: Literal["standard", "relativistic", "least_squares"]) -> Tensor:
        if form == "standard":
            return adversarial_losses.standard_generator(self.fake)
        if form == "least_squares":
            return adversarial_losses.least_squares_generator(self.fake)
        assert self.real is not None
        return adversarial_losses.relativistic_generator(self.real, self.fake)

    def matching(self) -> Tensor:
        distances = [
            functional.l1_loss(feature.float(), true.float()) / true.float().abs().mean().clamp_min(_LEAST_FEATURE)
            for feature, true in zip(self.features, self.expected, strict=True)
        ]
        return torch.stack(distances).mean()


def with_scaled_gradient(x: Tensor, factors: Tensor) -> Tensor:
    """Return the same values, to rounding, with gradients times the factor of each image on their way back."""
    factors = factors.view(-1, 1, 1, 1)
    return x * factors + (x * (1 - factors)).detach()


def _weights_of_patches(loss: recipe.AdversarialLoss, batch: Batch, baseline: Tensor) -> Tensor:
    """Return the factors of the gradients of an adversarial loss with `evenness`, one for each patch."""
    deviation = deviation_of(batch.low).flatten()
    error = ((baseline - batch.high) ** 2).mean((1, 2, 3)).sqrt() / deviation
    factors = 1 / (error + loss.evenness)
    if loss.noise is not None and batch.noise is not None:
        factors = factors / (1 + (batch.noise.mean((1, 2, 3)) / deviation / loss.noise) ** 2)
    return factors


def _pixel_loss(loss: recipe.PixelLoss, result: Tensor, high: Tensor) -> Tensor:
    if loss.binned > 1:
        result, high = (functional.avg_pool2d(image, loss.binned) for image in (result, high))
    if loss.kind == "charbonnier":
        return functions.charbonnier(result, high, loss.epsilon)
    return functional.l1_loss(result, high) if loss.kind == "l1" else functional.mse_loss(result, high)
