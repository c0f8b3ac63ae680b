"""A network on a device, prepared once for any number of runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from napari_sr.accelerators import memory_layout
from napari_sr.inference.compute.streaming.dihedral import Dihedral, transformed_plan
from napari_sr.inference.compute.streaming.plan import StreamPlan, plan_stream
from napari_sr.inference.compute.streaming.step import BOUNDING
from napari_sr.inference.compute.too_little_memory import sentence_for_too_little_memory
from napari_sr.inference.compute.tunings import Tuning, tuning_of


def _proceed() -> None:
    """Let a layer be computed."""


class PreparedNetwork:
    """Copies of a network on a device, one for each number format, and the plans of their streams.

    Each is made on first use and kept. All state of a run but its overflows is in the `PlaneRunner`, so that several
    runs can use the network, one at a time.

    Parameters
    ----------
    network : nn.Module
        A network of `napari_sr.networks` in evaluation mode; it is copied, not changed.
    device : torch.device
        Device that computes.
    tuning : Tuning, optional
        How the device computes fastest; by default as it was measured.

    Attributes
    ----------
    whole_planes : bool
        Whether planes that fit into the memory of an accelerator are computed in one piece.
    is_local : bool
        Whether a pixel of the result depends on the pixels within the receptive radius alone, in any block that has
        them, although the network may not be streamable.
    scale, alignment, receptive_radius, in_channels : int
        Those of the network.
    """

    def __init__(self, network: nn.Module, device: torch.device, *, tuning: Tuning | None = None) -> None:
        self._source, self.device = network, device
        tuning = tuning_of(device) if tuning is None else tuning
        self.whole_planes = tuning.whole_planes
        tuning.use_layouts(device)
        self.scale = int(network.scale)  # type: ignore[arg-type]
        self.alignment = int(network.alignment)  # type: ignore[arg-type]
        self.receptive_radius = int(network.receptive_radius)  # type: ignore[arg-type]
        self.in_channels = int(network.in_channels)  # type: ignore[arg-type]
        self.is_local = any(getattr(module, "is_local", False) for module in network.modules())
        #: Whether inputs of layers with a bounded output were finite, on the device.
        self._finite: list[Tensor] = []
        self._before_layer: Callable[[], None] = _proceed
        self._copies: dict[torch.dtype, nn.Module] = {}
        self._plans: dict[torch.dtype, StreamPlan] = {}
        self._transformed: dict[tuple[StreamPlan, Dihedral], StreamPlan] = {}

    @contextmanager
    def checked(self, before_layer: Callable[[], None]) -> Iterator[None]:
        """Call a function before every layer, until the end of the context.

        Parameters
        ----------
        before_layer : callable
            Called without arguments; an exception stops the computation.
        """
        outer, self._before_layer = self._before_layer, before_layer
        try:
            yield
        finally:
            self._before_layer = outer

    def module(self, dtype: torch.dtype) -> nn.Module:
        """Return the copy of the network in a number format.

        Parameters
        ----------
        dtype : torch.dtype
            float32, bfloat16 or float16.

        Returns
        -------
        nn.Module
            The copy on the device.

        Raises
        ------
        InputError
            If the device has too little memory for the weights.
        """
        if dtype not in self._copies:
            made = self._copied(dtype)
            for layer in made.modules():
                if not list(layer.children()):
                    layer.register_forward_pre_hook(self._check)
                if dtype == torch.float16 and isinstance(layer, BOUNDING):
                    layer.register_forward_pre_hook(self._watch)
            self._copies[dtype] = made
        return self._copies[dtype]

    def _copied(self, dtype: torch.dtype) -> nn.Module:
        with sentence_for_too_little_memory(
            f"The memory of {self.device} is too small for the weights of this model: close other programs that use "
            "it, or choose another device."
        ):
            made = copy.deepcopy(self._source).to(self.device, dtype).eval().requires_grad_(False)
            # The annotations of torch lack this form of `to`.
            return made.to(memory_format=memory_layout(self.device, dtype))  # type: ignore[call-overload, no-any-return]

    def plan(self, dtype: torch.dtype) -> StreamPlan:
        """Return the plan of the stream in a number format.

        Parameters
        ----------
        dtype : torch.dtype
            float32, bfloat16 or float16.

        Returns
        -------
        StreamPlan
            The steps, on the device.

        Raises
        ------
        NotStreamable
            If a layer cannot be streamed.
        """
        if dtype not in self._plans:
            # Tracing calls layers too.
            with self.checked(_proceed):
                self._plans[dtype] = plan_stream(self.module(dtype))
        return self._plans[dtype]

    def transformed(self, plan: StreamPlan, dihedral: Dihedral) -> StreamPlan:
        """Return a plan with kernels that are flipped or transposed.

        Returns
        -------
        StreamPlan
            The steps for an image that is not transformed.
        """
        key = (plan, dihedral)
        if key not in self._transformed:
            self._transformed[key] = transformed_plan(plan, dihedral)
        return self._transformed[key]

    def take_checks(self) -> list[Tensor]:
        """Return the checks of the float16 copy since the last call.

        Returns
        -------
        list of Tensor
            On the device, for each input of a layer with a bounded output whether all of its values were finite.
        """
        finite, self._finite = self._finite, []
        return finite

    def _check(self, _layer: nn.Module, _inputs: Any) -> None:
        self._before_layer()

    def _watch(self, _layer: nn.Module, inputs: Any) -> None:
        """Note whether all values are finite in the input of a layer whose output is finite."""
        self._finite.append(torch.isfinite(inputs[0]).all())
