"""Calls of the public API with arguments of every kind: a right result, or an error of one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

import napari_sr as sr
from napari_sr.errors import NapariSRError
from napari_sr.imaging.axes import parse_axes
from napari_sr.samples import load_sample
from napari_sr.training import Degradation, Noise
from napari_sr.training.recipe.degradation import GaussianBlur

from .cases import cases, check_sentence
from .values import ANYTHING, SCALARS, Drawn, arrays, drawn_images, odd_images

MODEL = sr.load_model("srcnn-x2")
GRAY = np.random.default_rng(0).integers(0, 256, (12, 14), np.uint8)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Relative paths of generated calls are in an empty folder, and the user's models too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))
    return tmp_path


def called(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function; an error of napari-sr of one sentence gives None."""
    try:
        return function(*args, **kwargs)
    except NapariSRError as error:
        check_sentence(str(error))
        return None


def check_upscaled(result: np.ndarray, values: np.ndarray, axes: str) -> None:
    """Check a result against the image: type, shape, and values near those of the image."""
    rgb = axes[-1] == "C" and values.shape[-1] in (3, 4)
    expected = tuple(2 * n if letter in "YX" else n for letter, n in zip(axes, values.shape, strict=True))
    assert result.shape == expected
    assert result.dtype == values.dtype
    repeated = values.astype(np.float64)
    for axis, letter in enumerate(axes):
        if letter in "YX":
            repeated = np.repeat(repeated, 2, axis)
    assert np.isfinite(result.astype(np.float64)).all()
    span = float(repeated.max() - repeated.min())
    if rgb and values.dtype.kind == "f":
        # Black and white of dark RGB in floats are 0 and 1.
        span = max(span, 1.0)
    largest = float(np.abs(repeated).max())
    # An interpolation differs from its nearest pixel by at most the range and some overshoot.
    assert np.abs(result.astype(np.float64) - repeated).max() <= 1.3 * span + 1e-3 * largest


@cases(0.2)
@given(drawn_images())
def test_an_image_gives_the_same_result_in_every_form(image: Drawn) -> None:
    plain = sr.upscale(image.values, MODEL, image.axes, device="cpu")
    check_upscaled(plain, image.values, image.axes)
    result = sr.upscale(image.given, MODEL, image.axes, device="cpu")
    assert result.dtype.newbyteorder("=") == plain.dtype
    np.testing.assert_array_equal(result, plain)


@cases(0.1)
@given(odd_images(), st.one_of(st.none(), ANYTHING), st.sampled_from(["refuse", "fill"]))
def test_an_object_that_is_no_image_is_refused_in_one_sentence(image: Any, axes: Any, missing: str) -> None:
    result = called(sr.upscale, image, MODEL, axes, device="cpu", missing=missing)
    if result is not None:
        values = np.asarray(result)
        assert values.ndim >= 2
        assert values.size
        if missing == "refuse":
            assert np.isfinite(values.astype(np.longdouble)).all()


SETTINGS = [setting.name for setting in sr.JobSettings.described()]


@cases(0.15)
@given(st.dictionaries(st.sampled_from(SETTINGS), ANYTHING, max_size=2))
def test_settings_are_converted_once_or_refused(given_values: dict[str, Any]) -> None:
    settings = called(sr.JobSettings, **given_values)
    if settings is not None:
        assert {name: getattr(settings, name) for name in SETTINGS} == {
            name: getattr(sr.JobSettings(**{n: getattr(settings, n) for n in SETTINGS}), name) for name in SETTINGS
        }
        assert sr.JobSettings.from_scalars(settings.as_scalars()) == settings
        assert settings.device == "auto" or isinstance(settings.device, str)
        repr(settings.as_plain())


@cases(0.15)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: ANYTHING
            for name in [*SETTINGS, "part", "pixel_size", "unit", "out", "ome_zarr", "progress", "cancel"]
            if name != "device"
        },
    ).filter(lambda arguments: len(arguments) <= 4 and not any(map(callable, arguments.values())))
)
def test_arguments_of_upscale_are_taken_or_refused_before_anything_is_written(arguments: dict[str, Any]) -> None:
    before = set(Path().iterdir())
    result = called(sr.upscale, GRAY, MODEL, device="cpu", **arguments)
    if result is None:
        assert {path for path in Path().iterdir() if path.name != "models"} <= before
    else:
        assert result.dtype == GRAY.dtype
        assert result.ndim == 2


RANGES = st.one_of(
    st.tuples(st.integers(-2, 8), st.integers(0, 12)), st.lists(st.integers(0, 9), min_size=2, max_size=2), ANYTHING
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "rows": RANGES,
        "columns": RANGES,
        "at": st.one_of(st.dictionaries(st.sampled_from("TCZ"), st.integers(-1, 2), max_size=2), ANYTHING),
        "margin": st.one_of(st.none(), ANYTHING),
    },
)


@cases(0.1)
@given(arrays(), PARTS)
def test_a_part_has_the_pixels_of_the_whole_or_is_refused(image: tuple[np.ndarray, str], arguments: Any) -> None:
    values, axes = image
    part = called(sr.Part, **arguments)
    result = None if part is None else called(sr.upscale, values, MODEL, axes, device="cpu", part=part)
    if result is None:
        return
    ranges = part.ranges(parse_axes(axes, values.shape))
    window = [slice(*(2 * n if letter in "YX" else n for n in span)) for letter, span in zip(axes, ranges, strict=True)]
    whole = sr.upscale(values, MODEL, axes, device="cpu")[tuple(window)]
    assert result.shape == whole.shape
    assert result.dtype == whole.dtype
    if part.margin is None or part.margin >= 6:
        first, second = result.astype(np.float64), whole.astype(np.float64)
        rounding = 0 if values.dtype.kind == "f" else 1
        assert np.abs(first - second).max() <= rounding + 1e-3 * (np.abs(values.astype(np.float64)).max() + 1e-300)


@cases(0.1)
@given(
    st.one_of(odd_images(), drawn_images().map(lambda image: image.given)),
    st.fixed_dictionaries(
        {"scale": SCALARS},
        optional=dict.fromkeys(("channels", "border", "data_range", "axes"), ANYTHING),
    ),
    st.booleans(),
)
def test_evaluate_compares_or_refuses(image: Any, arguments: dict[str, Any], same: bool) -> None:
    fidelity = called(sr.evaluate, image, image if same else GRAY, **arguments)
    if fidelity is not None:
        assert -1.001 <= fidelity.ssim <= 1.001
        assert not np.isnan(fidelity.psnr)
        assert fidelity.psnr == np.inf or not same


DEGRADATIONS = st.sampled_from(
    [
        Degradation(),
        Degradation(shrink="binning"),
        Degradation(blur=GaussianBlur(sigma=1.0), noise=Noise(gain=0.5, read=2.0)),
        Degradation(noise=Noise(gain="estimate", read="estimate")),
    ]
)


@cases(0.05)
@given(
    st.one_of(odd_images(), drawn_images().map(lambda image: image.given)),
    st.one_of(st.integers(1, 4), SCALARS),
    st.one_of(DEGRADATIONS, ANYTHING),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("seed", "stream", "pixel_size"), SCALARS)),
)
def test_degrade_makes_a_smaller_plane_or_refuses(image: Any, scale: Any, degradation: Any, arguments: Any) -> None:
    low = called(sr.degrade, image, scale, degradation, **arguments)
    if low is not None:
        assert low.size > 0
        assert np.isfinite(low.astype(np.float64)).all()


CALLS: list[tuple[Any, tuple[str, ...]]] = [
    (sr.load_model, ("name_or_path", "alpha", "mixing", "scale", "upsampling")),
    (sr.load_pair, ("first", "second", "alpha", "mixing", "scale")),
    (sr.Job, ("model", "settings")),
    (sr.estimate, ("image", "model", "axes", "part", "target", "pixel_size", "unit", "tiling", "device")),
    (sr.suggest, ("image", "axes", "scale", "family", "pixel_size", "unit")),
    (load_sample, ("name",)),
    (sr.read_image, ("path", "series")),
    (sr.write_image, ("path", "data", "axes", "pixel_size", "unit", "metadata")),
    (sr.upscale_layer, ("layer", "model", "axes", "device")),
    (sr.Percentiles, ("low", "high")),
    (sr.Overlap, ("tile", "overlap", "blend")),
    (sr.Recipe.from_toml, ("text",)),
    (MODEL.with_alpha, ("alpha",)),
    (MODEL.with_mixing, ("mixing",)),
    (MODEL.with_upsampling, ("kernel",)),
    (sr.finetune, ("model", "images", "recipe", "name", "axes", "train_on", "validate_on", "device", "folder")),
    (sr.Training, ("recipe", "images", "model", "folder", "data", "name", "axes", "device", "on_event", "cancel")),
]
#: Values that fit, so that the others are reached.
RIGHT: dict[str, Any] = {
    "name_or_path": "srcnn-x2",
    "first": "esrgan-compact-x4",
    "second": "esrgan-compact-x4",
    "model": MODEL,
    "layer": Image(GRAY),
    "image": GRAY,
    "images": GRAY,
    "path": "right.tif",
    "data": GRAY,
    "recipe": "quick",
    "folder": "run",
    "settings": sr.JobSettings(device="cpu"),
    "device": "cpu",
}


@cases(0.15)
@given(st.data(), st.sampled_from(CALLS))
def test_every_other_door_takes_its_arguments_or_refuses_them(data: st.DataObject, call: Any) -> None:
    function, names = call
    wrong = data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=2))
    arguments = {name: RIGHT[name] for name in names if name in RIGHT}
    arguments |= {name: data.draw(st.one_of(ANYTHING, odd_images()), label=name) for name in sorted(wrong)}
    called(function, **arguments)
