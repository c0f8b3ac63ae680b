"""Devices and number formats are chosen by name."""

import pytest
import torch

from napari_sr.errors import InputError
from napari_sr.inference.compute.device import available_devices, choose_device
from napari_sr.inference.compute.precision import number_format
from tests.inference.small_models import rrdb


def test_the_cpu_is_always_there() -> None:
    assert available_devices()[:2] == ("auto", "cpu")
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_a_gpu_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert available_devices()[2:5] == ("cuda", "cuda:0", "cuda:1")
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match="cuda:7"):
        choose_device("cuda:7")


def test_auto_precision_is_float32_on_a_cpu() -> None:
    model = rrdb(2, 1, precision={"float16": 80.0})
    assert number_format(model, "auto", torch.device("cpu"), "uint8") is torch.float32
    assert number_format(model, "bfloat16", torch.device("cpu"), "uint8") is torch.bfloat16
