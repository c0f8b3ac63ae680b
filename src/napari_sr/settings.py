"""The settings of an upscaling job.

`JobSettings` is the one place where a setting has its name, default, range and help. The Python functions, the command
line, the settings file, the window, napari's preferences, the generated script and the report take them from its
fields. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal

from napari_sr.conversion import Memory, read_number
from napari_sr.imaging.intensity.spec import SPECS, IntensitySpec, Percentiles
from napari_sr.setting_values import (
    MISSING,
    PRECISIONS,
    TILINGS,
    Missing,
    NoiseSpec,
    Overlap,
    Precision,
    Scalar,
    Tiling,
    read_setting,
)

__all__ = [
    "PRECISIONS",
    "TILINGS",
    "JobSettings",
    "Memory",
    "Missing",
    "NoiseSpec",
    "Overlap",
    "Precision",
    "Scalar",
    "Setting",
    "Tiling",
    "describe_setting",
]


@dataclass(frozen=True)
class Setting:
    """The description of a setting, which every surface shows.

    Parameters
    ----------
    name : str
        Name of the field of `JobSettings`.
    default : object
        Its default.
    label : str
        A word or two, for the window.
    help : str
        One sentence that says what the setting does.
    choices : tuple of str
        The names that it takes, in order; empty where it takes other values.
    shared : bool
        Whether the settings file and napari's preferences hold a default of the user's own.
    """

    name: str
    default: Any
    label: str
    help: str
    choices: tuple[str, ...] = ()
    shared: bool = False


def _about(label: str, help_text: str, *, choices: tuple[str, ...] = (), shared: bool = False) -> dict[str, Any]:
    """Return the metadata of a field."""
    return {"label": label, "help": help_text, "choices": choices, "shared": shared}


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """All settings that decide the pixels of a result, beside the image and the model.

    Values are converted where their meaning is plain: numpy scalars to numbers, "2GiB" to bytes, "100,4095" to a pair.

    Parameters
    ----------
    device : str, default "auto"
        Device that computes: auto, cpu or one listed by napari-sr check. "auto" takes a graphics card
        where there is one.
    precision : {"auto", "float32", "bfloat16", "float16"}, default "auto"
        Number format of the computation; float32 is exact, 16 bit is faster on graphics cards. "auto" is float32, but
        float16 on a GPU for 8-bit images where the model's card states that it is as good.
    tiling : {"exact", "overlap", "none"} or Overlap, default "exact"
        How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut. "exact"
        gives the pixels of the whole plane in one piece; "overlap" is ``Overlap()``. A network that cannot be streamed
        uses overlapping tiles instead of "exact", and the report states it.
    memory : int, str or "auto", default "auto"
        Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB. "auto"
        measures the free memory.
    self_ensemble : bool, default False
        Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.
    batch : int or "auto", default "auto"
        Number of planes of a stack that are computed together; auto, or 1 or more.
    intensity : {"auto", "dtype", "percentile", "contrast"}, Percentiles or (float, float), default "auto"
        Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values. "dtype" is
        the range of the integer data type, "percentile" ``Percentiles()``, "contrast" a layer's contrast
        limits.
    noise : "auto", 0 or (float, float), default "auto"
        Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in black and
        its gain. The two values are in values of the image: variance = deviation² + gain (value - black).
    denoise : float, default 1.0
        Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.
    blur : float, default 0.0
        Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none.
    missing : {"refuse", "fill"}, default "refuse"
        Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.
    target : float or str, optional
        Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um. The network's
        result is resized to it, bicubic and antialiased, to the nearest whole number of pixels.

    Raises
    ------
    InputError
        If a value cannot be used; the sentence names the setting, the value and the remedy.

    Examples
    --------
    >>> JobSettings(memory="2GiB").memory
    2147483648
    >>> JobSettings(tiling=Overlap(tile=128), intensity="100,4095").intensity
    (100.0, 4095.0)
    """

    device: str = field(
        default="auto",
        metadata=_about("Device", "Device that computes: auto, cpu or one listed by napari-sr check.", shared=True),
    )
    precision: Precision = field(
        default="auto",
        metadata=_about(
            "Precision",
            "Number format of the computation; float32 is exact, 16 bit is faster on graphics cards.",
            choices=PRECISIONS,
            shared=True,
        ),
    )
    tiling: Tiling = field(
        default="exact",
        metadata=_about(
            "Tiling",
            "How a plane is cut to fit into memory: exact streams its rows, overlap uses tiles, none does not cut.",
            choices=TILINGS,
        ),
    )
    memory: Memory | str = field(
        default="auto",
        metadata=_about(
            "Memory",
            "Memory in bytes that exact tiling may use on the device, besides image and result; such as 2GiB.",
            shared=True,
        ),
    )
    self_ensemble: bool = field(
        default=False,
        metadata=_about(
            "Self-ensemble",
            "Average the results of the 8 flips and turns of the image: slightly more faithful, 8 times the work.",
        ),
    )
    batch: int | Literal["auto"] = field(
        default="auto",
        metadata=_about("Batch", "Number of planes of a stack that are computed together; auto, or 1 or more."),
    )
    intensity: IntensitySpec = field(
        default="auto",
        metadata=_about(
            "Brightness",
            "Values of the image that stand for black and white: auto, dtype, percentile, contrast, or two values.",
            choices=SPECS,
        ),
    )
    noise: NoiseSpec = field(
        default="auto",
        metadata=_about(
            "Noise",
            "Noise of the image, for models that take it: auto measures it, 0 is none, or its standard deviation in "
            "black and its gain.",
        ),
    )
    denoise: float = field(
        default=1.0,
        metadata=_about(
            "Noise to remove",
            "Fraction of the noise to remove, for models that take it: 0 keeps it, 1 removes it, up to 2 smooths more.",
        ),
    )
    blur: float = field(
        default=0.0,
        metadata=_about(
            "Blur",
            "Standard deviation of the blur to remove, in pixels, for models that take it; 0 removes none.",
        ),
    )
    missing: Missing = field(
        default="refuse",
        metadata=_about(
            "Missing pixels",
            "Pixels without a value (NaN): refuse them, or fill them before upscaling and mark them in the result.",
            choices=MISSING,
        ),
    )
    target: float | str | None = field(
        default=None,
        metadata=_about(
            "Result",
            "Size of the result if not the model's own: a factor such as 2.5, or a pixel size such as 0.05 um.",
        ),
    )

    def __post_init__(self) -> None:
        """Convert and check every value."""
        for entry in fields(self):
            object.__setattr__(self, entry.name, read_setting(entry.name, getattr(self, entry.name)))

    @classmethod
    def described(cls) -> tuple[Setting, ...]:
        """Return the descriptions of all settings, in order.

        Returns
        -------
        tuple of Setting
        """
        return _described()

    def as_plain(self) -> dict[str, Any]:
        """Return all settings as values that JSON can hold, for reports and metadata.

        Returns
        -------
        dict of str to object
            By name; tiles and percentiles as dicts, pairs as lists.
        """
        plain: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if isinstance(self.tiling, Overlap):
            plain["tiling"] = {"tile": self.tiling.tile, "overlap": self.tiling.overlap, "blend": self.tiling.blend}
        if isinstance(self.intensity, Percentiles):
            plain["intensity"] = {"percentiles": [self.intensity.low, self.intensity.high]}
        elif isinstance(self.intensity, tuple):
            plain["intensity"] = list(self.intensity)
        if isinstance(self.noise, tuple):
            plain["noise"] = list(self.noise)
        return plain

    def as_scalars(self) -> dict[str, Scalar]:
        """Return all settings as flat values that the settings file can hold.

        Returns
        -------
        dict of str to bool, int, float or str
            For `from_scalars`. Settings that are None are left out.
        """
        values: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        tiling, intensity = self.tiling, self.intensity
        if isinstance(tiling, Overlap):
            values |= {"tiling": "overlap", "tile": tiling.tile, "overlap": tiling.overlap, "blend": tiling.blend}
        if isinstance(intensity, Percentiles):
            values |= {"intensity": "percentile", "low": intensity.low, "high": intensity.high}
        elif isinstance(intensity, tuple):
            values |= {"intensity": "bounds", "low": intensity[0], "high": intensity[1]}
        if isinstance(self.noise, tuple):
            values |= {"noise": "values", "noise_in_black": self.noise[0], "noise_gain": self.noise[1]}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_scalars(cls, values: Mapping[str, Scalar]) -> JobSettings:
        """Read settings that `as_scalars` wrote; missing ones have their defaults, other names are ignored.

        Parameters
        ----------
        values : mapping of str to bool, int, float or str
            Flat values.

        Returns
        -------
        JobSettings

        Raises
        ------
        InputError
            If a value cannot be used.
        """
        known = {entry.name for entry in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in values.items() if name in known and value is not None}
        sizes: dict[str, Any] = {name: values[name] for name in ("tile", "overlap", "blend") if name in values}
        if sizes:
            given["tiling"] = Overlap(**sizes)
        if "low" in values and "high" in values:
            low, high = read_number(values["low"], "low"), read_number(values["high"], "high")
            given["intensity"] = Percentiles(low, high) if values.get("intensity") == "percentile" else (low, high)
        if "noise_in_black" in values and "noise_gain" in values:
            given["noise"] = values["noise_in_black"], values["noise_gain"]
        return cls(**given)


@cache
def _described() -> tuple[Setting, ...]:
    return tuple(Setting(entry.name, entry.default, **entry.metadata) for entry in fields(JobSettings))


def describe_setting(name: str) -> Setting:
    """Return the description of a setting.

    Parameters
    ----------
    name : str
        Name of a field of `JobSettings`.

    Raises
    ------
    KeyError
        If there is no such setting.
    """
    return {setting.name: setting for setting in _described()}[name]
