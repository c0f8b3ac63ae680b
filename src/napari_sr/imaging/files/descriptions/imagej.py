"""Metadata in the description and the tags of ImageJ TIFF.

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

# Numbers of two calibration functions of ImageJ.
_STRAIGHT_LINE, _NONE = 0, 20
# Offset and slope of signed 16-bit values, which ImageJ stores with 32768 added.
_SIGNED_16_BIT = (-32768.0, 1.0)
# Line of the description in files of napari-sr, by which the label of a single channel is told from that of a plane.
_NAMED, _BY_LABELS = "channelnames", "labels"


def planes_of(description: Mapping[str, Any]) -> int:
    """Return the number of planes in the description of a file.

    Returns
    -------
    int
        Product of the numbers of channels, slices and frames; a number that is not in the description is 1.
    """
    counts = [description.get(key, 1) for key in ("channels", "slices", "frames")]
    return math.prod(count for count in counts if isinstance(count, int) and count > 0)


def calibrated(data: npt.NDArray[Any], description: Mapping[str, Any], name: str) -> npt.NDArray[Any]:
    """Convert stored values to the values that ImageJ displays.

    Parameters
    ----------
    data : numpy array
        The stored values.
    description : mapping of str to object
        Metadata of ImageJ, with the calibration function `cf` and its coefficients `c0`, `c1` and so on.
    name : str
        Path of the file, for messages.

    Returns
    -------
    numpy array
        int16 for signed 16-bit values, float32 for any other straight line, and the array itself without a calibration.

    Raises
    ------
    InputError
        If the calibration function is not a straight line.
    """
    line = _line(description, name)
    if line is None:
        return data
    if line == _SIGNED_16_BIT and data.dtype == np.uint16:
        return (data ^ np.uint16(0x8000)).view(np.int16)
    offset, slope = line
    return conversion.by_blocks(
        lambda values: (values * np.float64(slope) + offset).astype(np.float32), data[..., None]
    )[..., 0]


def is_calibrated(description: Mapping[str, Any]) -> bool:
    """Whether ImageJ displays other values than the stored ones, by a straight line or any other function."""
    function = _function(description)
    return function is not None and (function != _STRAIGHT_LINE or _coefficients(description) != (0.0, 1.0))


def metadata_of(
    description: Mapping[str, Any],
    resolution: tuple[float, float],
    channels: int,
    name: str,
) -> Metadata:
    """Return the metadata of an ImageJ TIFF.

    Parameters
    ----------
    description : mapping of str to object
        Metadata of ImageJ, from tifffile.
    resolution : (float, float)
        Pixels per unit along X and Y, from the resolution tags; 0 if there are none.
    channels : int
        Number of separate channels.
    name : str
        Path of the file, for messages.

    Returns
    -------
    Metadata
        The metadata, without the ICC profile and the color map of a single image, which are tags of their own.

    Raises
    ------
    InputError
        If the calibration function is not a straight line.
    """
    pixel_size, unit = sizes.from_imagej(description, resolution)
    origin: dict[str, float] = {}
    for letter, size in pixel_size.items():
        zero = _number(description.get(f"{letter.lower()}origin"))
        if zero:
            # The origin of ImageJ is the pixel at the position 0.
            origin[letter] = -zero * size
    offset, slope = _line(description, name) or (0.0, 1.0)
    ends = [(offset + slope * low, offset + slope * high) for low, high in _ranges(description, channels)]
    # A falling line exchanges the two.
    limits = tuple((min(pair), max(pair)) for pair in ends)
    colors, luts = from_luts(_luts(description, channels))
    interval = _number(description.get("finterval"))
    seconds = sizes.seconds_of(str(description.get("tunit", "sec")))
    return Metadata(
        pixel_size=pixel_size,
        unit=unit,
        origin=origin,
        channels=_names(description, channels),
        colors=colors,
        luts=luts,
        limits=limits,
        time_interval=interval * seconds if interval is not None and interval > 0 and seconds is not None else None,
    )


def to_imagej(metadata: Metadata, letters: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> dict[str, Any]:
    """Return metadata for tifffile's writer of ImageJ TIFF.

    Parameters
    ----------
    metadata : Metadata
        Metadata of the image.
    letters : str
        Letters of the axes in the file, S for colors.
    shape : tuple of int
        Lengths of these axes.
    dtype : dtype
        Data type of the pixels: uint8, uint16 or float32.

    Returns
    -------
    dict of str to object
        Lines of the description, and entries of the tag IJMetadata.

    Notes
    -----
    ImageJ has a color and contrast limits for each channel or for none. A channel without a color is white, as in
    ImageJ, and one of integers without contrast limits has the range of its data type.
    """
    lengths = dict(zip(letters, shape, strict=True))
    channels = lengths.get("C", 1)
    written: dict[str, Any] = {"axes": letters}
    if metadata.pixel_size:
        # The name that ImageJ itself writes. The description must be ASCII.
        written["unit"] = "micron" if metadata.unit == "micrometer" else (metadata.unit or "pixel")
    if "Z" in metadata.pixel_size:
        written["spacing"] = float(metadata.pixel_size["Z"])
    for letter, position in metadata.origin.items():
        if letter in metadata.pixel_size:
            written[f"{letter.lower()}origin"] = -position / metadata.pixel_size[letter]
    if metadata.time_interval is not None:
        written |= {"finterval": metadata.time_interval, "tunit": "sec"}
    if len(metadata.channels) == channels:
        outer = math.prod(length for letter, length in lengths.items() if letter in "TZ")
        written["Labels"] = list(metadata.channels) * outer
        if channels == 1:
            written[_NAMED] = _BY_LABELS
    if "S" in letters:
        return written
    written |= _limits_to_write(metadata.limits, channels, np.dtype(dtype))
    luts = _luts_to_write(metadata, channels)
    if luts:
        written |= {"LUTs": luts, "mode": "composite" if channels > 1 else "color"}
    return written


def _function(description: Mapping[str, Any]) -> int | None:
    """Number of the calibration function; None without a calibration."""
    function = description.get("cf", _STRAIGHT_LINE if "c0" in description and "c1" in description else _NONE)
    return None if function == _NONE or not isinstance(function, int) else function


def _coefficients(description: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Offset and slope of a straight line; None for what is no number."""
    return _number(description.get("c0", 0.0)), _number(description.get("c1", 1.0))


def _line(description: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """Offset and slope of a calibration by a straight line; None without a calibration."""
    function = _function(description)
    if function is None:
        return None
    if function != _STRAIGHT_LINE:
        raise InputError(
            f"The file {name} is calibrated by function {function} of ImageJ, which cannot be read: "
            "remove the calibration in ImageJ (Analyze > Calibrate > None)."
        )
    offset, slope = _coefficients(description)
    if offset is None or slope is None or slope == 0:
        raise InputError(
            f"The file {name} has a calibration with the coefficients {description.get('c0')} and "
            f"{description.get('c1')}: remove it in ImageJ (Analyze > Calibrate > None)."
        )
    return None if (offset, slope) == (0.0, 1.0) else (offset, slope)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _names(description: Mapping[str, Any], channels: int) -> tuple[str, ...]:
    """Names of the channels, which are the labels of their planes if all planes of a channel have the same one."""
    labels = description.get("Labels")
    # tifffile gives a single label without a list.
    labels = [labels] if isinstance(labels, str) else labels
    if not isinstance(labels, list | tuple) or len(labels) % channels or not labels:
        return ()
    if channels == 1 and description.get(_NAMED) != _BY_LABELS:
        # Names of planes, by other programs.
        return ()
    if str(description.get("order", "czt")).lower() not in ("czt", "default"):
        return ()
    names = tuple(str(label) for label in labels[:channels])
    return names if all(str(label) == names[n % channels] for n, label in enumerate(labels)) else ()


def _ranges(description: Mapping[str, Any], channels: int) -> list[Limits]:
    """Contrast limits of the channels in stored values; empty unless all channels have them."""
    values: Any = description.get("Ranges", ())
    pairs = [(float(low), float(high)) for low, high in zip(values[::2], values[1::2], strict=False)]
    low, high = _number(description.get("min")), _number(description.get("max"))
    if len(pairs) < channels and channels == 1 and low is not None and high is not None:
        pairs = [(low, high)]
    usable = len(pairs) >= channels and all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in pairs)
    return pairs[:channels] if usable else []


def _luts(description: Mapping[str, Any], channels: int) -> tuple[npt.NDArray[Any] | None, ...]:
    value = description.get("LUTs", [])
    tables = [value] if isinstance(value, np.ndarray) else list(value)
    if len(tables) < channels or any(np.shape(table) != (3, 256) for table in tables):
        return ()
    return tuple(np.asarray(table).T for table in tables[:channels])


def _limits_to_write(limits: tuple[Limits | None, ...], channels: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Contrast limits as entries of the description; of floats none unless all channels have them."""
    if len(limits) != channels or all(pair is None for pair in limits):
        return {}
    whole = (0.0, float(np.iinfo(dtype).max)) if dtype.kind == "u" else None
    known = [pair for pair in (pair or whole for pair in limits) if pair is not None]
    if len(known) != channels:
        return {}
    low, high = known[0]
    return {"min": low, "max": high, "Ranges": tuple(value for pair in known for value in pair)}


def _luts_to_write(metadata: Metadata, channels: int) -> list[npt.NDArray[np.uint8]]:
    """Table of shape (3, 256) of each channel; none if no channel has a color or a table."""
    if all(entry is None for entry in (*metadata.luts, *metadata.colors)):
        return []
    tables = []
    for number in range(channels):
        lut = metadata.luts[number] if number < len(metadata.luts) else None
        color = metadata.colors[number] if number < len(metadata.colors) else None
        tables.append(np.ascontiguousarray((ramp(color or (255, 255, 255)) if lut is None else lut).T))
    return tables
