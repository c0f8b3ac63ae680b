"""Measurement of the noise of an image as a function of its brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_sr.imaging.noise.character import hot_pixels, line_offsets, mosaic
from napari_sr.imaging.noise.correlation import Correlation, all_variances, correlation_of
from napari_sr.imaging.noise.fit import Line, fit_line, group_tiles
from napari_sr.imaging.noise.quantization import quantization_step
from napari_sr.imaging.noise.sampling import PlaneLike, Window, windows
from napari_sr.imaging.noise.tiles import Scale, scale_of, tiles_of, tiles_of_differences

Array = npt.NDArray[np.float64]

# A variance is lower than another if it is lower by this number of standard errors, and by this fraction.
_SURELY, _MUCH = 3.0, 0.2
_MOSAIC = 0.3
# Offsets of lines are reported above this fraction of the noise of a pixel.
_LINES = 0.15
_UNKNOWN = (float("inf"), 0.0, float("inf"))


@dataclass(frozen=True)
class NoiseMeasurement:
    """Noise of one channel: variance = max(c0 + c1 x local mean, floor), in the values of the image.

    Parameters
    ----------
    c0, c1 : float
        Variance at a mean of 0, and its slope. c0 is negative above a camera's dark level, c1 in inverted images.
    floor : float
        Variance of the rounding: the squared step of the values over 12; 0 for values without steps.
    covariance : (float, float, float)
        Variance of c0, covariance of c0 and c1, variance of c1. They are infinite if nothing could be measured.
    darkest, brightest : float
        Ends of the local means at which c0 and c1 were measured.
    correlation : Correlation
        Correlation of the noise of neighboring pixels.
    all_noise : (float, float)
        c0 and c1 of white and correlated noise together, in quiet parts of the image. Structure adds to them.
    cautious_noise : (float, float)
        The same less a part of the structure, for networks: too little is left where there is none.
    row_offsets, column_offsets : float
        Standard deviation of offsets of whole rows or columns; 0 if it is not larger than chance.
    at_ends : (float, float)
        Fractions of the pixels that have the smallest and the largest value.
    hot : float
        Fraction of hot and dead pixels: single pixels far from all of their neighbors.
    mosaic : bool
        Whether a color mosaic was interpolated.
    planes_share_noise : bool
        Whether neighboring planes differ by less noise than single planes have, and than distant planes differ by, as
        after averaging or interpolation of planes.
    white_noise : (float, float) or None
        c0 and c1 of the white noise, where c0 and c1 include noise that neighboring pixels share; None where they do
        not, as in a measurement.
    """

    c0: float
    c1: float
    floor: float = 0.0
    covariance: tuple[float, float, float] = _UNKNOWN
    darkest: float = 0.0
    brightest: float = 0.0
    correlation: Correlation = field(default_factory=Correlation)
    all_noise: tuple[float, float] = (0.0, 0.0)
    cautious_noise: tuple[float, float] = (0.0, 0.0)
    row_offsets: float = 0.0
    column_offsets: float = 0.0
    at_ends: tuple[float, float] = (0.0, 0.0)
    hot: float = 0.0
    mosaic: bool = False
    planes_share_noise: bool = False
    white_noise: tuple[float, float] | None = None

    @property
    def known(self) -> bool:
        """Whether the noise could be measured: there are enough pixels, with more than one value."""
        return bool(np.isfinite(self.covariance[0]))

    @property
    def middle(self) -> float:
        """Medium brightness, in the middle of `darkest` and `brightest`."""
        return (self.darkest + self.brightest) / 2

    def sigma(self, mean: npt.ArrayLike, *, caution: float = 0.0) -> Array:
        """Return the standard deviation of the noise.

        Parameters
        ----------
        mean : array-like of float
            Local means, in the values of the image.
        caution : float, default 0.0
            Number of standard errors to subtract, as in `lowered`.

        Returns
        -------
        array of float64, same shape
            The standard deviations, 0 or more.
        """
        lowered = self.lowered(caution)
        variance = lowered.c0 + lowered.c1 * np.asarray(mean, np.float64)
        return np.asarray(np.sqrt(np.maximum(variance, self.floor)))

    def lowered(self, caution: float) -> NoiseMeasurement:
        """Return the measurement with a number of standard errors subtracted from the variance.

        Parameters
        ----------
        caution : float
            Number of standard errors, 0 or more. Texture as fine as a pixel may be noise: with 1, less of it is
            removed.

        Returns
        -------
        NoiseMeasurement
            The line through the lowered variances at `darkest` and `brightest`. A variance below the floor is the
            floor there.
        """
        if not caution or not self.known:
            return self
        ends = np.array([self.darkest, self.brightest])
        dark, bright = self.c0 + self.c1 * ends - caution * self.variance_error(ends)
        rise = self.brightest - self.darkest
        c1 = float(bright - dark) / rise if rise > 0 else 0.0
        return replace(self, c0=float(dark) - c1 * self.darkest, c1=c1)

    def uncertainty(self, mean: npt.ArrayLike) -> Array:
        """Return the standard error of `sigma`.

        Parameters
        ----------
        mean : array-like of float
            Local means, in the values of the image.

        Returns
        -------
        array of float64, same shape
            The standard errors; infinite if nothing could be measured.
        """
        mean = np.asarray(mean, np.float64)
        if not self.known:
            return np.full(mean.shape, np.inf)
        # For a sigma well above 0 this is error / (2 sigma); it stays finite near 0.
        sigma, error = self.sigma(mean), self.variance_error(mean)
        return np.asarray(np.sqrt(sigma**2 + error) - sigma)

    def scaled(self, gain: float, offset: float = 0.0) -> NoiseMeasurement:
        """Return the measurement of the image times a gain plus an offset.

        Parameters
        ----------
        gain : float
            The gain, not 0; negative for an inverted image.
        offset : float, default 0.0
            The offset, added after the gain.

        Returns
        -------
        NoiseMeasurement
            The measurement in the new values.
        """
        v00, v01, v11 = self.covariance
        shifted = (v00, v01, v11)
        if self.known:
            shifted = (
                gain**4 * v00 - 2 * gain**3 * offset * v01 + (gain * offset) ** 2 * v11,
                gain**3 * v01 - gain**2 * offset * v11,
                gain**2 * v11,
            )
        ends = [gain * self.darkest + offset, gain * self.brightest + offset]
        return replace(
            self,
            c0=gain**2 * self.c0 - gain * offset * self.c1,
            c1=gain * self.c1,
            all_noise=_scaled(self.all_noise, gain, offset),
            cautious_noise=_scaled(self.cautious_noise, gain, offset),
            white_noise=None if self.white_noise is None else _scaled(self.white_noise, gain, offset),
            floor=gain**2 * self.floor,
            covariance=shifted,
            darkest=min(ends),
            brightest=max(ends),
            row_offsets=abs(gain) * self.row_offsets,
            column_offsets=abs(gain) * self.column_offsets,
            at_ends=self.at_ends if gain > 0 else self.at_ends[::-1],
        )

    def variance_error(self, mean: npt.ArrayLike) -> Array:
        """Return the standard error of the variance.

        Parameters
        ----------
        mean : array-like of float
            Local means, in the values of the image.

        Returns
        -------
        array of float64, same shape
            The standard errors; infinite if nothing could be measured.
        """
        mean = np.asarray(mean, np.float64)
        if not self.known:
            return np.full(mean.shape, np.inf)
        v00, v01, v11 = self.covariance
        return np.asarray(np.sqrt(np.maximum(v00 + 2 * v01 * mean + v11 * mean**2, 0)))


def measure_noise(planes: Sequence[PlaneLike], *, stack: bool = True) -> NoiseMeasurement:
    """Measure the noise of one channel of an image from the image itself.

    Parameters
    ----------
    planes : sequence of array of bool, integer or float, shape (Y, X) or (Y, X, C)
        Planes of one channel, in their own values: numpy, dask or zarr arrays. NaN and infinite values are left out.
        Colors are measured together. At most about a million pixels are used, always the same ones.
    stack : bool, default True
        Whether neighbors in the sequence are planes of the same field, as in a stack over Z or T. Their differences are
        measured, too.

    Returns
    -------
    NoiseMeasurement
        The noise. `known` is False for an image with a single value, without finite values, or below 12 x 12 pixels.

    Notes
    -----
    White noise has the same energy in all bands of frequency; structure has less energy in finer bands. The quieter
    tiles of 8 x 8 pixels of each brightness are fitted by noise whose variance is linear in brightness, plus structure
    with one of several spectra. The same is done with differences of neighboring planes. Texture that is nearly white
    is counted as noise in part; this is included in `NoiseMeasurement.uncertainty`. The measurement scales with the
    image: sigma(a x + b) = abs(a) sigma(x).

    References
    ----------
    N. N. Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images", IGARSS 2007 (quiet tiles).
    A. Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE TIP
    17(10), 2008 (the variance as a line over the mean).
    """
    parts = list(windows(planes, stack=stack)) if len(planes) else []
    floor = quantization_step([part.values for part in parts]) ** 2 / 12 if parts else 0.0
    scale = scale_of(parts)
    tiles = tiles_of(parts, scale) if scale else None
    if scale is None or tiles is None or not len(tiles):
        return NoiseMeasurement(0.0, 0.0, floor)
    groups = group_tiles(tiles)
    line = fit_line([groups])
    shared = False
    compared, members = tiles, groups
    differences = tiles_of_differences(parts, scale, distant=False)
    if len(differences):
        others = group_tiles(differences)
        near = fit_line([others])
        lower = _less(near, line)
        shared = lower and _less(near, _distant(parts, scale) or near)
        if not shared:
            # Differences of planes do not contain texture that is equal in both.
            line = near if lower else fit_line([groups, others])
            compared, members = differences, others
    seen, cautious = all_variances(tiles, groups, line)
    correlation = correlation_of(
        compared, members, parts, scale, differences=compared is differences, variance=float(cautious.mean())
    )
    c0, c1, covariance = _coefficients(line, scale)
    return NoiseMeasurement(
        c0,
        c1,
        floor,
        covariance,
        darkest=scale.middle + scale.span * line.darkest,
        brightest=scale.middle + scale.span * line.brightest,
        correlation=correlation,
        all_noise=_coefficients(replace(line, variances=seen), scale)[:2],
        cautious_noise=_coefficients(replace(line, variances=cautious), scale)[:2],
        row_offsets=_offsets(parts, scale, 0, line),
        column_offsets=_offsets(parts, scale, 1, line),
        at_ends=_at_ends(parts, scale),
        hot=hot_pixels(parts, scale, line),
        mosaic=mosaic(parts, scale) > _MOSAIC,
        planes_share_noise=shared,
    )


def _scaled(noise: tuple[float, float], gain: float, offset: float) -> tuple[float, float]:
    """Return c0 and c1 of an image times a gain plus an offset."""
    return gain**2 * noise[0] - gain * offset * noise[1], gain * noise[1]


def _distant(parts: list[Window], scale: Scale) -> Line | None:
    """Fit the variance of differences of planes a few planes apart."""
    differences = tiles_of_differences(parts, scale, distant=True)
    return fit_line([group_tiles(differences)]) if len(differences) else None


def _less(first: Line, second: Line) -> bool:
    """Return whether one variance is significantly lower than another."""
    middle = (second.darkest + second.brightest) / 2
    (variance, error), (larger, larger_error) = first.at(middle), second.at(middle)
    return larger - variance > max(_SURELY * float(np.hypot(error, larger_error)), _MUCH * larger)


def _offsets(parts: list[Window], scale: Scale, axis: int, line: Line) -> float:
    deviation, sure = line_offsets(parts, scale, axis)
    noise = np.sqrt(line.at((line.darkest + line.brightest) / 2)[0])
    return scale.span * deviation if sure and deviation > _LINES * noise else 0.0


def _at_ends(parts: list[Window], scale: Scale) -> tuple[float, float]:
    count = sum(int(np.isfinite(part.values).sum()) for part in parts)
    low, high = (sum(int((part.values == end).sum()) for part in parts) for end in (scale.low, scale.high))
    return low / count, high / count


def _coefficients(line: Line, scale: Scale) -> tuple[float, float, tuple[float, float, float]]:
    """Convert variances at both ends, in units of the range, to c0, c1 and their covariance in image values."""
    rise = scale.span * (line.brightest - line.darkest)
    darkest = scale.middle + scale.span * line.darkest
    if rise > 0:
        # c1 = (bright - dark) / rise and c0 = dark - c1 x darkest.
        change = np.array([[1 + darkest / rise, -darkest / rise], [-1 / rise, 1 / rise]])
    else:
        change = np.array([[0.5, 0.5], [0.0, 0.0]])
    c0, c1 = scale.span**2 * (change @ line.variances)
    covariance = scale.span**4 * (change @ line.covariance @ change.T)
    return float(c0), float(c1), (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))
