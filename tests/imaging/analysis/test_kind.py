"""Kinds of images, by made-up ones that are typical of each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_sr.imaging.analysis.kind import KINDS, features_of, kind_of


def spots(side=384, seed=0):
    """A few bright disks on a dark, even ground."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    image = np.zeros((side, side))
    for y, x, radius, height in generator.uniform((0, 0, 6, 60), (side, side, 14, 200), (25, 4)):
        image = np.maximum(image, height * (np.hypot(rows - y, columns - x) < radius))
    return gaussian_filter(image, 2) + 8 + generator.standard_normal((side, side))


def membranes(side=512, seed=0):
    """Texture of one strength everywhere, darker lines in gray."""
    noise = np.random.default_rng(seed).standard_normal((side, side))
    texture = gaussian_filter(noise, 3) - 0.5 * gaussian_filter(noise, 9)
    texture = texture / texture.std()
    return 140 + 30 * texture - 4 * np.maximum(texture - 1, 0) ** 2


def tissue(side=384, seed=0):
    """A bright ground, and colored patches that take light away."""
    generator = np.random.default_rng(seed)
    density = gaussian_filter(generator.standard_normal((side, side)), 14)
    density = np.clip(density / density.std() - 0.7, 0, None)
    fine = gaussian_filter(generator.standard_normal((side, side)), 1.5)
    absorbed = density * (1 + 2 * fine)
    image = 235 * np.exp(-np.stack([0.3 * absorbed, 0.8 * absorbed, 0.35 * absorbed], axis=-1))
    return np.clip(image + generator.standard_normal(image.shape), 0, 255).astype(np.uint8)


def test_fluorescence_and_electron_microscopy_are_named():
    assert kind_of(spots().astype(np.uint8)).name == "fluorescence"
    assert kind_of(membranes().clip(0, 255).astype(np.uint8)).name == "electron"


def test_stained_tissue_is_named():
    assert kind_of(tissue()).name == "color"


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_dye_shown_in_a_color_is_fluorescence(channel):
    image = np.zeros((384, 384, 3), np.uint8)
    image[..., channel] = spots()
    assert kind_of(image).name == "fluorescence"


def test_gray_shown_in_rgb_is_gray():
    plane = spots().astype(np.uint8)
    assert kind_of(np.stack([plane] * 3, axis=-1)).name == kind_of(plane).name == "fluorescence"
    with_alpha = np.stack([*[plane] * 3, np.full_like(plane, 255)], axis=-1)
    assert kind_of(with_alpha).name == "fluorescence"


def test_only_gray_of_eight_bits_and_color_can_be_photographs():
    plane = membranes().clip(0, 255)
    assert "photograph" in kind_of(plane.astype(np.uint8)).probabilities
    assert "photograph" not in kind_of(plane.astype(np.uint16)).probabilities
    assert set(kind_of(tissue()).probabilities) == {"color", "photograph"}


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 100), st.floats(-1000, 1000), st.sampled_from([spots, membranes]))
def test_brightness_and_contrast_do_not_matter(gain, offset, make):
    image = make()
    first, second = kind_of(image), kind_of(gain * image + offset)
    assert first.name == second.name
    assert features_of(image) == pytest.approx(features_of(gain * image + offset), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(40, 40), (64, 300), (40, 60, 3), (300, 400, 4)]))
def test_there_is_always_an_answer(seed, shape):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, generator.integers(2, 255), shape).astype(np.uint8)
    kind = kind_of(image)
    assert kind.name in (*KINDS, "unknown")
    assert sum(kind.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "image", [np.zeros((64, 64)), np.zeros((20, 20)), np.full((64, 64, 3), 7, np.uint8), np.full((64, 64), np.nan)]
)
def test_what_shows_nothing_is_unknown(image):
    assert kind_of(image).name == "unknown"


def test_missing_values_are_left_out():
    image = spots()
    image[:50, :50] = np.nan
    assert kind_of(image).name == "fluorescence"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 9.97e36])
@pytest.mark.parametrize("colors", [None, 3, 4])
@pytest.mark.filterwarnings("error")
def test_missing_values_of_any_kind_do_not_change_the_kind(value, colors):
    whole = membranes()
    image = whole if colors is None else np.stack([whole] * colors, axis=-1)
    holed = image.copy()
    holed[:100, :100, *([1] if colors else [])] = value
    before = holed.copy()
    assert kind_of(holed).name == kind_of(image).name == "electron"
    assert np.array_equal(holed, before, equal_nan=True)


@pytest.mark.filterwarnings("error")
def test_colors_that_are_all_missing_are_unknown():
    assert kind_of(np.full((64, 64, 3), np.nan)).name == "unknown"


def test_what_is_like_nothing_known_is_unknown():
    dark_specks = 255 - spots().clip(0, 255)
    assert kind_of(dark_specks.astype(np.uint16)).name == "unknown"
