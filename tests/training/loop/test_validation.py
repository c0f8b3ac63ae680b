"""Measurements: PSNR and SSIM beside those of bicubic, on the same pixels."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_sr.imaging.resize import resize
from napari_sr.training.data.training_set import Scene
from napari_sr.training.loop.validation import Validator


class Given(nn.Module):
    """A network that gives what it was told to."""

    def __init__(self, *results):
        super().__init__()
        self.results = list(results)

    def forward(self, x):
        result = self.results.pop(0)
        self.results.append(result)
        return torch.from_numpy(result)[None]


@pytest.fixture
def scene(textured):
    high = (textured(60, 70) / 255).astype(np.float32)[None]
    return Scene("scene", resize(high, (30, 35)), high, (0.0, 1.0))


CPU = torch.device("cpu")


def test_bicubic_given_as_a_result_scores_as_the_baseline(scene):
    validator = Validator([scene], 2)
    score, _ = validator.measure(Given(resize(scene.low, factor=2)), CPU)
    assert score == validator.baseline


def test_psnr_is_that_of_the_pixels_within_the_border(scene):
    validator = Validator([scene], 2)
    result = np.clip(scene.high + 0.01, -1, 2)
    result[:, :2] = 5
    score, _ = validator.measure(Given(result), CPU)
    assert score.psnr == pytest.approx(40, abs=0.1)


def test_results_are_held_to_the_ends_of_the_images_dtype(scene):
    truth = Scene("white", scene.low, np.ones_like(scene.high), (0.0, 1.0))
    score, _ = Validator([truth], 2).measure(Given(truth.high + 3), CPU)
    assert score.psnr == 100


def test_a_result_that_is_no_number_scores_low_and_not_nan(scene):
    score, _ = Validator([scene], 2).measure(Given(np.full_like(scene.high, np.nan)), CPU)
    assert score.psnr < 10


def test_scenes_count_alike(scene):
    good, bad = scene.high.copy(), np.clip(scene.high + 0.1, 0, 2)
    free = Scene("scene", scene.low, scene.high, (-np.inf, np.inf))
    score, _ = Validator([free, free], 2).measure(Given(good, bad), CPU)
    assert score.psnr == pytest.approx((100 + 20) / 2, abs=0.01)


def test_pictures_show_before_and_now(scene):
    validator = Validator([scene], 2)
    first, second = np.zeros_like(scene.high), np.ones_like(scene.high)
    network = Given(first, second)
    _, (before,) = validator.measure(network, CPU)
    _, (now,) = validator.measure(network, CPU)
    assert np.array_equal(before.before, before.now)
    assert now.before.max() == 0
    assert now.now.min() == 1
    assert np.array_equal(now.truth, scene.high[0])


def test_large_scenes_are_cut_at_one_place(textured):
    high = (textured(701, 702)[:700, :702] / 255).astype(np.float32)[None]
    scene = Scene("large", resize(high, (350, 351)), high, (0.0, 1.0))
    _, (crop,) = Validator([scene], 2).measure(Given(high), CPU)
    assert crop.truth.shape == (256, 256)
    assert crop.low.shape == (128, 128)
    assert np.corrcoef(resize(crop.truth, (128, 128)).ravel(), crop.low.ravel())[0, 1] > 0.999
