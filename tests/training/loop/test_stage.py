"""One step of training, with the optimizers of generator and discriminator."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from napari_sr.training.data.patches import Batch
from napari_sr.training.generator.generator import make_generator
from napari_sr.training.loop.precision import fabric_for
from napari_sr.training.loop.stage import StageWork

CPU = torch.device("cpu")


@pytest.fixture
def work(gan):
    """The adversarial stage of a tiny network, in a number format, and the patches of each step."""
    generator = make_generator(gan, None, False)
    stage = gan.stages[1]

    def draw(part, parts):
        torch.manual_seed(part)
        return Batch(torch.rand(2, 1, 16, 16), torch.rand(2, 1, 32, 32))

    def make(precision, **changes):
        fabric = fabric_for(CPU, precision)
        own = replace(generator, network=deepcopy(generator.network))
        return StageWork(fabric, own, stage.model_copy(update=changes), patch=32, seed=1), fabric, draw

    return make


def gradients(work):
    return [[p.grad.clone() for p in network.parameters()] for network, _, _ in work._trained]


def test_in_float16_both_optimizers_have_the_scale_of_their_gradients(work, monkeypatch):
    part, fabric, draw = work("float16", clip=None)
    scaler = fabric.strategy.precision.scaler
    # As large a change as at an overflow, after each update.
    scaler.set_growth_interval(1)
    scaler.set_growth_factor(16.0)
    scaler._init_scale = 128.0
    scales, updates = [], []
    unscale, update = scaler.unscale_, scaler.update
    monkeypatch.setattr(scaler, "unscale_", lambda o: scales.append(scaler.get_scale()) or unscale(o))
    monkeypatch.setattr(scaler, "update", lambda: updates.append(scaler.get_scale()) or update())
    part.step(0, draw)
    assert scales == [128.0, 128.0]
    assert updates == [128.0]
    assert scaler.get_scale() == 16 * 128.0
    exact, _, draw = work("float32", clip=None)
    exact.step(0, draw)
    for halves, singles in zip(gradients(part), gradients(exact), strict=True):
        largest = max(single.abs().max() for single in singles)
        for half, single in zip(halves, singles, strict=True):
            torch.testing.assert_close(half, single, rtol=0.05, atol=0.02 * float(largest))


def test_gradients_of_float16_are_clipped_without_their_scale(work):
    part, fabric, draw = work("float16", clip=1e-3)
    fabric.strategy.precision.scaler._init_scale = 128.0
    part.step(0, draw)
    for own in gradients(part):
        assert torch.cat([g.reshape(-1) for g in own]).norm() == pytest.approx(1e-3, rel=1e-3)


def test_a_network_whose_gradients_overflow_keeps_its_weights_and_the_scale_is_halved(work):
    part, fabric, draw = work("float16", clip=None)
    fabric.strategy.precision.scaler._init_scale = 2.0**40
    before = {key: value.clone() for key, value in part.state()["network"].items()}
    part.step(0, draw)
    assert all(torch.equal(value, before[key]) for key, value in part.state()["network"].items())
    assert fabric.strategy.precision.scaler.get_scale() == 2.0**39


def test_the_scale_of_float16_is_part_of_the_state(work):
    part, fabric, draw = work("float16")
    scaler = fabric.strategy.precision.scaler
    scaler.set_growth_interval(3)
    scaler._init_scale = 128.0
    for step in range(2):
        part.step(step, draw)
    state = deepcopy(part.state())
    part.step(2, draw)
    assert scaler.get_scale() == 256.0
    again, other, draw = work("float16")
    again.restore(state)
    assert other.strategy.precision.scaler.get_scale() == 128.0
    again.step(2, draw)
    # The third step since the last change, not the first.
    assert other.strategy.precision.scaler.get_scale() == 256.0
    assert all(torch.equal(value, again.state()["network"][key]) for key, value in part.state()["network"].items())
