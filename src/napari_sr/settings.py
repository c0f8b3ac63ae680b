"""The settings of an upscaling job.

`JobSettings` is the one place where a setting has its name, default, range and help. The Python functions, the command
line, the settings file, the window, napari's preferences, the generated script and the report take them from its
fields. Needs no torch.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, get_args

from napari_sr.errors import InputError
from napari_sr.imaging.intensity import SPECS, IntensitySpec, Percentiles
from napari_sr.imaging.target_size import parse_target

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TilingName = Literal["exact", "overlap", "none"]
TILINGS: tuple[TilingName, ...] = get_args(TilingName)
#: A budget in bytes, or "auto" for one that is measured.
Memory = int | Literal["auto"]
#: A value that the settings file can hold.
Scalar = bool | int | float | str

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_MEMORY = re.compile(r"(\d{1,15}(?:\.\d+)?) ?(?:([KMGT]?)(i?)B)?", re.IGNORECASE)
_PAIR = re.compile(r"(percentiles?:)?\s*([^,\s]+)\s*,\s*([^,\s]+)")


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Tiles that overlap: the outer part of each is thrown away, and the seams are cross-faded.

    Parameters
    ----------
    tile : int, default 256
        Side of the square that goes through the network at once, in pixels of the low-resolution image; 1 or more.
    overlap : int, default 32
        Pixels on each inner side of a tile that are computed and thrown away; 0 or more. From the network's receptive
        radius on, the result is that of the whole image.
    blend : int, default 8
        Width over which two neighbors are cross-faded, in pixels of the low-resolution image, in addition to
        `overlap`; 0 or more.

    Raises
    ------
    InputError
        If a number is not a whole number in its range, or the tile is too small to leave anything but overlap.

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
            object.__setattr__(self, name, _whole(getattr(self, name), name, least))
        least = 2 * self.overlap + 2 * self.blend + 1
        if self.tile < least:
            raise InputError(
                f"A tile of {self.tile} pixels has nothing left after an overlap of {self.overlap} on each side and "
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
        for one in fields(self):
            object.__setattr__(self, one.name, read_setting(one.name, getattr(self, one.name)))

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
        plain: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
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
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
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
        known = {one.name for one in fields(cls)}
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
    return tuple(Setting(one.name, one.default, **one.metadata) for one in fields(JobSettings))


def describe_setting(name: str) -> Setting:
    """Return the description of a setting.

    Parameters
    ----------
    name : str
        Name of a field of `JobSettings`.

    Returns
    -------
    Setting

    Raises
    ------
    KeyError
        If there is no such setting.
    """
    return {one.name: one for one in _described()}[name]


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


def read_number(value: Any, name: str) -> float:
    """Convert a value to a finite float.

    Parameters
    ----------
    value : object
        A number, a numpy scalar, or the text of a number.
    name : str
        The setting's name for the sentence.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If it is not a finite number.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"The {name} {_shown(value)} is not a number: give one.") from None
    if not math.isfinite(number):
        raise InputError(f"The {name} {_shown(value)} is not finite: give a number.")
    return number


def parse_memory(value: Any) -> Memory:
    """Read a memory budget.

    Parameters
    ----------
    value : int, str or "auto"
        "auto", a number of bytes, or a number with its unit, such as "2GiB" or "500MB".

    Returns
    -------
    int or "auto"
        Bytes.

    Raises
    ------
    InputError
        If it is none of these, or less than 1 byte.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.lower() == "auto":
            return "auto"
        found = _MEMORY.fullmatch(text)
        if found is not None:
            number, prefix, binary = found.groups(default="")
            size = float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
            if size >= 1:
                return int(size)
    else:
        try:
            size = operator.index(value)
        except TypeError:
            size = int(value) if isinstance(value, float) and value.is_integer() else 0
        if not isinstance(value, bool) and size >= 1:
            return size
    raise InputError(
        f"The memory {_shown(value)} is not a budget: give auto, a number of bytes, or such as 2GiB or 500MiB."
    )


def _read_device(value: Any) -> str:
    text = str(value).strip().lower() if isinstance(value, str) or type(value).__name__ == "device" else ""
    if _DEVICE.fullmatch(text) is None:
        raise InputError(f"The device {_shown(value)} does not exist: give auto, cpu, cuda, cuda:1 or mps.")
    return text


def _read_precision(value: Any) -> str:
    if isinstance(value, str) and value in PRECISIONS:
        return value
    raise InputError(f"The precision {_shown(value)} does not exist: give one of {', '.join(PRECISIONS)}.")


def _read_tiling(value: Any) -> Tiling:
    if isinstance(value, Overlap):
        return value
    for name in TILINGS:
        if isinstance(value, str) and value == name:
            return name
    raise InputError(
        f"The tiling {_shown(value)} does not exist: give one of {', '.join(TILINGS)}, "
        "or Overlap(tile=..., overlap=...)."
    )


def _read_flag(value: Any) -> bool:
    # numpy's bool has no __index__, and any other object would silently count as true.
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise InputError(f"The self_ensemble {_shown(value)} is neither true nor false: give True or False.")


def _read_batch(value: Any) -> int | Literal["auto"]:
    if isinstance(value, str):
        text = value.strip()
        if text == "auto":
            return "auto"
        value = int(text) if re.fullmatch(r"\d{1,9}", text) else value
    return _whole(value, "batch", 1, ' or "auto"')


def _read_intensity(value: Any) -> IntensitySpec:
    if isinstance(value, Percentiles):
        return value
    if isinstance(value, str):
        if value in SPECS:
            spec: IntensitySpec = value  # type: ignore[assignment]  # mypy does not narrow by `in`
            return spec
        found = _PAIR.fullmatch(value.strip())
        if found is None:
            raise InputError(
                f"The intensity {_shown(value)} does not exist: give one of {', '.join(SPECS)}, "
                "or two values such as 100,4095."
            )
        low, high = read_number(found[2], "intensity"), read_number(found[3], "intensity")
        return Percentiles(low, high) if found[1] else _rising(low, high)
    try:
        low, high = value
    except (TypeError, ValueError):
        raise InputError(
            f"The intensity {_shown(value)} does not exist: give one of {', '.join(SPECS)}, Percentiles(low, high), "
            "or a pair of values (low, high)."
        ) from None
    return _rising(read_number(low, "intensity"), read_number(high, "intensity"))


def _rising(low: float, high: float) -> tuple[float, float]:
    if not low < high:
        raise InputError(f"The intensity range ({low:g}, {high:g}) is empty: give a low value less than the high one.")
    return low, high


def _read_target(value: Any) -> float | str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        value = read_number(value, "target")
    # A text is kept as it was written: the script and the report show it.
    parse_target(value)
    target: float | str = value
    return target


def _whole(value: Any, name: str, least: int, alternative: str = "") -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise InputError(
            f"The {name} {_shown(value)} cannot be used: give a whole number of {least} or more{alternative}."
        )
    return number


def _shown(value: Any) -> str:
    """Write a value for a sentence, shortened."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


_READERS = {
    "device": _read_device,
    "precision": _read_precision,
    "tiling": _read_tiling,
    "memory": parse_memory,
    "self_ensemble": _read_flag,
    "batch": _read_batch,
    "intensity": _read_intensity,
    "target": _read_target,
}
