"""The settings of an upscaling job.

`JobSettings` is the one place where a setting has its name, default, range and help. The Python functions, the command
line, the settings file, the window, napari's preferences, the generated script and the report take them from its
fields. Needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_args

from napari_sr.conversion import (
    Memory,
    parse_memory,
    read_choice,
    read_device,
    read_flag,
    read_number,
    read_whole,
    shorten,
)
from napari_sr.errors import InputError
from napari_sr.imaging.intensity_spec import SPECS, IntensitySpec, Percentiles, parse_intensity
from napari_sr.imaging.target_size import parse_target

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TilingName = Literal["exact", "overlap", "none"]
TILINGS: tuple[TilingName, ...] = get_args(TilingName)
#: A value that the settings file can hold.
Scalar = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Overlapping tiles: the outer part of each result is discarded, and neighbors are cross-faded at the seams.

    Parameters
    ----------
    tile : int, default 256
        Side of the square that goes through the network at once, in pixels of the low-resolution image; 1 or more.
    overlap : int, default 32
        Pixels on each inner side of a tile that are computed and discarded; 0 or more. If it is at least the receptive
        radius of the network, the result equals that of the whole image.
    blend : int, default 8
        Width over which two neighbors are cross-faded, in pixels of the low-resolution image, in addition to
        `overlap`; 0 or more.

    Raises
    ------
    InputError
        If a number is not a whole number in its range, or the tile consists of overlap only.

    Examples
    --------
    >>> Overlap(tile=128)
    Overlap(tile=128, overlap=32, blend=8)
    """

    tile: int = 256
    overlap: int = 32
    blend: int = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("tile", 1), ("overlap", 0), ("blend", 0)):
            object.__setattr__(self, name, read_whole(getattr(self, name), name, least))
        least = 2 * self.overlap + 2 * self.blend + 1
        if self.tile < least:
            raise InputError(
                f"A tile of {self.tile} pixels leaves nothing after an overlap of {self.overlap} on each side and "
                f"a blend of {self.blend}: choose a tile of at least {least} pixels, or less overlap."
            )


Tiling = TilingName | Overlap


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
        Device that computes: auto, cpu, cuda, cuda:1 and so on, or mps. "auto" takes a GPU where there is one.
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
        metadata=_about("Device", "Device that computes: auto, cpu, cuda, cuda:1 and so on, or mps.", shared=True),
    )
    precision: str = field(
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
    memory: Memory = field(
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

    Returns
    -------
    Setting
        The description.

    Raises
    ------
    KeyError
        If there is no such setting.
    """
    return {setting.name: setting for setting in _described()}[name]


def read_setting(name: str, value: Any) -> Any:
    """Convert and check the value of one setting.

    Parameters
    ----------
    name : str
        Name of a field of `JobSettings`.
    value : object
        As a caller, a file or the command line gives it.

    Returns
    -------
    object
        The value as `JobSettings` holds it.

    Raises
    ------
    InputError
        If the value cannot be used.
    """
    return _READERS[name](value)


def _read_tiling(value: Any) -> Tiling:
    if isinstance(value, Overlap):
        return value
    for name in TILINGS:
        if isinstance(value, str) and value == name:
            return name
    raise InputError(
        f"The tiling {shorten(value)} does not exist: give one of {', '.join(TILINGS)}, "
        "or Overlap(tile=..., overlap=...)."
    )


def _read_batch(value: Any) -> int | Literal["auto"]:
    if isinstance(value, str):
        text = value.strip()
        if text == "auto":
            return "auto"
        value = int(text) if re.fullmatch(r"\d{1,9}", text) else value
    return read_whole(value, "batch", 1, ' or "auto"')


def _read_target(value: Any) -> float | str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        value = read_number(value, "target")
    # The text itself is stored, because the script and the report show it.
    parse_target(value)
    target: float | str = value
    return target


_READERS: dict[str, Callable[[Any], Any]] = {
    "device": read_device,
    "precision": lambda value: read_choice(value, "precision", PRECISIONS),
    "tiling": _read_tiling,
    "memory": parse_memory,
    "self_ensemble": lambda value: read_flag(value, "self_ensemble"),
    "batch": _read_batch,
    "intensity": parse_intensity,
    "target": _read_target,
}
