"""Sparse coding by anchored regression is that of its definition, and depends on near pixels only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import napari_sr as sr
from napari_sr.inference.compute.streaming.plan import NotStreamable, plan_stream
from napari_sr.networks.anchored import AnchoredRegression
from napari_sr.networks.upsample import Upsample


def network(scale: int) -> AnchoredRegression:
    torch.manual_seed(scale)
    return AnchoredRegression(scale=scale, atoms=7, features=5).double().eval()


def patch_by_patch(made: AnchoredRegression, x: Tensor) -> Tensor:
    """The definition, one patch at a time, for one image."""
    scale = made.scale
    height, width = x.shape[2:]
    padded = functional.pad(x, (5, 5, 5, 5), mode="replicate")[0, 0]
    out = torch.zeros((height + 4) * scale, (width + 4) * scale, dtype=x.dtype)
    for row in range(height + 2):
        for column in range(width + 2):
            window = padded[row : row + 9, column : column + 9]
            features = (made.analysis.weight[:, 0] * window).sum((1, 2))
            atom = max(range(7), key=lambda n: abs(float(made.dictionary[n] @ features)))
            patch = (made.regressions[atom] @ features).view(3 * scale, 3 * scale)
            top, left = row * scale, column * scale
            out[top : top + 3 * scale, left : left + 3 * scale] += patch / 9
    inner = out[2 * scale : -2 * scale, 2 * scale : -2 * scale]
    return Upsample(scale).double()(x) + inner


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_each_patch_has_the_regression_of_the_atom_that_correlates_most(scale: int) -> None:
    x = torch.rand(1, 1, 6, 8, dtype=torch.float64)
    made = network(scale)
    with torch.inference_mode():
        assert torch.allclose(made(x), patch_by_patch(made, x), atol=1e-10)


def test_images_of_a_batch_do_not_depend_on_each_other() -> None:
    x = torch.rand(3, 1, 9, 7, dtype=torch.float64)
    made = network(3)
    with torch.inference_mode():
        assert torch.allclose(made(x), torch.cat([made(each[None]) for each in x]), atol=1e-12)


def test_it_is_linear_in_the_contrast() -> None:
    x = torch.rand(1, 1, 9, 7, dtype=torch.float64)
    made = network(2)
    with torch.inference_mode():
        assert torch.allclose(made(-3.0 * x), -3.0 * made(x), atol=1e-10)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_pixel_changes_the_result_within_the_receptive_radius(scale: int) -> None:
    made = network(scale)
    x = torch.rand(1, 1, 21, 21, dtype=torch.float64)
    other = x.clone()
    other[0, 0, 10, 10] += 1
    with torch.inference_mode():
        changed = ((made(x) - made(other)).abs() > 1e-9)[0, 0].nonzero()
    low, high = (10 - made.receptive_radius) * scale, (11 + made.receptive_radius) * scale
    assert changed.min() == low
    assert changed.max() == high - 1


def test_it_is_not_streamed_but_computed_in_tiles() -> None:
    with pytest.raises(NotStreamable, match="cannot be streamed"):
        plan_stream(AnchoredRegression(scale=2))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bundled_models_give_the_whole_image_in_tiles_and_keep_flat_areas(scale: int) -> None:
    model = sr.load_model(f"sparse-coding-x{scale}")
    assert (model.card.family, model.scale) == ("classic", scale)
    rows, columns = np.indices((96, 90))
    image = (127 + 90 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    image[:30, :30] = 80
    settings = {"device": "cpu", "intensity": (0, 255)}
    whole = sr.upscale(image, model, tiling="none", **settings)
    tiled = sr.upscale(image, model, tiling=sr.Overlap(tile=40, overlap=12, blend=2), **settings)
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    flat = whole[: 24 * scale, : 24 * scale].astype(int)
    assert np.abs(flat - 80).max() <= 1


def test_the_card_names_the_size_and_the_use() -> None:
    card = sr.load_model("sparse-coding-x3").card
    assert card.architecture.settings["atoms"] == 256
    assert not card.for_quantification
