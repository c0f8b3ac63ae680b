"""OME-Zarr as other programs write it is read with its pixels and metadata, or refused in a sentence."""

import json
import math
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.imaging.files import read_image
from napari_sr.imaging.files.plates import fields_of, is_plate_part, plate_of
from tests.imaging.files.foreign import DATA, group, image, multiscale, plate

ARRAYS = {
    "Zarr 2, blosc": ("0.4", {"compressors": numcodecs.Blosc(cname="lz4", shuffle=2)}, DATA),
    "Zarr 2, zlib": ("0.4", {"compressors": numcodecs.Zlib()}, DATA),
    "Zarr 2, not compressed": ("0.4", {"compressors": None}, DATA),
    "Zarr 2, separator .": ("0.4", {"chunk_key_encoding": {"name": "v2", "separator": "."}}, DATA),
    "Zarr 2, big-endian, Fortran": ("0.4", {"order": "F"}, DATA.astype(">u2")),
    "Zarr 2, big-endian floats": ("0.4", {}, DATA.astype(">f4")),
    "Zarr 3": ("0.5", {}, DATA),
    "Zarr 3, shards": ("0.5", {"chunks": (1, 1, 5, 5), "shards": (1, 3, 20, 25)}, DATA),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_is_read_with_pixel_size_and_position(name, tmp_path):
    version, options, data = ARRAYS[name]
    found = read_image(image(tmp_path / "a.zarr", version, data, options))
    assert np.array_equal(found.data[...], DATA)
    assert (found.axes, found.unit) == ("CZYX", "micrometer")
    assert found.pixel_size == pytest.approx({"Z": 0.5, "Y": 0.2, "X": 0.1})
    assert found.origin == pytest.approx({"Y": 4.0, "X": -3.0})


def test_without_units_pixel_size_and_position_have_no_unit(tmp_path):
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(units=False)]))
    assert (found.pixel_size, found.unit) == ({"Z": 0.5, "Y": 0.2, "X": 0.1}, None)
    assert found.origin == {"Y": 4.0, "X": -3.0}


@pytest.mark.parametrize("unit", ["yard", "pixel", "", None])
def test_a_unit_that_is_not_known_is_none(unit, tmp_path):
    axes = [{"name": "c", "type": "channel"}, *({"name": x, "type": "space", "unit": unit} for x in "zyx")]
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(axes=axes)]))
    assert (found.pixel_size, found.unit) == ({"Z": 0.5, "Y": 0.2, "X": 0.1}, None)


def test_axes_without_a_unit_have_no_pixel_size_beside_axes_with_one(tmp_path):
    axes = [{"name": "c"}, {"name": "z"}, {"name": "y", "unit": "nanometer"}, {"name": "x", "unit": "nanometer"}]
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(axes=axes)]))
    assert (found.pixel_size, found.unit) == ({"Y": 0.2, "X": 0.1}, "nanometer")


@pytest.mark.parametrize("steps", [[1, 1, 1, 1], [2, 1, -1, 1], [7, math.nan, 1, 1]])
def test_a_scale_of_1_without_a_unit_is_no_pixel_size(steps, tmp_path):
    described = {**placed(steps, [0.0, 0.0, 4.0, -3.0]), "axes": list("czyx")}
    found = read_image(image(tmp_path / "a.zarr", multiscales=[described]))
    assert (found.pixel_size, found.unit, found.origin) == ({}, None, {})


def test_without_translation_there_is_no_position(tmp_path):
    found = read_image(image(tmp_path / "b.zarr", multiscales=[multiscale(translation=False)]))
    assert (found.pixel_size["X"], found.origin) == (0.1, {})


@pytest.mark.parametrize("ending", [".ome.zarr", ".ome.tif"])
@pytest.mark.parametrize("scale", [[1.0, 0.3, 0.1, 0.2], [1.0, 1.0, 2.0, 2.0]])
def test_a_pixel_size_without_a_unit_is_that_of_every_further_result(scale, ending, tmp_path):
    described = {**placed(scale, [0.0, 1.0, 2.0, 3.0]), "axes": list("czyx")}
    model, source = sr.load_model("bilinear", scale=2), image(tmp_path / "0.zarr", multiscales=[described])
    _, z, y, x = scale
    for number, factor in enumerate((2, 4), start=1):
        (done,) = sr.upscale_files(source, tmp_path / str(number), model, device="cpu", format=ending)
        source = done.output
        found = read_image(source)
        assert found.pixel_size == pytest.approx({"Z": z, "Y": y / factor, "X": x / factor})
        # The outer edges stay where they are.
        start = {"Z": 1.0, "Y": 2.0 - y / 2 + y / factor / 2, "X": 3.0 - x / 2 + x / factor / 2}
        assert found.origin == pytest.approx(start)
        assert found.unit == (None if ending == ".ome.zarr" else "pixel")


def test_a_size_of_the_result_in_a_unit_needs_the_unit_of_the_image(tmp_path):
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(units=False)]))
    model = sr.load_model("bilinear", scale=2)
    with pytest.raises(InputError, match="its own pixel size is not known: set its pixel size, or give a factor"):
        sr.upscale(found, model, target="0.05 um", device="cpu")
    assert sr.upscale(found, model, unit="um", target="0.05 um", device="cpu").shape == (2, 3, 80, 50)


def placed(scale: list[float], translation: list[float]) -> dict[str, Any]:
    """The description of an image with the axes c, z, y and x in micrometers."""
    steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": translation}]
    return multiscale(datasets=[{"path": "0", "coordinateTransformations": steps}])


@pytest.mark.parametrize("step", [0.0, math.nan, math.inf, -math.inf])
def test_a_scale_that_is_no_size_is_left_out_with_its_position(step, tmp_path):
    described = placed([1.0, step, 0.2, 0.1], [0.0, 7.0, 4.0, -3.0])
    found = read_image(image(tmp_path / "a.zarr", multiscales=[described]))
    assert (found.pixel_size, found.unit) == ({"Y": 0.2, "X": 0.1}, "micrometer")
    assert found.origin == {"Y": 4.0, "X": -3.0}


def test_a_mirrored_axis_has_a_pixel_size_and_no_position(tmp_path):
    described = placed([1.0, -0.3, 0.2, 0.1], [0.0, 7.0, 4.0, -3.0])
    found = read_image(image(tmp_path / "a.zarr", multiscales=[described]))
    assert found.pixel_size == {"Z": 0.3, "Y": 0.2, "X": 0.1}
    assert found.origin == {"Y": 4.0, "X": -3.0}


@pytest.mark.parametrize("start", [math.nan, math.inf])
def test_a_position_that_is_no_number_is_left_out(start, tmp_path):
    described = placed([1.0, 0.3, 0.2, 0.1], [0.0, start, 4.0, -3.0])
    found = read_image(image(tmp_path / "a.zarr", multiscales=[described]))
    assert found.pixel_size == {"Z": 0.3, "Y": 0.2, "X": 0.1}
    assert found.origin == {"Y": 4.0, "X": -3.0}


@pytest.mark.parametrize("step", [0.0, -2.0, math.nan])
def test_a_time_interval_is_more_than_0(step, tmp_path):
    axes = [{"name": "t", "type": "time", "unit": "second"}, *list("zyx")]
    described = {**placed([step, 0.3, 0.2, 0.1], [0.0] * 4), "axes": axes}
    assert read_image(image(tmp_path / "a.zarr", multiscales=[described])).time_interval is None


@pytest.mark.parametrize("ending", [".ome.zarr", ".ome.tif"])
@pytest.mark.parametrize("step", [-0.3, 0.0, math.nan])
def test_an_image_without_a_usable_step_is_upscaled(step, ending, tmp_path):
    described = placed([1.0, step, 0.2, 0.1], [0.0, 7.0, 4.0, math.nan])
    found = read_image(image(tmp_path / "a.zarr", multiscales=[described]))
    sr.upscale(found, sr.load_model("bilinear", scale=2), device="cpu", out=tmp_path / f"b{ending}")
    result = read_image(tmp_path / f"b{ending}")
    sizes = {"Y": 0.1, "X": 0.05} if not step < 0 else {"Z": 0.3, "Y": 0.1, "X": 0.05}
    assert result.pixel_size == pytest.approx(sizes)
    assert result.origin == pytest.approx({"Y": 3.95, "X": -0.025})


def test_axes_as_texts_or_left_out_are_those_of_earlier_versions(tmp_path):
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(axes=list("czyx"))]))
    assert found.axes == "CZYX"
    described = {"datasets": [{"path": "0"}]}
    found = read_image(image(tmp_path / "b.zarr", data=DATA[None], multiscales=[described]))
    assert (found.axes, found.data.shape) == ("TCZYX", (1, *DATA.shape))


@pytest.mark.parametrize(("version", "known"), [("0.1", True), ("0.2", True), ("0.3", False), ("0.4", False)])
def test_axes_that_are_left_out_are_those_of_versions_0_1_and_0_2_only(version, known, tmp_path):
    path = image(tmp_path / "a.zarr", data=DATA[None], multiscales=[{"version": version, "datasets": [{"path": "0"}]}])
    if known:
        assert read_image(path).axes == "TCZYX"
    else:
        with pytest.raises(InputError, match=r"a\.zarr has the axes without names"):
            read_image(path)


def coordinate_systems(letters: str) -> dict[str, Any]:
    """The description of an image in OME-Zarr 0.6, as ngff-zarr 0.50 writes it."""
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": letter, "type": kinds.get(letter, "space")} for letter in letters]
    steps = [
        {"type": "scale", "scale": [0.5] * len(letters)},
        {"type": "translation", "translation": [3.0] * len(letters)},
    ]
    ends = {"input": {"path": "0"}, "output": {"name": "intrinsic"}}
    transformations = [{**ends, "name": "0_to_intrinsic", "type": "sequence", "transformations": steps}]
    return {
        "coordinateSystems": [{"name": "intrinsic", "axes": axes}],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }


@pytest.mark.parametrize(
    ("version", "described", "named"),
    [
        ("0.6", coordinate_systems("tzyxc"), "OME-Zarr 0.6, which is not read"),
        ("0.6.dev1", coordinate_systems("tzyxc"), r"OME-Zarr 0\.6\.dev1, which is not read"),
        ("0.6", multiscale(axes=list("tczyx")), "OME-Zarr 0.6, which is not read"),
        ("1", multiscale(axes=list("tczyx")), "OME-Zarr 1, which is not read"),
        ("latest", multiscale(axes=list("tczyx")), "OME-Zarr latest, which is not read"),
        (None, coordinate_systems("tzyxc"), "OME-Zarr without a version with coordinate systems"),
        ("0.5", coordinate_systems("tzyxc"), r"OME-Zarr 0\.5 with coordinate systems"),
    ],
)
def test_a_version_that_is_not_known_is_refused_by_name(version, described, named, tmp_path):
    path = tmp_path / "a.zarr"
    made = zarr.create_group(path)
    made.create_array("0", data=np.zeros((2, 4, 5, 6, 3), np.uint16))
    made.attrs["ome"] = {"version": version, "multiscales": [described]}
    with pytest.raises(InputError, match=rf"a\.zarr is {named}.*: save it as OME-Zarr 0\.4 or 0\.5\.$") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["0.3", "0.5-dev", "0.5.2"])
def test_variants_of_the_known_versions_are_read(version, tmp_path):
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(version=version)]))
    assert (found.axes, found.pixel_size["X"]) == ("CZYX", 0.1)


def test_axes_with_other_names_are_those_of_their_types(tmp_path):
    axes = [
        {"name": "channel", "type": "channel"},
        *({"name": name, "type": "space", "unit": "nanometer"} for name in ("depth", "row", "column")),
    ]
    found = read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(axes=axes)]))
    assert (found.axes, found.unit, found.pixel_size["Z"]) == ("CZYX", "nanometer", 0.5)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_images_of_bioformats2raw_have_the_names_and_channels_of_the_xml(version, tmp_path):
    group(tmp_path / "a.zarr", version, **{"bioformats2raw.layout": 3})
    # The XML names the images in the order of the attribute "series".
    group(tmp_path / "a.zarr" / "OME", version, series=["1", "0"])
    image(tmp_path / "a.zarr" / "0", version, DATA[:, :, :10])
    image(tmp_path / "a.zarr" / "1", version)
    pixels = '<Pixels SizeX="25" SizeY="20" SizeZ="3" SizeC="2" SizeT="1" Type="uint16">{}</Pixels>'
    channels = '<Channel Name="DAPI" Color="65535"/><Channel Name="GFP" Color="16711935"/>'
    xml = f'<Image Name="whole">{pixels.format(channels)}</Image><Image Name="half">{pixels.format("")}</Image>'
    (tmp_path / "a.zarr" / "OME" / "METADATA.ome.xml").write_text(f"<OME>{xml}</OME>")
    found = read_image(tmp_path / "a.zarr")
    assert np.array_equal(found.data[...], DATA)
    assert (found.name, found.channels) == ("whole", ("DAPI", "GFP"))
    assert found.colors == ((0, 0, 255), (0, 255, 0))
    assert found.other_series == ('1 "half" (2 x 3 x 10 x 25)',)
    assert read_image(tmp_path / "a.zarr", series="half").data.shape == (2, 3, 10, 25)
    assert read_image(tmp_path / "a.zarr", series="half").channels == ()


def test_a_store_with_images_in_a_folder_is_refused_with_that_folder(tmp_path):
    """SpatialData keeps its images, labels and tables so."""
    group(tmp_path / "a.zarr", "0.5")
    for folder in ("images", "labels", "tables"):
        group(tmp_path / "a.zarr" / folder, "0.5")
    image(tmp_path / "a.zarr" / "images" / "cells", "0.5")
    image(tmp_path / "a.zarr" / "labels" / "cells", "0.5", **{"image-label": {}})
    with pytest.raises(InputError, match=r"a\.zarr are in the folder images in it: give .*a\.zarr.images\.$"):
        read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr" / "images").data[...], DATA)


def test_labels_are_left_out_and_refused_by_themselves(tmp_path):
    path = image(tmp_path / "a.zarr")
    group(path / "labels", labels=["nuclei"])
    image(path / "labels" / "nuclei", **{"image-label": {"version": "0.4"}})
    assert np.array_equal(read_image(path).data[...], DATA)
    with pytest.raises(InputError, match="contains labels, which are not intensities"):
        read_image(path / "labels" / "nuclei")


@pytest.mark.parametrize(
    ("datasets", "message"),
    [([], "has no array at all, which it declares"), ([{"path": "7"}], "has no array 7, which it declares")],
)
def test_an_array_that_is_missing_is_named(datasets, message, tmp_path):
    with pytest.raises(InputError, match=rf"a\.zarr {message}"):
        read_image(image(tmp_path / "a.zarr", multiscales=[multiscale(datasets=datasets)]))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_fields_of_a_plate_are_those_that_it_names(version, tmp_path):
    path = plate(tmp_path / "p.zarr", version)
    image(path / "C" / "1" / "0", version)
    fields = [path / name for name in ("A/1/0", "A/1/1", "B/12/0", "B/12/1")]
    assert fields_of(path) == fields
    assert fields_of(path / "B") == fields_of(path / "B" / "12") == fields[2:]
    assert fields_of(path / "C") == []
    assert [plate_of(one) for one in (path, path / "A", path / "A/1", *fields)] == [path] * 7
    assert all(is_plate_part(one) for one in (path, path / "A", path / "A/1"))
    assert not any(is_plate_part(one) for one in (*fields, tmp_path, image(tmp_path / "a.zarr")))
    assert plate_of(tmp_path / "a.zarr") is None
    assert np.array_equal(read_image(fields[3]).data[...], DATA + 11)


def test_a_file_is_not_searched_for_the_metadata_of_a_plate(tmp_path, monkeypatch):
    (tmp_path / "a.tif").touch()
    monkeypatch.setattr(Path, "read_text", lambda path, **how: pytest.fail(f"{path} was opened."))
    assert plate_of(tmp_path / "a.tif") is None
    assert not is_plate_part(tmp_path / "a.tif")


@pytest.mark.parametrize("part", ["", "A", "A/1"])
def test_a_plate_in_place_of_an_image_is_refused_with_one_of_its_images(part, tmp_path):
    path = plate(tmp_path / "p.zarr")
    count = 2 if part else 4
    with pytest.raises(InputError) as caught:
        read_image(path / part)
    assert str(caught.value).startswith(f"{path / part} is a plate or a well with {count} images: give one of them")
    assert str(path / "A/1/0") in str(caught.value)


def test_a_well_without_its_metadata_is_in_the_place_of_its_fields(tmp_path):
    path = plate(tmp_path / "p.zarr")
    (path / "A/1/.zattrs").unlink()
    assert fields_of(path) == [path / "A/1", path / "B/12/0", path / "B/12/1"]


@pytest.mark.parametrize("name", ["../a.zarr", "/tmp", "A/../../x", "C:/x", "", "A\\1"])
def test_a_plate_does_not_name_places_outside_of_it(name, tmp_path):
    path = plate(tmp_path / "p.zarr")
    (path / ".zattrs").write_text(json.dumps({"plate": {"wells": [{"path": name}]}}))
    with pytest.raises(InputError, match="which is not in it"):
        fields_of(path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"plate": []}', '{"plate": {"wells": 3}}', '{"plate": {"wells": [3]}}', "{}"]
)
def test_damaged_metadata_of_a_plate_name_no_field(content, tmp_path):
    path = plate(tmp_path / "p.zarr")
    (path / ".zattrs").write_text(content)
    assert fields_of(path) == []
    with pytest.raises(InputError):
        read_image(path)


def test_a_well_by_itself_has_fields(tmp_path):
    well = plate(tmp_path / "p.zarr") / "A" / "1"
    moved = well.rename(tmp_path / "well.zarr")
    assert is_plate_part(Path(moved))
    assert fields_of(moved) == [moved / "0", moved / "1"]
