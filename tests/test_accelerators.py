"""Accelerators: errors for too little memory are told from others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from napari_sr import accelerators
from napari_sr.accelerators import is_out_of_memory
from napari_sr.device_names import KINDS, LABELS

# Errors for too little memory


@pytest.mark.parametrize(
    "message",
    [
        "MPS backend out of memory (MPS allocated: 8.81 GB, other allocations: 1.02 MB, max allowed: 9.07 GB).",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8589934592 bytes.",
        "vkAllocateMemory failed: VK_ERROR_OUT_OF_DEVICE_MEMORY",
    ],
)
def test_errors_of_drivers_and_libraries_for_too_little_memory_are_recognized(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))


def test_the_real_error_of_the_allocator_is_recognized() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


def test_other_errors_are_not_taken_for_it() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("not shown"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"))
    assert not is_out_of_memory(ValueError("out of memory"))


# The kinds


def test_every_kind_has_a_name_in_the_window() -> None:
    assert set(LABELS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_can_be_used_or_has_a_reason(kind: str) -> None:
    reason = accelerators.unavailable(kind)
    assert (reason is None) == (accelerators.device_count(kind) > 0)
    assert reason is None or reason.strip()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("No module named 'torchvulkan'", name="torchvulkan"), "not installed"),
        (ImportError("libvulkan.so.1: cannot open shared object file"), "cannot be loaded (libvulkan.so.1"),
        (RuntimeError("torchvulkan requires PyTorch 2.10.0 or higher"), "cannot be loaded (torchvulkan requires"),
    ],
)
def test_a_missing_or_broken_package_for_vulkan_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def broken(name: str) -> None:
        raise error

    monkeypatch.setattr(accelerators, "import_module", broken)
    accelerators._load_backend.cache_clear()
    try:
        found = accelerators.unavailable("vulkan")
    finally:
        accelerators._load_backend.cache_clear()
    assert found is not None
    assert reason in found


def test_vulkan_without_a_driver_is_a_reason_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_load_backend", lambda kind: None)
    none = SimpleNamespace(is_available=lambda: False, device_count=lambda: 0)
    monkeypatch.setattr(torch, "get_device_module", lambda kind: none)
    found = accelerators.unavailable("vulkan")
    assert found is not None
    assert "install that of the graphics card" in found


def test_mps_counts_memory_that_torch_has_reserved_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 1000)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 900)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 100)
    assert accelerators.free_memory(torch.device("mps")) == 900


def test_software_vulkan_is_told_from_a_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"llvmpipe (LLVM 15.0.6, 256 bits)": True, "Intel(R) Iris(R) Xe Graphics (TGL GT2)": False}
    for name, software in names.items():
        monkeypatch.setattr(accelerators, "hardware_name", lambda device, name=name: name)
        assert accelerators.is_software(torch.device("vulkan")) is software
