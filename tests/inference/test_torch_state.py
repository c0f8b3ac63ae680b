"""The settings of torch that a caller has made neither change a result nor are changed by a job."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.torch_state import own_torch_state

GRAY = np.random.default_rng(0).integers(0, 256, (24, 20), np.uint8)
MODELS = ["srcnn-x2", "esrgan-compact-x4"]


def upscaled(name):
    # Loaded again, so that the network is built under the settings too.
    return sr.upscale(GRAY, sr.load_model(name), device="cpu")


@contextmanager
def default_device():
    with torch.device("meta"):
        yield


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def global_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


STATES = [
    autocast,
    default_device,
    global_device,
    default_dtype,
    deterministic,
    torch.no_grad,
    torch.inference_mode,
    torch.enable_grad,
]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_result_does_not_depend_on_the_callers_settings_of_torch(name, state):
    expected = upscaled(name)
    with state():
        result = upscaled(name)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", MODELS)
def test_the_global_random_state_is_not_advanced(name):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    upscaled(name)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_training_neither_uses_nor_advances_the_global_random_state(tmp_path):
    recipe = sr.Recipe.from_toml("stages = [{ steps = 2, losses = [{ kind = 'l1' }] }]")
    image = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    weights = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        outcome = sr.Training(recipe, image, "srcnn-x2", folder=tmp_path / str(seed), device="cpu").run()
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(outcome.model.endpoints["weights"])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.parametrize(
    "state", [torch.no_grad, torch.inference_mode, default_dtype, autocast], ids=lambda state: state.__name__
)
def test_a_training_does_not_depend_on_the_callers_settings_of_torch(tmp_path, state):
    recipe = sr.Recipe.from_toml("stages = [{ steps = 2, losses = [{ kind = 'l1' }] }]")
    image = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    expected = (
        sr.Training(recipe, image, "srcnn-x2", folder=tmp_path / "a", device="cpu").run().model.endpoints["weights"]
    )
    with state():
        outcome = sr.Training(recipe, image, "srcnn-x2", folder=tmp_path / "b", device="cpu").run()
    found = outcome.model.endpoints["weights"]
    assert all(torch.equal(expected[key], found[key]) for key in expected)


class OnItsThread:
    """A context of the settings of torch on a thread of its own."""

    def __init__(self):
        self.thread, self.context = ThreadPoolExecutor(1), own_torch_state()
        self.thread.submit(self.context.__enter__).result()

    def end(self):
        self.thread.submit(self.context.__exit__, None, None, None).result()
        self.thread.shutdown()


def test_of_jobs_on_several_threads_the_last_one_restores_the_settings_of_the_process():
    torch.manual_seed(7)
    random = torch.get_rng_state()
    with default_dtype():
        first = OnItsThread()
        torch.rand(3)
        second = OnItsThread()
        first.end()
        assert torch.get_default_dtype() == torch.float32
        second.end()
        assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), random)


def test_a_default_dtype_that_is_set_during_a_job_is_restored_after_the_next_one():
    first = OnItsThread()
    with default_dtype():
        second = OnItsThread()
        assert torch.get_default_dtype() == torch.float32
        first.end()
        assert torch.get_default_dtype() == torch.float32
        second.end()
        assert torch.get_default_dtype() == torch.float64
