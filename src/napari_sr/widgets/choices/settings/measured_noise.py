"""The measured noise of a layer in plain words, and as the two values of the setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_sr.settings import JobSettings

if TYPE_CHECKING:
    from napari_sr.inference import Calibration

_COLORS = ("red", "green", "blue")
_MOST_LISTED = 4
_NOT_MEASURED = "The noise could not be measured, so none is removed."
_CORRELATED = "Neighboring pixels have a part of the noise in common, which is removed only in part."


def format_measured_noise(calibration: Calibration, settings: JobSettings, dtype: npt.DTypeLike) -> str:
    """Format the noise of a layer, such as "3.2 gray levels at medium brightness", as a sentence.

    The calibration was measured for the settings on the whole layer, whose data type is given. The text is empty if no
    noise was measured, because it is set or the model does not take it.
    """
    measured = [noise for noises in calibration.noise.values() for noise in noises]
    if settings.noise != "auto" or not measured:
        return ""
    known = [noise for noise in measured if noise.known]
    if not known:
        return _NOT_MEASURED
    integer = np.dtype(dtype).kind in "ui"
    amounts = [float(noise.sigma(noise.middle)) for noise in known]
    least = 0.1 if integer else 0.0
    if max(amounts) <= least:
        text = "less than 0.1" if integer else "0"
    elif len(measured) == len(_COLORS) and len(calibration.noise) == 1 and len(known) == len(measured):
        text = _enumerate([f"{_rounded(a)} ({color})" for a, color in zip(amounts, _COLORS, strict=True)])
    elif len(amounts) <= _MOST_LISTED:
        text = _enumerate([_rounded(amount) for amount in amounts])
    else:
        text = f"{_rounded(min(amounts))} to {_rounded(max(amounts))}"
    unit = " gray levels" if integer else ""
    channels = f" of the {len(known)} channels" if len(calibration.noise) > 1 else ""
    sentence = f"Noise measured: {text}{unit} at medium brightness{channels}."
    # Strong correlation is a warning of its own, in `Calibration.unlike`.
    correlated = any(
        noise.correlation.verdict == "correlated"
        for channel, noises in calibration.noise.items()
        for noise in noises
        if noise.known and not calibration.unlike.get(channel)
    )
    return f"{sentence} {_CORRELATED}" if correlated else sentence


def measured_values(calibration: Calibration) -> tuple[float, float] | None:
    """Return the noise for a network without blur, of the first channel or color that has it, with 3 digits.

    The two values of the setting `noise`: standard deviation in black, and gain; None if the noise was not measured.
    """
    for channel, noises in calibration.noise.items():
        if noises[0].known:
            noise = calibration.network_noise(channel)[0]
            variance = noise.c0 + noise.c1 * calibration.maps[channel].low
            return float(f"{np.sqrt(max(variance, noise.floor)):.3g}"), float(f"{noise.c1:.3g}")
    return None


def _rounded(amount: float) -> str:
    """Round to 2 digits; the measurement is not more accurate."""
    return f"{amount:.0f}" if amount >= 100 else f"{amount:.2g}"


def _enumerate(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
