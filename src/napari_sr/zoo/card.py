"""The card of a model: its metadata in the header of the model file."""

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

from napari_sr.errors import CheckpointError, one_line
from napari_sr.old_keys import renamed_card
from napari_sr.zoo.checkpoint.safetensors_header import unique_members
from napari_sr.zoo.names import Name, shown

#: A constructor argument of a network: a plain value that JSON can hold.
Setting = StrictBool | StrictInt | StrictFloat | StrictStr | tuple[StrictInt, ...]

Family = Literal["srcnn", "srgan", "esrgan", "classic"]
Classic = Literal["nearest", "bilinear", "bicubic", "lanczos3", "wiener", "richardson-lucy"]
Color = Literal["luma", "rgb", "gray"]
Domain = Literal["natural", "fluorescence", "electron"]
#: What alpha mixes: the weights of two networks, or their results.
Mixing = Literal["weights", "images"]
MIXINGS: tuple[Mixing, ...] = get_args(Mixing)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
#: Largest text of a card, in characters, and its largest number of tables and lists, which take more memory.
_LONGEST, _MOST_BRACKETS = 2**20, 10_000
#: Bounds of an intensity range, within which no mapping overflows in float32.
_LARGEST_VALUE, _LEAST_WIDTH = 1e9, 1e-9


class _Record(BaseModel):
    """Base of the records on a card: frozen, without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Architecture(_Record):
    """A network and its constructor arguments.

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
        Name of the dataset.
    license : str or None
        License of the images; None if it is not known.
    sha256 : str or None
        SHA-256 of the file or the archive, 64 hexadecimal digits.
    source : str or None
        Source of the images: an address or a citation.
    """

    name: Text
    license: str | None = None
    sha256: Sha256 | None = None
    source: str | None = None


class Figure(_Record):
    """A figure of merit of a model.

    Parameters
    ----------
    dataset, metric : str
        Names of the images and the metric, such as "Set5" and "PSNR".
    value : float
        Value in the unit of the metric (PSNR: decibels).
    protocol : str
        The protocol: channel, border, and the downsampling of the high-resolution image.
    """

    dataset: Text
    metric: Text
    value: float
    protocol: Text


class Conditioning(_Record):
    """The conditions that a network takes beside the image, with the ranges that its training covered.

    Parameters
    ----------
    noise : (float, float) or None
        Standard deviation of the noise, as a fraction of the standard deviation of the noise-free image around it;
        None for a network without a noise plane.
    blur : (float, float) or None
        Standard deviation of the Gaussian blur to remove, in pixels of the input, beyond the sharpness of the training
        images; None for a network without a gate.
    correlated : float, default 1.0
        Fraction, from 0 to 1, of the variance of noise that neighboring pixels share, beyond its white part, that the
        network is given where such noise is measured. Small networks may remove more structure than noise if they are
        given all of it.
    """

    noise: tuple[float, float] | None = None
    blur: tuple[float, float] | None = None
    correlated: Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _rising(self) -> Self:
        """Check that ranges rise from 0 or more."""
        for bounds in (self.noise, self.blur):
            if bounds is not None and not 0 <= bounds[0] < bounds[1]:
                raise ValueError(f"a range of conditions rises from 0 or more, not from {bounds[0]:g} to {bounds[1]:g}")
        return self

    def overlap(self, other: Conditioning) -> Conditioning:
        """Return the conditions that the trainings of two networks both covered.

        Parameters
        ----------
        other : Conditioning
            Conditions of the other network.

        Returns
        -------
        Conditioning
            The conditions, for a network whose weights are mixed from both.

        Raises
        ------
        ValueError
            If the networks take different conditions, or no condition was covered by both.
        """
        bounds: dict[str, tuple[float, float] | None] = {}
        for name in ("noise", "blur"):
            one, two = getattr(self, name), getattr(other, name)
            if (one is None) != (two is None):
                raise ValueError(f"only one of the networks takes the {name}")
            bounds[name] = None if one is None else (max(one[0], two[0]), min(one[1], two[1]))
        return Conditioning(**bounds, correlated=min(self.correlated, other.correlated))


class Card(_Record):
    """The metadata of a model, complete enough to load it without another file.

    Parameters
    ----------
    name : str
        Name of the model, which is also that of its file (`napari_sr.zoo.names`).
    family : {"srcnn", "srgan", "esrgan", "classic"}
        The paper that the model follows, or "classic" for a method without a network, which every panel lists; it
        determines the panel that lists the model.
    architecture : Architecture
        Network and its constructor arguments.
    scale : int
        Upsampling factor along Y and X.
    channels : int
        Number of channels of the input.
    color : {"luma", "rgb", "gray"}
        Meaning of the channels: luma of BT.601, red, green and blue, or intensities without color.
    domain : {"natural", "fluorescence", "electron"} or None
        Kind of the training images; None if it is not known, or if they are of several kinds.
    base : str or None
        Name of the model from which it was fine-tuned; None if it was not.
    intensity_range, output_range : (float, float)
        Values of black and white in the input and in the output of the network.
    intensity : str or None
        Mapping of the values of the training images to that range: "dtype", "percentile" and so on, or two values.
    degradation : str or None
        Description of the computation of the low-resolution training images from the high-resolution ones.
    training_noise : bool or None
        Whether the low-resolution training images had noise; None if it is not known.
    paired : bool
        Whether the model was trained on pairs of recorded images, to which no degradation was applied.
    conditioning : Conditioning or None
        Conditions that the network takes beside the image; None for an ordinary network.
    pixel_size : float or None
        Size of a low-resolution pixel in training, in `pixel_unit`; both are None if they are not known.
    pixel_unit : str or None
        Unit of the pixel size, such as "micrometer".
    training_data : tuple of TrainingData
        Sets of training images.
    recipe : str or None
        The recipe of the training, as TOML text or by name.
    figures : tuple of Figure
        Figures of merit.
    license : str or None
        License of the weights; None if it is not known.
    endpoints : tuple of str
        Names of two weight sets that alpha mixes, the one for alpha = 0 first; () for a single weight set.
    default_alpha : float or None
        Default of alpha, from 0 to 1, for two weight sets; None means 0.
    mixing : {"weights", "images"}
        What alpha mixes: the two weight sets (network interpolation), or the results of both networks, which takes
        twice the time.
    precision : dict of str to float
        PSNR in decibels of the results in float16 or bfloat16 against those in float32, as far as it was measured.
    notes : str
        Notes for users.
    for_quantification : bool
        Whether the author states that intensities may be measured in the output.
    """

    name: Name
    family: Family
    architecture: Architecture
    scale: int = Field(ge=1)
    channels: int = Field(ge=1)
    color: Color
    domain: Domain | None = None
    base: Name | None = None
    intensity_range: tuple[float, float] = (0.0, 1.0)
    output_range: tuple[float, float] = (0.0, 1.0)
    intensity: str | None = None
    degradation: str | None = None
    training_noise: bool | None = None
    paired: bool = False
    conditioning: Conditioning | None = None
    pixel_size: float | None = Field(default=None, gt=0)
    pixel_unit: str | None = None
    training_data: tuple[TrainingData, ...] = ()
    recipe: str | None = None
    figures: tuple[Figure, ...] = ()
    license: str | None = None
    endpoints: tuple[Name, ...] = ()
    default_alpha: float | None = Field(default=None, ge=0, le=1)
    mixing: Mixing = "weights"
    precision: dict[Literal["float16", "bfloat16"], float] = Field(default_factory=dict)
    notes: str = ""
    for_quantification: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Check that the fields are consistent."""
        for low, high in (self.intensity_range, self.output_range):
            if not low < high:
                raise ValueError(f"an intensity range goes from low to high, not from {low:g} to {high:g}")
            if max(-low, high) > _LARGEST_VALUE or high - low < _LEAST_WIDTH:
                raise ValueError(f"an intensity range from {low:g} to {high:g} cannot be mapped")
        if {"rgb": 3, "luma": 1}.get(self.color, self.channels) != self.channels:
            raise ValueError(f"{self.color} does not have {self.channels} channels")
        if (self.pixel_size is None) != (self.pixel_unit is None):
            raise ValueError("pixel_size and pixel_unit are given together or not at all")
        if len(self.endpoints) not in (0, 2) or len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints are two different names, or none")
        if self.default_alpha is not None and not self.endpoints:
            raise ValueError("default_alpha needs two endpoints")
        if self.conditioning is not None and self.channels != 1:
            raise ValueError("conditions are those of networks of one channel")
        return self

    def to_json(self) -> str:
        """Return the card as JSON text, from which `from_json` makes an equal card.

        Returns
        -------
        str
            The text.
        """
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a card from JSON text.

        Parameters
        ----------
        text : str or bytes
            The text. Keys of earlier versions are accepted.

        Returns
        -------
        Card

        Raises
        ------
        CheckpointError
            If the text is not a card; the message names the first field that is wrong.
        """
        if len(text) > _LONGEST:
            raise CheckpointError(f"The model's card cannot be read: it has more than {_LONGEST} characters.")
        fields = _parsed(text)
        try:
            return cls.model_validate(renamed_card(fields) if isinstance(fields, dict) else fields)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            problem = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise CheckpointError(
                f"The model's card cannot be read: {shown(field) or 'the card'}: {problem}."
            ) from error
        # Deeply nested lists end in a RecursionError, in the card and in the recipe on it.
        except (ValueError, RecursionError) as error:
            raise CheckpointError("The model's card cannot be read: its recipe is not TOML.") from error


def _parsed(text: str | bytes) -> object:
    """Parse the text of a card."""
    fields: object
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        if text.count("{") + text.count("[") > _MOST_BRACKETS:
            raise ValueError("it has too many lists")
        fields = json.loads(text, object_pairs_hook=unique_members)
        # Halves of a surrogate pair are valid in JSON and cannot be written again.
        json.dumps(fields, ensure_ascii=False).encode("utf-8")
        return fields
    except (ValueError, RecursionError) as error:
        problem = one_line(error) if isinstance(error, ValueError) else "too deep"
        raise CheckpointError(f"The model's card cannot be read: it is not JSON ({problem}).") from error
