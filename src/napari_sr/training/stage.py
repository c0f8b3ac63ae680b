"""One stage at work: networks, losses and optimizers, and what one step does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.networks.discriminators import ESRGANDiscriminator, SRGANDiscriminator, UNetDiscriminator
from napari_sr.training import losses as formulas
from napari_sr.training import recipe
from napari_sr.training.generator import Generator
from napari_sr.training.perceptual import FeatureDistance
from napari_sr.training.schedule import cycle_at, learning_rate_fraction
from napari_sr.training.whitening import measure_whitening, whiten_steps

#: Gives the (low, high) patches of a part of a step's batch.
Draw = Callable[[int, int], tuple[Tensor, Tensor]]
#: Called with the name of each phase of a step when it is over.
Between = Callable[[str], None]


class Diverged(ArithmeticError):
    """A loss is not a number."""


class StageWork:
    """A stage's networks and optimizers on a device.

    Parameters
    ----------
    fabric : Fabric
        Device, precision and processes.
    generator : Generator
        Whose network is trained in place.
    stage : recipe.Stage
        Losses, optimizers, schedule.
    patch : int
        Side of a high-resolution patch, for the discriminators.
    seed : int
        From which a discriminator's first weights follow.
    examples : iterable of Tensor
        Batches of low-resolution patches, the same in all processes; looked at where a first layer learns in white.
    between : callable
        Called between the phases of a step; it may raise to end the step.

    Raises
    ------
    InputError
        If the weights of a perceptual loss cannot be had, or the patch is too small for the discriminator or a loss.
    """

    def __init__(
        self,
        fabric: Fabric,
        generator: Generator,
        stage: recipe.Stage,
        *,
        patch: int,
        seed: int,
        examples: Iterable[Tensor] = (),
        between: Between = lambda phase: None,
    ) -> None:
        self.fabric, self.stage, self.generator = fabric, stage, generator
        self._between = between
        # Mixed precision and the CPU's own kernels are faster when the channels lie side by side.
        self._layout = torch.contiguous_format if fabric.device.type == "mps" else torch.channels_last
        self.network = self._placed(generator.network)
        self._forward = generator.for_patches().to(fabric.device)
        self._forward.train()
        self.optimizer = _optimizer(self.network, stage.optimizer, fabric)
        if stage.optimizer.whiten:
            layer = _first_layer(self.network)
            examples = (batch.to(fabric.device) for batch in examples)
            whiten_steps(self.optimizer, layer, measure_whitening(self._forward, layer, examples))
        if stage.batch_norm == "kept":
            keep_statistics(self._forward)
        self._optimizer = fabric.setup_optimizers(self.optimizer)
        for loss in stage.losses:
            if isinstance(loss, recipe.PixelLoss) and loss.binned > patch:
                raise InputError(
                    f"High-resolution patches of {patch} pixels are too small to be binned by {loss.binned}: choose "
                    "larger patches, or a smaller binned in the stage's losses."
                )
        self.perceptual = {
            n: self._placed(FeatureDistance(loss))
            for n, loss in enumerate(stage.losses)
            if isinstance(loss, recipe.PerceptualLoss)
        }
        self.discriminator: nn.Module | None = None
        if stage.discriminator is not None:
            made = make_discriminator(stage.discriminator, generator.colors, patch, seed, fabric)
            self.discriminator = self._placed(made).train()
            self.discriminator_optimizer = _optimizer(made, stage.discriminator.optimizer, fabric)
            self._discriminator_optimizer = fabric.setup_optimizers(self.discriminator_optimizer)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()} if stage.ema else None

    def _placed(self, network: nn.Module) -> nn.Module:
        placed: nn.Module = network.to(self.fabric.device).to(memory_format=self._layout)  # type: ignore[call-overload]
        return placed

    def weights(self) -> dict[str, Tensor]:
        """The weights that count: the running average where there is one. Not copied."""
        return self.network.state_dict() if self.average is None else self.average

    def step(self, step: int, draw: Draw, learning_rate_factor: float = 1.0) -> dict[str, float]:
        """Do one step.

        Parameters
        ----------
        step : int
            Within the stage, from 0.
        draw : callable
            ``draw(part, parts)`` gives this process's patches of one part of the batch.
        learning_rate_factor : float
            What is left of the recipe's rate after a mishap.

        Returns
        -------
        dict of str to float
            Losses, means over the whole batch.

        Raises
        ------
        Diverged
            If a loss is not a number; the weights are as they were before.
        """
        parts = self.stage.accumulate
        self.optimizer.zero_grad(set_to_none=True)
        if self.discriminator is not None:
            self.discriminator_optimizer.zero_grad(set_to_none=True)
        told: dict[str, Tensor] = {}
        for part in range(parts):
            low, high = self._on_device(draw(part, parts))
            self._between("data")
            for name, value in self._backward(low, high, parts).items():
                told[name] = told.get(name, 0) + value.detach() / parts
        figures = self._mean_over_processes(told)
        if not all(isfinite(value) for value in figures.values()):
            raise Diverged
        self._update(step, learning_rate_factor)
        return figures

    def _backward(self, low: Tensor, high: Tensor, parts: int) -> dict[str, Tensor]:
        with self.fabric.autocast():
            result = self._forward(low)
        result = result.float()
        self._between("forward")
        with _frozen(self.discriminator):
            values, total = self._generator_losses(low, result, high)
            self._between("losses")
            self.fabric.backward(total / parts)
        self._between("backward")
        if self.discriminator is not None:
            loss = self._discriminator_loss(high, result.detach())
            self.fabric.backward(loss / parts)
            values["discriminator"] = loss
            self._between("discriminator")
        return values

    def _generator_losses(self, low: Tensor, result: Tensor, high: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        values: dict[str, Tensor] = {}
        total = torch.zeros((), device=result.device)
        for n, loss in enumerate(self.stage.losses):
            if isinstance(loss, recipe.PixelLoss):
                value = _pixel_loss(loss, result, high)
            elif isinstance(loss, recipe.PerceptualLoss):
                with self.fabric.autocast():
                    value = self.perceptual[n](result, high)
            elif isinstance(loss, recipe.EquivarianceLoss):
                value = self._equivariance(loss, low, result)
            else:
                value = self._adversarial(loss, result, high)
            values[self.stage.loss_names[n]] = value
            total = total + loss.weight * value.float()
        values["total"] = total
        return values, total

    def _equivariance(self, loss: recipe.EquivarianceLoss, low: Tensor, result: Tensor) -> Tensor:
        if loss.blurred:
            low = formulas.plain_shapes(low, loss.blurred)
        with self.fabric.autocast():
            if loss.blurred:
                result = self._forward(low)
            turned = self._forward(formulas.half_turned(low))
        return formulas.mse(formulas.half_turned(turned.float()), result.float())

    def _adversarial(self, loss: recipe.AdversarialLoss, result: Tensor, high: Tensor) -> Tensor:
        fake = self._judged(result)
        if loss.form == "standard":
            return formulas.standard_generator(fake)
        if loss.form == "least_squares":
            return formulas.least_squares_generator(fake)
        with torch.no_grad():
            real = self._judged(high)
        return formulas.relativistic_generator(real, fake)

    def _discriminator_loss(self, high: Tensor, result: Tensor) -> Tensor:
        form = self.stage.adversarial
        assert form is not None
        formula = {
            "standard": formulas.standard_discriminator,
            "relativistic": formulas.relativistic_discriminator,
            "least_squares": formulas.least_squares_discriminator,
        }[form.form]
        return formula(self._judged(high), self._judged(result))

    def _judged(self, image: Tensor) -> Tensor:
        assert self.discriminator is not None
        with self.fabric.autocast():
            out: Tensor = self.discriminator(image)
        return out.float()

    def _update(self, step: int, learning_rate_factor: float) -> None:
        share = learning_rate_factor * learning_rate_fraction(self.stage.schedule, step, self.stage.steps)
        works: list[tuple[nn.Module, torch.optim.Optimizer, Any]] = [(self.network, self.optimizer, self._optimizer)]
        if self.discriminator is not None:
            works.append((self.discriminator, self.discriminator_optimizer, self._discriminator_optimizer))
        for network, optimizer, wrapped in works:
            _average_gradients(network)
            if self.stage.clip is not None:
                self.fabric.clip_gradients(network, optimizer, max_norm=self.stage.clip, error_if_nonfinite=False)
            for group in optimizer.param_groups:
                group["lr"] = group["full_learning_rate"] * share
            wrapped.step()
        if self.average is not None:
            self._follow(step)
        self._between("optimizer")

    def _follow(self, step: int) -> None:
        """Move the running average toward the weights; it begins anew with every cycle of the schedule."""
        assert self.average is not None
        place, _, _ = cycle_at(self.stage.schedule, step, self.stage.steps)
        # At first over few steps: the weights that were begun with should not linger.
        decay = min(self.stage.ema, place / (place + 10))
        state = self.network.state_dict()
        with torch.no_grad():
            floats = [key for key, value in state.items() if value.is_floating_point()]
            torch._foreach_lerp_([self.average[key] for key in floats], [state[key] for key in floats], 1 - decay)
            for key in state.keys() - set(floats):
                self.average[key].copy_(state[key])

    def learning_rate(self, step: int, learning_rate_factor: float = 1.0) -> float:
        """The generator's rate at a step of the stage."""
        return (
            self.stage.optimizer.learning_rate
            * learning_rate_factor
            * learning_rate_fraction(self.stage.schedule, step, self.stage.steps)
        )

    def state(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        if self.discriminator is not None:
            state |= {
                "discriminator": self.discriminator.state_dict(),
                "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            }
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.average is not None:
            for key, value in state["average"].items():
                self.average[key].copy_(value)
        if self.discriminator is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])

    def _on_device(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        low, high = (t.to(self.fabric.device, non_blocking=True).contiguous(memory_format=self._layout) for t in pair)
        return low, high

    def _mean_over_processes(self, told: Mapping[str, Tensor]) -> dict[str, float]:
        values = torch.stack([value.float() for value in told.values()])
        if self.fabric.world_size > 1:
            dist.all_reduce(values)
            values /= self.fabric.world_size
        return dict(zip(told, values.tolist(), strict=True))


def make_discriminator(
    settings: recipe.Discriminator, channels: int, patch: int, seed: int, fabric: Fabric
) -> nn.Module:
    """Make a discriminator for patches of one size.

    Raises
    ------
    InputError
        If the patch is too small for it, or batch normalization cannot be synchronized here.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        try:
            made: nn.Module
            if settings.kind == "unet":
                made = UNetDiscriminator(channels=channels, features=settings.features)
            elif settings.kind == "srgan":
                made = SRGANDiscriminator(channels=channels, patch=patch, features=settings.features)
            else:
                made = ESRGANDiscriminator(channels=channels, patch=patch, features=settings.features)
        except ValueError as error:
            raise InputError(
                f"High-resolution patches of {patch} pixels are too small for the {settings.kind} discriminator: "
                "choose larger patches, or the kind unet."
            ) from error
    if settings.synchronize and fabric.world_size > 1:
        if fabric.device.type != "cuda":
            raise InputError("Batch normalization is synchronized on NVIDIA GPUs only: leave synchronize out.")
        made = nn.SyncBatchNorm.convert_sync_batchnorm(made)
    return made


@contextmanager
def _frozen(network: nn.Module | None) -> Iterator[None]:
    """Let gradients run through a network but not into its weights."""
    if network is None:
        yield
        return
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _pixel_loss(loss: recipe.PixelLoss, result: Tensor, high: Tensor) -> Tensor:
    if loss.binned > 1:
        result, high = formulas.binned(result, loss.binned), formulas.binned(high, loss.binned)
    if loss.kind == "charbonnier":
        return formulas.charbonnier(result, high, loss.epsilon)
    return formulas.l1(result, high) if loss.kind == "l1" else formulas.mse(result, high)


def _layers(network: nn.Module) -> list[nn.Module]:
    """Those with weights of their own, in the order in which they were made."""
    return [layer for layer in network.modules() if next(layer.parameters(recurse=False), None) is not None]


def keep_statistics(network: nn.Module) -> None:
    """Have batch normalizations use and keep the statistics they have, until ``train()`` is called again."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


def _first_layer(network: nn.Module) -> nn.Conv2d:
    """The layer that reads the images."""
    layer = _layers(network)[0]
    if not isinstance(layer, nn.Conv2d):
        raise InputError(f"{type(network).__name__} does not begin with a convolution: leave white out of the recipe.")
    return layer


def _optimizer(network: nn.Module, settings: recipe.Optimizer, fabric: Fabric) -> torch.optim.Optimizer:
    layers = _layers(network)
    last = {id(p) for p in layers[-1].parameters()} if settings.last_layer_rate != 1.0 else set()
    white = {id(p) for p in layers[0].parameters()} if settings.whiten else set()
    members = list(network.parameters())
    groups = []
    for share, chosen in (
        (1.0, [p for p in members if id(p) in white]),
        (1.0, [p for p in members if id(p) not in white | last]),
        (settings.last_layer_rate, [p for p in members if id(p) in last]),
    ):
        if chosen:
            rate = settings.learning_rate * share
            groups.append({"params": chosen, "lr": rate, "full_learning_rate": rate})
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay)
    # One kernel for all weights; the scaler of half precision cannot clip under it.
    fused = fabric.device.type in ("cpu", "cuda") and getattr(fabric.strategy.precision, "scaler", None) is None
    return torch.optim.Adam(groups, betas=settings.betas, weight_decay=settings.weight_decay, fused=fused)


def _average_gradients(network: nn.Module) -> None:
    """Take the mean of the gradients over all processes, in one message."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
