"""PSNR and SSIM during a training, and those of bicubic interpolation on the same pixels."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_sr.imaging.resize import resize
from napari_sr.training.data.training_set import Scene
from napari_sr.training.loop.validation import Validator


class Fixed(nn.Module):
    """A network that returns given results in turn."""

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


def test_results_of_bicubic_interpolation_score_as_the_baseline(scene):
    validator = Validator([scene], 2)
    score, _ = validator.measure(Fixed(resize(scene.low, factor=2)), CPU)
    assert score == validator.baseline


def test_the_border_is_not_measured(scene):
    validator = Validator([scene], 2)
    result = np.clip(scene.high + 0.01, -1, 2)
    result[:, :2] = 5
    score, _ = validator.measure(Fixed(result), CPU)
    assert score.psnr == pytest.approx(40, abs=0.1)


def test_results_are_clipped_to_the_range_of_the_images_dtype(scene):
    truth = Scene("white", scene.low, np.ones_like(scene.high), (0.0, 1.0))
    score, _ = Validator([truth], 2).measure(Fixed(truth.high + 3), CPU)
    assert score.psnr == 100


def test_a_result_of_nan_scores_low_and_not_nan(scene):
    score, _ = Validator([scene], 2).measure(Fixed(np.full_like(scene.high, np.nan)), CPU)
    assert score.psnr < 10


def test_all_scenes_have_the_same_weight(scene):
    good, bad = scene.high.copy(), np.clip(scene.high + 0.1, 0, 2)
    free = Scene("scene", scene.low, scene.high, (-np.inf, np.inf))
    score, _ = Validator([free, free], 2).measure(Fixed(good, bad), CPU)
    assert score.psnr == pytest.approx((100 + 20) / 2, abs=0.01)


def test_crops_show_results_before_and_now(scene):
    validator = Validator([scene], 2)
    first, second = np.zeros_like(scene.high), np.ones_like(scene.high)
    network = Fixed(first, second)
    _, (before,) = validator.measure(network, CPU)
    _, (now,) = validator.measure(network, CPU)
    assert np.array_equal(before.before, before.now)
    assert now.before.max() == 0
    assert now.now.min() == 1
    assert np.array_equal(now.truth, scene.high[0])


def test_crops_of_large_scenes_show_the_same_field(textured):
    high = (textured(701, 702)[:700, :702] / 255).astype(np.float32)[None]
    scene = Scene("large", resize(high, (350, 351)), high, (0.0, 1.0))
    _, (crop,) = Validator([scene], 2).measure(Fixed(high), CPU)
    assert crop.truth.shape == (256, 256)
    assert crop.low.shape == (128, 128)
    assert np.corrcoef(resize(crop.truth, (128, 128)).ravel(), crop.low.ravel())[0, 1] > 0.999


def test_a_network_that_takes_noise_and_blur_is_given_those_of_the_scene(scene):
    given = []

    class Conditioned(nn.Module):
        def forward(self, x, noise, blur):
            given.append((noise, blur))
            return torch.from_numpy(scene.high)[None]

    noise = np.full_like(scene.low, 0.1)
    conditioned = Scene("scene", scene.low, scene.high, scene.limits, noise, 0.8)
    score, _ = Validator([conditioned], 2).measure(Conditioned(), CPU)
    ((plane, blur),) = given
    assert np.array_equal(plane[0].numpy(), noise)
    assert blur.tolist() == pytest.approx([0.8])
    assert score.psnr == 100


def test_the_lattice_of_the_results_is_measured_without_the_border(scene):
    validator = Validator([scene], 2)
    woven = scene.high.copy()
    woven[:, ::2, ::2] += 0.1
    plain, with_lattice = (validator.measure(Fixed(image), CPU)[0].lattice for image in (scene.high, woven))
    assert with_lattice > 3 * plain
    spoiled = woven.copy()
    spoiled[:, :2], spoiled[..., -2:] = 0, 1
    assert validator.measure(Fixed(spoiled), CPU)[0].lattice == pytest.approx(with_lattice)


def test_scenes_smaller_than_a_tile_have_no_lattice(textured):
    high = (textured(30, 60) / 255).astype(np.float32)[None]
    small = Scene("small", resize(high, (15, 30)), high, (0.0, 1.0))
    assert Validator([small], 2).measure(Fixed(high), CPU)[0].lattice is None
