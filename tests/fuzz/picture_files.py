"""Generated PNG and other pictures, with the pixels that a plain decoding gives."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.fuzz.tiff_files import LYING, Array, Draw, Written, random_values
from tests.imaging.files.made import write_png

# Largest side of a picture.
_LARGEST = 20


def _exif(orientation: int) -> bytes:
    """EXIF data with nothing but an orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def _packed(rows: Array, bits: int) -> bytes:
    """Rows of samples of some bits, each with the filter type 0 before it."""
    if bits == 16:
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    if bits == 8:
        return b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in rows)
    lines = ["".join(format(int(sample), f"0{bits}b") for sample in row) for row in rows]
    padded = [line.ljust(-(-len(line) // 8) * 8, "0") for line in lines]
    return b"".join(b"\0" + bytes(int(line[n : n + 8], 2) for n in range(0, len(line), 8)) for line in padded)


def png(draw: Draw, folder: Path) -> Written:
    """A PNG of every color type and depth that is read, with a transparent value or an orientation."""
    height, width = draw(st.integers(1, _LARGEST)), draw(st.integers(1, _LARGEST))
    seed = draw(st.integers(0, 999))
    kind = draw(st.sampled_from(["gray", "gray", "rgb", "palette", "gray alpha", "rgba"]))
    orientation = draw(st.sampled_from([1, 1, *range(1, 9)]))
    chunks: list[tuple[bytes, bytes]] = [] if orientation == 1 else [(b"eXIf", _exif(orientation))]
    transparent = draw(st.booleans())
    if kind == "gray":
        bits = draw(st.sampled_from([1, 2, 4, 8, 16]))
        upright = random_values(seed, (height, width), "uint16") & np.uint16(2**bits - 1)
        shown = _as_gray(upright, bits)
        if transparent:
            value = int(upright[0, 0])
            chunks.append((b"tRNS", struct.pack(">H", value)))
            gray = shown.astype(np.uint8) * np.uint8(255) if bits == 1 else shown
            opaque = np.iinfo(gray.dtype).max
            shown = np.stack([gray] * 3 + [np.where(upright == value, 0, opaque).astype(gray.dtype)], axis=-1)
        color = 0
    elif kind == "palette":
        bits = draw(st.sampled_from([1, 2, 4, 8]))
        table = random_values(seed + 1, (2**bits, 4), "uint8")
        upright = random_values(seed, (height, width), "uint8") & np.uint8(2**bits - 1)
        chunks.append((b"PLTE", table[:, :3].tobytes()))
        if transparent:
            chunks.append((b"tRNS", table[:, 3].tobytes()))
        shown, color = table[upright][..., : 4 if transparent else 3], 3
    else:
        count, color, bits = {"rgb": (3, 2, 8), "gray alpha": (2, 4, 8), "rgba": (4, 6, 8)}[kind]
        upright = random_values(seed, (height, width, count), "uint8")
        shown = upright[..., [0, 0, 0, 1]] if count == 2 else upright
        if kind == "rgb" and transparent:
            value = upright[0, 0]
            chunks.append((b"tRNS", struct.pack(">3H", *(int(v) for v in value))))
            clear = (upright == value).all(axis=-1)
            shown = np.concatenate([upright, np.where(clear, 0, 255).astype(np.uint8)[..., None]], axis=-1)
    stored = LYING[orientation](upright)
    rows = _packed(stored.reshape(stored.shape[0], -1), bits)
    write_png(folder / "a.png", (stored.shape[1], stored.shape[0]), bits, color, rows, chunks)
    return Written(folder / "a.png", shown, "YXC"[: shown.ndim], checked=True)


def _as_gray(values: Array, bits: int) -> Array:
    if bits == 1:
        return values.astype(bool)
    return values if bits == 16 else (values * (255 // (2**bits - 1))).astype(np.uint8)


def picture(draw: Draw, folder: Path) -> Written:
    """A picture of another format, without loss, or of smooth colors in a JPEG."""
    height, width = draw(st.integers(2, _LARGEST)), draw(st.integers(2, _LARGEST))
    ending = draw(st.sampled_from(["bmp", "gif", "tga", "ppm", "pgm", "webp", "jp2", "jpg", "mpo"]))
    orientation = draw(st.sampled_from(range(1, 9))) if ending in ("webp", "jpg") else 1
    gray = ending in ("pgm", "gif") or (ending == "jpg" and draw(st.booleans()))
    options: dict[str, Any] = {}
    if ending in ("jpg", "mpo"):
        y, x = np.mgrid[0:height, 0:width]
        upright = np.stack([x * 5 + 20, y * 6 + 30, 200 - x - y], axis=-1).astype(np.uint8)
        upright = upright[..., 0] if gray else upright
        options = {"quality": 98, "subsampling": 0}
    else:
        upright = random_values(draw(st.integers(0, 999)), (height, width) if gray else (height, width, 3), "uint8")
    options |= {"lossless": True} if ending == "webp" else {"irreversible": False} if ending == "jp2" else {}
    if orientation != 1:
        options["exif"] = b"Exif\0\0" + _exif(orientation)
    image = Image.fromarray(np.ascontiguousarray(LYING[orientation](upright)))
    if ending == "mpo":
        options |= {"save_all": True, "append_images": [Image.new("RGB", (50, 60))]}
    path = folder / f"a.{ending}"
    image.save(path, **options)
    shown = upright
    if ending == "gif":
        # A GIF has a color map, here of grays.
        shown = np.stack([upright] * 3, axis=-1)
    tolerance = 6 if ending in ("jpg", "mpo") else 0
    return Written(path, shown, "YXC"[: shown.ndim], tolerance)


def checksums_of_png(data: bytes) -> bool:
    """Whether all chunks of a PNG have the right checksum."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunk = data[place + 4 : place + 8 + length]
        if zlib.crc32(chunk) != int.from_bytes(data[place + 8 + length : place + 12 + length], "big"):
            return False
        place += 12 + length
    return True
