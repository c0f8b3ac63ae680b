import struct

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_sr.errors import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import read_image, write_image
from napari_sr.imaging.pixel_size import METERS, SECONDS, seconds_of, unit_name

in_a_folder = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

STACKS = ["YX", "ZYX", "CYX", "TYX", "CZYX", "ZCYX", "TCZYX", "YXC", "ZYXC", "XY", "XZY"]
OME_DTYPES = [bool, "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def drawn_image(letters, dtype, colors=3, seed=0):
    shape = tuple({"T": 2, "C": 2, "Z": 3, "Y": 6, "X": 7}[letter] for letter in letters)
    if letters.endswith("C"):
        shape = (*shape[:-1], colors)
    values = np.random.default_rng(seed).random(shape) * 200
    return values > 100 if np.dtype(dtype) == bool else values.astype(dtype)


def in_order(image, letters, wanted):
    return image.transpose([letters.index(letter) for letter in wanted])


@in_a_folder
@given(
    letters=st.sampled_from(STACKS),
    dtype=st.sampled_from(OME_DTYPES),
    colors=st.sampled_from([3, 4]),
    sizes=st.tuples(*[st.floats(1e-3, 1e3)] * 3),
    unit=st.sampled_from(sorted(METERS)),
    ending=st.sampled_from([".ome.tif", ".ome.tiff", ".tif", ".TIFF"]),
)
def test_a_tiff_gives_back_pixels_axes_sizes_and_unit(tmp_path, letters, dtype, colors, sizes, unit, ending):
    assume(not (letters.endswith("C") and dtype is bool))
    image = drawn_image(letters, dtype, colors)
    pixel_size = {letter: size for letter, size in zip("ZYX", sizes, strict=True) if letter in letters}
    path = tmp_path / f"image{ending}"
    write_image(path, image, letters, pixel_size, unit)
    found = read_image(path)
    assert sorted(found.axes) == sorted(letters)
    np.testing.assert_array_equal(found.data, in_order(image, letters, found.axes))
    assert found.data.dtype == image.dtype
    assert found.pixel_size == pytest.approx(pixel_size, rel=1e-6)
    assert found.unit == unit
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    path.unlink()


def test_ome_tiff_names_sizes_and_units_as_ome_does(tmp_path):
    path = tmp_path / "a.ome.tif"
    write_image(path, np.zeros((3, 4, 5), np.uint16), "ZYX", {"Z": 0.3, "Y": 0.025, "X": 0.025}, "micrometer")
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"], pixels["PhysicalSizeZ"]) == (0.025, 0.025, 0.3)
    assert {pixels[f"PhysicalSize{letter}Unit"] for letter in "XYZ"} == {"µm"}


@pytest.mark.parametrize(
    ("dtype", "letters", "imagej"),
    [
        ("uint8", "ZYX", True),
        ("uint16", "CZYX", True),
        ("float32", "YX", True),
        ("uint8", "YXC", True),
        ("uint16", "YXC", False),
        ("int16", "YX", False),
        ("float64", "YX", False),
    ],
)
def test_a_plain_tif_is_imagejs_where_imagej_can_hold_it_and_else_ome(tmp_path, dtype, letters, imagej):
    path = tmp_path / "a.tif"
    image = drawn_image(letters, dtype)
    write_image(path, image, letters, {"Y": 0.1, "X": 0.1}, "micrometer")
    with tifffile.TiffFile(path) as tiff:
        assert (tiff.is_imagej, tiff.is_ome) == (imagej, not imagej)
    found = read_image(path)
    np.testing.assert_array_equal(found.data, in_order(image, letters, found.axes))


def test_imagej_finds_its_own_words_for_size_spacing_and_unit(tmp_path):
    path = tmp_path / "a.tif"
    write_image(path, np.zeros((3, 4, 5), np.uint16), "ZYX", {"Z": 0.3, "Y": 0.1, "X": 0.2}, "µm")
    with tifffile.TiffFile(path) as tiff:
        assert (tiff.imagej_metadata["unit"], tiff.imagej_metadata["spacing"]) == ("micron", 0.3)
        assert tiff.pages[0].tags["XResolution"].value == (5, 1)
        assert tiff.pages[0].tags["YResolution"].value == (10, 1)


@pytest.mark.parametrize("said", ["micron", "um", "\\u00B5m", "microns", "MICRONS"])
def test_every_way_imagej_writes_a_micrometre_is_one(tmp_path, said):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((3, 4, 5), np.uint8),
        imagej=True,
        resolution=(4, 5),
        metadata={"unit": said, "spacing": 2, "axes": "ZYX"},
    )
    found = read_image(path)
    assert found.unit == "micrometer"
    assert found.pixel_size == pytest.approx({"Z": 2, "Y": 0.2, "X": 0.25})


def test_sizes_in_different_units_come_in_the_one_of_x(tmp_path):
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeZ": 300.0}
    metadata |= {"PhysicalSizeZUnit": "nm", "PhysicalSizeY": 0.0001, "PhysicalSizeYUnit": "mm"}
    tifffile.imwrite(path, np.zeros((3, 4, 5), np.uint8), ome=True, photometric="minisblack", metadata=metadata)
    found = read_image(path)
    assert found.unit == "micrometer"
    assert found.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.1, "X": 0.1})


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((100000, 50000), "CENTIMETER", {"X": 0.1, "Y": 0.2}),
        ((254000, 254000), "INCH", {"X": 0.1, "Y": 0.1}),
        ((300, 300), "INCH", {}),
        ((72, 72), "INCH", {}),
        ((5, 5), "NONE", {}),
    ],
)
def test_resolution_tags_give_a_size_only_where_they_speak_of_the_object(tmp_path, resolution, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8), resolution=resolution, resolutionunit=unit)
    found = read_image(path)
    assert found.pixel_size == pytest.approx(expected)
    assert found.unit == ("micrometer" if expected else None)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_what_nobody_said_stays_unknown(tmp_path, name):
    write_image(tmp_path / name, np.zeros((4, 5), np.uint8), "YX")
    found = read_image(tmp_path / name)
    assert (found.pixel_size, found.unit) == ({}, None)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_sizes_without_a_unit_do_not_turn_into_micrometres(tmp_path, name):
    write_image(tmp_path / name, np.zeros((4, 5), np.uint8), "YX", {"Y": 0.5, "X": 0.5})
    found = read_image(tmp_path / name)
    assert (found.pixel_size, found.unit) == ({"Y": 0.5, "X": 0.5}, "pixel")


@pytest.mark.parametrize(
    ("shape", "options", "letters"),
    [
        ((3, 4, 5), {"metadata": None}, "ZYX"),
        ((2, 4, 5), {}, "ZYX"),
        ((2, 6, 4, 5), {}, "CZYX"),
        ((2, 2, 6, 4, 5), {}, "TCZYX"),
        ((4, 5, 3), {"photometric": "rgb"}, "YXC"),
        ((3, 4, 5), {"photometric": "rgb", "planarconfig": "separate"}, "YXC"),
        ((1, 4, 5), {"metadata": {"axes": "ZYX"}}, "YX"),
    ],
)
def test_axes_without_a_name_get_the_usual_ones(tmp_path, shape, options, letters):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, **{"photometric": "minisblack", **options})
    found = read_image(tmp_path / "a.tif")
    assert found.axes == letters
    stored = np.moveaxis(image, 0, -1) if options.get("planarconfig") else image
    np.testing.assert_array_equal(found.data, stored.reshape(found.data.shape))


def test_the_finest_level_of_a_pyramid_is_read(tmp_path):
    image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        tiff.write(image, subifds=1, metadata={"axes": "YX"}, tile=(16, 16))
        tiff.write(image[::2, ::2], subfiletype=1, tile=(16, 16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").data, image)


@pytest.mark.parametrize(
    ("dtype", "letters", "colors"),
    [("uint8", "YX", 0), ("uint16", "YX", 0), (bool, "YX", 0), ("uint8", "YXC", 3), ("uint8", "YXC", 4)],
)
def test_a_png_gives_back_its_pixels(tmp_path, dtype, letters, colors):
    image = drawn_image(letters, dtype, colors)
    write_image(tmp_path / "a.png", image, letters)
    found = read_image(tmp_path / "a.png")
    assert (found.axes, found.data.dtype, found.pixel_size) == (letters, image.dtype, {})
    np.testing.assert_array_equal(found.data, image)


def test_a_png_of_an_image_stored_x_first_stands_upright(tmp_path):
    image = drawn_image("XY", "uint8")
    write_image(tmp_path / "a.png", image, "XY")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, image.T)


@pytest.mark.parametrize(("mode", "channels"), [("P", 3), ("LA", 4), ("RGB", 3), ("RGBA", 4)])
def test_palettes_and_gray_with_alpha_come_as_the_colors_they_stand_for(tmp_path, mode, channels):
    picture = Image.new("RGB", (5, 4), (204, 204, 204)).convert(mode)
    picture.save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.data.shape == (4, 5, channels)
    assert found.data[0, 0].tolist() == [204] * 3 + [255] * (channels - 3)


@pytest.mark.parametrize(("mode", "shape"), [("L", (4, 5)), ("RGB", (4, 5, 3)), ("CMYK", (4, 5, 3))])
def test_a_jpeg_is_read_as_gray_or_rgb(tmp_path, mode, shape):
    Image.new("L", (5, 4), 128).convert("RGB").convert(mode).save(tmp_path / "a.jpg")
    found = read_image(tmp_path / "a.jpg")
    assert found.data.shape == shape
    assert found.data.mean() == pytest.approx(128, abs=3)


def test_what_a_file_is_goes_by_its_content(tmp_path):
    write_image(tmp_path / "a.tif", np.full((4, 5), 7, np.uint8), "YX")
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").data.max() == 7


def sixteen_bit_color_png(path):
    # Pillow cannot write one either: a header that says so is enough to be recognized by.
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x10\x02\0\0\0")


def two_frames(path):
    frames = [Image.new("L", (5, 4), level) for level in (0, 255)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])


def truncated_tiff(path):
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-2000])


def truncated_png(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:-2000])


def lifetime_tiff(path):
    tifffile.imwrite(path, np.zeros((6, 4, 5), np.uint8), metadata={"axes": "HYX"}, photometric="minisblack")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no image file"),
        (lambda path: path.mkdir(), "is a folder without an image"),
        (lambda path: path.write_text("not an image"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"II*\0"), "cannot be read"),
        (lambda path: path.write_bytes(b"II*\0\x08\0\0\0"), "it is damaged or incomplete"),
        (lambda path: path.write_bytes(b"II*\0\x08\0\0\0\0\0\0\0\0\0"), "contains no image"),
        (truncated_tiff, "cannot be read"),
        (truncated_png, "cannot be read"),
        (sixteen_bit_color_png, "16 bits"),
        (two_frames, "2 frames"),
        (lifetime_tiff, "none of T, C, Z, Y and X"),
    ],
)
def test_a_file_that_is_no_image_of_ours_is_refused_by_name(tmp_path, make, said):
    path = tmp_path / "what.tif"
    make(path)
    with pytest.raises(InputError, match=said) as caught:
        read_image(path)
    assert "what.tif" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [IndexError("list index out of range"), struct.error("unpack requires 8 bytes")])
def test_a_step_of_the_reader_is_no_reason_for_the_user(error, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise error

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8))
    monkeypatch.setattr(tifffile.TiffFile, "__init__", fail)
    with pytest.raises(InputError, match=r"a\.tif cannot be read as an image \(it is damaged or incomplete\)"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "image", "letters", "said"),
    [
        ("a.png", np.zeros((3, 4, 5), np.uint8), "ZYX", "one plane"),
        ("a.png", np.zeros((4, 5), np.float32), "YX", "cannot contain"),
        ("a.png", np.zeros((4, 5, 3), np.uint16), "YXC", "cannot contain"),
        ("a.tif", np.zeros((4, 5), np.float16), "YX", "float16"),
        ("a.ome.tif", np.zeros((4, 5), np.int64), "YX", "int64"),
        ("a.tif", np.zeros((4, 5, 3), bool), "YXC", "colors of bool"),
        ("a.jpg", np.zeros((4, 5), np.uint8), "YX", "ending"),
        ("a", np.zeros((4, 5), np.uint8), "YX", "ending"),
        ("missing/a.tif", np.zeros((4, 5), np.uint8), "YX", "no folder"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(tmp_path, name, image, letters, said):
    with pytest.raises(InputError, match=said):
        write_image(tmp_path / name, image, letters)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "unit"), [(0, "micrometer"), (-1, None), (float("nan"), None), (1, "furlong")])
def test_a_size_or_unit_that_is_none_is_refused(tmp_path, size, unit):
    with pytest.raises(InputError, match=r"not a size|unknown|not finite"):
        write_image(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), "YX", {"X": size}, unit)


def test_a_write_that_fails_leaves_the_old_file_and_no_half_of_a_new_one(tmp_path, monkeypatch):
    path = tmp_path / "a.ome.tif"
    write_image(path, np.full((4, 5), 7, np.uint8), "YX")
    whole = tifffile.imwrite

    def failing(target, *arguments, **options):
        whole(target, *arguments, **options)
        raise OSError("the disk is full")

    monkeypatch.setattr(tifffile, "imwrite", failing)
    with pytest.raises(InputError, match=r"a\.ome\.tif cannot be written \(the disk is full\)"):
        write_image(path, np.zeros((4, 5), np.uint8), "YX")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ome.tif"]
    assert read_image(path).data.min() == 7


def test_an_array_that_is_not_in_memory_is_computed(tmp_path):
    da = pytest.importorskip("dask.array")
    image = drawn_image("ZYX", "uint16")
    write_image(tmp_path / "a.tif", da.from_array(image), parse_axes("ZYX", image.shape))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, image)


@pytest.mark.parametrize("name", sorted(METERS))
def test_every_unit_is_known_by_its_british_spelling_and_its_plural(name):
    assert unit_name(name.replace("meter", "metre")) == name
    assert unit_name(f"{name}s" if name not in ("inch", "foot") else {"inch": "inches", "foot": "feet"}[name]) == name


@pytest.mark.parametrize("name", sorted(SECONDS))
def test_every_unit_of_time_is_known_by_its_plural(name):
    assert seconds_of(name) == seconds_of(f" {name.title()}s") == SECONDS[name]
    assert seconds_of("fortnight") is None
