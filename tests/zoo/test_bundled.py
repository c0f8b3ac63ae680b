"""The models in the package are complete, shift nothing, and reach their figures."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import napari_sr as sr
from napari_sr.imaging.files import read_image
from napari_sr.imaging.resize import resize
from napari_sr.samples import load_sample

DATA = os.environ.get("NAPARI_SR_DATA")
#: The least PSNR on Set5, in decibel, on luminance.
LEAST = {
    "srcnn-x2": 36.8,
    "srcnn-x3": 32.65,
    "srcnn-x3-915": 32.5,
    "srcnn-x4": 30.4,
    "sparse-coding-x2": 36.2,
    "sparse-coding-x3": 32.4,
    "sparse-coding-x4": 30.0,
    "srgan-compact-x4": 31.2,
    "esrgan-compact-x4": 31.0,
}

BUNDLED = {entry.name: entry.card for entry in sr.list_models() if entry.where == "bundled"}
#: Every bundled weight set: a model, and alpha where it has two.
ENDS = [
    (name, alpha)
    for name, card in sorted(BUNDLED.items())
    for alpha in ((0.0, 1.0) if card is not None and card.endpoints else (None,))
]


def test_every_card_is_complete() -> None:
    assert set(LEAST) <= set(BUNDLED)
    for card in BUNDLED.values():
        assert card is not None
        assert card.license
        assert card.degradation
        # The weights of sparse coding are fitted by a script.
        assert card.recipe or card.family == "classic"
        assert card.training_data
        assert all(data.sha256 and data.license for data in card.training_data)
        assert {"Set5"} <= {figure.dataset for figure in card.figures} or card.domain != "natural"
        assert card.figures


def test_pairs_are_faithful_by_default_and_explain_the_other_end() -> None:
    pairs = [card for card in BUNDLED.values() if card is not None and card.endpoints]
    assert pairs
    for card in pairs:
        assert not card.default_alpha
        assert card.endpoints == ("psnr", "gan")
        assert "not for quantification" in card.notes


def spots(factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Points between pixels, blurred and binned by the factor, and their positions in low-resolution pixels."""
    rng = np.random.default_rng(0)
    side, count = 120, 5
    grid = (np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1) + 0.5) * (side / count)
    places = grid.reshape(-1, 2) + rng.uniform(-1, 1, (count**2, 2))
    y, x = (np.arange(side * factor) + 0.5) / factor - 0.5, (np.arange(side * factor) + 0.5) / factor - 0.5
    image = np.zeros((side * factor, side * factor))
    for row, column in places:
        image += np.exp(-((y[:, None] - row) ** 2 + (x[None, :] - column) ** 2) / (2 * 1.5**2))
    # A centered degradation: each low-resolution pixel is the mean of the pixels that it covers.
    low = image.reshape(side, factor, side, factor).mean(axis=(1, 3))
    return low, places


def centers(image: np.ndarray, places: np.ndarray, factor: int) -> np.ndarray:
    """Center of mass of each spot, in low-resolution pixels."""
    centers = []
    for row, column in places:
        window = [round((v + 0.5) * factor - 0.5) for v in (row, column)]
        reach = 8 * factor
        low = [max(0, v - reach) for v in window]
        part = image[low[0] : window[0] + reach + 1, low[1] : window[1] + reach + 1].astype(float)
        part = np.clip(part - part.max() * 0.1, 0, None)
        center = ndimage.center_of_mass(part)
        centers.append([(c + first + 0.5) / factor - 0.5 for c, first in zip(center, low, strict=True)])
    return np.array(centers)


@pytest.mark.parametrize(("name", "alpha"), ENDS)
def test_no_model_shifts_the_image(name: str, alpha: float | None) -> None:
    model = sr.load_model(name) if alpha is None else sr.load_model(name).with_alpha(alpha)
    low, places = spots(model.scale)
    if model.card.domain == "electron":
        # What a stain leaves: dark on light.
        image, ground, sign = np.round(180 - 90 * low).astype(np.uint8), 180.0, -1
        out = sr.upscale(image, model, "YX")
    else:
        image, ground, sign = np.round(20000 * low + 400).astype(np.uint16), 400.0, 1
        out = sr.upscale(image, model, "YX", intensity=(0, 24000))
    shift = centers(sign * (out - ground), places, model.scale) - places
    # The same points interpolated tell what the measurement itself is worth.
    assert np.abs(centers(resize(low, factor=model.scale), places, model.scale) - places).max() < 0.05
    assert np.abs(shift.mean(axis=0)).max() < 0.05
    assert np.abs(np.median(shift, axis=0)).max() < 0.05


@pytest.mark.parametrize(("name", "alpha"), ENDS)
@pytest.mark.parametrize("sample", ["fluorescence", "electron"])
def test_every_model_runs_on_every_sample_and_keeps_its_brightness(name: str, alpha: float | None, sample: str) -> None:
    model = sr.load_model(name) if alpha is None else sr.load_model(name).with_alpha(alpha)
    low = load_sample(sample).low
    part = low[:64, :64]
    out = sr.upscale(part, model, "YX")
    assert out.shape == tuple(model.scale * n for n in part.shape)
    if model.card.domain not in ("natural", sample):
        return  # It runs, but has never seen such images.
    span = float(np.quantile(low, 0.999) - np.quantile(low, 0.001))
    assert abs(float(out.mean()) - float(part.mean())) < 0.01 * span
    blocks = out.reshape(64, model.scale, 64, model.scale).mean(axis=(1, 3))
    # Dark places, not dark pixels: those are so by their noise as well.
    around = ndimage.gaussian_filter(part.astype(float), 3)
    dark = around <= np.median(around)
    assert abs(float(blocks[dark].mean() - part[dark].mean())) < 0.01 * span, "a lifted background counts as signal"


@pytest.mark.skipif(DATA is None, reason="NAPARI_SR_DATA names no folder of benchmark images")
@pytest.mark.parametrize("name", sorted(LEAST))
def test_the_figure_on_set5_is_reached(name: str) -> None:
    model = sr.load_model(name)
    folder = Path(str(DATA)) / "natural/Set5"
    figures = []
    for path in sorted((folder / "HR").glob("*.png")):
        low = read_image(folder / f"LR_bicubic/X{model.scale}/{path.stem}x{model.scale}.png").data
        result = sr.upscale(low, model, "YXC")
        figures.append(sr.evaluate(result, read_image(path).data, scale=model.scale).psnr)
    assert len(figures) == 5
    assert np.mean(figures) >= LEAST[name]
    stated = next(f.value for f in model.card.figures if (f.dataset, f.metric) == ("Set5", "PSNR"))
    assert np.mean(figures) == pytest.approx(stated, abs=0.01)
