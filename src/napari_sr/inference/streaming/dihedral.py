"""Turning a network instead of the image: the eight flips and turns of self-ensemble, and streaming along columns.

A network of convolutions, run on a flipped image and flipped back, is the same network with flipped kernels. So a
self-ensemble can be streamed row by row, all eight in step, and a wide image can be streamed along its longer axis
without another copy of it.

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

from napari_sr.inference.streaming.plan import StreamPlan
from napari_sr.inference.streaming.steps import Convolve, CropStep, Pad, Shuffle, Step, UnshuffleStep


@dataclass(frozen=True)
class Dihedral:
    """A flip of rows, a flip of columns, and then an exchange of the two."""

    flip_rows: bool = False
    flip_columns: bool = False
    exchange: bool = False

    def apply(self, image: Tensor) -> Tensor:
        """Turn the last two axes of a tensor."""
        axes = [axis for axis, flip in ((-2, self.flip_rows), (-1, self.flip_columns)) if flip]
        transformed_plan = image.flip(axes) if axes else image
        return transformed_plan.transpose(-1, -2) if self.exchange else transformed_plan

    def undo(self, image: Tensor) -> Tensor:
        """Turn back."""
        back = image.transpose(-1, -2) if self.exchange else image
        axes = [axis for axis, flip in ((-2, self.flip_rows), (-1, self.flip_columns)) if flip]
        return back.flip(axes) if axes else back


#: The eight flips and turns of a square.
DIHEDRALS: tuple[Dihedral, ...] = tuple(Dihedral(*flags) for flags in product((False, True), repeat=3))


def transformed_plan(plan: StreamPlan, dihedral: Dihedral) -> StreamPlan:
    """Turn the kernels of a plan.

    Parameters
    ----------
    plan : Plan
        The steps of a network f.
    turn : Turn
        How images would be turned.

    Returns
    -------
    Plan
        The steps of the network that gives ``turn.apply(f(image))`` for ``turn.apply(image)``.
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
        if isinstance(step, Shuffle):
            order = _order(step.factor, dihedral)
            maker = makers.get(step.inputs[0]) if len(step.inputs) == 1 else None
            before = steps[maker] if maker is not None else None
            if (
                isinstance(before, Convolve)
                and not before.after
                and before.module.groups == 1
                and readers[before.output] == 1
                and maker is not None
            ):
                # The convolution writes its channels in the order in which they will be read: no copy.
                steps[maker] = replace(before, module=_permuted(before.module, order))
            else:
                steps[n] = replace(step, order=order)
        else:
            steps[n] = _turned_step(step, dihedral)
    return replace(plan, steps=tuple(steps), peaks={})


def _turned_step(step: Step, dihedral: Dihedral) -> Step:
    if isinstance(step, Convolve):
        return replace(step, module=_turned_convolution(step.module, dihedral))
    if isinstance(step, Pad):
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
            # Gathering undoes what shuffling does, so its order is the inverse one.
            return replace(step, order=tuple(sorted(range(len(order)), key=order.__getitem__)), flipped=flipped)
        return replace(step, flipped=flipped)
    # Interpolation kernels look the same from every side, and the others look at one pixel at a time.
    return step


def _order(factor: int, dihedral: Dihedral) -> tuple[int, ...]:
    """Which of the `factor` ** 2 pixels of a group comes to stand where."""
    return tuple(dihedral.apply(torch.arange(factor**2).reshape(factor, factor)).flatten().tolist())


def _turned_convolution(module: nn.Conv2d, dihedral: Dihedral) -> nn.Conv2d:
    weight = dihedral.apply(module.weight.detach())
    exchanged = (lambda pair: (pair[1], pair[0])) if dihedral.exchange else (lambda pair: pair)
    copied = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        exchanged(module.kernel_size),
        padding=exchanged(module.padding),
        dilation=exchanged(module.dilation),
        groups=module.groups,
        bias=False,
        padding_mode=module.padding_mode,
        device="meta",
    )
    return _with_weights(copied, weight, None if module.bias is None else module.bias.detach())


def _permuted(module: nn.Conv2d, order: tuple[int, ...]) -> nn.Conv2d:
    """Give a convolution whose output channels, in groups of ``len(order)``, stand in another order."""
    rows = torch.arange(module.out_channels).reshape(-1, len(order))[:, list(order)].reshape(-1)
    rows = rows.to(module.weight.device)
    copied = nn.Conv2d(
        module.in_channels,
        module.out_channels,
        module.kernel_size,  # type: ignore[arg-type]
        padding=module.padding,  # type: ignore[arg-type]
        dilation=module.dilation,  # type: ignore[arg-type]
        groups=module.groups,
        bias=False,
        padding_mode=module.padding_mode,
        device="meta",
    )
    bias = None if module.bias is None else module.bias.detach()[rows]
    return _with_weights(copied, module.weight.detach()[rows], bias)


def _with_weights(module: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    weight = weight.contiguous(memory_format=torch.channels_last)
    module.weight = nn.Parameter(weight, requires_grad=False)
    module.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return module
