"""Trainings on a device that Fabric does not have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_sr import InputError
from napari_sr.accelerators import unavailable
from napari_sr.training.loop.precision import fabric_for

_REASON = unavailable("vulkan")
needs_vulkan = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))


def trained(order):
    program = Path(__file__).parents[1] / "trained_on_device.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, program, "vulkan", order], capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_vulkan
def test_after_a_training_on_the_cpu_one_on_vulkan_stopped_and_resumed_has_the_same_losses():
    result = trained("cpu first")
    assert result["stopped"] == 2
    assert result["finished"]
    assert len(result["curves"]) == len(result["expected"]) >= 4
    for there, here in zip(result["curves"], result["expected"], strict=True):
        assert there.keys() == here.keys()
        for key in there.keys() - {"stage"}:
            assert (there[key] == "") == (here[key] == "")
            if there[key]:
                assert float(there[key]) == pytest.approx(float(here[key]), rel=1e-4, abs=1e-4), key
    # Less than a step of the learning rate.
    assert result["furthest"] < 1e-4


@needs_vulkan
def test_a_device_that_was_added_after_the_first_gradients_is_refused_in_one_sentence():
    assert "start Python or napari again" in trained("gradients first")["error"]


def test_an_accelerator_that_fabric_does_not_have_computes_on_its_own_device():
    # torch's meta device has shapes and no numbers, and is on every machine.
    fabric = fabric_for(torch.device("meta"), "float32")
    assert fabric.device == torch.device("meta", 0)
    assert fabric.world_size == 1
    assert fabric.is_global_zero


def test_several_processes_are_refused_where_they_cannot_communicate():
    with pytest.raises(InputError, match="Several processes cannot train on xpu"):
        fabric_for(torch.device("xpu"), "float32", processes=2)
