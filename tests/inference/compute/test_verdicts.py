"""Experimental accelerators are taken by "auto" only where they were found right and faster than the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_sr.inference.compute import device as devices
from napari_sr.inference.compute import verdicts
from napari_sr.inference.compute.device import choose_device, list_devices
from napari_sr.inference.compute.verdicts import LARGEST_DIFFERENCE, Verdict, is_trusted, store_verdict

CARD = torch.device("vulkan", 0)


@pytest.fixture(autouse=True)
def one_vulkan_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A computer with a graphics card for Vulkan and no other accelerator."""
    facts = {"name": "Iris Xe", "driver": "23.1"}
    monkeypatch.setenv("NAPARI_SR_CACHE", str(tmp_path / "cache"))
    for module in (verdicts, devices):
        monkeypatch.setattr(module, "device_count", lambda kind: int(kind == "vulkan"))
        monkeypatch.setattr(module, "hardware_name", lambda device: facts["name"])
        monkeypatch.setattr(module, "is_software", lambda device: facts["name"].startswith("llvmpipe"))
    monkeypatch.setattr(devices, "unavailable", lambda kind: None if kind == "vulkan" else f"there is no {kind}")
    monkeypatch.setattr(verdicts, "driver_version", lambda device: facts["driver"])
    return facts


def test_a_card_that_was_not_checked_is_used_only_by_name() -> None:
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("vulkan") == torch.device("vulkan")
    assert "unless napari-sr check finds" in list_devices().remark


def test_a_card_that_was_found_right_and_faster_is_taken_by_auto() -> None:
    store_verdict(CARD, Verdict(difference=2e-6, speed=3.1))
    assert is_trusted("vulkan")
    assert choose_device("auto") == torch.device("vulkan")
    assert list_devices().remark == "Automatic uses vulkan (Iris Xe)."
    assert list_devices().labels["vulkan"] == "Vulkan graphics"


@pytest.mark.parametrize(
    "verdict", [Verdict(2e-6, 0.9), Verdict(2 * LARGEST_DIFFERENCE, 3.1), Verdict(float("nan"), 9.0)]
)
def test_a_card_that_is_wrong_or_slower_is_not(verdict: Verdict) -> None:
    store_verdict(CARD, verdict)
    assert choose_device("auto") == torch.device("cpu")


def test_a_later_check_replaces_the_earlier_one() -> None:
    store_verdict(CARD, Verdict(2e-6, 3.1))
    store_verdict(CARD, Verdict(1.0, 3.1))
    assert not is_trusted("vulkan")


@pytest.mark.parametrize(("fact", "value"), [("name", "Radeon RX 7600"), ("driver", "23.2")])
def test_another_card_or_driver_has_to_be_checked_again(one_vulkan_card: dict[str, str], fact: str, value: str) -> None:
    store_verdict(CARD, Verdict(2e-6, 3.1))
    one_vulkan_card[fact] = value
    assert not is_trusted("vulkan")


def test_software_is_never_taken_by_auto(one_vulkan_card: dict[str, str]) -> None:
    one_vulkan_card["name"] = "llvmpipe (LLVM 15.0.6, 256 bits)"
    store_verdict(CARD, Verdict(2e-6, 3.1))
    assert choose_device("auto") == torch.device("cpu")
    assert "which also computes Vulkan here" in list_devices().remark


@pytest.mark.parametrize(
    "content", ["", "[]", '{"vulkan: Iris Xe, 23.1": {"speed": 3}}', '{"vulkan: Iris Xe, 23.1": 3}']
)
def test_a_damaged_file_counts_as_not_checked(tmp_path: Path, content: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "accelerators.json").write_text(content)
    assert not is_trusted("vulkan")
    store_verdict(CARD, Verdict(2e-6, 3.1))
    assert is_trusted("vulkan")


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    store_verdict(CARD, Verdict(2e-6, 3.1))
    assert not is_trusted("vulkan")


def test_without_any_accelerator_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "device_count", lambda kind: 0)
    monkeypatch.setattr(devices, "unavailable", lambda kind: "no driver for Vulkan was found")
    listed = list_devices()
    assert set(listed.labels) == {"auto", "cpu"}
    assert "Vulkan cannot be used, since no driver for Vulkan was found" in listed.remark
