"""Flips and transpositions of a network instead of the image, for self-ensemble and for streaming along columns.

A network of convolutions, applied to a flipped image and flipped back, is the same network with flipped kernels. So
all eight members of a self-ensemble can be streamed row by row in parallel, and a wide image can be streamed along its
longer axis without a transposed copy.

References
----------
R. Timofte, R. Rothe, L. Van Gool, "Seven ways to improve example-based single image super resolution", CVPR 2016,
section 3.5 (self-ensemble, there called enhanced prediction).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor, nn

from napari_sr.accelerators import memory_layout
from napari_sr.inference.compute.streaming.plan import StreamPlan
from napari_sr.inference.compute.streaming.scaling import CropStep, ShuffleStep, UnshuffleStep
from napari_sr.inference.compute.streaming.step import Step
from napari_sr.inference.compute.streaming.steps import ConvolveStep, PadStep


@dataclass(frozen=True)
class Dihedral:
    """A flip of rows, then a flip of columns, then an exchange of rows and columns.

    Parameters
    ----------
    flip_rows, flip_columns, exchange : bool, default False
        Which of the three are applied.
    """

    flip_rows: bool = False
    flip_columns: bool = False
    exchange: bool = False

    def apply(self, image: Tensor) -> Tensor:
        """Transform an image.

        Parameters
        ----------
        image : Tensor, shape (..., H, W)
            The image.

        Returns
        -------
        Tensor, shape (..., H, W), or (..., W, H) with `exchange`
            A view or a copy.
        """
        flipped = image.flip(self._axes) if self._axes else image
        return flipped.transpose(-1, -2) if self.exchange else flipped

    def undo(self, image: Tensor) -> Tensor:
        """Apply the inverse transform.

        Parameters
        ----------
        image : Tensor, shape (..., H, W)
            The image.

        Returns
        -------
        Tensor, shape (..., H, W), or (..., W, H) with `exchange`
            A view or a copy.
        """
        exchanged = image.transpose(-1, -2) if self.exchange else image
        return exchanged.flip(self._axes) if self._axes else exchanged

    @property
    def _axes(self) -> list[int]:
        return [axis for axis, flip in ((-2, self.flip_rows), (-1, self.flip_columns)) if flip]


#: The eight elements of the dihedral group of the square.
DIHEDRALS: tuple[Dihedral, ...] = tuple(Dihedral(*flags) for flags in product((False, True), repeat=3))


def transformed_plan(plan: StreamPlan, dihedral: Dihedral) -> StreamPlan:
    """Transform the kernels of a plan.

    Parameters
    ----------
    plan : StreamPlan
        The steps of a network f.
    dihedral : Dihedral
        The transform of the images.

    Returns
    -------
    StreamPlan
        The steps of the network that maps ``dihedral.apply(image)`` to ``dihedral.apply(f(image))``.
    """
    if dihedral == Dihedral():
        return plan
    steps = list(plan.steps)
    makers = {step.output: n for n, step in enumerate(steps)}
    readers: dict[int, int] = {}
    for step in steps:
        for tensor in step.inputs:
            readers[tensor] = readers.get(tensor, 0) + 1
    for n, step in enumerate(plan.steps):
        if isinstance(step, ShuffleStep):
            order = _order(step.factor, dihedral)
            maker = makers.get(step.inputs[0]) if len(step.inputs) == 1 else None
            before = steps[maker] if maker is not None else None
            if (
                isinstance(before, ConvolveStep)
                and not before.after
                and before.module.groups == 1
                and readers[before.output] == 1
                and maker is not None
            ):
                # The convolution writes its channels in the order in which the shuffle reads them, without a copy.
                steps[maker] = replace(before, module=_permuted(before.module, order))
            else:
                steps[n] = replace(step, order=order)
        else:
            steps[n] = _transformed_step(step, dihedral)
    return replace(plan, steps=tuple(steps))


def _transformed_step(step: Step, dihedral: Dihedral) -> Step:
    if isinstance(step, ConvolveStep):
        return replace(step, module=_transformed_convolution(step.module, dihedral))
    if isinstance(step, PadStep):
        left, right, top, bottom = step.left, step.right, step.top, step.bottom
        if dihedral.flip_rows:
            top, bottom = bottom, top
        if dihedral.flip_columns:
            left, right = right, left
        if dihedral.exchange:
            left, right, top, bottom = top, bottom, left, right
        return replace(step, left=left, right=right, top=top, bottom=bottom)
    if isinstance(step, UnshuffleStep | CropStep):
        flips = (dihedral.flip_rows, dihedral.flip_columns)
        flipped = flips[::-1] if dihedral.exchange else flips
        if isinstance(step, UnshuffleStep):
            order = _order(step.factor, dihedral)
            # An unshuffle is the inverse of a shuffle, so its order is the inverse permutation.
            return replace(step, order=tuple(sorted(range(len(order)), key=order.__getitem__)), flipped=flipped)
        return replace(step, flipped=flipped)
    # Interpolation kernels are symmetric, and the other steps are pointwise.
    return step


def _order(factor: int, dihedral: Dihedral) -> tuple[int, ...]:
    """Permutation of the ``factor ** 2`` pixels of a group."""
    return tuple(dihedral.apply(torch.arange(factor**2).reshape(factor, factor)).flatten().tolist())


def _transformed_convolution(module: nn.Conv2d, dihedral: Dihedral) -> nn.Conv2d:
    weight = dihedral.apply(module.weight.detach())
    bias = None if module.bias is None else module.bias.detach()
    return _with_weights(module, weight, bias, exchange=dihedral.exchange)


def _permuted(module: nn.Conv2d, order: tuple[int, ...]) -> nn.Conv2d:
    """Permute the output channels of a convolution in groups of ``len(order)``."""
    rows = torch.arange(module.out_channels).reshape(-1, len(order))[:, list(order)].reshape(-1)
    rows = rows.to(module.weight.device)
    bias = None if module.bias is None else module.bias.detach()[rows]
    return _with_weights(module, module.weight.detach()[rows], bias)


def _with_weights(module: nn.Conv2d, weight: Tensor, bias: Tensor | None, *, exchange: bool = False) -> nn.Conv2d:
    """Copy a convolution with other weights, and with rows and columns exchanged in its sizes."""
    kernel, padding, dilation = (
        pair[::-1] if exchange else pair for pair in (module.kernel_size, module.padding, module.dilation)
    )
    # On the meta device no random number is drawn for weights that are replaced.
    copied = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        kernel,  # type: ignore[arg-type]
        padding=padding,  # type: ignore[arg-type]
        dilation=dilation,  # type: ignore[arg-type]
        groups=module.groups,
        bias=False,
        padding_mode=module.padding_mode,
        device="meta",
    )
    weight = weight.contiguous(memory_format=memory_layout(weight.device, weight.dtype))
    copied.weight = nn.Parameter(weight, requires_grad=False)
    copied.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return copied
