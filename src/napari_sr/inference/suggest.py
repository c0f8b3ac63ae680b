"""A suggestion of a model and settings for an image, from its kind, noise and sharpness."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sr.conversion import read_choice, read_number
from napari_sr.errors import InputError
from napari_sr.imaging.analysis.kind import Kind, kind_of
from napari_sr.imaging.as_image import ImageInput, as_image
from napari_sr.imaging.axes import Axes, ImageArray
from napari_sr.imaging.intensity import CancellableImage
from napari_sr.imaging.missing import missing_mask
from napari_sr.imaging.noise import NoiseMeasurement
from napari_sr.imaging.target_size import parse_target
from napari_sr.inference.facts.channel_facts import measure_channel
from napari_sr.inference.facts.given_noise import total_noise
from napari_sr.inference.facts.training_range import unlike_training
from napari_sr.inference.job import Job
from napari_sr.progress import Cancel
from napari_sr.settings import JobSettings
from napari_sr.zoo.card import Card
from napari_sr.zoo.catalog import as_model, list_models, load_model
from napari_sr.zoo.model import Model
from napari_sr.zoo.names import AUTO as AUTO
from napari_sr.zoo.names import is_auto

#: Families of models among which one is suggested.
SuggestedFamily = Literal["srcnn", "srgan", "esrgan"]
#: Models by family and factor, the best family first. Other factors are made from the result of the next larger one.
_MICROSCOPY: dict[SuggestedFamily, dict[int, str]] = {
    "esrgan": {2: "esrgan-microscopy-x2", 4: "esrgan-microscopy-x4"},
    "srcnn": {2: "srcnn-microscopy-x2", 4: "srcnn-microscopy-x4"},
}
# The microscopy model x2 is as good on photographs, and better on those that are none.
_PHOTOGRAPHS: dict[SuggestedFamily, dict[int, str]] = {
    "esrgan": {2: "esrgan-microscopy-x2", 4: "esrgan-compact-x4"},
    "srcnn": {2: "srcnn-x2", 3: "srcnn-x3", 4: "srcnn-x4"},
    "srgan": {4: "srgan-compact-x4"},
}
_ABOUT = {
    "fluorescence": "a fluorescence image",
    "electron": "an electron micrograph",
    "color": "a color image of stained tissue",
    "photograph": "a photograph",
}
# Longest side of a plane that is read to find its kind.
_SIDE = 2048
# Standard deviation of the noise, as a fraction of the difference of bright and dark, above which models for sharp
# photographs are not suggested.
_NOISY = 0.02
# Factors for which there are models.
_SCALES = (2.0, 4.0)


@dataclass(frozen=True)
class Suggestion:
    """A model and settings for an image.

    Parameters
    ----------
    model : str
        Name of the model.
    settings : dict of str to object
        Settings for `upscale`, by name; those that are not in it have their defaults.
    reasons : tuple of str
        Sentences: the kind of the image, its noise, and why the model was chosen.
    warnings : tuple of str
        Sentences about properties that the training images of the model did not have; empty if there are none.
    kind : {"fluorescence", "electron", "color", "photograph", "unknown"}
        Kind of the image.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> suggestion = sr.suggest(np.zeros((40, 40), np.uint8), scale=3)
    >>> suggestion.kind, suggestion.model, suggestion.settings
    ('unknown', 'esrgan-microscopy-x4', {'target': 3.0})
    """

    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    kind: str = "unknown"

    @property
    def outside(self) -> bool:
        """Whether the image is unlike those that the model was trained on."""
        return bool(self.warnings)


def suggest(
    image: Any,
    axes: str | None = None,
    *,
    scale: float = 2,
    family: SuggestedFamily | None = None,
    pixel_size: Mapping[str, float] | None = None,
    unit: str | None = None,
    cancel: Cancel | None = None,
) -> Suggestion:
    """Suggest a model and settings for an image.

    Parameters
    ----------
    image : array-like
        The image, as for `upscale`. At most some million pixels of each channel are read.
    axes : str, optional
        A letter of T, C, Z, Y, X for each dimension, as for `upscale`.
    scale : float, default 2
        Factor of the result, above 1 and at most 4.
    family : {"srcnn", "srgan", "esrgan"}, optional
        Family of the model; by default, and where the family has no model for such images, the best one of any family.
    pixel_size : mapping of str to float, optional
        Pixel size of the image by axis letter, such as ``{"Y": 0.1, "X": 0.1}``.
    unit : str, optional
        Unit of `pixel_size`, such as "um".
    cancel : callable, optional
        Called before each part is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    Suggestion
        The model, its settings, and the reasons. It is a starting point: the kind of an image is guessed from its
        values, and blur cannot be told from smooth objects, so that ``blur`` stays at 0.

    Raises
    ------
    InputError
        If the image or the factor cannot be used, or there is no such family.
    Cancelled
        If `cancel` returned True.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> noise = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> suggestion = sr.suggest(noise.astype(np.uint8), scale=2)
    >>> suggestion.model
    'esrgan-microscopy-x2'
    >>> sr.upscale(noise, suggestion.model, device="cpu", **suggestion.settings).shape
    (128, 128)
    """
    read = as_image(image, axes, pixel_size, unit)
    factor = read_number(scale, "scale")
    if family is not None:
        read_choice(family, "family", tuple(_PHOTOGRAPHS))
    if not 1 < factor <= 4:
        raise InputError(f"The scale {factor:g} has no model: give a factor above 1, of at most 4.")
    data = CancellableImage(read.data, cancel) if cancel is not None else read.data
    channels, colors = read.axes.channels, 3 if read.axes.rgb else 1
    planes = [_middle_plane(data, read.axes, channel) for channel in channels]
    facts = {channel: measure_channel(data, read.axes, channel, colors) for channel in channels}
    kind = _common_kind([kind_of(plane) for plane in planes])
    noisy = any(_is_noisy(one) for noise, _ in facts.values() for one in noise)
    # Gray micrographs of stained tissue resemble photographs.
    photograph = kind == "photograph" and read.axes.rgb and not noisy
    card = _card(photograph, factor, family)
    settings: dict[str, Any] = {} if card.scale == factor else {"target": factor}
    reasons, warnings = [_about_kind(kind, card, read.axes.rgb, noisy)], list[str]()
    if family not in (None, card.family):
        reasons.append(f"No model of the family {family} was trained on such images.")
    reasons.append(_about_model(card))
    for channel, (noise, sharpness) in facts.items():
        prefix = "" if channel is None else f"Channel {channel}: "
        reasons.append(prefix + _about_noise([total_noise(one) for one in noise]))
        warnings.extend(prefix + sentence for sentence in unlike_training(card, noise, sharpness))
    if read.missing or any(missing_mask(plane).any() for plane in planes):
        settings["missing"] = "fill"
        reasons.append("Missing pixels are filled before upscaling and marked in the result.")
    return Suggestion(card.name, settings, tuple(reasons), tuple(warnings), kind)


def job_for(
    model: Model | str | os.PathLike[str],
    settings: JobSettings,
    image: ImageInput,
    *,
    scale: float | None = None,
    cancel: Cancel | None = None,
) -> Job:
    """Return the job of a model for an image, or that of the suggestion.

    Parameters
    ----------
    model : Model, str or Path
        A model, the name of one, the path of a file, or "auto" for the suggested one with the suggested settings.
    settings : JobSettings
        Settings of the job.
    image : ImageInput
        The image, which is read for "auto".
    scale : float, optional
        Factor for "auto"; by default that of the target of the settings, or else 2.
    cancel : callable, optional
        Called before each part is read; returning True ends the work with `Cancelled`.

    Raises
    ------
    InputError
        If model or settings cannot be used.
    CheckpointError
        If the model cannot be loaded.
    Cancelled
        If `cancel` returned True.
    """
    if not is_auto(model):
        return Job(as_model(model), settings)
    name, settings = suggested_settings(settings, image, scale=scale, cancel=cancel)
    return Job(load_model(name), settings)


def suggested_settings(
    settings: JobSettings, image: ImageInput, *, scale: float | None = None, cancel: Cancel | None = None
) -> tuple[str, JobSettings]:
    """Return the name of the model that "auto" stands for, and the settings with those of the suggestion.

    Parameters
    ----------
    settings : JobSettings
        Settings of the job.
    image : ImageInput
        The image.
    scale : float, optional
        Factor; by default that of the target of the settings, or else 2.
    cancel : callable, optional
        Called before each part is read; returning True ends the work with `Cancelled`.

    Returns
    -------
    name : str
        Name of the model.
    settings : JobSettings
        The given settings; those that have their defaults are replaced by those of the suggestion.

    Raises
    ------
    InputError
        If the image, the target or the factor cannot be used.
    Cancelled
        If `cancel` returned True.
    """
    if scale is None and settings.target is not None:
        scale = max(parse_target(settings.target).factors(image.pixel_size, image.unit))
        scale = min(max(scale, _SCALES[0]), _SCALES[-1])
    suggestion = suggest(image, scale=scale or _SCALES[0], cancel=cancel)
    defaults = JobSettings()
    suggested = {
        key: value for key, value in suggestion.settings.items() if getattr(settings, key) == getattr(defaults, key)
    }
    return suggestion.model, replace(settings, **suggested)


def _middle_plane(image: ImageArray, axes: Axes, channel: int | None) -> NDArray[Any]:
    """Read the middle of the middle plane of a channel."""
    indices = list(axes.plane_indices(channel))
    height, width = axes.shape[axes.y], axes.shape[axes.x]
    rows, columns = (slice(max(0, (size - _SIDE) // 2), (size + _SIDE + 1) // 2) for size in (height, width))
    return np.asarray(axes.plane(image, axes.part(indices[len(indices) // 2], rows, columns)))


def _common_kind(kinds: Sequence[Kind]) -> str:
    """Return the kind of most channels, of those whose kind is known."""
    known = [kind.name for kind in kinds if kind.name != "unknown"]
    return Counter(known).most_common(1)[0][0] if known else "unknown"


def _is_noisy(noise: NoiseMeasurement) -> bool:
    deviation = float(noise.sigma(noise.middle, caution=1.0))
    return deviation > _NOISY * (noise.brightest - noise.darkest)


def _card(photograph: bool, factor: float, family: SuggestedFamily | None) -> Card:
    """Return the card of the model for a sharp photograph, or for all other images."""
    models = _PHOTOGRAPHS if photograph else _MICROSCOPY
    choices = [models[family]] if family in models else list(models.values())
    # The smallest factor that suffices, so that no result is enlarged again.
    pairs = [(scale, name) for scales in choices for scale, name in scales.items() if scale >= factor]
    name = min(pairs, key=lambda pair: pair[0])[1]
    card = next(entry.card for entry in list_models() if entry.name == name)
    assert card is not None
    return card


def _about_kind(kind: str, card: Card, rgb: bool, noisy: bool) -> str:
    if kind == "unknown":
        return "The image is unlike the kinds of images that are told apart: a model for all microscopy was chosen."
    if kind == "photograph" and card.conditioning is not None:
        # A model for microscopy, whose name alone would contradict the kind.
        if not rgb:
            return "The image looks like a photograph or a gray micrograph of stained tissue."
        if noisy:
            return (
                "The image looks like a photograph with noise, which the models for photographs do not remove. If it "
                "is fine texture, choose one of those."
            )
        return "The image looks like a photograph, and this model was trained on photographs, too."
    return f"The image looks like {_ABOUT[kind]}."


def _about_model(card: Card) -> str:
    if card.conditioning is None:
        return f"{card.name} was trained on sharp photographs without noise."
    return (
        f"{card.name} was trained on microscopy of all kinds and on photographs, with noise of various strength, which "
        "is measured; blur is not removed unless its width is given."
    )


def _about_noise(noise: Sequence[NoiseMeasurement]) -> str:
    if not all(one.known for one in noise):
        return "There are too few pixels, or too few values, to measure the noise."
    dark, bright = (max(float(one.sigma(getattr(one, place))) for one in noise) for place in ("darkest", "brightest"))
    if max(dark, bright) == 0:
        return "No noise was found."
    return f"The noise has a standard deviation of {dark:.2g} in dark and {bright:.2g} in bright places."
