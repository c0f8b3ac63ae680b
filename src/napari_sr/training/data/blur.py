"""The width of a recipe's blur, which is a Gaussian of a given width or follows from the optics of a microscope."""

from __future__ import annotations

from math import pi, sqrt

from napari_sr.errors import InputError
from napari_sr.imaging.pixel_size import METERS
from napari_sr.training.recipe import GaussianBlur, OpticsBlur
from napari_sr.training.recipe.table import value_at

#: Shortest and longest wavelength of light, in meters.
_SHORTEST, _LONGEST = 1e-7, 1e-5


def optical_sigma(numerical_aperture: float, wavelength: float, pixel_size: float) -> float:
    """Return the standard deviation of the Gaussian nearest to a wide-field microscope's point spread function.

    Parameters
    ----------
    numerical_aperture : float
        Numerical aperture NA of the objective, above 0.
    wavelength : float
        Wavelength lambda of the emitted light, above 0.
    pixel_size : float
        Size of a pixel in the specimen, above 0, in the unit of the wavelength.

    Returns
    -------
    float
        Standard deviation in pixels.

    References
    ----------
    B. Zhang, J. Zerubia, J.-C. Olivo-Marin, "Gaussian approximations of fluorescence microscope point-spread function
    models", Applied Optics 46(10), 2007: paraxial wide-field model, ``sqrt(2) / (k NA)`` with ``k = 2 pi / lambda``.
    """
    return sqrt(2) * wavelength / (2 * pi * numerical_aperture) / pixel_size


def check_wavelength(blur: GaussianBlur | OpticsBlur | None, unit: str | None) -> None:
    """Check that the wavelength of a blur is that of light in the unit of an image's pixel size.

    Parameters
    ----------
    blur : GaussianBlur, OpticsBlur or None
        The blur of a recipe.
    unit : str or None
        Unit of the pixel size of the image; None if it is not known.

    Raises
    ------
    InputError
        If the blur has no pixel size of its own, and its wavelength is shorter than 0.1 or longer than 10 micrometers.
    """
    if not isinstance(blur, OpticsBlur) or blur.pixel_size is not None or unit not in METERS:
        return
    if not _SHORTEST <= blur.wavelength * METERS[unit] <= _LONGEST:
        raise InputError(
            f"The wavelength has the unit of the image's pixel size, and {blur.wavelength:g} {unit} is not that of "
            f"light: give it in {unit}, or give pixel_size in the recipe."
        )


def blur_sigma(blur: GaussianBlur | OpticsBlur | None, fraction: float = 0.5, pixel_size: float | None = None) -> float:
    """Return the standard deviation of a recipe's blur.

    Parameters
    ----------
    blur : GaussianBlur, OpticsBlur or None
        The blur of a recipe.
    fraction : float, default 0.5
        Position in the range of a Gaussian blur, from 0 to 1.
    pixel_size : float, optional
        Size of a high-resolution pixel of the image, for a blur by the optics without a pixel size of its own.

    Returns
    -------
    float
        Standard deviation in high-resolution pixels; 0 without a blur.

    Raises
    ------
    InputError
        If the blur is given by the optics, and neither recipe nor image has a pixel size.
    """
    if blur is None:
        return 0.0
    if isinstance(blur, GaussianBlur):
        return value_at(blur.sigma, fraction)
    size = blur.pixel_size or pixel_size
    if size is None:
        raise InputError(
            "The blur by the optics needs the size of a pixel, which the image does not have: give pixel_size in the "
            "recipe."
        )
    return optical_sigma(blur.numerical_aperture, blur.wavelength, size)
