"""Description of random conditions in words, for a model's card."""

from __future__ import annotations

from napari_sr.training.recipe import BlurConditions, Conditions, NoiseConditions
from napari_sr.training.recipe.table import Spread


def describe_conditions(conditions: Conditions) -> str:
    """Describe random conditions in words: blur, reduction of the pixels and noise."""
    parts = ["drawn for each patch: no blur" if conditions.blur is None else _blur(conditions.blur)]
    parts.append(f"mean over pixels (binning, {conditions.binning:.0%}) or MATLAB bicubic, antialiased")
    parts.append(_noise(conditions.noise))
    return ", ".join(parts)


def _blur(blur: BlurConditions) -> str:
    widths = [f"{_formatted(blur.result)} high-resolution pixels"]
    if blur.result_fraction < 1:
        widths.append(f"{_formatted(blur.source)} low-resolution pixels")
    return f"drawn for each patch: Gaussian blur of {' or '.join(widths)} (none in {blur.absent:.0%})"


def _noise(noise: NoiseConditions) -> str:
    correlated = f", correlated in {noise.correlated:.0%}" if noise.correlated else ""
    return (
        f"Poisson noise of gain {_formatted(noise.gain)} and Gaussian noise of {_formatted(noise.read)} in gray levels "
        f"of 255 (none in {noise.absent:.0%}{correlated})"
    )


def _formatted(spread: Spread) -> str:
    return f"{spread[0]:g} to {spread[1]:g}" if isinstance(spread, tuple) else f"{spread:g}"
