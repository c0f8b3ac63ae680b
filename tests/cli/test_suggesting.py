"""`napari-sr suggest` prints a model, its reasons, and a command that works."""

import json
import shlex
import tracemalloc

import numpy as np
import pytest
from skimage.io import imsave
from tifffile import TiffWriter, memmap
from typer.testing import CliRunner

from napari_sr.cli import app
from napari_sr.imaging.files import read_image
from tests.inference.test_suggest import cells


@pytest.fixture
def file(tmp_path):
    imsave(tmp_path / "my cells.png", cells((60, 64)), check_contrast=False)
    return tmp_path / "my cells.png"


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_printed_command_upscales_the_image(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    text = run("suggest", file, "--scale", 3)
    assert "Model: esrgan-microscopy-x4" in text
    command = shlex.split(text.splitlines()[-1].removeprefix("Use it: "))
    run(*command[1:])
    assert read_image(command[3]).data.shape == (180, 192)


def test_the_command_of_a_name_with_dots_and_a_dash_works(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    file.rename("-cells 0.5um.png")
    text = run("suggest", "--", "-cells 0.5um.png")
    command = shlex.split(text.splitlines()[-1].removeprefix("Use it: "))
    assert command[3] == "./-cells 0.5um-upscaled.ome.tif"
    run(*command[1:])
    assert read_image(command[3]).data.shape == (120, 128)


def test_the_image_of_a_file_with_several_is_chosen_by_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TiffWriter("two.ome.tif", ome=True) as tiff:
        tiff.write(cells((60, 64)), metadata={"Name": "cells"})
        tiff.write(np.zeros((40, 40), np.uint8), metadata={"Name": "black"})
    assert json.loads(run("suggest", "two.ome.tif", "--json")) != json.loads(
        run("suggest", "two.ome.tif", "--series", "black", "--json")
    )
    command = shlex.split(run("suggest", "two.ome.tif", "--series", "black").splitlines()[-1].removeprefix("Use it: "))
    run(*command[1:])
    assert read_image(command[3]).data.shape == (80, 80)


def test_json_has_everything(file):
    found = json.loads(run("suggest", file, "--json"))
    assert found["model"] == "esrgan-microscopy-x2"
    assert found["outside"] is bool(found["warnings"])
    assert found["reasons"]


def test_upscale_takes_auto(file, tmp_path):
    run("upscale", file, tmp_path / "a.tif", "--model", "auto", "--scale", 4)
    run("upscale", file, tmp_path / "b.tif", "--model", "esrgan-microscopy-x4")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, read_image(tmp_path / "b.tif").data)


def test_a_large_tiff_is_read_in_parts(tmp_path):
    pixels = memmap(tmp_path / "large.tif", shape=(10_000, 12_000), dtype=np.uint8)
    pixels[5000:5060, 6000:6064] = cells((60, 64))
    pixels.flush()
    run("suggest", tmp_path / "large.tif")
    tracemalloc.start()
    try:
        run("suggest", tmp_path / "large.tif")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < pixels.nbytes


def test_an_unknown_family_has_no_suggestion_of_its_own(file):
    assert "esrgan-microscopy-x2" in run("suggest", file, "--family", "srgan")
