"""Settings of torch that belong to the process are restored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from napari_sr.torch_state import ieee_float32


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
