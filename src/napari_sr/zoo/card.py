"""The card of a model: all that a model file says of itself."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from napari_sr.errors import CheckpointError, InputError
from napari_sr.old_keys import renamed_card

#: A constructor argument of a network: a plain value that JSON can hold.
Setting = StrictBool | StrictInt | StrictFloat | StrictStr | tuple[StrictInt, ...]

Family = Literal["srcnn", "srgan", "esrgan"]
Color = Literal["luma", "rgb", "gray"]
Domain = Literal["natural", "fluorescence", "electron"]
#: What alpha mixes: the weights of two networks, or the images that they make.
Mixing = Literal["weights", "images"]
MIXINGS: tuple[Mixing, ...] = get_args(Mixing)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]


class _Record(BaseModel):
    """Nothing unknown is let in, and nothing changes afterward."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Architecture(_Record):
    """Which network, and with which constructor arguments.

    Parameters
    ----------
    network : str
        Class name, a key of `napari_sr.zoo.architectures.NETWORKS`.
    settings : dict
        Keyword arguments of the class.
    """

    network: Text
    settings: dict[str, Setting] = Field(default_factory=dict)


class TrainingData(_Record):
    """One set of images that a model was trained on.

    Parameters
    ----------
    name : str
        The field's name of the set.
    license : str or None
        Under which terms the images may be used; None where it is not known.
    sha256 : str or None
        Hash of the file or of the archive, 64 hexadecimal digits.
    source : str or None
        Where it comes from: an address or a citation.
    """

    name: Text
    license: str | None = None
    sha256: Sha256 | None = None
    source: str | None = None


class Figure(_Record):
    """A figure of merit that a model reached.

    Parameters
    ----------
    dataset, metric : str
        For example "Set5" and "PSNR".
    value : float
        In the metric's own unit (PSNR: decibel).
    protocol : str
        What was compared: channel, border, how the low-resolution image was made.
    """

    dataset: Text
    metric: Text
    value: float
    protocol: Text


class Card(_Record):
    """All that a model file says of itself, so that loading needs no other file.

    Parameters
    ----------
    name : str
        How the model is called.
    family : {"srcnn", "srgan", "esrgan"}
        Which of the three papers it follows; it decides the panel that shows it.
    architecture : Architecture
        Network and its sizes.
    scale : int
        Factor in Y and in X.
    channels : int
        Channels of the image that goes in.
    color : {"luma", "rgb", "gray"}
        What the channels are: BT.601 luminance, red green blue, or intensities without color.
    domain : {"natural", "fluorescence", "electron"} or None
        Kind of images it was trained on; None where it is not known.
    base : str or None
        Name of the model it was fine-tuned from, if any.
    intensity_range, output_range : (float, float)
        Values that stand for black and white, going into the network and coming out of it.
    intensity : str or None
        How the values of its training images were mapped to that range: "dtype", "percentile", ..., or two values.
    degradation : str or None
        How the low-resolution images of its training came from the high-resolution ones.
    training_noise : bool or None
        Whether the low-resolution training images had noise; None where it is not known.
    paired : bool
        Whether it was trained on pairs of recorded images, so that no degradation was applied.
    pixel_size : float or None
        Size of a low-resolution pixel in training, in `pixel_unit`; both are None where they are not known.
    pixel_unit : str or None
        For example "micrometer".
    training_data : tuple of TrainingData
        What it was trained on.
    recipe : str or None
        The training as a recipe's text, or the recipe's name.
    figures : tuple of Figure
        What it reached.
    license : str or None
        Terms of the weights; None where they are not known.
    endpoints : tuple of str
        () for one weight set. For two that alpha mixes, their names; the first is alpha = 0.
    default_alpha : float or None
        Alpha in [0, 1] when none is asked for; only with endpoints, where None means 0.
    mixing : {"weights", "images"}
        With endpoints, what alpha mixes: their weights (network interpolation), or the images that the two make, which
        costs both.
    precision : dict
        PSNR in decibel of half-precision results against float32, by the name of the precision, where it was measured.
    notes : str
        Anything a user should read.
    for_quantification : bool
        Whether the author vouches for measuring intensities in its output.
    """

    name: Text
    family: Family
    architecture: Architecture
    scale: int = Field(ge=1)
    channels: int = Field(ge=1)
    color: Color
    domain: Domain | None = None
    base: Text | None = None
    intensity_range: tuple[float, float] = (0.0, 1.0)
    output_range: tuple[float, float] = (0.0, 1.0)
    intensity: str | None = None
    degradation: str | None = None
    training_noise: bool | None = None
    paired: bool = False
    pixel_size: float | None = Field(default=None, gt=0)
    pixel_unit: str | None = None
    training_data: tuple[TrainingData, ...] = ()
    recipe: str | None = None
    figures: tuple[Figure, ...] = ()
    license: str | None = None
    endpoints: tuple[Text, ...] = ()
    default_alpha: float | None = Field(default=None, ge=0, le=1)
    mixing: Mixing = "weights"
    precision: dict[Literal["float16", "bfloat16"], float] = Field(default_factory=dict)
    notes: str = ""
    for_quantification: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what contradicts itself."""
        for low, high in (self.intensity_range, self.output_range):
            if not low < high:
                raise ValueError(f"an intensity range goes from low to high, not from {low:g} to {high:g}")
        if {"rgb": 3, "luma": 1}.get(self.color, self.channels) != self.channels:
            raise ValueError(f"{self.color} does not have {self.channels} channels")
        if (self.pixel_size is None) != (self.pixel_unit is None):
            raise ValueError("pixel_size and pixel_unit are known together or not at all")
        if len(self.endpoints) not in (0, 2) or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are two different names, or none")
        if any("/" in name for name in self.endpoints):
            raise ValueError("an endpoint's name has no slash")
        if self.default_alpha is not None and not self.endpoints:
            raise ValueError("default_alpha needs two endpoints")
        return self

    def to_json(self) -> str:
        """Write the card as JSON text, which `from_json` reads back to an equal card."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a card from JSON text.

        Raises
        ------
        CheckpointError
            If the text is no card; the sentence names the first field that does not fit.
        """
        try:
            return cls.model_validate(_with_present_keys(json.loads(text)))
        except ValueError as error:
            if not isinstance(error, ValidationError):
                raise CheckpointError(f"The model's card cannot be read: it is not JSON ({error}).") from error
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the card"
            raise CheckpointError(f"The model's card cannot be read: {field}: {first['msg']}.") from error


def _with_present_keys(card: object) -> object:
    return renamed_card(card) if isinstance(card, dict) else card


def check_mixing(mixing: str) -> None:
    """Raise `InputError` unless it is one of `MIXINGS`."""
    if mixing not in MIXINGS:
        raise InputError(f"There is no mixing of {mixing}: choose {' or '.join(MIXINGS)}.")
