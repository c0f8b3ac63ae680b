"""Tables of a recipe: random conditions of low-resolution images, for networks that take noise and blur as inputs."""

from __future__ import annotations

from pydantic import Field

from napari_sr.training.recipe.table import Fraction, NonNegative, PositiveSpread, PositiveWidths, RecipeTable, Widths


class NoiseConditions(RecipeTable):
    """Camera noise that is drawn for each patch, in gray levels of 8-bit images, and errors of its measured level.

    Parameters
    ----------
    gain : float or (float, float)
        Gray levels per photon, above 0; a number, or the ends of a range in which its logarithm is uniform.
    read : float or (float, float)
        Standard deviation of the Gaussian noise, above 0; a number, or the ends of a range as for `gain`.
    absent : float, default 0.0
        Fraction of the patches without noise, from 0 to 1.
    without_gain : float, default 0.0
        Fraction of the patches with noise that have Gaussian noise only, from 0 to 1.
    without_read : float, default 0.0
        Fraction of the patches with Poisson noise that have no Gaussian noise, from 0 to 1.
    correlated : float, default 0.0
        Fraction of the patches with noise whose noise is correlated, from 0 to 1: it is filtered by a Gaussian, and its
        variance restored.
    correlation : float or (float, float), default (0.4, 1.0)
        Standard deviation of that Gaussian in low-resolution pixels, above 0 and up to 1000; a number, or the ends of a
        range from which it is drawn uniformly.
    texture : float, default 0.0
        Fraction of the patches whose finest texture is counted as noise in the noise plane, from 0 to 1, since a
        measurement cannot tell one from the other.
    jitter : float, default 0.0
        Error of the measurement: standard deviation of the logarithms of constant and slope of the noise plane, 0 or
        more. It does not apply to patches without noise.
    outliers : float, default 0.0
        Fraction of the patches whose noise plane has a larger error, from 0 to 1.
    outlier_jitter : float, default 0.5
        `jitter` of those patches, 0 or more.
    """

    gain: PositiveSpread
    read: PositiveSpread
    absent: Fraction = 0.0
    without_gain: Fraction = 0.0
    without_read: Fraction = 0.0
    correlated: Fraction = 0.0
    correlation: PositiveWidths = (0.4, 1.0)
    texture: Fraction = 0.0
    jitter: NonNegative = 0.0
    outliers: Fraction = 0.0
    outlier_jitter: NonNegative = 0.5


class BlurConditions(RecipeTable):
    """Gaussian blur that is drawn for each patch, with an error of the width that is passed to the network.

    Parameters
    ----------
    result : float or (float, float)
        Standard deviation in high-resolution pixels, from 0 to 1000; a number, or the ends of a range.
    source : float or (float, float), default 0.0
        Standard deviation in low-resolution pixels, from 0 to 1000, of the patches whose blur is not drawn from
        `result`; a number, or the ends of a range.
    absent : float, default 0.0
        Fraction of the patches without blur, from 0 to 1.
    result_fraction : float, default 1.0
        Fraction of the patches with blur whose width is drawn from `result`, from 0 to 1; the others are drawn from
        `source`.
    jitter : float, default 0.0
        Standard deviation of the error of the width that is passed to the network, in low-resolution pixels, 0 or more.
        It is smaller for widths below one high-resolution pixel, and there is none without blur.
    """

    result: Widths
    source: Widths = 0.0
    absent: Fraction = 0.0
    result_fraction: Fraction = 1.0
    jitter: NonNegative = 0.0


class SmoothObjects(RecipeTable):
    """Truths that are blurred themselves, so that the width that is passed to the network differs from the visible one.

    Parameters
    ----------
    fraction : float
        Fraction of the patches, from 0 to 1.
    sigma : float or (float, float)
        Standard deviation of the Gaussian in high-resolution pixels, above 0 and up to 1000; a number, or the ends of a
        range.
    """

    fraction: Fraction
    sigma: PositiveWidths


class Conditions(RecipeTable):
    """Random conditions of each patch, for networks that take noise and blur as inputs; in place of a degradation.

    The values of images are those of 8-bit images: planes of other types are stretched so that their lowest 0.1 % lie
    below 0 and their highest 0.1 % above 255. Planes are used at several sizes, and the sizes at which their own noise
    is not visible are preferred. The noise plane is that of the drawn noise and of the noise that the truth passes on,
    with the errors that a measurement would have.

    Parameters
    ----------
    noise : NoiseConditions
        Noise of the low-resolution patches, and errors of the noise plane.
    blur : BlurConditions, optional
        Blur of the low-resolution patches; by default none.
    smooth : SmoothObjects, optional
        Blur of the truths; by default none.
    binning : float, default 1.0
        Fraction of the patches that are reduced by the mean over blocks of pixels, from 0 to 1; the others are reduced
        by MATLAB's antialiased bicubic interpolation.
    rounded : float, default 0.0
        Fraction of the low-resolution patches that are rounded to gray levels, from 0 to 1.
    clipped : float, default 0.0
        Fraction of the patches with noise that are clipped to 0 to 255, from 0 to 1. Their truths are the means of the
        clipped values.
    stretched : float, default 0.0
        Fraction of the patches whose image is stretched to 0 to 255 before noise is added, by at most a factor of 8;
        from 0 to 1.
    inverted : float, default 0.0
        Fraction of the patches whose image is inverted before noise is added, from 0 to 1.
    inverted_after : float, default 0.0
        Fraction of the patches with noise that are inverted with their noise, from 0 to 1.
    flats : float, default 0.0
        Fraction of the patches that are artificial, from 0 to 1: uniform areas, dark areas, and steps between uniform
        areas, always with noise. Some have two levels of noise.
    clean : float, default 0.003
        Noise of a plane, as a fraction of the range of its values, above 0, below which the plane counts as clean.
    noisy : float, default 0.2
        Weight of the sizes that are not clean, from 0 to 1; clean ones have the weight 1. If no size of a plane is
        clean, its smallest counts as clean.
    empty : float, default 0.0
        Fraction of the patches that are taken without regard to their contrast, from 0 to 1. The others have a standard
        deviation above 4 % of the range of their plane, as far as such patches are found.
    halo : int, default 12
        Width of the surroundings of a patch for blur and filters, in high-resolution pixels, 0 or more.

    Examples
    --------
    >>> noise = NoiseConditions(gain=(0.02, 10.0), read=(0.1, 15.0), absent=0.2)
    >>> Conditions(noise=noise, blur=BlurConditions(result=(0.3, 1.8)), flats=0.06).halo
    12
    """

    noise: NoiseConditions
    blur: BlurConditions | None = None
    smooth: SmoothObjects | None = None
    binning: Fraction = 1.0
    rounded: Fraction = 0.0
    clipped: Fraction = 0.0
    stretched: Fraction = 0.0
    inverted: Fraction = 0.0
    inverted_after: Fraction = 0.0
    flats: Fraction = 0.0
    clean: float = Field(default=0.003, gt=0)
    noisy: Fraction = 0.2
    empty: Fraction = 0.0
    halo: int = Field(default=12, ge=0)
