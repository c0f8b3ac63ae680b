"""Inference on a device other than the CPU: every tensor is there, and the results are the CPU's."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_sr import upscale
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.networks import SRCNN, RRDBNet
from napari_sr.networks.conditioning import NoiseLevels, WithNoise, folded
from napari_sr.settings import Overlap, Tiling
from tests.elsewhere import elsewhere
from tests.inference.compute.streaming.drawn import small, with_drawn_weights
from tests.inference.small_models import rrdb, through

CONDITIONED = {
    "scale": 2,
    "in_channels": 1,
    "out_channels": 1,
    "features": 8,
    "growth": 4,
    "blocks": 1,
    "bias": False,
    "zero_sum": True,
    "padding": "replicate",
    "skip": "bicubic",
    "noise_plane": True,
    "gate": 4,
}


def gated() -> nn.Module:
    """A network with a noise plane and a gate, for one noise and one blur."""
    torch.manual_seed(0)
    network = RRDBNet(**CONDITIONED)
    return WithNoise(folded(with_drawn_weights(network), 0.8), NoiseLevels([0.02], [0.05], [1e-3])).eval()


NETWORKS = ["srcnn x2", "srresnet x4", "rrdbnet x3", "rrdbnet x2 unshuffled", "rrdbnet x2 with noise"]
MAKERS = {name: partial(small, name) for name in NETWORKS} | {"rrdbnet x2 with gate": gated}


def run(network: nn.Module, device: str, plane: np.ndarray, tiling: Tiling, **settings: Any) -> np.ndarray:
    runner = PlaneRunner(PreparedNetwork(network, torch.device(device)), tiling=tiling, **settings)
    assert runner.not_exact_because is None
    return through(runner, plane)


@pytest.mark.parametrize("device", ["cuda:0", "mps"])
@pytest.mark.parametrize("name", MAKERS)
def test_streams_tiles_and_whole_planes_have_the_numbers_of_the_cpu(name, device, monkeypatch):
    network = MAKERS[name]()
    plane = np.random.default_rng(0).random((network.in_channels, 30, 36), dtype=np.float32)
    for tiling in ("exact", Overlap(tile=20, overlap=4, blend=4), "none"):
        expected = run(network, "cpu", plane, tiling)
        with elsewhere(device, monkeypatch) as there:
            result = run(network, device, plane, tiling)
        np.testing.assert_allclose(result, expected, atol=1e-4)
        assert there.calls["aten.convolution.default"] > 0


def test_so_have_the_turned_images_of_a_self_ensemble(monkeypatch):
    network = small("rrdbnet x3")
    plane = np.random.default_rng(0).random((3, 12, 16), dtype=np.float32)
    for tiling in ("exact", "none"):
        expected = run(network, "cpu", plane, tiling, self_ensemble=True)
        with elsewhere("cuda:0", monkeypatch):
            result = run(network, "cuda:0", plane, tiling, self_ensemble=True)
        np.testing.assert_allclose(result, expected, atol=1e-4)


def test_a_job_on_a_device_has_the_image_of_the_cpu(monkeypatch):
    model = rrdb(scale=2, channels=1)
    image = np.random.default_rng(0).integers(0, 65536, (2, 24, 32), np.uint16)
    expected = upscale(image, model, "ZYX", device="cpu")
    with elsewhere("mps", monkeypatch) as there:
        result = upscale(image, model, "ZYX", device="mps")
    assert np.abs(result.astype(int) - expected).max() <= 65535 * 1e-4
    assert there.calls["aten.convolution.default"] > 0


@pytest.mark.parametrize("tiling", ["exact", "none"])
def test_a_kernel_that_stays_on_the_cpu_is_an_error(tiling, monkeypatch):
    network = small("srcnn x2")
    plane = np.zeros((1, 20, 24), np.float32)
    move = nn.Module.to

    def forgetful(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        kernel = self.conv2.weight
        moved = move(self, *args, **kwargs)
        self.conv2.weight = kernel
        return moved

    monkeypatch.setattr(SRCNN, "to", forgetful)
    run(network, "cpu", plane, tiling)
    with elsewhere("cuda:0", monkeypatch), pytest.raises(RuntimeError, match="on the CPU with the shape"):
        run(network, "cuda:0", plane, tiling)
