"""The fastest way of an accelerator is kept between processes, for the driver with which it was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_sr import accelerators
from napari_sr.accelerators import memory_layout
from napari_sr.inference.compute import verdicts
from napari_sr.inference.compute.tunings import Tuning, store_tuning, tuning_of

CARD = torch.device("vulkan", 0)


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAPARI_SR_CACHE", str(tmp_path))
    monkeypatch.setattr(verdicts, "hardware_name", lambda device: "Card")
    monkeypatch.setattr(verdicts, "driver_version", lambda device: "1")
    monkeypatch.setattr(accelerators, "_measured_layouts", {})


def test_a_device_that_was_not_measured_computes_in_the_usual_way() -> None:
    assert tuning_of(CARD) == Tuning()
    assert tuning_of(torch.device("cpu")) == Tuning()


def test_a_tuning_is_stored_for_a_device_and_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = Tuning({"float32": "channels last"}, whole_planes=False)
    store_tuning(CARD, tuning)
    assert tuning_of(CARD) == tuning
    monkeypatch.setattr(verdicts, "driver_version", lambda device: "2")
    assert tuning_of(CARD) == Tuning()


def test_a_tuning_of_another_device_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store_tuning(CARD, Tuning(whole_planes=False))
    monkeypatch.setattr(verdicts, "hardware_name", lambda device: "Other card")
    store_tuning(CARD, Tuning())
    monkeypatch.setattr(verdicts, "hardware_name", lambda device: "Card")
    assert tuning_of(CARD) == Tuning(whole_planes=False)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": {"layouts": 3, "whole planes": 1}}'])
def test_a_damaged_file_is_the_usual_way(content: str, tmp_path: Path) -> None:
    (tmp_path / "tunings.json").write_text(content)
    assert tuning_of(CARD) == Tuning()


def test_layouts_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    store_tuning(CARD, Tuning({"float32": "channels last", "float16": "contiguous"}))
    file = tmp_path / "tunings.json"
    file.write_text(file.read_text().replace("channels last", "sideways"))
    assert tuning_of(CARD) == Tuning({"float16": "contiguous"})


def test_layouts_are_those_of_the_device_and_the_number_format() -> None:
    Tuning({"float32": "channels last"}).use_layouts(CARD)
    assert memory_layout(CARD, torch.float32) == torch.channels_last
    assert memory_layout(torch.device("vulkan"), torch.float32) == torch.channels_last
    assert memory_layout(CARD, torch.float16) == torch.contiguous_format
    assert memory_layout(torch.device("vulkan", 1), torch.float32) == torch.contiguous_format
    Tuning().use_layouts(CARD)
    assert memory_layout(CARD, torch.float32) == torch.contiguous_format


def test_both_half_precisions_have_the_layout_of_float16() -> None:
    Tuning({"float16": "channels last"}).use_layouts(CARD)
    assert memory_layout(CARD, torch.bfloat16) == memory_layout(CARD, torch.float16) == torch.channels_last
