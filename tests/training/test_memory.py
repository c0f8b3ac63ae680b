"""A training for which there is too little memory ends with a sentence that says what to do."""

import pytest
import torch

from napari_sr import InputError
from napari_sr.training import Training
from napari_sr.training.loop import loop, stage
from napari_sr.training.loop.stage_losses import StageLosses
from napari_sr.training.loop.validation import Validator

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GiB, other allocations: 2 KiB, max allowed: 9 GiB)."),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 274877906944 bytes."),
    MemoryError(),
]


@pytest.fixture
def training(tmp_path, textured):
    return lambda recipe: Training(recipe, [textured()], folder=tmp_path / "run", device="cpu")


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_step_without_memory_names_patches_and_batch(training, tiny, monkeypatch, error):
    monkeypatch.setattr(StageLosses, "generator", failing(error))
    with pytest.raises(InputError, match=r"on cpu with 4 patches of 8 x 8 .* choose smaller patches.*accumulate"):
        training(tiny).run()


@pytest.mark.parametrize("place", [(stage, "placed"), (stage, "make_optimizer"), (loop, "Validator")])
def test_so_does_a_network_that_does_not_fit_on_the_device(training, tiny, monkeypatch, place):
    monkeypatch.setattr(*place, failing(ERRORS[1]))
    with pytest.raises(InputError, match="too little memory to train"):
        training(tiny).run()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_validation_without_memory_names_the_image(training, tiny, monkeypatch, error):
    measure = Validator.measure
    monkeypatch.setattr(Validator, "measure", lambda self, network, device: measure(self, failing(error), device))
    with pytest.raises(InputError, match=r"memory on cpu to process \d+ x \d+ pixels of .* smaller images, regions"):
        training(tiny).run()


def test_other_errors_are_as_they_were(training, tiny, monkeypatch):
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    monkeypatch.setattr(StageLosses, "generator", failing(error))
    with pytest.raises(RuntimeError, match="illegal memory access") as caught:
        training(tiny).run()
    assert caught.value is error
