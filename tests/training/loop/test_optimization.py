"""The optimizer of a network."""

import pytest
import torch
from torch import nn

from napari_sr.training.loop import optimization
from napari_sr.training.loop.optimization import make_optimizer
from napari_sr.training.loop.precision import fabric_for
from napari_sr.training.recipe import Optimizer

CPU = torch.device("cpu")


@pytest.mark.parametrize(("fused", "expected"), [(True, True), (False, None)])
def test_without_fused_kernels_torch_still_updates_many_weights_at_once(fused, expected, monkeypatch):
    monkeypatch.setattr(optimization, "has_fused_optimizers", lambda device: fused)
    optimizer = make_optimizer(nn.Conv2d(1, 2, 3), Optimizer(), fabric_for(CPU, "float32"))
    # False for `fused`, or for `foreach`, would update one weight after another.
    assert optimizer.defaults["fused"] is expected
    assert optimizer.defaults["foreach"] is None


def test_gradients_of_float16_that_are_clipped_need_an_optimizer_without_fused_kernels():
    optimizer = make_optimizer(nn.Conv2d(1, 2, 3), Optimizer(), fabric_for(CPU, "float16"))
    assert optimizer.defaults["fused"] is None
