"""The sample images are those of sources.toml, and their two resolutions belong together."""

import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from napari_sr.errors import InputError
from napari_sr.imaging.resize import resize
from napari_sr.samples import SAMPLES, load_sample, sources


@pytest.mark.parametrize("name", SAMPLES)
def test_low_is_the_bicubic_of_high(name):
    sample = load_sample(name)
    assert np.array_equal(sample.low, resize(sample.high, factor=1 / sample.factor))
    assert sample.axes == "YX"
    assert sample.high.shape == tuple(n * sample.factor for n in sample.low.shape)
    assert sample.high.std() > 10


def test_dtypes_and_pixel_sizes_are_those_of_the_sources():
    fluorescence, electron = load_sample("fluorescence"), load_sample("electron")
    assert (fluorescence.low.dtype, electron.low.dtype) == (np.uint16, np.uint8)
    assert (fluorescence.pixel_size, fluorescence.unit, fluorescence.high_pixel_size) == (None, None, None)
    assert (electron.pixel_size, electron.unit, electron.high_pixel_size) == (32.0, "nanometer", 8.0)


@pytest.mark.parametrize("name", SAMPLES)
def test_inset_lies_inside(name):
    sample = load_sample(name)
    top, left, side = sample.inset
    assert top >= 0 and left >= 0
    assert top + side <= sample.high.shape[0] and left + side <= sample.high.shape[1]


def test_sample_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        load_sample("electron").low[0, 0] = 1


def test_every_sample_has_a_source_and_a_free_license():
    assert set(sources()) == set(SAMPLES)
    for source in sources().values():
        assert source["license"] in ("CC0-1.0", "MIT")
        assert source["source"] and source["title"] and len(source["sha256"]) == 64


def test_a_license_that_requires_its_notice_travels_with_the_sample():
    for name, source in sources().items():
        if source["license"] == "MIT":
            notice = (files("napari_sr.samples") / f"{name}-LICENSE.txt").read_text(encoding="utf-8")
            assert "Copyright (c)" in notice and "Permission is hereby granted, free of charge" in notice


def test_an_unknown_sample_is_refused_with_the_names_of_all():
    with pytest.raises(InputError, match="'plankton' does not exist: give one of fluorescence, electron"):
        load_sample("plankton")


def test_samples_are_small():
    size = sum(file.stat().st_size for file in files("napari_sr.samples").iterdir() if file.name.endswith(".tif"))
    assert 0 < size < 1_000_000


def test_loading_needs_no_torch():
    program = (
        "import sys; from napari_sr.samples import load_sample; load_sample('electron'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
