"""PSNR, SSIM and lattice of a result against a reference, with the protocol of each figure.

The channels, the border and the data range change PSNR by several decibels, so figures can only be compared with the
same protocol. `evaluate` returns the protocol with the figures, and reproduces those of the papers with its defaults.

References
----------
Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to structural
similarity", IEEE TIP 13(4), 2004.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log10
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_sr.conversion import read_choice, read_scale, read_whole
from napari_sr.errors import InputError
from napari_sr.evaluation.lattice import lattice, read_range, tile_side
from napari_sr.imaging.as_image import as_array, as_image
from napari_sr.imaging.axes import Axes
from napari_sr.imaging.color import luma
from napari_sr.imaging.rounding import ends_of

Array = npt.NDArray[Any]
Channels = Literal["luma", "plain"]
CHANNELS: tuple[Channels, ...] = get_args(Channels)
"""Channels that are compared: the luma Y of color images, or every channel unchanged."""

#: Window of Wang et al.: a Gaussian with this sigma in pixels, cropped to 11 x 11.
_SIGMA, _WINDOW = 1.5, 11
_K1, _K2 = 0.01, 0.03


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Fidelity of a result to its reference.

    Parameters
    ----------
    psnr : float
        Peak signal-to-noise ratio in decibels over all compared pixels; infinite for identical images.
    ssim : float
        Structural similarity, at most 1; the mean over pixels, planes and channels.
    protocol : str
        Description of the comparison.
    data_range : float
        Range of the values, which is the peak in PSNR.
    border : int
        Number of pixels left out on each side along Y and X.
    cut : (int, int)
        Number of rows and columns that were cropped from the bottom and the right of the reference.
    lattice, reference_lattice : float or None, default None
        Lattice of the result and of the reference (`napari_sr.evaluation.lattice`), 1 without one; the means over the
        planes. None for a factor of 1, and for images smaller than its tiles.
    """

    psnr: float
    ssim: float
    protocol: str
    data_range: float
    border: int
    cut: tuple[int, int]
    lattice: float | None = None
    reference_lattice: float | None = None


def psnr(result: npt.ArrayLike, reference: npt.ArrayLike, *, data_range: float, border: int = 0) -> float:
    """Return the peak signal-to-noise ratio of a plane in decibels.

    Parameters
    ----------
    result, reference : array, shape (Y, X) or (Y, X, C)
        Finite values in the same range; all channels have the same weight.
    data_range : float
        Range of the values, which is the peak; more than 0, and 255 for 8-bit images.
    border : int, default 0
        Number of pixels left out on each side along Y and X.

    Returns
    -------
    float
        ``10 log10(data_range**2 / mean squared error)``; infinity for identical images.

    Raises
    ------
    InputError
        If the shapes differ, a value is NaN or infinite, the border leaves no pixels, or the range is not positive.
    """
    a, b = _comparable(result, reference, border)
    return _decibel(float(np.mean((a - b) ** 2)), read_range(data_range))


def ssim(result: npt.ArrayLike, reference: npt.ArrayLike, *, data_range: float, border: int = 0) -> float:
    """Return the structural similarity of a plane (Wang et al. 2004).

    Parameters
    ----------
    result, reference : array, shape (Y, X) or (Y, X, C)
        Finite values in the same range; the similarities of the channels are averaged.
    data_range : float
        Range L of the values in ``C1 = (K1 L)**2`` and ``C2 = (K2 L)**2``; more than 0, and 255 for 8-bit images.
    border : int, default 0
        Number of pixels left out on each side along Y and X before the window is applied.

    Returns
    -------
    float
        At most 1, the value of identical images.

    Raises
    ------
    InputError
        If the shapes differ, a value is NaN or infinite, less than 11 x 11 pixels remain, or the range is not positive.

    Notes
    -----
    As in the program of the authors, without its downsampling: a Gaussian window of 11 x 11 pixels with sigma 1.5,
    K1 = 0.01, K2 = 0.03, biased covariances, and only positions at which the whole window is inside the image.
    """
    return _similarity(*_comparable(result, reference, border), read_range(data_range))


def evaluate(
    result: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    scale: int,
    channels: Channels = "luma",
    border: int | None = None,
    data_range: float | None = None,
    axes: str | None = None,
) -> Fidelity:
    """Compare a result with its high-resolution reference by PSNR and SSIM.

    Parameters
    ----------
    result, reference : array-like
        Images with the same axes: (Y, X), (Y, X, C) for RGB(A), or with the given axes. Both have the same dtype, or
        both are floats. Alpha is left out. A reference that is larger by less than `scale` pixels is cropped at the
        bottom and the right.
    scale : int
        Upscaling factor of the result, 1 or more.
    channels : {"luma", "plain"}, default "luma"
        Channels of RGB images: Y of BT.601, not rounded, or red, green and blue. Other images are compared unchanged.
    border : int, optional
        Number of pixels left out on each side along Y and X; by default `scale`, as in the papers.
    data_range : float, optional
        Range of the values, which is the peak. By default that of the integer dtype (255, 65535); required for floats.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension; by default those of the image, or those that follow from its
        shape.

    Returns
    -------
    Fidelity
        PSNR over all pixels of all planes, SSIM and lattice as means over the planes, and the protocol.

    Raises
    ------
    InputError
        If the images cannot be compared; the message gives the reason.

    Notes
    -----
    MATLAB's ``rgb2ycbcr`` rounds Y of uint8 images to 8 bits. The rounding adds noise, which lowers PSNR by 0.03 dB for
    bicubic interpolation at x2 and by 0.06 dB for a good network. Without it the published figures for Set5 are
    reproduced (bicubic: 33.67, 30.40 and 28.43 dB at x2, x3 and x4).

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> reference = np.zeros((32, 32), np.uint8)
    >>> round(sr.evaluate(reference + np.uint8(1), reference, scale=2).psnr, 2)
    48.13
    """
    image = as_image(result, axes)
    a, b, parsed = np.asarray(image.data), np.asarray(as_array(reference)), image.axes
    scale = read_scale(scale)
    border = scale if border is None else read_whole(border, "border", 0)
    read_choice(channels, "choice of channels", CHANNELS)
    span = _data_range(a, b, data_range)
    b, cut = _without_remainder(a, b, scale, parsed)
    notes = ["alpha left out"] if parsed.rgba else []
    if cut != (0, 0):
        notes.append("reference cut at the bottom and right to the result's size")
    squares, similarities = [], []
    lattices: list[tuple[float, float]] = []
    for plane, reference_plane in _planes(a, b, parsed, channels, span):
        first, second = _comparable(plane, reference_plane, border)
        squares.append(float(np.mean((first - second) ** 2)))
        similarities.append(_similarity(first, second, span))
        if scale > 1 and min(first.shape[:2]) >= tile_side(scale):
            lattices.append((_lattice(first, scale, span), _lattice(second, scale, span)))
    found, expected = np.mean(lattices, axis=0).tolist() if lattices else (None, None)
    return Fidelity(
        psnr=_decibel(float(np.mean(squares)), span),
        ssim=float(np.mean(similarities)),
        protocol=_protocol(parsed, channels, border, span, notes),
        data_range=span,
        border=border,
        cut=cut,
        lattice=found,
        reference_lattice=expected,
    )


def _lattice(plane: npt.NDArray[np.float64], scale: int, span: float) -> float:
    """Return the lattice of a plane; of one with several channels, of their mean."""
    return lattice(plane.mean(-1) if plane.ndim == 3 else plane, scale=scale, data_range=span)


def _decibel(mean_square: float, data_range: float) -> float:
    return inf if mean_square == 0 else 10 * log10(data_range**2 / mean_square)


def _similarity(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], data_range: float) -> float:
    """Return the structural similarity of two planes from `_comparable`."""
    from skimage.metrics import structural_similarity

    if min(a.shape[:2]) < _WINDOW:
        raise InputError(
            f"SSIM needs at least {_WINDOW} x {_WINDOW} pixels, not {a.shape[0]} x {a.shape[1]}: compare larger images."
        )
    return float(
        structural_similarity(
            a,
            b,
            data_range=data_range,
            gaussian_weights=True,
            sigma=_SIGMA,
            use_sample_covariance=False,
            K1=_K1,
            K2=_K2,
            channel_axis=-1 if a.ndim == 3 else None,
        )
    )


def _comparable(
    result: npt.ArrayLike, reference: npt.ArrayLike, border: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Check two planes and return them in float64 without the border."""
    a, b = np.asarray(as_array(result)), np.asarray(as_array(reference))
    if a.shape != b.shape:
        raise InputError(
            f"The result of {_size(a.shape)} pixels and the reference of {_size(b.shape)} differ: give equal sizes."
        )
    if a.ndim not in (2, 3):
        raise InputError(f"A plane of {a.ndim} dimensions cannot be compared: give the axes (Y, X) or (Y, X, C).")
    border = read_whole(border, "border", 0)
    if min(a.shape[:2]) <= 2 * border:
        raise InputError(
            f"A border of {border} pixels leaves nothing of {_size(a.shape)} pixels: choose a smaller one."
        )
    for name, plane in (("result", a), ("reference", b)):
        if plane.dtype.kind == "f" and not np.isfinite(plane).all():
            raise InputError(f"The {name} has NaN or infinite values: replace them before the comparison.")
    inside = (slice(border, a.shape[0] - border), slice(border, a.shape[1] - border))
    return a[inside].astype(np.float64), b[inside].astype(np.float64)


def _data_range(a: Array, b: Array, data_range: float | None) -> float:
    if data_range is not None:
        return read_range(data_range)
    if a.dtype != b.dtype and not a.dtype.kind == b.dtype.kind == "f":
        raise InputError(
            f"The result has the type {a.dtype} and the reference {b.dtype}: convert one, or give the data range."
        )
    if a.dtype.kind == "f":
        raise InputError(f"Images of {a.dtype} have no range of their own: give the data range, such as 1.")
    least, most = ends_of(a.dtype)
    return float(most - least)


def _without_remainder(a: Array, b: Array, scale: int, axes: Axes) -> tuple[Array, tuple[int, int]]:
    """Crop the remainder of the factor from the reference; also return the number of rows and columns."""
    if a.ndim == b.ndim:
        more = [int(n) - int(m) for n, m in zip(b.shape, a.shape, strict=True)]
        cut = (more[axes.y], more[axes.x])
        elsewhere = [n for axis, n in enumerate(more) if axis not in (axes.y, axes.x)]
        if all(0 <= n < scale for n in cut) and not any(elsewhere):
            return b[tuple(slice(0, n) for n in a.shape)], cut
    raise InputError(
        f"The result of {_size(a.shape)} pixels and the reference of {_size(b.shape)} differ in size: "
        "compare images of one field and size."
    )


def _planes(a: Array, b: Array, axes: Axes, channels: Channels, span: float) -> Iterator[tuple[Array, Array]]:
    for index in axes.plane_indices():
        planes = [axes.plane(image, index) for image in (a, b)]
        if axes.rgb:
            planes = [plane[..., :3] for plane in planes]
        if axes.rgb and channels == "luma":
            planes = [_luma(plane, span) for plane in planes]
        yield planes[0], planes[1]


def _luma(rgb: Array, span: float) -> Array:
    """Return Y in the range of the image, in float64."""
    y: Array = luma(rgb.astype(np.float64) / span) * span
    return y


def _protocol(axes: Axes, channels: Channels, border: int, span: float, notes: list[str]) -> str:
    if axes.rgb and channels == "luma":
        compared = "Y of BT.601 (16-235 of 255), not rounded"
    elif axes.rgb:
        compared = "R, G and B as they are"
    else:
        compared = "intensities as they are"
    parts = [
        compared,
        f"border of {border} pixels left out",
        f"data range {span:g}",
        *notes,
        f"SSIM of Wang 2004 (Gaussian {_WINDOW} x {_WINDOW}, sigma {_SIGMA}, K {_K1} and {_K2}, whole windows only)",
    ]
    return "; ".join(parts)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)
