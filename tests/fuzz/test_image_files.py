"""Image files give the pixels that were written, or an error of one sentence; damaged ones never others unnoticed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_sr.errors import NapariSRError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import ImageFile, is_readable_tiff, read_image
from tests.fuzz.cases import cases, check_sentence
from tests.fuzz.picture_files import picture, png
from tests.fuzz.tiff_files import Draw, Written, imagej_tiff, ome_tiff, plain_tiff

MAKERS: list[Callable[[Draw, Path], Written]] = [plain_tiff, plain_tiff, imagej_tiff, ome_tiff, png, picture]


def check_image(image: ImageFile) -> None:
    """Check what holds for every image that was read."""
    axes = parse_axes(image.axes, image.data.shape)
    assert image.data.size > 0
    assert image.data.dtype.kind in "buif"
    assert all(np.isfinite(size) and size > 0 for size in image.pixel_size.values())
    assert all(np.isfinite(place) for place in image.origin.values())
    assert image.time_interval is None or image.time_interval > 0
    count = 1 if axes.channel is None else axes.shape[axes.channel]
    for values in (image.channels, image.colors, image.luts, image.limits):
        assert len(values) in (0, count)


def differs(image: ImageFile, written: Written) -> int:
    """Number of values that differ from those that were written."""
    check_image(image)
    assert image.axes == written.axes
    assert image.data.shape == written.pixels.shape
    assert image.data.dtype == written.pixels.dtype
    if written.pixels.dtype.kind == "f":
        return int(np.count_nonzero(image.data != written.pixels))
    difference = image.data.astype(np.float64) - written.pixels.astype(np.float64)
    return int(np.count_nonzero(np.abs(difference) > written.tolerance))


def folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="napari-sr-fuzz-")


def read_or_refused(path: Path) -> ImageFile | None:
    """The image of a damaged file; None if it is refused in one sentence that names it."""
    if path.suffix == ".tif":
        is_readable_tiff(path)
    try:
        image = read_image(path)
    except NapariSRError as error:
        check_sentence(str(error))
        assert path.name in str(error), error
        return None
    check_image(image)
    return image


@cases(0.35)
@given(data=st.data(), make=st.sampled_from(MAKERS))
def test_a_file_gives_its_pixels_and_one_that_was_cut_off_gives_no_others(data: Any, make: Any) -> None:
    with folder() as name:
        written = make(data.draw, Path(name))
        image = read_image(written.path)
        assert differs(image, written) == 0
        if written.pixel_size is not None:
            assert image.pixel_size == pytest.approx(written.pixel_size)
        content = written.path.read_bytes()
        for part in (0.02, 0.2, 0.5, 0.9, 0.99):
            written.path.write_bytes(content[: int(len(content) * data.draw(st.floats(part / 2, part)))])
            cut = read_or_refused(written.path)
            assert cut is None or differs(cut, written) == 0


@cases(0.35)
@given(data=st.data(), make=st.sampled_from(MAKERS))
def test_a_file_with_changed_bytes_is_read_or_refused(data: Any, make: Any) -> None:
    with folder() as name:
        written = make(data.draw, Path(name))
        content = written.path.read_bytes()
        first = data.draw(st.sampled_from([0, 0, 8, len(content) // 2]))
        for _ in range(4):
            changed = bytearray(content)
            for _ in range(data.draw(st.integers(1, 3))):
                place = data.draw(st.integers(first, min(len(content) - 1, first + 400)))
                changed[place] ^= data.draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 255]))
            written.path.write_bytes(changed)
            image = read_or_refused(written.path)
            if written.path.suffix == ".png":
                assert image is None or differs(image, written) == 0


@cases(0.3)
@given(data=st.data(), make=st.sampled_from([plain_tiff, imagej_tiff, ome_tiff]))
def test_a_tiff_with_contradictory_tags_is_read_or_refused(data: Any, make: Any) -> None:
    with folder() as name:
        written = make(data.draw, Path(name))
        content = written.path.read_bytes()
        with tifffile.TiffFile(written.path) as tiff:
            tags = [(tag.code, tag.valueoffset, tag.valuebytecount) for tag in tiff.pages.first.tags]
        for _ in range(4):
            changed = bytearray(content)
            _, start, length = data.draw(st.sampled_from(tags))
            described = [tag for tag in tags if tag[0] == 270]
            if described and data.draw(st.booleans()):
                # Another number in the description: of planes, of axes, of a pixel size.
                _, start, length = described[0]
                digits = [place for place in range(start, start + length) if chr(content[place]).isdigit()]
                # tifffile writes another identifier each time, of other digits.
                start = digits[data.draw(st.integers(0, 10**6)) % len(digits)]
                changed[start] = data.draw(st.sampled_from(b"0123456789-.ex "))
            else:
                value = data.draw(st.sampled_from([0, 1, 2, 3, 5, 7, 8, 16, 255, 65535, 2**31, 2**32 - 1]))
                order = "little" if content[:2] == b"II" else "big"
                number = (value % 256 ** min(length, 8)).to_bytes(min(length, 8), order)
                changed[start : start + len(number)] = number
            written.path.write_bytes(changed)
            read_or_refused(written.path)
