"""Fingerprints: equal for equal images and recipes, also in later versions with more fields."""

from dataclasses import dataclass, make_dataclass, replace

import numpy as np
import pytest

from napari_sr.imaging import intensity
from napari_sr.training import recipe
from napari_sr.training.data.fingerprint import stable_repr
from napari_sr.training.data.images import training_images
from napari_sr.training.data.plane_pairs import make_plane_pairs
from napari_sr.training.data.training_set import _fingerprint
from napari_sr.training.recipe import Degradation, GaussianBlur, Noise, OpticsBlur, Recipe

RECIPE = Recipe.from_toml('[[stages]]\nsteps = 1\nlosses = [{ kind = "l1" }]')
GAUSSIAN = Degradation(blur=GaussianBlur(sigma=(0.8, 1.6)), shrink="binning", noise=Noise(gain=0.5, read=(1.0, 2.0)))
OPTICS = Degradation(
    blur=OpticsBlur(kind="optics", numerical_aperture=1.4, wavelength=0.52),
    noise=Noise(gain=0.0, read=3.0),
    offset=100.0,
)


def test_the_text_of_a_degradation_is_that_of_the_first_runs():
    assert stable_repr((intensity.IntensityMap(0.0, 255.0), intensity.IntensityMap(0.0, 510.0), GAUSSIAN)) == (
        "(IntensityMap(low=0.0, high=255.0, to=(0.0, 1.0)), IntensityMap(low=0.0, high=510.0, to=(0.0, 1.0)), "
        "Degradation(blur=GaussianBlur(kind='gaussian', sigma=(0.8, 1.6)), shrink='binning', "
        "noise=Noise(gain=0.5, read=(1.0, 2.0)), offset=0.0, variants=4))"
    )


@pytest.mark.parametrize("degradation", [Degradation(), GAUSSIAN, OPTICS, Degradation(offset=(1.0, 2.0), variants=2)])
def test_without_later_fields_the_text_is_that_of_repr(degradation):
    value = (intensity.IntensityMap(np.float64(1.5), 300.0), degradation, None, (1,))
    assert stable_repr(value) == repr(value)


def later(table):
    """Return a table of the same name with a field that has a default."""
    return type(table.__name__, (table,), {"__annotations__": {"later": float}, "later": 0.0, "__module__": __name__})


def test_a_later_field_with_its_default_does_not_change_the_fingerprint(textured):
    images = training_images(textured(), 2)
    planes, _ = make_plane_pairs(images, 2, RECIPE.data, GAUSSIAN, "gray")
    corners = [np.ones(pair.gray.shape, bool) for pair in planes]
    content = dict(GAUSSIAN)
    content["noise"] = later(Noise)(**dict(GAUSSIAN.noise))
    content["blur"] = later(GaussianBlur)(**dict(GAUSSIAN.blur))

    def fingerprint(degradation):
        return _fingerprint([replace(pair, degradation=degradation) for pair in planes], corners, [])

    added = later(recipe.Degradation)
    assert repr(added.model_construct(**content)) != repr(GAUSSIAN)
    assert fingerprint(added.model_construct(**content)) == fingerprint(GAUSSIAN)
    assert fingerprint(added.model_construct(**content, later=1.0)) != fingerprint(GAUSSIAN)
    content["noise"] = later(Noise)(**dict(GAUSSIAN.noise), later=1.0)
    assert fingerprint(added.model_construct(**content)) != fingerprint(GAUSSIAN)


def test_a_later_field_of_a_dataclass_with_its_default_does_not_change_the_text():
    fields = [("low", float), ("high", float), ("to", tuple, (0.0, 1.0)), ("later", float, 0.0)]
    added = make_dataclass("IntensityMap", fields, frozen=True)
    assert stable_repr(added(0.0, 255.0)) == stable_repr(intensity.IntensityMap(0.0, 255.0))
    assert stable_repr(added(0.0, 255.0, later=1.0)) != stable_repr(intensity.IntensityMap(0.0, 255.0))


def test_all_fields_of_a_new_table_without_defaults_are_in_the_text():
    @dataclass(frozen=True)
    class Motion:
        distance: float
        blurred: bool = False

    assert stable_repr(Motion(2.0)) == "Motion(distance=2.0)"
    assert stable_repr(Motion(2.0, blurred=True)) == "Motion(distance=2.0, blurred=True)"
