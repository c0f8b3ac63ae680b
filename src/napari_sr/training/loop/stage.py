"""The networks and optimizers of a stage, and one step of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from math import isfinite
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn

from napari_sr.accelerators import training_layout
from napari_sr.networks.discriminators import Discriminator
from napari_sr.training import recipe
from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.generator import Generator
from napari_sr.training.loop.discriminator import make_discriminator
from napari_sr.training.loop.optimization import average_gradients, first_convolution, make_optimizer
from napari_sr.training.loop.precision import StepPrecision, placed
from napari_sr.training.loop.schedule import cycle_at, learning_rate_fraction
from napari_sr.training.loop.stage_losses import StageLosses
from napari_sr.training.loop.whitening import measure_whitening, whiten_steps
from napari_sr.training.randomness import generator_at

#: Called as ``draw(part, parts)``; returns the patches of this process in a part of the batch.
Draw = Callable[[int, int], Batch]
#: Called with the name of each phase of a step after it.
PhaseListener = Callable[[str], None]


class Diverged(ArithmeticError):
    """A loss is not a number."""


class StageWork:
    """The networks and optimizers of a stage on a device.

    Parameters
    ----------
    fabric : Fabric
        Device, precision and processes.
    generator : Generator
        The generator, whose network is trained in place.
    stage : recipe.Stage
        The stage of the recipe.
    patch : int
        Side of a high-resolution patch in pixels.
    seed : int
        Seed of the recipe, from which the initial weights of a discriminator follow.
    reference : mapping of str to Tensor, optional
        Weights of the generator's network that are the stage's reference; by default it has none.
    examples : iterable of Batch, default ()
        Batches of patches, the same in all processes, by which the whitening of the first layer is measured. They are
        not read if it is not whitened.
    on_phase : callable, optional
        Called with the name of each phase of a step after it; an exception ends the step.

    Raises
    ------
    InputError
        If the weights of a perceptual loss cannot be loaded, or the patch is too small for the discriminator or a loss.
    """

    def __init__(
        self,
        fabric: Fabric,
        generator: Generator,
        stage: recipe.Stage,
        *,
        patch: int,
        seed: int,
        reference: Mapping[str, Tensor] | None = None,
        examples: Iterable[Batch] = (),
        on_phase: PhaseListener = lambda phase: None,
    ) -> None:
        self._fabric, self._stage, self._on_phase, self._seed = fabric, stage, on_phase, seed
        device = fabric.device
        self._layout = training_layout(device)
        self._network = placed(generator.network, device)
        self._forward = generator.for_patches().to(device)
        self._forward.train()
        freeze_gate(self._network, frozen=stage.adversarial is not None or stage.mixes_bands)
        self._optimizer = make_optimizer(self._network, stage.optimizer, fabric)
        if stage.optimizer.whiten:
            layer = first_convolution(self._network)
            inputs = (batch.to(device).inputs for batch in examples)
            whiten_steps(self._optimizer, layer, measure_whitening(self._forward, layer, inputs))
        if stage.batch_norm == "kept":
            keep_statistics(self._forward)
        self._trained: list[tuple[nn.Module, torch.optim.Optimizer, Any]] = [
            (self._network, self._optimizer, fabric.setup_optimizers(self._optimizer))
        ]
        self._discriminator: Discriminator | None = None
        if stage.discriminator is not None:
            made = make_discriminator(
                stage.discriminator,
                generator.colors,
                patch - stage.shift,
                seed,
                fabric,
                conditioned=generator.conditioned,
            )
            placed(made, device).train()
            self._discriminator = made
            self._discriminator_optimizer = make_optimizer(made, stage.discriminator.optimizer, fabric)
            wrapped = fabric.setup_optimizers(self._discriminator_optimizer)
            self._trained.append((made, self._discriminator_optimizer, wrapped))
        self._start = (
            frozen_for_patches(generator, self._network.state_dict()).to(device) if stage.mixes_bands else None
        )
        self._losses = StageLosses(
            stage,
            self._forward,
            self._discriminator,
            fabric,
            patch=patch,
            scale=generator.card.scale,
            reference=None if reference is None else frozen_for_patches(generator, reference).to(device),
            start=self._start,
        )
        self._average = {k: v.detach().clone() for k, v in self._network.state_dict().items()} if stage.ema else None

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that are measured and stored, without a copy: the network's, or their moving average."""
        return self._network.state_dict() if self._average is None else self._average

    def step(self, step: int, draw: Draw, learning_rate_factor: float = 1.0) -> dict[str, float]:
        """Train one step; return the losses without their weights, as means over the whole batch.

        Parameters
        ----------
        step : int
            Number of the step in the stage, from 0.
        draw : callable
            Called as ``draw(part, parts)``; returns the patches of this process in a part of the batch.
        learning_rate_factor : float, default 1.0
            Factor on the learning rate after divergence recovery, in (0, 1].

        Raises
        ------
        Diverged
            If a loss is not a number; the weights are then unchanged.
        """
        parts = self._stage.accumulate
        for _, optimizer, _ in self._trained:
            optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for part in range(parts):
            batch = draw(part, parts).to(self._fabric.device, self._layout)
            self._on_phase("data")
            for name, value in self._backward(batch, parts, self._offset(step, part)).items():
                sums[name] = sums.get(name, 0) + value.detach() / parts
        losses = self._mean_over_processes(sums)
        if not all(isfinite(value) for value in losses.values()):
            raise Diverged
        self._update(step, learning_rate_factor)
        return losses

    def _offset(self, step: int, part: int) -> tuple[int, int]:
        """Draw the shift of the images for the losses."""
        top, left = generator_at(self._seed, "shift", step=step, number=part).integers(0, self._stage.shift + 1, 2)
        return int(top), int(left)

    def _backward(self, batch: Batch, parts: int, offset: tuple[int, int]) -> dict[str, Tensor]:
        """Compute losses and gradients of a part of the batch."""
        with self._fabric.autocast():
            result = self._forward(*batch.inputs)
        result = result.float()
        self._on_phase("forward")
        with self._losses.frozen_discriminator():
            values = self._losses.generator(batch, result, offset)
            self._on_phase("losses")
            self._fabric.backward(values["total"] / parts)
        self._on_phase("backward")
        if self._discriminator is not None:
            values["discriminator"] = self._losses.discriminator(batch, result.detach(), offset)
            self._fabric.backward(values["discriminator"] / parts)
            self._on_phase("discriminator")
        return values

    def _update(self, step: int, learning_rate_factor: float) -> None:
        """Change the weights by their gradients."""
        fraction = learning_rate_factor * learning_rate_fraction(self._stage.schedule, step, self._stage.steps)
        for network, optimizer, wrapped in self._trained:
            average_gradients(network)
            if self._stage.clip is not None:
                self._fabric.clip_gradients(network, optimizer, max_norm=self._stage.clip, error_if_nonfinite=False)
            for group in optimizer.param_groups:
                group["lr"] = group["full_learning_rate"] * fraction
            wrapped.step()
        precision = self._fabric.strategy.precision
        if isinstance(precision, StepPrecision):
            precision.end_step()
        if self._average is not None:
            self._update_average(step)
        self._on_phase("optimizer")

    def _update_average(self, step: int) -> None:
        """Move the average toward the weights; it starts anew with each cycle of the schedule."""
        assert self._average is not None
        position, _, _ = cycle_at(self._stage.schedule, step, self._stage.steps)
        # A short average at first, so that the initial weights do not remain in it.
        decay = min(self._stage.ema, position / (position + 10))
        state = self._network.state_dict()
        with torch.no_grad():
            floats = [key for key, value in state.items() if value.is_floating_point()]
            torch._foreach_lerp_([self._average[key] for key in floats], [state[key] for key in floats], 1 - decay)
            for key in state.keys() - set(floats):
                self._average[key].copy_(state[key])

    def learning_rate(self, step: int, learning_rate_factor: float = 1.0) -> float:
        """Return the learning rate of the generator."""
        return (
            self._stage.optimizer.learning_rate
            * learning_rate_factor
            * learning_rate_fraction(self._stage.schedule, step, self._stage.steps)
        )

    def state(self) -> dict[str, Any]:
        """Return everything that later steps depend on, without a copy."""
        state: dict[str, Any] = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average,
            "precision": self._fabric.strategy.precision.state_dict(),
        }
        if self._start is not None:
            state["start"] = self._start.state_dict()
        if self._discriminator is not None:
            state |= {
                "discriminator": self._discriminator.state_dict(),
                "discriminator_optimizer": self._discriminator_optimizer.state_dict(),
            }
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned, in this or an earlier run."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        if self._average is not None:
            for key, value in state["average"].items():
                self._average[key].copy_(value)
        if self._start is not None:
            self._start.load_state_dict(state["start"])
        if self._discriminator is not None:
            self._discriminator.load_state_dict(state["discriminator"])
            self._discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])

    def _mean_over_processes(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        values = torch.stack([value.float() for value in losses.values()])
        if self._fabric.world_size > 1:
            dist.all_reduce(values)
            values /= self._fabric.world_size
        return dict(zip(losses, values.tolist(), strict=True))


def freeze_gate(network: nn.Module, *, frozen: bool) -> None:
    """Exclude the gate of a network, if it has one, from the training, or include it.

    The two endpoints of a pair have one gate, so that the weights that alpha mixes have the same factors for a blur.
    """
    gate = getattr(network, "gate", None)
    if isinstance(gate, nn.Module):
        gate.requires_grad_(not frozen)


def frozen_for_patches(generator: Generator, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a generator with other weights for patches, which is not trained, in evaluation mode."""
    network = deepcopy(generator.network).requires_grad_(False)
    network.load_state_dict(weights)
    return replace(generator, network=network).for_patches().eval()


def keep_statistics(network: nn.Module) -> None:
    """Make batch normalizations use their stored statistics and not change them, until ``train()`` is called."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
