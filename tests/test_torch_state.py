"""Settings of torch that belong to the process are restored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from napari_sr.torch_state import ieee_float32
from tests.forked import Forks


def precisions() -> list[str]:
    backends = torch.backends
    parts = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
    )
    return [torch.get_float32_matmul_precision(), *(part.fp32_precision for part in parts)]


@pytest.fixture
def restored() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("restored")
def test_of_two_overlapping_contexts_the_last_one_restores_the_settings() -> None:
    torch.set_float32_matmul_precision("medium")
    before = precisions()
    first, second = ieee_float32(), ieee_float32()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert precisions() == ["highest", *["ieee"] * 5]
    assert torch.backends.cudnn.allow_tf32 is False
    second.__exit__(None, None, None)
    assert precisions() == before
    with ieee_float32():
        assert precisions() == ["highest", *["ieee"] * 5]
    assert precisions() == before


def test_settings_that_another_program_made_by_the_newer_names_are_restored() -> None:
    # In a process of its own, since torch keeps a trace of the newer names.
    script = """
import torch
from napari_sr.torch_state import ieee_float32
torch.backends.fp32_precision = "tf32"
torch.backends.cudnn.conv.fp32_precision = "ieee"
names = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.mkldnn.conv)
before = [name.fp32_precision for name in names]
with ieee_float32():
    assert [name.fp32_precision for name in names] == ["ieee"] * 3
assert [name.fp32_precision for name in names] == before, before
print("restored")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "restored", done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="There are no forks.")
def test_a_fork_computes_the_same_after_its_parent_has_computed_by_several_threads(forks: Forks) -> None:
    script = """
import os, signal
import numpy as np
import torch
import napari_sr as sr
image = np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8)
torch.set_num_threads(2)
first = sr.upscale(image, "srcnn-x2", device="cpu")
child = os.fork()
if child == 0:
    signal.alarm(60)
    difference = np.abs(sr.upscale(image, "srcnn-x2", device="cpu").astype(int) - first)
    os._exit(0 if difference.max() <= 1 else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), torch.get_num_threads())
"""
    done = forks.run(script)
    assert done.stdout.split() == ["0", "2"], done.stderr
