"""The losses of a stage, for generator and discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.networks.upsample import Upsample
from napari_sr.training import recipe
from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.patch_networks import deviation_of
from napari_sr.training.loop.precision import placed
from napari_sr.training.losses import functions
from napari_sr.training.losses.perceptual import FeatureDistance
from napari_sr.training.losses.relative import relative_error, shift_of_mean


class StageLosses:
    """The losses of a stage.

    Parameters
    ----------
    stage : recipe.Stage
        The stage of the recipe.
    forward : nn.Module
        The generator as it processes patches; called again for equivariance losses.
    discriminator : nn.Module or None
        The discriminator of an adversarial loss.
    fabric : Fabric
        Device and precision.
    patch : int
        Side of a high-resolution patch in pixels.
    scale : int
        Factor of the generator.

    Raises
    ------
    InputError
        If the weights of a perceptual loss cannot be loaded, or the patch is too small for a binned loss.
    """

    def __init__(
        self,
        stage: recipe.Stage,
        forward: nn.Module,
        discriminator: nn.Module | None,
        fabric: Fabric,
        *,
        patch: int,
        scale: int,
    ) -> None:
        self._stage, self._fabric = stage, fabric
        self._forward, self._discriminator = forward, discriminator
        for loss in stage.losses:
            if isinstance(loss, recipe.PixelLoss) and loss.binned > patch:
                raise InputError(
                    f"High-resolution patches of {patch} pixels are too small to be binned by {loss.binned}: choose "
                    "larger patches, or a smaller binned in the stage's losses."
                )
        self._interpolation = Upsample(scale, "bicubic").to(fabric.device)
        self._perceptual = {
            n: placed(FeatureDistance(loss), fabric.device)
            for n, loss in enumerate(stage.losses)
            if isinstance(loss, recipe.PerceptualLoss)
        }

    def generator(self, batch: Batch, result: Tensor) -> dict[str, Tensor]:
        """Compute the losses of the generator.

        Parameters
        ----------
        batch : Batch
            The patches.
        result : Tensor, float32, shape (N, C, scale Y, scale X)
            Results of the generator.

        Returns
        -------
        dict of str to Tensor
            Losses without their weights, by their names in the stage, and their weighted sum as "total".
        """
        values: dict[str, Tensor] = {}
        total = torch.zeros((), device=result.device)
        high = batch.high
        for n, loss in enumerate(self._stage.losses):
            if isinstance(loss, recipe.PixelLoss):
                value = _pixel_loss(loss, result, high)
            elif isinstance(loss, recipe.PerceptualLoss):
                with self._fabric.autocast():
                    value = self._perceptual[n](result, high)
            elif isinstance(loss, recipe.EquivarianceLoss):
                value = self._equivariance(loss, batch, result)
            elif isinstance(loss, recipe.RelativeLoss):
                value = self._relative(loss, batch, result)
            else:
                value = self._adversarial(loss, result, high)
            values[self._stage.loss_names[n]] = value
            total = total + loss.weight * value.float()
        values["total"] = total
        return values

    def discriminator(self, high: Tensor, result: Tensor) -> Tensor:
        """Compute the loss of the discriminator.

        Parameters
        ----------
        high : Tensor, shape (N, C, Y, X)
            High-resolution patches.
        result : Tensor, shape (N, C, Y, X)
            Results of the generator, detached from it.

        Returns
        -------
        Tensor, scalar
            The loss.
        """
        adversarial = self._stage.adversarial
        assert adversarial is not None
        function = {
            "standard": functions.standard_discriminator,
            "relativistic": functions.relativistic_discriminator,
            "least_squares": functions.least_squares_discriminator,
        }[adversarial.form]
        return function(self._logits(high), self._logits(result))

    @contextmanager
    def frozen_discriminator(self) -> Iterator[None]:
        """Compute no gradients for the weights of the discriminator inside the context, only through it.

        Yields
        ------
        None
            Nothing.
        """
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
        rotated_inputs = (functions.rotated_180(x) if x.ndim == 4 else x for x in inputs)
        with self._fabric.autocast():
            if loss.blurred:
                result = self._forward(*inputs)
            rotated = self._forward(*rotated_inputs)
        return functions.mse(functions.rotated_180(rotated.float()), result.float())

    def _relative(self, loss: recipe.RelativeLoss, batch: Batch, result: Tensor) -> Tensor:
        with torch.no_grad():
            interpolated, deviation = self._interpolation(batch.low), deviation_of(batch.low)
            # Without the margin that some networks consume.
            cut = (interpolated.shape[-1] - result.shape[-1]) // 2
            interpolated = interpolated[..., cut : cut + result.shape[-2], cut : cut + result.shape[-1]]
        value = relative_error(result, batch.high, interpolated, deviation, floor=loss.floor, absolute=loss.absolute)
        if loss.flat and batch.noise is not None and batch.artificial is not None:
            shift = shift_of_mean(result, interpolated, batch.noise, deviation)
            value = value + loss.flat * batch.artificial * shift
        return value.mean()

    def _adversarial(self, loss: recipe.AdversarialLoss, result: Tensor, high: Tensor) -> Tensor:
        fake = self._logits(result)
        if loss.form == "standard":
            return functions.standard_generator(fake)
        if loss.form == "least_squares":
            return functions.least_squares_generator(fake)
        with torch.no_grad():
            real = self._logits(high)
        return functions.relativistic_generator(real, fake)

    def _logits(self, image: Tensor) -> Tensor:
        """Return the discriminator's output for images, before any sigmoid."""
        assert self._discriminator is not None
        with self._fabric.autocast():
            out: Tensor = self._discriminator(image)
        return out.float()


def _pixel_loss(loss: recipe.PixelLoss, result: Tensor, high: Tensor) -> Tensor:
    if loss.binned > 1:
        result, high = functions.binned(result, loss.binned), functions.binned(high, loss.binned)
    if loss.kind == "charbonnier":
        return functions.charbonnier(result, high, loss.epsilon)
    return functions.l1(result, high) if loss.kind == "l1" else functions.mse(result, high)
