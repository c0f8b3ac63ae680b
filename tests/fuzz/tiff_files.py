"""Generated TIFFs of every kind of samples and layout, with the pixels that a plain decoding gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from hypothesis import strategies as st
from skimage import color

Array = npt.NDArray[Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

INTEGERS = ("uint8", "uint16")
GRAY_TYPES = ("bool", *INTEGERS, "int8", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")
#: How an upright image is stored under each value of the tag Orientation.
LYING: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[:, ::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[::-1].swapaxes(0, 1),
}


@dataclass(frozen=True)
class Written:
    """A file, and what reading it must give.

    `tolerance` is the largest difference of a value. `checked` is true where the format has checksums, so that no
    changed byte can give other pixels.
    """

    path: Path
    pixels: Array
    axes: str
    tolerance: float = 0.0
    checked: bool = False
    pixel_size: dict[str, float] | None = None


def random_values(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    """Values over the whole range of a type, both ends included."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype)
    if kind.kind == "b":
        return rng.random(shape) > 0.5
    if kind.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(kind)
    ends = np.iinfo(kind)
    values = rng.integers(ends.min, ends.max, shape, kind, endpoint=True)
    values.flat[0], values.flat[-1] = ends.min, ends.max
    return values


def _lying(draw: Draw, upright: Array) -> tuple[Array, list[Any]]:
    """An image of shape (Y, X, ...) as it is stored under a drawn orientation, and the tag."""
    orientation = draw(st.sampled_from([1, 1, 1, *range(1, 9)]))
    stored = np.ascontiguousarray(LYING[orientation](upright))
    return stored, [] if orientation == 1 else [(274, 3, 1, orientation, False)]


def _layout(draw: Draw, dtype: Any) -> dict[str, Any]:
    """Byte order, BigTIFF, tiles or strips, and compression."""
    options: dict[str, Any] = {"byteorder": draw(st.sampled_from("<>")), "bigtiff": draw(st.booleans())}
    shape = draw(st.sampled_from(["strips", "one strip", "tiles"]))
    if shape == "tiles":
        options["tile"] = (16, 32)
    elif shape == "strips":
        options["rowsperstrip"] = draw(st.sampled_from([1, 3, 8]))
    if np.dtype(dtype).kind != "b" and draw(st.booleans()):
        options["compression"] = "zlib"
        options["predictor"] = np.dtype(dtype).kind in "iu" and np.dtype(dtype).itemsize < 8 and draw(st.booleans())
    return options


def _gray(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    values = random_values(seed, size, dtype)
    return values, values, {"photometric": "minisblack"}, 0


def _white_zero(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    values = random_values(seed, size, dtype)
    shown = ~values if dtype == "bool" else np.iinfo(dtype).max - values
    return values, shown, {"photometric": "miniswhite"}, 0


def _rgb(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    values = random_values(seed, (*size, 3), dtype)
    return values, values, {"photometric": "rgb"}, 0


def _rgba(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    values = random_values(seed, (*size, 4), dtype)
    return values, values, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, 0


def _premultiplied(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    straight = random_values(seed, (*size, 4), dtype)
    most = int(np.iinfo(dtype).max)
    alpha = straight[..., 3:].astype(object)
    stored = straight.copy()
    stored[..., :3] = (straight[..., :3].astype(object) * alpha + most // 2) // most
    shown = stored.copy()
    for place in np.ndindex(*size):
        opacity = int(stored[(*place, 3)])
        for c in range(3):
            exact = int(stored[(*place, c)]) * most / opacity if opacity else 0
            shown[(*place, c)] = min(most, round(exact))
    return stored, shown, {"photometric": "rgb", "extrasamples": ["assocalpha"]}, 1


def _gray_alpha(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    values = random_values(seed, (*size, 2), dtype)
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}
    return values, values[..., [0, 0, 0, 1]], options, 0


def _palette(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    indices = random_values(seed, size, dtype)
    table = random_values(seed + 1, (3, int(np.iinfo(dtype).max) + 1), "uint16")
    shown = np.stack([row[indices] for row in table], axis=-1)
    return indices, (shown // 256).astype(np.uint8) if dtype == "uint8" else shown, {"colormap": table}, 0


def _cmyk(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    inks = random_values(seed, (*size, 4), dtype)
    amounts = inks / np.iinfo(dtype).max
    shown = (1 - amounts[..., :3]) * (1 - amounts[..., 3:]) * np.iinfo(dtype).max
    return inks, np.rint(shown).astype(dtype), {"photometric": "separated"}, 1


def _lab(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    stored = random_values(seed, (*size, 3), "uint8")
    # Of moderate colors, which are the same under every treatment of those outside sRGB.
    stored[..., 1:] = (stored[..., 1:].view(np.int8) // 16).view(np.uint8)
    lightness = 20 + stored[..., :1] % 60
    # A gray of D50 is a gray of sRGB, and the same holds for colors close to it with the white of sRGB.
    lab = np.concatenate([lightness, stored[..., 1:].view(np.int8)], axis=-1).astype(float)
    kept = np.concatenate([np.rint(lab[..., :1] * 2.55), lab[..., 1:]], axis=-1)
    lab[..., 0] = kept[..., 0] / 2.55
    shown = color.lab2rgb(lab, illuminant="D65") * 255
    return kept.astype(np.int16).astype(np.uint8), np.rint(shown).astype(np.uint8), {"photometric": "cielab"}, 4


def _ycbcr(seed: int, size: tuple[int, int], dtype: str) -> tuple[Array, Array, dict[str, Any], float]:
    stored = random_values(seed, (*size, 3), "uint8")
    luma, blue, red = (stored[..., n].astype(float) - (128 if n else 0) for n in range(3))
    colors = [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue]
    shown = np.clip(np.rint(np.stack(colors, axis=-1)), 0, 255).astype(np.uint8)
    return stored, shown, {"photometric": "ycbcr", "extratags": [(530, 3, 2, (1, 1), False)]}, 1


_KINDS: dict[str, tuple[Callable[..., tuple[Array, Array, dict[str, Any], float]], tuple[str, ...]]] = {
    "gray": (_gray, GRAY_TYPES),
    "white as zero": (_white_zero, ("bool", *INTEGERS, "uint32")),
    "rgb": (_rgb, (*INTEGERS, "uint32", "float32")),
    "rgba": (_rgba, (*INTEGERS, "float32")),
    "premultiplied": (_premultiplied, INTEGERS),
    "gray with alpha": (_gray_alpha, INTEGERS),
    "palette": (_palette, INTEGERS),
    "cmyk": (_cmyk, INTEGERS),
    "lab": (_lab, ("uint8",)),
    "ycbcr": (_ycbcr, ("uint8",)),
}


def plain_tiff(draw: Draw, folder: Path) -> Written:
    """A TIFF without the metadata of a microscope, of one or several pages."""
    make, dtypes = _KINDS[draw(st.sampled_from(sorted(_KINDS)))]
    dtype, seed = draw(st.sampled_from(dtypes)), draw(st.integers(0, 999))
    size = draw(st.tuples(st.integers(1, 20), st.integers(1, 40)))
    stored, shown, options, tolerance = make(seed, size, dtype)
    tags = options.pop("extratags", [])
    stored, turned = _lying(draw, stored)
    pages = draw(st.sampled_from([1, 1, 2, 3]))
    if stored.ndim == 3 and "planarconfig" not in options and draw(st.booleans()):
        options["planarconfig"] = "separate"
        stored = np.ascontiguousarray(np.moveaxis(stored, -1, 0))
    density = draw(st.sampled_from([None, (1270.0, 2540.0), (72.0, 72.0)]))
    options |= _layout(draw, dtype) | {"extratags": tags + turned}
    if density is not None:
        options |= {"resolution": density, "resolutionunit": "INCH"}
    expected = {"X": 20.0, "Y": 10.0} if density == (1270.0, 2540.0) else {}
    if turned and turned[0][3] > 4:
        expected = {"XY"["YX".index(letter)]: value for letter, value in expected.items()}
    path = folder / "a.tif"
    many = np.stack([stored] * pages) if pages > 1 else stored
    tifffile.imwrite(path, many, metadata=None, **options)
    axes = ("Z" if pages > 1 else "") + "YX" + ("C" if shown.ndim == 3 else "")
    shown = np.stack([shown] * pages) if pages > 1 else shown
    return Written(path, shown, axes, tolerance, options.get("compression") == "zlib", expected)


def _stack(draw: Draw, order: str, dtype: str) -> tuple[Array, str]:
    """A stack with some axes of an order, and Y and X last."""
    letters = "".join(letter for letter in order if draw(st.booleans()))
    shape = tuple(draw(st.integers(2, 4)) for _ in letters)
    # tifffile writes a last axis of length 1 as samples.
    size = draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    return random_values(draw(st.integers(0, 999)), (*shape, *size), dtype), letters + "YX"


def imagej_tiff(draw: Draw, folder: Path) -> Written:
    """A stack of ImageJ, also of signed 16 bits."""
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32", "int16"]))
    data, letters = _stack(draw, "TZC", dtype)
    metadata: dict[str, Any] = {"axes": letters, "unit": "micron"}
    expected = {"Y": 0.5, "X": 0.25}
    if "Z" in letters:
        metadata["spacing"] = expected["Z"] = 2.0
    stored = data
    if dtype == "int16":
        stored = (data.astype(np.int32) + 32768).astype(np.uint16)
        metadata |= {"cf": 0, "c0": -32768.0, "c1": 1.0}
    path = folder / "a.tif"
    tifffile.imwrite(path, stored, imagej=True, metadata=metadata, resolution=(4.0, 2.0), photometric="minisblack")
    return Written(path, data, letters, pixel_size=expected)


def ome_tiff(draw: Draw, folder: Path) -> Written:
    """An OME-TIFF with its axes in any order, sometimes with a thumbnail before it or with levels."""
    dtype = draw(st.sampled_from(["bool", "uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"]))
    data, letters = _stack(draw, draw(st.sampled_from(["TZC", "CZT", "ZCT", "TCZ", "CTZ", "ZTC"])), dtype)
    metadata = {"axes": letters, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    path = folder / "a.ome.tif"
    options = _layout(draw, dtype)
    with tifffile.TiffWriter(path, ome=True, bigtiff=options.pop("bigtiff"), byteorder=options.pop("byteorder")) as out:
        if draw(st.booleans()):
            out.write(np.zeros((1, 1), np.uint8), metadata={"axes": "YX"}, photometric="minisblack")
        levels = draw(st.integers(0, 1)) if min(data.shape[-2:]) > 1 else 0
        out.write(data, metadata=metadata, photometric="minisblack", subifds=levels, **options)
        for _ in range(levels):
            out.write(data[..., ::2, ::2], subfiletype=1, photometric="minisblack", **options)
    return Written(path, data, letters, checked=False, pixel_size={"X": 0.25, "Y": 0.5})
