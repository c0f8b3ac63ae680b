"""The command line keeps the metadata of a file in the result, and chooses one of several images."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image, ImageCms
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.imaging.files import Metadata, read_image, write_image
from napari_sr.networks import SRCNN

RNG = np.random.default_rng(0)
WHOLE = Metadata(
    pixel_size={"Z": 0.3, "Y": 0.1, "X": 0.1},
    unit="micrometer",
    origin={"Y": 12.5, "X": -4.0},
    channels=("DAPI", "GFP"),
    colors=((0, 0, 255), (0, 255, 0)),
    limits=((100.0, 3000.0), (200.0, 4000.0)),
)


@pytest.fixture(autouse=True)
def model_folder(tmp_path, monkeypatch):
    """A tiny untrained SRCNN x2 in the user's folder of models."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("NAPARI_SR_MODELS", str(folder))
    torch.manual_seed(0)
    torch.save(SRCNN(scale=2, kernels=(3, 1, 3), features=(4, 4)).state_dict(), folder / "tiny.pth")


@pytest.fixture
def stack(tmp_path):
    """Two channels of a Z-stack in an OME-TIFF, with all metadata."""
    data = RNG.integers(100, 4000, (2, 3, 12, 10), np.uint16)
    write_image(tmp_path / "in.ome.tif", data, "CZYX", metadata=WHOLE)
    return tmp_path / "in.ome.tif"


def upscaled(source, out, *options, status=0):
    arguments = ["upscale", source, out, "-m", "tiny", "--scale", 2, "--device", "cpu", *options]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result


@pytest.mark.parametrize("name", ["out.ome.tif", "out.tif", "out.ome.zarr", "out.zarr"])
def test_the_result_has_the_metadata_of_the_source(stack, tmp_path, name):
    upscaled(stack, tmp_path / name, "-q")
    found = read_image(tmp_path / name)
    assert found.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.05, "X": 0.05})
    # Result and source have the same edges: the first pixel is (1/2 - 1)/2 source pixels further up and left.
    assert {a: found.origin[a] for a in "YX"} == pytest.approx({"Y": 12.475, "X": -4.025})
    assert (found.channels, found.colors, found.limits) == (WHOLE.channels, WHOLE.colors, WHOLE.limits)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_64_bits_are_written_to_a_store(tmp_path, dtype):
    data = RNG.integers(0, 2**40, (12, 10)).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", data)
    upscaled(tmp_path / "in.tif", tmp_path / "out.ome.zarr")
    assert read_image(tmp_path / "out.ome.zarr").data.dtype == dtype


def test_an_unknown_ending_is_refused_with_all_that_are_known(stack, tmp_path):
    result = upscaled(stack, tmp_path / "out.jpg", status=2)
    assert '"out.jpg" has an unknown ending: use .ome.tif' in result.output
    assert ".zarr." in result.output.replace("\n", "")
    assert not (tmp_path / "out.jpg").exists()


def test_a_result_has_a_position_even_if_its_source_has_none(tmp_path):
    data = RNG.integers(0, 255, (12, 10), np.uint8)
    write_image(tmp_path / "in.tif", data, "YX", {"Y": 0.1, "X": 0.2}, "micrometer")
    upscaled(tmp_path / "in.tif", tmp_path / "out.ome.tif")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tiff:
        plane = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]["Plane"]
    assert plane["PositionX"] == pytest.approx((1 / 2 - 1) / 2 * 0.2)
    assert plane["PositionY"] == pytest.approx((1 / 2 - 1) / 2 * 0.1)
    assert (plane["PositionXUnit"], plane["PositionYUnit"]) == ("µm", "µm")


@pytest.mark.parametrize("name", ["out.ome.tif", "out.tif", "out.ome.zarr", "out.zarr"])
def test_the_result_has_the_time_interval_of_the_source(tmp_path, name):
    data = RNG.integers(0, 255, (3, 12, 10), np.uint8)
    write_image(tmp_path / "in.tif", data, "TYX", metadata=Metadata(time_interval=1.5))
    upscaled(tmp_path / "in.tif", tmp_path / name)
    assert read_image(tmp_path / name).time_interval == 1.5


@pytest.mark.parametrize("name", ["out.tif", "out.png", "out.ome.tif"])
def test_the_result_has_the_profile_of_the_source(tmp_path, name):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(RNG.integers(0, 255, (12, 10, 3), np.uint8)).save(tmp_path / "in.png", icc_profile=profile)
    upscaled(tmp_path / "in.png", tmp_path / name)
    assert read_image(tmp_path / name).icc_profile == profile


def test_inks_become_colors_with_the_profile_of_srgb(tmp_path):
    inks = np.full((16, 16, 4), (0, 255, 255, 0), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", inks, photometric="separated")
    upscaled(tmp_path / "in.tif", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "RGB"
        profile = ImageCms.ImageCmsProfile(io.BytesIO(written.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_the_result_of_a_rotated_photograph_is_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(RNG.integers(0, 255, (16, 24, 3), np.uint8)).save(tmp_path / "in.jpg", exif=exif)
    upscaled(tmp_path / "in.jpg", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.size == (32, 48)
        assert written.getexif().get(274, 1) == 1


def test_the_largest_series_is_upscaled_and_the_others_are_named(tmp_path):
    thumb, large = RNG.integers(0, 255, (4, 6), np.uint8), RNG.integers(0, 255, (3, 12, 10), np.uint8)
    with tifffile.TiffWriter(tmp_path / "in.ome.tif", ome=True) as tiff:
        tiff.write(thumb, photometric="minisblack", metadata={"axes": "YX", "Name": "thumb"})
        tiff.write(large, photometric="minisblack", metadata={"axes": "ZYX", "Name": "cells"})
    result = upscaled(tmp_path / "in.ome.tif", tmp_path / "out.tif")
    assert read_image(tmp_path / "out.tif").data.shape == (3, 24, 20)
    assert 'series 1 is upscaled. Others, for --series: 0 "thumb" (4 x 6).' in result.stderr
    result = upscaled(tmp_path / "in.ome.tif", tmp_path / "small.tif", "--series", "thumb", "-q")
    assert read_image(tmp_path / "small.tif").data.shape == (8, 12)
    assert result.stderr == ""
    result = upscaled(tmp_path / "in.ome.tif", tmp_path / "none.tif", "--series", "7", status=2)
    assert "has no series '7': choose one of 0" in result.stderr
    assert not (tmp_path / "none.tif").exists()


def test_the_error_names_a_missing_partner_and_nothing_is_written(tmp_path):
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0"><Image ID="Image:0"><Pixels '
        'ID="P:0" DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="2" SizeC="1" SizeT="1">'
        '<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="in.ome.tif">urn:uuid:0</UUID></TiffData>'
        '<TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="gone.ome.tif">urn:uuid:1</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    plane = np.zeros((8, 8), np.uint8)
    tifffile.imwrite(tmp_path / "in.ome.tif", plane, photometric="minisblack", metadata=None, description=xml)
    result = upscaled(tmp_path / "in.ome.tif", tmp_path / "out.tif", status=2)
    assert "gone.ome.tif, which is missing" in result.stderr
    assert not (tmp_path / "out.tif").exists()


def test_a_store_is_upscaled_into_a_store(stack, tmp_path):
    upscaled(stack, tmp_path / "middle.ome.zarr")
    upscaled(tmp_path / "middle.ome.zarr", tmp_path / "out.ome.zarr")
    upscaled(tmp_path / "middle.ome.zarr", tmp_path / "out.tif")
    first, second = read_image(tmp_path / "out.ome.zarr"), read_image(tmp_path / "out.tif")
    assert isinstance(first.data, zarr.Array)
    assert first.data.shape == (2, 3, 48, 40)
    order = [second.axes.index(letter) for letter in first.axes]
    assert np.array_equal(first.data[:], second.data.transpose(order))
    assert first.pixel_size == pytest.approx({"Z": 0.3, "Y": 0.025, "X": 0.025})
    # Twice by 2 is once by 4.
    assert first.origin == pytest.approx({"Y": 12.5 - 0.0375, "X": -4.0 - 0.0375})


def test_the_error_of_a_full_disk_names_the_file_and_the_cause(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process are Unix's")
    write_image(tmp_path / "in.tif", RNG.integers(0, 255, (120, 140), np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, before[1]))
    try:
        result = upscaled(tmp_path / "in.tif", tmp_path / "out.tif", status=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"The file {tmp_path / 'out.tif'} cannot be written (File too large)" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.tif", "models"}


def test_degraded_images_cover_the_same_region_as_their_sources(tmp_path):
    folder = tmp_path / "high"
    folder.mkdir()
    write_image(folder / "a.tif", RNG.integers(0, 255, (32, 32), np.uint8), "YX", metadata=WHOLE.of_axes("YX"))
    arguments = ["degrade", folder, tmp_path / "low", "-m", "srcnn-x2"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    found = read_image(tmp_path / "low" / "a.tif")
    assert found.pixel_size == pytest.approx({"Y": 0.2, "X": 0.2})
    assert found.origin == pytest.approx({"Y": 12.55, "X": -3.95})


def test_a_tiff_larger_than_memory_is_upscaled_into_a_store(tmp_path, monkeypatch):
    data = RNG.integers(0, 4096, (3, 40, 50), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack", tile=(16, 16), compression="zlib")
    upscaled(tmp_path / "in.tif", tmp_path / "whole.zarr")
    monkeypatch.setattr("napari_sr.imaging.files.tiff.LARGE", 0)
    little = type("Memory", (), {"available": 1000})
    monkeypatch.setattr("napari_sr.imaging.files.series.psutil.virtual_memory", lambda: little)
    upscaled(tmp_path / "in.tif", tmp_path / "out.zarr", "--memory", "64MiB")
    assert np.array_equal(read_image(tmp_path / "out.zarr").data[:], read_image(tmp_path / "whole.zarr").data[:])


def test_a_tiff_is_upscaled_into_a_tiff_while_neither_fits_into_memory(stack, tmp_path, monkeypatch):
    upscaled(stack, tmp_path / "whole.ome.tif")
    monkeypatch.setattr("napari_sr.imaging.files.tiff.LARGE", 0)
    monkeypatch.setattr("napari_sr.imaging.files.writing.image._AT_ONCE", 0)
    monkeypatch.setattr("napari_sr.inference.output.image_file.IN_MEMORY", 0)
    monkeypatch.setattr("napari_sr.imaging.files.writing.tiff.UNTILED", 16)
    monkeypatch.setattr("napari_sr.imaging.files.writing.tiff.TILE", 16)
    monkeypatch.setattr("napari_sr.inference.output.destination.free_memory_of_host", lambda: 0)
    upscaled(stack, tmp_path / "out.ome.tif", "--memory", "64MiB")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert [level.shape[-2:] for level in file.series[0].levels] == [(24, 20), (12, 10)]
    out, whole = read_image(tmp_path / "out.ome.tif"), read_image(tmp_path / "whole.ome.tif")
    assert np.array_equal(out.data, whole.data)
    assert out.fields() == whole.fields()
    assert {path.name for path in tmp_path.iterdir()} == {"in.ome.tif", "models", "out.ome.tif", "whole.ome.tif"}
