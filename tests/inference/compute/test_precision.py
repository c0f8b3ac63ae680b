"""Measurement of the error of half precision."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
import torch

from napari_sr.inference.compute.precision import SUFFICIENT_PSNR, float16_psnr, measure_precision, number_format
from napari_sr.inference.job import Job
from napari_sr.zoo.catalog import load_model
from napari_sr.zoo.model import Model
from tests.inference.small_models import rrdb


def test_float16_is_closer_to_float32_than_bfloat16() -> None:
    model = rrdb(2, 1)
    found = measure_precision(model.network, model.card)
    # A half precision has 3 bits more of fraction than the other: 6 dB each.
    assert 10 < found["float16"] - found["bfloat16"] < 26
    assert 30 < found["bfloat16"] < found["float16"] < 110


def test_a_network_that_overflows_float16_is_not_computed_in_it() -> None:
    model = rrdb(2, 1)
    network = model.network
    with torch.no_grad():
        network.conv_first.weight.fill_(6e4)
    found = measure_precision(network, model.card, precisions=("float16",))
    assert found == {"float16": -inf}
    card = model.card.model_copy(update={"precision": found})
    measured = Model(card, model.endpoints)
    assert number_format(measured, "auto", torch.device("cuda"), "uint8") == torch.float32


def test_the_network_is_not_changed() -> None:
    model = rrdb(2, 3)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    measure_precision(model.network, model.card)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert next(model.network.parameters()).dtype == torch.float32


def test_float16_is_measured_once_if_the_card_has_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, for 8-bit images: its part is played by a device that only has its name."""
    gpu = torch.device("cuda")
    calls = []

    def measured(network: Any, card: Any, device: torch.device, precisions: tuple[str, ...]) -> dict[str, float]:
        calls.append((device, precisions))
        return {"float16": 70.0}

    monkeypatch.setattr("napari_sr.inference.job.choose_device", lambda name: gpu)
    monkeypatch.setattr("napari_sr.inference.compute.precision.measure_precision", measured)
    job = Job(rrdb(2, 1))
    assert [job.where(np.uint8)[1] for _ in range(3)] == [torch.float16] * 3
    assert calls == [(gpu, ("float16",))]
    assert job.where(np.uint16) == (gpu, torch.float32)
    known = Job(rrdb(2, 1, precision={"float16": 60.0}))
    assert known.where(np.uint8) == (gpu, torch.float32)
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["srcnn-x2", "srcnn-x3", "srcnn-x4"])
def test_bundled_models_are_good_enough_in_float16(name: str) -> None:
    model = load_model(name)
    assert measure_precision(model.network, model.card, precisions=("float16",))["float16"] >= SUFFICIENT_PSNR


@pytest.mark.parametrize("name", ["srcnn-microscopy-x2", "esrgan-microscopy-x2"])
def test_float16_is_measured_for_networks_that_take_noise_and_blur(name: str) -> None:
    """As on the cards of bundled models; the card of a pair of files has no measurement."""
    model = load_model(name)
    assert float16_psnr(model, torch.device("cpu")) == pytest.approx(model.card.precision["float16"], abs=3)
