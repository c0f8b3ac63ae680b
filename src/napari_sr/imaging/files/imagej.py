"""Metadata of ImageJ TIFF: what its description and tags say, and what is written into new ones.

References
----------
ImageJ 1.54, ij.io.TiffEncoder, ij.io.TiffDecoder and ij.measure.Calibration, https://github.com/imagej/ImageJ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sr.errors import InputError
from napari_sr.imaging import pixel_size as sizes
from napari_sr.imaging.files import conversion
from napari_sr.imaging.files.image_file import Limits, Metadata, from_luts, ramp
from napari_sr.imaging.files.ome import SECONDS

# Number of ImageJ's straight line among its calibration functions.
_STRAIGHT_LINE = 0
_NONE = 20
_SIGNED_16_BIT = (-32768.0, 1.0)


def planes_of(said: Mapping[str, Any]) -> int:
    """Number of planes that a description declares.

    Parameters
    ----------
    said : mapping
        ImageJ's metadata as tifffile reads them.

    Returns
    -------
    int
        Channels times slices times frames; 1 where the description does not give them.
    """
    counts = [said.get(key, 1) for key in ("channels", "slices", "frames")]
    return math.prod(count for count in counts if isinstance(count, int) and count > 0)


def calibrated(data: npt.NDArray[Any], said: Mapping[str, Any], name: str) -> npt.NDArray[Any]:
    """Values that ImageJ shows, of those that it stores.

    Parameters
    ----------
    data : numpy array
        The stored values.
    said : mapping
        ImageJ's metadata; the function is `cf`, its coefficients `c0`, `c1` and so on.
    name : str
        Path of the file, for messages.

    Returns
    -------
    numpy array
        int16 for ImageJ's signed 16 bits, which it stores with 32768 added; float32 for another straight line; the
        same array without a calibration.

    Raises
    ------
    InputError
        The function is no straight line.
    """
    line = _line(said, name)
    if line is None:
        return data
    if line == _SIGNED_16_BIT and data.dtype == np.uint16:
        return (data ^ np.uint16(0x8000)).view(np.int16)
    first, slope = line
    convert = conversion.by_blocks
    return convert(lambda values: (values * np.float64(slope) + first).astype(np.float32), data[..., None])[..., 0]


def metadata_of(
    said: Mapping[str, Any],
    resolution: tuple[float, float],
    channels: int,
    name: str,
) -> Metadata:
    """Metadata of an ImageJ TIFF, but for its tags.

    Parameters
    ----------
    said : mapping
        ImageJ's metadata as tifffile reads them.
    resolution : (float, float)
        Pixels for each unit along X and Y, from the resolution tags; 0 where there are none.
    channels : int
        Number of separate channels.
    name : str
        Path of the file, for messages.

    Returns
    -------
    Metadata
        All but the ICC profile, and the color map of a single image, which are tags.
    """
    pixel_size, unit = sizes.from_imagej(said, resolution)
    places: dict[str, float] = {}
    for letter, size in pixel_size.items():
        first = _number(said.get(f"{letter.lower()}origin"))
        if first:
            # ImageJ names the pixel that lies at 0.
            places[letter] = -first * size
    line = _line(said, name) or (0.0, 1.0)
    limits = tuple((line[0] + line[1] * low, line[0] + line[1] * high) for low, high in _ranges(said, channels))
    colors, luts = from_luts(_luts(said, channels))
    interval = _number(said.get("finterval"))
    seconds = SECONDS.get(str(said.get("tunit", "sec")).strip().lower())
    return Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=places,
        channels=_names(said, channels),
        colors=colors,
        luts=luts,
        limits=limits,
        time_interval=interval * seconds if interval is not None and interval > 0 and seconds is not None else None,
    )


def to_imagej(metadata: Metadata, letters: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Metadata as tifffile's writer of ImageJ TIFF takes them.

    Parameters
    ----------
    metadata : Metadata
        Of the image.
    letters : str
        Letters of the axes as they are written, S for colors.
    shape : tuple of int
        Lengths of these axes.

    Returns
    -------
    dict
        Lines of the description, and entries of the tag IJMetadata.
    """
    lengths = dict(zip(letters, shape, strict=True))
    channels = lengths.get("C", 1)
    made: dict[str, Any] = {"axes": letters}
    if metadata.pixel_size:
        # ImageJ's own word, and all ASCII as its description must be.
        made["unit"] = "micron" if metadata.unit == "micrometer" else (metadata.unit or "pixel")
    if "Z" in metadata.pixel_size:
        made["spacing"] = float(metadata.pixel_size["Z"])
    for letter, place in metadata.origin.items():
        if letter in metadata.pixel_size:
            made[f"{letter.lower()}origin"] = -place / metadata.pixel_size[letter]
    if metadata.time_interval is not None:
        made |= {"finterval": metadata.time_interval, "tunit": "sec"}
    if "S" in letters:
        return made
    made |= _ranges_written(metadata.limits, channels)
    luts = _luts_written(metadata, channels)
    if luts:
        made |= {"LUTs": luts, "mode": "composite" if channels > 1 else "color"}
    if len(metadata.channels) == channels and "C" in letters:
        outer = math.prod(length for letter, length in lengths.items() if letter in "TZ")
        made["Labels"] = list(metadata.channels) * outer
    return made


def _line(said: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """Coefficients of a calibration by a straight line; None without a calibration."""
    function = said.get("cf", _STRAIGHT_LINE if "c0" in said and "c1" in said else _NONE)
    if function == _NONE or not isinstance(function, int):
        return None
    if function != _STRAIGHT_LINE:
        raise InputError(
            f"The file {name} is calibrated by ImageJ's function {function}, which is not read; "
            "take the calibration out in ImageJ (Analyze > Calibrate > None)."
        )
    line = _number(said.get("c0", 0.0)), _number(said.get("c1", 1.0))
    if line[0] is None or line[1] is None or line[1] == 0:
        raise InputError(
            f"The file {name} has a calibration with the coefficients {said.get('c0')} and {said.get('c1')}; "
            "take it out in ImageJ (Analyze > Calibrate > None)."
        )
    found = (line[0], line[1])
    return None if found == (0.0, 1.0) else found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _names(said: Mapping[str, Any], channels: int) -> tuple[str, ...]:
    """Names of the channels: the labels of their planes, where those of a channel are all the same."""
    labels = said.get("Labels")
    if channels < 2 or not isinstance(labels, list | tuple) or len(labels) % channels or not labels:
        return ()
    if str(said.get("order", "czt")).lower() not in ("czt", "default"):
        return ()
    names = tuple(str(label) for label in labels[:channels])
    return names if all(str(label) == names[n % channels] for n, label in enumerate(labels)) else ()


def _ranges(said: Mapping[str, Any], channels: int) -> list[Limits]:
    found: Any = said.get("Ranges", ())
    pairs = [(float(low), float(high)) for low, high in zip(found[::2], found[1::2], strict=False)]
    low, high = _number(said.get("min")), _number(said.get("max"))
    if len(pairs) < channels and channels == 1 and low is not None and high is not None:
        pairs = [(low, high)]
    usable = len(pairs) >= channels and all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in pairs)
    return pairs[:channels] if usable else []


def _luts(said: Mapping[str, Any], channels: int) -> tuple[npt.NDArray[Any] | None, ...]:
    found = said.get("LUTs", [])
    tables = [found] if isinstance(found, np.ndarray) else list(found)
    if len(tables) < channels or any(np.shape(table) != (3, 256) for table in tables):
        return ()
    return tuple(np.asarray(table).T for table in tables[:channels])


def _ranges_written(limits: tuple[Limits | None, ...], channels: int) -> dict[str, Any]:
    known = [one for one in limits[:channels] if one is not None]
    if len(known) != channels:
        return {}
    first = known[0]
    return {"min": first[0], "max": first[1], "Ranges": tuple(value for one in known for value in one)}


def _luts_written(metadata: Metadata, channels: int) -> list[npt.NDArray[np.uint8]]:
    """A table of shape (3, 256) for each channel; nothing where none has a color."""
    tables = []
    for number in range(channels):
        lut = metadata.luts[number] if number < len(metadata.luts) else None
        color = metadata.colors[number] if number < len(metadata.colors) else None
        if lut is None and color is None and not metadata.colors:
            return []
        tables.append(np.ascontiguousarray((ramp(color or (255, 255, 255)) if lut is None else lut).T))
    return tables
