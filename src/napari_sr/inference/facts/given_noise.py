"""The noise that a network is given, from the noise that is measured or stated."""

from __future__ import annotations

from dataclasses import replace

from napari_sr.imaging.noise import NoiseMeasurement
from napari_sr.inference.facts.channel_facts import is_correlated
from napari_sr.settings import NoiseSpec

# White noise is surely noise, and not texture, if it is strong and its variance is known well. The measure of that is
# its standard deviation over the range of the local means, over the relative error of its variance. From the first
# number to the second, the caution falls from 1 to 0. On the images of benchmarks/held_out.py, this gains up to 0.2 dB
# with heavy noise at x4, against half a standard error everywhere, and 0.1 dB on clean electron micrographs at x2.
_UNSURE, _SURE = 0.2, 0.9
# Factors on the variance of correlated noise without blur to remove, and with blur from the last number on, in pixels.
# Structure adds to the variance; but where blur is removed, correlated noise is amplified more than white noise. On the
# same images, 1.3 in place of 1 with the blur as it was gains 0.6 dB on stained tissue with correlated noise at x2, and
# costs 0.1 dB on electron micrographs. Of noise that is shared weakly or along one axis the networks remove less: there
# 1.3 in place of 0.9 gains up to 1.4 dB without blur, too.
_LESS, _MORE, _MORE_FROM = 0.9, 1.3, 0.4


def total_noise(noise: NoiseMeasurement) -> NoiseMeasurement:
    """Return measured noise with the part that neighboring pixels share, if it is sure to be noise.

    Returns
    -------
    NoiseMeasurement
        The measurement itself, or one with both parts in c0 and c1 and the white part in `white_noise`.
    """
    c0, c1 = noise.cautious_noise
    return replace(noise, c0=c0, c1=c1, white_noise=(noise.c0, noise.c1)) if is_correlated(noise) else noise


def given_noise(noise: NoiseMeasurement, correlated: float, blur: float) -> NoiseMeasurement:
    """Return the noise that a network is given.

    Parameters
    ----------
    noise : NoiseMeasurement
        Noise of a channel, from `total_noise` or `stated_noise`.
    correlated : float
        Fraction of the noise that neighboring pixels share which the network is given (`Conditioning.correlated`).
    blur : float
        Standard deviation in pixels of the blur to remove.

    Returns
    -------
    NoiseMeasurement
        The noise. Where neighboring pixels share it, 0.9 of its variance, or up to 1.3 if there is blur to remove, or
        if it is shared weakly or along one axis.
        Measured variances are lowered by their standard error, so that texture which may be a part of them is
        kept, and by less where they are surely of white noise.
    """
    given = noise
    if noise.white_noise is not None:
        factor = _MORE if noise.correlation.fine else _LESS + (_MORE - _LESS) * min(1.0, blur / _MORE_FROM)
        c0, c1 = (
            factor * (correlated * total + (1 - correlated) * white)
            for total, white in zip((noise.c0, noise.c1), noise.white_noise, strict=True)
        )
        given = replace(noise, c0=c0, c1=c1)
    return given.lowered(_caution(noise))


def stated_noise(noise: NoiseSpec, black: float) -> NoiseMeasurement:
    """Return the noise that the settings state.

    Parameters
    ----------
    noise : (float, float) or 0
        Standard deviation at black and gain, in the values of the image; 0 for none.
    black : float
        The value of black.

    Returns
    -------
    NoiseMeasurement
        The noise, without uncertainty.
    """
    if not isinstance(noise, tuple):
        return NoiseMeasurement(0.0, 0.0)
    deviation, gain = noise
    return NoiseMeasurement(deviation**2 - gain * black, gain)


def _caution(noise: NoiseMeasurement) -> float:
    """Return the number of standard errors by which the variance of a noise is lowered."""
    if noise.correlation.verdict != "white":
        return 1.0
    middle = noise.middle
    deviation, error = float(noise.sigma(middle)), float(noise.variance_error(middle))
    unsure = (noise.brightest - noise.darkest) * error
    sureness = deviation**3 / unsure if unsure > 0 else float("inf")
    return 1.0 - min(1.0, max(0.0, (sureness - _UNSURE) / (_SURE - _UNSURE)))
