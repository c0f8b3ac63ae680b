"""The receptive radius of a chain of layers: how far, in pixels of the input, one output pixel sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from napari_sr.imaging.resize import Kernel, reach_of


@dataclass(frozen=True)
class ConvolutionReach:
    """`count` convolutions, each reaching `radius` pixels to every side, at one resolution."""

    radius: int
    count: int = 1


@dataclass(frozen=True)
class UpsamplingReach:
    """Enlargement by `factor` with a kernel; a pixel shuffle reads as "nearest" does."""

    factor: int
    kernel: Kernel = "nearest"


@dataclass(frozen=True)
class UnshufflingReach:
    """A pixel unshuffle: `factor` x `factor` pixels become the channels of one."""

    factor: int


LayerReach = ConvolutionReach | UpsamplingReach | UnshufflingReach


def receptive_radius(steps: Sequence[LayerReach]) -> int:
    """Radius in pixels of the input that one pixel of the output depends on, by following an interval backwards.

    Parameters
    ----------
    steps : sequence of Convolutions, Enlarge or Unshuffle
        The longest path from the input to the output, in the order in which the image goes through.

    Returns
    -------
    int
        The largest distance, over all phases of the output grid, between the input pixel below an output pixel and
        the farthest input pixel that can change it.
    """
    enlarged = prod(s.factor for s in steps if isinstance(s, UpsamplingReach))
    shrunk = prod(s.factor for s in steps if isinstance(s, UnshufflingReach))
    radius = 0
    for output in range(enlarged * shrunk):
        low = high = output
        for step in reversed(steps):
            if isinstance(step, ConvolutionReach):
                low, high = low - step.radius * step.count, high + step.radius * step.count
            elif isinstance(step, UpsamplingReach):
                low, high = reach_of(step.kernel, step.factor, low, high)
            else:
                low, high = low * step.factor, high * step.factor + step.factor - 1
        below = output * shrunk // enlarged
        radius = max(radius, below - low, high - below)
    return radius
