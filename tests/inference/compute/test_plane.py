"""Planes that are computed whole or in tiles, cancellation, and overflow in half precision."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_sr.errors import Cancelled, InputError
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.networks import SRCNN, RRDBNet, SRResNet
from napari_sr.networks.anchored import AnchoredRegression
from napari_sr.networks.deconvolution import RichardsonLucy
from napari_sr.settings import Overlap
from tests.inference.small_models import through

CPU = torch.device("cpu")


def lively(network: nn.Module) -> nn.Module:
    """A network whose output spans the range, so that an error in it would show."""
    torch.manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


@pytest.mark.parametrize(
    "network",
    [
        RRDBNet(blocks=6, features=8, growth=4),
        SRCNN(scale=3, features=(8, 8)),
        SRResNet(scale=2, features=8, blocks=3),
        RRDBNet(scale=2, blocks=1, features=8, growth=4, unshuffle=2),
    ],
    ids=["rrdb 6 blocks", "srcnn x3", "srresnet x2", "rrdb x2 unshuffled"],
)
def test_overlap_of_the_receptive_radius_equals_the_whole_image(network: Any) -> None:
    lively(network)
    radius = network.receptive_radius
    plane = np.random.default_rng(0).random((network.in_channels, 2 * radius + 61, 2 * radius + 46), dtype=np.float32)
    whole = through(PlaneRunner(PreparedNetwork(network, CPU), tiling="none"), plane)
    tiles = through(
        PlaneRunner(PreparedNetwork(network, CPU), tiling=Overlap(tile=2 * radius + 40, overlap=radius, blend=6)), plane
    )
    assert np.abs(tiles - whole).max() <= 2e-5 * np.ptp(whole)


def test_less_overlap_than_the_radius_differs() -> None:
    """The test above can fail: with a margin too small the seams show."""
    network = lively(SRCNN(scale=2, features=(8, 8)))
    plane = np.random.default_rng(0).random((1, 60, 50), dtype=np.float32)
    whole = through(PlaneRunner(PreparedNetwork(network, CPU), tiling="none"), plane)
    seams = through(PlaneRunner(PreparedNetwork(network, CPU), tiling=Overlap(tile=30, overlap=1, blend=2)), plane)
    assert np.abs(seams - whole).max() > 1e-3 * np.ptp(whole)


@pytest.mark.parametrize(
    "make",
    [lambda: AnchoredRegression(scale=2, atoms=8, features=6), lambda: RichardsonLucy(scale=2).folded(0.7)],
    ids=["sparse coding", "Richardson-Lucy"],
)
@pytest.mark.parametrize("self_ensemble", [False, True])
def test_exact_tiles_of_a_network_that_is_not_streamed_equal_the_whole_image(make: Any, self_ensemble: bool) -> None:
    # Of some weights two atoms are so near for one patch that rounding chooses between them.
    torch.manual_seed(5)
    network = make()
    plane = np.random.default_rng(0).random((1, 530, 41), dtype=np.float32)
    runner, whole = (
        PlaneRunner(PreparedNetwork(network, CPU), tiling=tiling, self_ensemble=self_ensemble)
        for tiling in ("exact", "none")
    )
    expected, tiles = through(whole, plane), through(runner, plane)
    assert not runner.is_streamed
    assert runner.not_exact_because is None
    assert runner.tiling.startswith("exact, tiles of ")
    assert np.abs(tiles - expected).max() <= 2e-5 * np.ptp(expected)


@pytest.mark.parametrize("tiling", ["exact", "none"])
def test_cancel_is_called_before_every_layer(tiling: Any) -> None:
    network = RRDBNet(blocks=2, features=8, growth=4)
    calls = 0

    def cancel() -> bool:
        nonlocal calls
        calls += 1
        return calls > 10

    with pytest.raises(Cancelled):
        through(
            PlaneRunner(PreparedNetwork(network, CPU), tiling=tiling, cancel=cancel), np.zeros((3, 8, 8), np.float32)
        )
    assert calls == 11


def test_the_network_of_the_model_is_not_changed() -> None:
    network = SRCNN(scale=2, features=(4, 4))
    through(
        PlaneRunner(PreparedNetwork(network, CPU), torch.bfloat16, cancel=lambda: False),
        np.zeros((1, 8, 8), np.float32),
    )
    assert network.conv1.weight.dtype == torch.float32
    assert not network.conv1._forward_pre_hooks


@pytest.mark.parametrize("tiling", ["exact", "none"])
def test_an_overflow_of_half_precision_is_computed_again(tiling: Any) -> None:
    network = lively(SRCNN(scale=2, features=(8, 8)))
    # 70,000 is beyond float16 and within float32.
    plane = np.full((1, 8, 8), 7e4, np.float32)
    runner = PlaneRunner(PreparedNetwork(network, CPU), torch.float16, tiling)
    out = through(runner, plane)
    assert runner.recomputed == 1
    assert np.allclose(out, through(PlaneRunner(PreparedNetwork(network, CPU)), plane), rtol=1e-5)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)])
def test_half_precision_is_close_to_float32(dtype: torch.dtype, bound: float) -> None:
    network = lively(RRDBNet(blocks=1, features=8, growth=4))
    plane = np.random.default_rng(0).random((3, 24, 24), dtype=np.float32)
    exact = through(PlaneRunner(PreparedNetwork(network, CPU)), plane)
    near = through(PlaneRunner(PreparedNetwork(network, CPU), dtype), plane)
    assert 0 < np.abs(near - exact).max() < bound * np.ptp(exact)


def test_too_little_memory_is_an_error_of_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    network = SRCNN(scale=2, features=(4, 4))

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("not shown")

    monkeypatch.setattr(SRCNN, "forward", full)
    with pytest.raises(InputError, match="8 x 9 pixels: choose the tiling exact"):
        through(PlaneRunner(PreparedNetwork(network, CPU), tiling="none"), np.zeros((1, 8, 9), np.float32))


def test_float32_is_ieee_while_a_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    network = SRCNN(scale=2, features=(4, 4))
    seen = []
    forward = SRCNN.forward

    def spy(self: SRCNN, x: torch.Tensor) -> torch.Tensor:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return forward(self, x)

    monkeypatch.setattr(SRCNN, "forward", spy)
    before = torch.backends.cudnn.allow_tf32
    through(PlaneRunner(PreparedNetwork(network, CPU), tiling="none"), np.zeros((1, 8, 8), np.float32))
    assert seen == [(False, False)]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize("message", ["MPS backend out of memory", "CUDA error: out of memory"])
def test_too_little_memory_for_the_weights_is_one_sentence(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError(message)

    prepared = PreparedNetwork(SRCNN(scale=2, features=(4, 4)), CPU)
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(InputError, match="too small for the weights of this model"):
        prepared.module(torch.float32)
