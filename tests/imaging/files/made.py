"""Small files for the tests that neither tifffile nor Pillow would write by themselves."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import tifffile

_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I"}


def write_tiff(path: Path, tags: dict[int, tuple[int, Sequence[int]]], data: bytes, order: str = "<") -> None:
    """A TIFF of one strip: tags as {number: (type, values)}, the strip's own added."""
    tags = {**tags, 273: (4, [0]), 279: (4, [len(data)])}
    start = 8 + 2 + 12 * len(tags) + 4
    fields = {code: struct.pack(f"{order}{len(v)}{_FORMATS[t]}", *v) for code, (t, v) in tags.items()}
    beside = sum(len(field) for field in fields.values() if len(field) > 4)
    fields[273] = struct.pack(f"{order}I", start + beside)
    entries, extra = b"", b""
    for code in sorted(tags):
        kind, values = tags[code]
        entry = struct.pack(f"{order}HHI", code, kind, len(values))
        if len(fields[code]) <= 4:
            entries += entry + fields[code].ljust(4, b"\0")
        else:
            entries += entry + struct.pack(f"{order}I", start + len(extra))
            extra += fields[code]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes(head + entries + b"\0\0\0\0" + extra + data)


def plain_tags(width: int, height: int, bits: Sequence[int], photometric: int) -> dict[int, tuple[int, Sequence[int]]]:
    """The tags that every TIFF has."""
    return {
        256: (3, [width]),
        257: (3, [height]),
        258: (3, bits),
        259: (3, [1]),
        262: (3, [photometric]),
        277: (3, [len(bits)]),
        278: (3, [height]),
    }


def write_png(
    path: Path, size: tuple[int, int], bits: int, color: int, rows: bytes, chunks: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """A PNG of a width and height; `rows` holds each row with its filter type before it."""
    header = struct.pack(">IIBBBBB", *size, bits, color, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def cmyk_profile(darkest: float = 0.5) -> bytes:
    """An ICC profile of inks: the lightness of the paper falls with each ink down to `darkest` and black ink to 0.

    Its a* and b* are 0, so that any mixture of inks is gray: no other reading of CMYK gives that.
    """
    corners = []
    for c, m, y, k in product((0, 1), repeat=4):
        light = 100 * (1 - (1 - darkest) * (c + m + y) / 3) * (1 - k)
        corners += [round(light * 255 / 100), 128, 128]
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + bytes(corners) + ramp * 3
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"inks\0" + bytes(4 + 4 + 2 + 1 + 67)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"desc", text), (b"wtpt", white), (b"A2B0", table)]
    offset, entries, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags:
        data += bytes(-len(data) % 4)
        entries += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def ramp_of(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Values over the whole range of an unsigned type."""
    most = np.iinfo(dtype).max
    return np.linspace(0, most, int(np.prod(shape))).astype(dtype).reshape(shape)


def ome_xml(files: Sequence[str], own: int, *, sizes: Sequence[int] = (3, 12, 16), kind: str = "uint16") -> str:
    """OME-XML of a Z-stack with a plane in each file."""
    blocks = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{z:08d}</UUID></TiffData>'
        for z, name in enumerate(files)
    )
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="urn:uuid:{own:08d}"><Image ID="Image:0" Name="stack"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="{kind}" SizeX="{sizes[2]}" SizeY="{sizes[1]}" SizeZ="{sizes[0]}" SizeC="1" SizeT="1" '
        f'PhysicalSizeX="0.25" PhysicalSizeXUnit="µm"><Channel ID="C:0" SamplesPerPixel="1" Name="GFP"/>{blocks}'
        "</Pixels></Image></OME>"
    )


def write_page(path: Path, plane: np.ndarray, xml: str) -> None:
    """Write a plane with an OME-XML."""
    tifffile.imwrite(path, plane, photometric="minisblack", metadata=None, description=xml.encode())


def in_several_files(folder: Path, stack: np.ndarray) -> list[Path]:
    """Write each plane of a stack of uint16 to a file of its own, all with the OME-XML of the whole image."""
    names = [f"z{n}.ome.tif" for n in range(len(stack))]
    for z, name in enumerate(names):
        write_page(folder / name, stack[z], ome_xml(names, z, sizes=stack.shape))
    return [folder / name for name in names]


def positions_xml(files: Sequence[str], own: int, shape: Sequence[int]) -> str:
    """OME-XML of several Z-stacks of uint16, each in a file of its own."""
    images = "".join(
        f'<Image ID="Image:{n}" Name="position {n}"><Pixels ID="Pixels:{n}" DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="{shape[2]}" SizeY="{shape[1]}" SizeZ="{shape[0]}" SizeC="1" SizeT="1" BigEndian="false" '
        f'PhysicalSizeX="0.25"><Channel ID="Channel:{n}:0" SamplesPerPixel="1" Name="GFP"/>'
        + "".join(
            f'<TiffData FirstZ="{z}" IFD="{z}" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{n:08d}</UUID>'
            "</TiffData>"
            for z in range(shape[0])
        )
        + "</Pixels></Image>"
        for n, name in enumerate(files)
    )
    head = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    return f'{head} UUID="urn:uuid:{own:08d}">{images}</OME>'


def write_micro_manager(path: Path, stack: np.ndarray, position: int, positions: int, xml: str) -> None:
    """Write a Z-stack of uint16 as a file of Micro-Manager: a summary, an index, and pages of 13 tags before pixels."""
    depth, height, width = stack.shape
    summary = json.dumps(
        {"MicroManagerVersion": "2.0", "Slices": depth, "Frames": 1, "Channels": 1, "Positions": positions}
        | {"Prefix": path.name.partition("_MMStack")[0], "SlicesFirst": True, "TimeFirst": False}
    ).encode()
    body = bytearray(b"II*\0".ljust(32, b"\0") + struct.pack("<2I", 2355492, len(summary)) + summary)
    index, link, text = b"", 4, xml.encode() + b"\0"
    for z, plane in enumerate(stack):
        body += b"\0" * (len(body) % 2)
        start, count = len(body), 14 if z == 0 else 13
        pixels = start + 6 + 12 * count
        after = pixels + plane.nbytes
        tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 16), 259: (3, 1, 1), 262: (3, 1, 1)}
        tags |= {270: (2, len(text), after + 12)} if z == 0 else {}
        tags |= {273: (4, 1, pixels), 277: (3, 1, 1), 278: (3, 1, height), 279: (4, 1, plane.nbytes)}
        tags |= {282: (5, 1, after), 283: (5, 1, after), 296: (3, 1, 3), 51123: (2, 4, after + 8)}
        struct.pack_into("<I", body, link, start)
        index += struct.pack("<5I", 0, z, 0, position, start)
        entries = (struct.pack("<HHII", code, *tag) for code, tag in tags.items())
        body += struct.pack("<H", count) + b"".join(entries)
        link = len(body)
        body += bytes(4) + plane.tobytes() + struct.pack("<2I", 40000, 1) + b"{ }\0" + (text if z == 0 else b"")
    struct.pack_into("<2I", body, 8, 54773648, len(body))
    path.write_bytes(bytes(body) + struct.pack("<2I", 3453623, depth) + index)
