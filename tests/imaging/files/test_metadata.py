"""Pixel sizes, positions, times, and names, colors and contrast limits of channels are read and written."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from napari_sr.errors import InputError
from napari_sr.imaging.files import Metadata, is_readable_tiff, ramp, read_image, write_image
from napari_sr.imaging.files.descriptions.makers import from_makers
from tests.imaging.files.made import ramp_of

DATA = np.random.default_rng(0).integers(0, 4000, (2, 3, 8, 9), np.uint16)
FIRE = np.stack([np.minimum(255, np.arange(256) * 2), np.arange(256), np.zeros(256)], axis=-1).astype(np.uint8)


def xml_of(path):
    with tifffile.TiffFile(path) as tiff:
        return tifffile.xml2dict(tiff.ome_metadata)["OME"]


# Metadata that are read as they were written


WHOLE = Metadata(
    pixel_size={"Z": 0.3, "Y": 0.1, "X": 0.2},
    unit="micrometer",
    origin={"Z": 5.0, "Y": -2.5, "X": 1000.125},
    channels=("DAPI", "GFP & <more>"),
    colors=((0, 0, 255), (255, 128, 0)),
    luts=(None, FIRE),
    limits=((10.0, 2000.0), (0.5, 3999.0)),
)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_metadata_come_back_as_they_were_written(tmp_path, name):
    write_image(tmp_path / name, DATA, "CZYX", metadata=WHOLE)
    found = read_image(tmp_path / name)
    data = found.data.transpose([found.axes.index(letter) for letter in "CZYX"])
    np.testing.assert_array_equal(data, DATA)
    assert found.pixel_size == pytest.approx(WHOLE.pixel_size)
    assert found.unit == "micrometer"
    assert found.origin == pytest.approx(WHOLE.origin)
    assert found.channels == WHOLE.channels
    assert found.limits == WHOLE.limits
    np.testing.assert_array_equal(found.luts[1], FIRE)
    assert found.colors[0] == (0, 0, 255)
    assert found.luts[0] is None


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_a_time_interval_comes_back(tmp_path, name):
    write_image(tmp_path / name, DATA[0], "TYX", metadata=Metadata(time_interval=2.5))
    found = read_image(tmp_path / name)
    assert (found.axes, found.time_interval) == ("TYX", 2.5)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
@pytest.mark.parametrize("letters", ["YX", "ZYX", "TZYX"])
def test_color_and_range_of_an_image_without_channels_come_back(tmp_path, name, letters):
    data = DATA[tuple([0] * (4 - len(letters)))]
    written = Metadata(colors=((0, 255, 0),), limits=((3.0, 333.0),))
    write_image(tmp_path / name, data, letters, metadata=written)
    found = read_image(tmp_path / name)
    assert (found.axes, found.colors, found.limits) == (letters, written.colors, written.limits)
    np.testing.assert_array_equal(found.data, data)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
@pytest.mark.parametrize("letters", ["YX", "ZYX", "TZYX", "CYX", "YXC"])
def test_the_name_of_a_single_channel_comes_back(tmp_path, name, letters):
    shape = {"T": 2, "Z": 3, "C": 3 if letters == "YXC" else 1, "Y": 8, "X": 9}
    data = np.zeros([shape[letter] for letter in letters], np.uint8)
    write_image(tmp_path / name, data, letters, metadata=Metadata(channels=("GFP \N{MICRO SIGN}",)))
    assert read_image(tmp_path / name).channels == ("GFP \N{MICRO SIGN}",)


def test_what_a_channel_does_not_have_is_the_default_of_imagej_and_the_others_keep_theirs(tmp_path):
    metadata = Metadata(limits=(None, (3.0, 333.0)), colors=(None, (255, 0, 0)), luts=(None, None))
    for dtype, limits in (("uint8", (0.0, 255.0)), ("uint16", (0.0, 65535.0))):
        write_image(tmp_path / "a.tif", DATA[:, 0].astype(dtype), "CYX", metadata=metadata)
        found = read_image(tmp_path / "a.tif")
        assert (found.limits, found.colors) == ((limits, (3.0, 333.0)), ((255, 255, 255), (255, 0, 0)))
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            written = tiff.imagej_metadata
        assert (len(written["LUTs"]), written["Ranges"], written["mode"]) == (2, (*limits, 3.0, 333.0), "composite")
    # Of floats no range is known.
    write_image(tmp_path / "a.tif", DATA[:, 0].astype(np.float32), "CYX", metadata=metadata)
    assert read_image(tmp_path / "a.tif").limits == ()


def test_a_lookup_table_comes_back_from_imagej_if_no_channel_has_a_color(tmp_path):
    write_image(tmp_path / "a.tif", DATA[:, 0], "CYX", metadata=Metadata(luts=(None, FIRE)))
    found = read_image(tmp_path / "a.tif")
    assert found.colors == ((255, 255, 255), (255, 255, 0))
    np.testing.assert_array_equal(found.luts[1], FIRE)


def test_an_image_file_is_the_metadata_of_a_result(tmp_path):
    write_image(tmp_path / "a.ome.tif", DATA, "CZYX", metadata=WHOLE)
    image = read_image(tmp_path / "a.ome.tif")
    result = image.data.repeat(2, axis=-1).repeat(2, axis=-2)
    for name in ("b.ome.tif", "b.tif"):
        write_image(tmp_path / name, result, image.axes, metadata=image.resampled({"Y": 2, "X": 2}))
        found = read_image(tmp_path / name)
        assert found.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.05, "X": 0.1})
        # Half of a new pixel beyond the center of the old one: (1/2 - 1)/2 old pixels.
        assert found.origin == pytest.approx({"Z": 5.0, "Y": -2.525, "X": 1000.075})
        assert (found.channels, found.limits) == (WHOLE.channels, WHOLE.limits)


def test_a_result_has_a_position_even_if_its_source_has_none():
    moved = Metadata(pixel_size={"Z": 1.0, "Y": 0.1, "X": 0.2}, unit="micrometer").resampled({"Y": 4, "X": 2.5})
    assert moved.origin == pytest.approx({"Y": -0.0375, "X": -0.06})
    assert moved.pixel_size == pytest.approx({"Z": 1.0, "Y": 0.025, "X": 0.08})
    assert Metadata().resampled({"Y": 4, "X": 4}).origin == {}
    same = Metadata(pixel_size={"Y": 1.0}, origin={"Y": 3.0}, unit="nanometer").resampled({"Y": 1})
    assert (same.pixel_size, same.origin) == ({"Y": 1.0}, {"Y": 3.0})


def test_ome_names_its_elements_as_the_schema_does(tmp_path):
    metadata = Metadata(
        pixel_size={"X": 0.5, "Y": 0.5, "Z": 2.0},
        unit="nanometer",
        origin={"Z": 10.0, "X": 1.5},
        colors=((255, 0, 0), None, (0, 0, 255)),
        channels=("a", "b", "c"),
        time_interval=3.0,
        name="my image",
    )
    write_image(tmp_path / "a.ome.tif", np.zeros((2, 3, 2, 4, 5), np.uint8), "TCZYX", metadata=metadata)
    image = xml_of(tmp_path / "a.ome.tif")["Image"]
    pixels = image["Pixels"]
    assert image["Name"] == "my image"
    assert [channel.get("Color") for channel in pixels["Channel"]] == [-16776961, None, 65535]
    assert (pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == (3, "s")
    assert len(pixels["Plane"]) == 12
    places = {(p["TheT"], p["TheC"], p["TheZ"]): p["PositionZ"] for p in pixels["Plane"]}
    assert places[1, 2, 0] == 10
    assert places[1, 2, 1] == 12
    assert {(p["PositionX"], p["PositionXUnit"]) for p in pixels["Plane"]} == {(1.5, "nm")}


def test_names_with_control_characters_make_no_damaged_xml(tmp_path):
    metadata = Metadata(channels=("a\0b", "c\x0bd\n"), name="x\x01")
    write_image(tmp_path / "a.ome.tif", DATA, "CZYX", metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").channels == ("ab", "cd")


def test_a_given_pixel_size_replaces_that_of_the_metadata(tmp_path):
    write_image(tmp_path / "a.ome.tif", DATA, "CZYX", {"X": 7.0}, "nanometer", metadata=WHOLE)
    found = read_image(tmp_path / "a.ome.tif")
    assert (found.pixel_size, found.unit, found.origin) == ({"X": 7.0}, "nanometer", {})
    assert found.channels == WHOLE.channels


def test_metadata_of_other_axes_are_left_out(tmp_path):
    write_image(tmp_path / "a.tif", DATA[0, 0], "YX", metadata=WHOLE.of_axes("YX"))
    found = read_image(tmp_path / "a.tif")
    assert found.pixel_size == pytest.approx({"Y": 0.1, "X": 0.2})
    assert found.channels == ()


# Metadata of other programs


def test_positions_of_ome_come_in_the_unit_of_the_pixels(tmp_path):
    plane = {"PositionX": [1.5] * 3, "PositionXUnit": ["mm"] * 3, "PositionY": [-20.0] * 3, "PositionYUnit": ["µm"] * 3}
    plane |= {"PositionZ": [7.0, 8.0, 9.0], "PositionZUnit": ["µm"] * 3}
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "Plane": plane}
    tifffile.imwrite(tmp_path / "a.ome.tif", DATA[0], photometric="minisblack", metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").origin == pytest.approx({"X": 1500.0, "Y": -20.0, "Z": 7.0})


def test_positions_without_a_unit_of_length_are_left_out(tmp_path):
    for unit in ({}, {"PositionXUnit": ["reference frame"]}):
        metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "Plane": {"PositionX": [10.0], **unit}}
        tifffile.imwrite(tmp_path / "a.ome.tif", DATA[0, 0], photometric="minisblack", metadata=metadata)
        assert read_image(tmp_path / "a.ome.tif").origin == {}


@pytest.mark.parametrize(
    ("unit", "seconds"), [("s", 2.0), ("ms", 0.002), ("min", 120.0), ("h", 7200.0), ("fortnight", None)]
)
def test_time_intervals_of_ome_are_seconds(tmp_path, unit, seconds):
    metadata = {"axes": "TYX", "TimeIncrement": 2.0, "TimeIncrementUnit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", DATA[0], photometric="minisblack", metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").time_interval == seconds


@pytest.mark.parametrize(("unit", "seconds"), [("sec", 2.0), ("ms", 0.002), ("min", 120.0), (None, 2.0)])
def test_time_intervals_of_imagej_are_seconds(tmp_path, unit, seconds):
    metadata = {"axes": "TYX", "finterval": 2.0} | ({} if unit is None else {"tunit": unit})
    tifffile.imwrite(tmp_path / "a.tif", DATA[0], imagej=True, metadata=metadata)
    assert read_image(tmp_path / "a.tif").time_interval == seconds


def test_channels_of_imagej(tmp_path):
    luts = [ramp((255, 0, 0)).T, FIRE.T]
    metadata = {"axes": "ZCYX", "LUTs": luts, "Ranges": (5.0, 500.0, 1.0, 99.0), "mode": "composite"}
    metadata |= {"Labels": ["red", "fire"] * 3}
    tifffile.imwrite(tmp_path / "a.tif", DATA.swapaxes(0, 1), imagej=True, metadata=metadata)
    found = read_image(tmp_path / "a.tif")
    assert found.channels == ("red", "fire")
    assert found.colors == ((255, 0, 0), (255, 255, 0))
    assert found.luts[0] is None
    np.testing.assert_array_equal(found.luts[1], FIRE)
    assert found.limits == ((5.0, 500.0), (1.0, 99.0))


def test_labels_of_single_planes_are_no_names_of_channels(tmp_path):
    labels = [f"plane {n}" for n in range(6)]
    tifffile.imwrite(tmp_path / "a.tif", DATA.swapaxes(0, 1), imagej=True, metadata={"axes": "ZCYX", "Labels": labels})
    assert read_image(tmp_path / "a.tif").channels == ()
    for data, axes, name in ((DATA[0, 0], "YX", ["cells0001.tif"]), (DATA[0], "ZYX", ["cells.tif"] * 3)):
        tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": axes, "Labels": name})
        assert read_image(tmp_path / "a.tif").channels == ()


def test_the_origin_of_imagej_is_the_pixel_at_zero(tmp_path):
    metadata = {"axes": "ZYX", "unit": "micron", "spacing": 2.0, "xorigin": 10.0, "yorigin": -4.0, "zorigin": 1.0}
    tifffile.imwrite(tmp_path / "a.tif", DATA[0], imagej=True, resolution=(4, 5), metadata=metadata)
    assert read_image(tmp_path / "a.tif").origin == pytest.approx({"X": -2.5, "Y": 0.8, "Z": -2.0})


def test_black_is_no_color_of_a_channel(tmp_path):
    metadata = {"axes": "CYX", "Channel": {"Color": [0, -16776961]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", DATA[:, 0], photometric="minisblack", metadata=metadata)
    assert read_image(tmp_path / "a.ome.tif").colors == (None, (255, 0, 0))


# ImageJ's calibration


def test_signed_16_bits_of_imagej_are_signed(tmp_path):
    values = np.array([[-32768, -1, 0], [1, 300, 32767]], np.int16)
    stored = (values.astype(np.int32) + 32768).astype(np.uint16)
    metadata = {"axes": "YX", "cf": 0, "c0": -32768, "c1": 1, "min": 32468.0, "max": 33268.0}
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, metadata=metadata)
    found = read_image(tmp_path / "a.tif")
    assert found.data.dtype == np.int16
    np.testing.assert_array_equal(found.data, values)
    assert found.limits == ((-300.0, 500.0),)
    for name in ("b.tif", "b.ome.tif"):
        write_image(tmp_path / name, found.data, found.axes, metadata=found)
        again = read_image(tmp_path / name)
        np.testing.assert_array_equal(again.data, values)
        assert again.limits == found.limits


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_values_calibrated_by_a_straight_line_are_those_that_imagej_shows(tmp_path, dtype):
    stored = ramp_of((6, 7), "uint8").astype(dtype)
    metadata = {"axes": "YX", "cf": 0, "c0": 10.5, "c1": -0.25, "vunit": "OD"}
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, metadata=metadata)
    found = read_image(tmp_path / "a.tif")
    assert found.data.dtype == np.float32
    np.testing.assert_allclose(found.data, 10.5 - 0.25 * stored.astype(float), rtol=1e-6)


def test_contrast_limits_of_a_falling_calibration_rise(tmp_path):
    stored = ramp_of((6, 7), "uint16")
    metadata = {"axes": "YX", "cf": 0, "c0": 100.0, "c1": -2.0, "min": 10.0, "max": 1000.0}
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, metadata=metadata)
    found = read_image(tmp_path / "a.tif")
    assert found.limits == ((-1900.0, 80.0),)
    write_image(tmp_path / "b.tif", found.data, found.axes, metadata=found)
    assert read_image(tmp_path / "b.tif").limits == found.limits


def test_calibrated_values_of_an_inverted_display_are_those_that_imagej_shows(tmp_path):
    stored = ramp_of((6, 7), "uint8")
    metadata = {"axes": "YX", "cf": 0, "c0": 1.0, "c1": 2.0, "min": 10.0, "max": 100.0}
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True, photometric="miniswhite", metadata=metadata)
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.data, 1 + 2 * stored.astype(np.float32))
    assert found.limits == ((21.0, 201.0),)
    signed = np.array([[-32768, -1, 0], [1, 300, 32767]], np.int16)
    metadata = {"axes": "YX", "cf": 0, "c0": -32768, "c1": 1}
    shifted = (signed.astype(np.int32) + 32768).astype(np.uint16)
    tifffile.imwrite(tmp_path / "b.tif", shifted, imagej=True, photometric="miniswhite", metadata=metadata)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").data, signed)


@pytest.mark.parametrize("function", [1, 5, 21])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_other_calibrations_are_refused(tmp_path, function, photometric):
    metadata = {"axes": "YX", "cf": function, "c0": 1.0, "c1": 2.0}
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0], imagej=True, photometric=photometric, metadata=metadata)
    assert is_readable_tiff(tmp_path / "a.tif")
    with pytest.raises(InputError, match=rf"a\.tif is calibrated by function {function} of ImageJ, which"):
        read_image(tmp_path / "a.tif")


def test_no_calibration_changes_nothing(tmp_path):
    for calibration in ({"cf": 20}, {"cf": 0, "c0": 0, "c1": 1}, {}):
        tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0], imagej=True, metadata={"axes": "YX", **calibration})
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, DATA[0, 0])


# Resolution tags and makers' tags


@pytest.mark.parametrize("dots", [72, 75, 96, 100, 144, 150, 200, 300, 600, (204, 196), (204, 98), 71.5, 95.9, 201.5])
@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER"])
def test_densities_of_screens_and_faxes_are_no_pixel_sizes(tmp_path, dots, unit):
    pair = dots if isinstance(dots, tuple) else (dots, dots)
    density = tuple(one / (2.54 if unit == "CENTIMETER" else 1) for one in pair)
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0], resolution=density, resolutionunit=unit)
    assert read_image(tmp_path / "a.tif").pixel_size == {}


@pytest.mark.parametrize(
    ("density", "unit", "size"), [(1270, "INCH", 20.0), (100, "CENTIMETER", 100.0), (74, "INCH", None)]
)
def test_other_densities_are_pixel_sizes(tmp_path, density, unit, size):
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0], resolution=(density, density), resolutionunit=unit)
    expected = 25400 / 74 if size is None else size
    assert read_image(tmp_path / "a.tif").pixel_size == pytest.approx({"Y": expected, "X": expected})


def test_imagej_takes_the_density_of_a_screen_over_as_inches(tmp_path):
    for unit, density in (("inch", 72), ("inch", 96.4), ("cm", 28.35)):
        metadata = {"axes": "ZYX", "unit": unit, "spacing": 2.0}
        tifffile.imwrite(tmp_path / "a.tif", DATA[0], imagej=True, resolution=(density, density), metadata=metadata)
        assert set(read_image(tmp_path / "a.tif").pixel_size) == {"Z"}


FEI = "[User]\r\nUser=a\r\n[Scan]\r\nPixelWidth=1.6276e-09\r\nPixelHeight=2e-09\r\n[Beam]\r\nHV=5000\r\n"
ZEISS = "x\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 5.582 nm\r\nAP_MAG\r\nMag = 20.00 K X\r\n"
TESCAN = "[MAIN]\r\nAccFrames=1\r\nPixelSizeX=1.5e-8\r\nPixelSizeY=3e-8\r\n[SEM]\r\nHV=15000\r\n"


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (34682, FEI, {"X": 1.6276, "Y": 2.0}),
        (34680, FEI, {"X": 1.6276, "Y": 2.0}),
        (34118, ZEISS, {"X": 5.582, "Y": 5.582}),
        (50431, TESCAN, {"X": 15.0, "Y": 30.0}),
        (50431, "\x01\x02\xff\x00" + TESCAN, {"X": 15.0, "Y": 30.0}),
    ],
)
@pytest.mark.parametrize("dots", [None, 96, 25400])
def test_the_tags_of_electron_microscopes_contain_the_pixel_size(tmp_path, code, text, expected, dots):
    kind = 7 if code == 50431 else 2
    value = text.encode("latin-1") + (b"" if kind == 7 else b"\0")
    options = {} if dots is None else {"resolution": (dots, dots), "resolutionunit": "INCH"}
    tags = [(code, kind, len(value), value, True)]
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0], photometric="minisblack", metadata=None, extratags=tags, **options)
    found = read_image(tmp_path / "a.tif")
    assert found.unit == "nanometer"
    assert found.pixel_size == pytest.approx(expected)
    np.testing.assert_array_equal(found.data, DATA[0, 0])


#: The start of the tag of Zeiss: sizes along X, Y and Z in meters, and a kind of scan with the axes Z, Y and X.
LSM = struct.pack("<2I5i3i3d3d2H", 67127628, 500, 9, 8, 3, 1, 1, 2, 0, 0, 1e-7, 2e-7, 5e-7, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("code", "kind", "value", "expected"),
    [
        (34412, 1, LSM.ljust(500, b"\0"), {"Z": 0.5, "Y": 0.2, "X": 0.1}),
        (51123, 2, b'{"PixelSizeUm": 0.1075, "Channel": "DAPI"}\0', {"Y": 0.1075, "X": 0.1075}),
        (51123, 2, b'{"PixelSizeUm": 0.0, "Channel": "DAPI"}\0', {}),
        (270, 2, b"Aperio Image Library v11\r\n16x12|AppMag = 20|MPP = 0.4990|Left = 25\0", {"Y": 0.499, "X": 0.499}),
        (270, 2, b"Aperio Image Library v11\r\n16x12|AppMag = 20\0", {}),
    ],
)
def test_the_tags_of_light_microscopes_contain_the_pixel_size(tmp_path, code, kind, value, expected):
    stack = DATA[0, :3]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for number, plane in enumerate(stack if code == 34412 else stack[:1]):
            tags = [(code, kind, len(value), value, True)] if number == 0 else []
            options = {"photometric": "minisblack", "metadata": None, "contiguous": False, "software": False}
            tiff.write(plane, extratags=tags, **options)
            if code == 34412:
                # A thumbnail of each plane.
                tiff.write(plane[:2, :2], subfiletype=1, **options)
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.data, stack if code == 34412 else stack[0])
    assert found.pixel_size == pytest.approx(expected)
    assert found.unit == ("micrometer" if expected else None)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({}, ({"Y": 0.25, "X": 0.125}, "micrometer")),
        ({"CalibrationUnits": "pixel"}, ({}, None)),
        ({"SpatialCalibration": 0}, ({}, None)),
        ({"XCalibration": 0.0}, ({}, None)),
    ],
)
def test_entries_of_metamorph_contain_the_pixel_size(entries, expected):
    stated = {"SpatialCalibration": 1, "XCalibration": 0.125, "YCalibration": 0.25, "CalibrationUnits": "um"}
    assert from_makers({33628: stated | entries}) == expected


def test_makers_tags_without_a_size_leave_it_to_the_resolution(tmp_path):
    value = b"[Scan]\r\nPixelWidth=\r\n\0"
    tifffile.imwrite(
        tmp_path / "a.tif",
        DATA[0, 0],
        metadata=None,
        extratags=[(34682, 2, len(value), value, True)],
        resolution=(254000, 254000),
        resolutionunit="INCH",
    )
    assert read_image(tmp_path / "a.tif").pixel_size == pytest.approx({"Y": 0.1, "X": 0.1})
