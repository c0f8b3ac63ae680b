"""The Wiener filter and Richardson-Lucy take back a known blur, and are the filters of their definitions."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.restoration import wiener

import napari_sr as sr
from napari_sr.errors import InputError
from napari_sr.networks.deconvolution import RichardsonLucy, Wiener
from napari_sr.networks.upsample import Upsample

SIDE = 96


def spots(seed=0, side=SIDE):
    """Spots and disks on a dark ground, from 0 to 1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side))
    image = np.full((side, side), 0.1)
    for _ in range(40):
        y, x = rng.uniform(0, side, 2)
        image[np.hypot(rows - y, columns - x) < rng.uniform(1.5, 6)] = rng.uniform(0.3, 0.9)
    return gaussian_filter(image, 0.5)


def restored(network, image, blur, noise=0.0):
    x = torch.from_numpy(image).float()[None, None]
    with torch.inference_mode():
        out = network.folded(blur).eval()(*((x, torch.full_like(x, noise)) if network.noise_plane else (x,)))
    return out[0, 0].double().numpy()


def gain(network, blur, deviation=0.0):
    """Return the gain in decibels over the blurred image itself, away from the border."""
    truth = spots()
    image = gaussian_filter(truth, blur) + deviation * np.random.default_rng(1).standard_normal(truth.shape)
    inner = (slice(8, -8),) * 2
    errors = [np.mean((i - truth)[inner] ** 2) for i in (image, restored(network, image, blur, deviation))]
    return 10 * np.log10(errors[0] / errors[1])


@pytest.mark.parametrize(("blur", "least"), [(0.8, 8), (1.2, 5), (1.6, 3)])
def test_the_wiener_filter_takes_back_a_known_blur(blur, least):
    assert gain(Wiener(scale=1), blur, 0.002) > least


@pytest.mark.parametrize(("blur", "least"), [(0.8, 4), (1.2, 2.5), (1.6, 1.5)])
def test_richardson_lucy_takes_back_a_known_blur(blur, least):
    found = [gain(RichardsonLucy(scale=1, iterations=count), blur) for count in (5, 10, 40)]
    assert found == sorted(found)
    assert found[1] > least


def test_the_wiener_filter_removes_noise_and_does_not_amplify_it():
    assert gain(Wiener(scale=1), 0.0, 0.1) > 4
    assert gain(Wiener(scale=1), 1.2, 0.1) > 3
    assert gain(RichardsonLucy(scale=1), 1.2, 0.1) < 0


@pytest.mark.parametrize("noise", [2.0**-6, 2.0**-3])
def test_the_wiener_filter_is_that_of_scikit_image(noise):
    image, blur = gaussian_filter(spots(), 1.0), 1.0
    places = np.arange(-8, 9)
    line = np.exp(-0.5 * places**2 / blur**2)
    psf = np.outer(line, line) / line.sum() ** 2
    inner = (slice(24, -24),) * 2
    expected = wiener(np.pad(image, 32, mode="edge"), psf, 50 * noise**2, clip=False)[32:-32, 32:-32]
    assert restored(Wiener(scale=1), image, blur, noise)[inner] == pytest.approx(expected[inner], abs=8e-3)


@pytest.mark.parametrize("network", [Wiener(scale=2), RichardsonLucy(scale=2)], ids=["wiener", "lucy"])
def test_flat_images_stay_flat_and_results_are_those_of_the_receptive_radius(network):
    flat = np.full((64, 64), 0.3)
    assert restored(network, flat, 0.9, 0.05) == pytest.approx(0.3, abs=1e-5)
    folded = network.folded(0.9)
    reach, image = folded.receptive_radius, spots(2, 160)
    whole = restored(network, image, 0.9, 0.02)
    top = 8
    part = restored(network, image[: top + 16 + reach], 0.9, 0.02)
    assert part[: 2 * (top + 16)] == pytest.approx(whole[: 2 * (top + 16)], abs=1e-5)


def test_without_blur_richardson_lucy_is_the_interpolation():
    x = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(0)) - 0.2
    assert torch.equal(RichardsonLucy(scale=3)(x), Upsample(3)(x))


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
@pytest.mark.parametrize("scale", [2, 3])
def test_they_are_models_for_every_factor_whose_tiles_give_the_whole_image(name, scale):
    image = np.clip(255 * gaussian_filter(spots(3), 0.8), 0, 255).astype(np.uint8)
    model = sr.load_model(name, scale=scale)
    assert model.card.family == "classic"
    assert not model.card.for_quantification
    settings = {"blur": 0.8, "device": "cpu", "intensity": (0, 255)}
    whole = sr.upscale(image, model, tiling="none", **settings)
    assert whole.shape == (scale * SIDE, scale * SIDE)
    tiled = sr.upscale(image, model, tiling="overlap", memory="20MB", **settings)
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    sharper = [float(np.abs(np.diff(result.astype(float))).mean()) for result in (sr.upscale(image, model), whole)]
    assert sharper[1] > sharper[0]


def test_more_blur_than_they_remove_is_refused():
    with pytest.raises(InputError, match="removes blur of at most 3 pixels"):
        sr.upscale(np.zeros((16, 16), np.uint8), sr.load_model("wiener", scale=2), blur=4)
    with pytest.raises(ValueError, match="too many"):
        RichardsonLucy(iterations=1000)
