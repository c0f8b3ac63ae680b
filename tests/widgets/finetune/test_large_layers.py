"""Layers larger than memory are checked before a training without reading them as wholes."""

import numpy as np
import pytest

from napari_sr import InputError
from napari_sr.imaging.axes import parse_axes
from napari_sr.training.data.images import training_images
from napari_sr.widgets.finetune import checks, run
from tests.counted_array import CountedArray


def test_content_is_found_in_the_first_rows(monkeypatch):
    monkeypatch.setattr(run, "_ROWS", 8)
    array = CountedArray(np.random.default_rng(0).integers(0, 99, (80, 40), np.uint16))
    run._check_content(*training_images(array, 2))
    assert array.read == 8 * 40


@pytest.mark.parametrize("row", [None, 0, 79])
def test_an_image_is_constant_if_no_row_differs(row, monkeypatch):
    monkeypatch.setattr(run, "_ROWS", 8)
    values = np.full((2, 80, 40), 7, np.uint16)
    if row is None:
        with pytest.raises(InputError, match="is constant"):
            run._check_content(*training_images(values, 2, axes="ZYX"))
        return
    values[1, row] = 8
    run._check_content(*training_images(values, 2, axes="ZYX"))


def test_the_noise_is_estimated_in_the_middle_of_a_large_plane(monkeypatch):
    values = np.random.default_rng(0).poisson(100, (300, 400)).astype(np.uint16)
    whole = checks.noise_of(values, parse_axes("YX", values.shape), 0.0)
    monkeypatch.setattr(checks, "_MOST_SIDE", 200)
    array = CountedArray(values)
    part = checks.noise_of(array, parse_axes("YX", values.shape), 0.0)
    assert array.read == 200 * 200
    assert part == pytest.approx(whole, rel=0.2, abs=1.0)
    assert part == checks.noise_of(values[50:250, 100:300], parse_axes("YX", (200, 200)), 0.0)
