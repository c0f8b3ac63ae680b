"""The settings of torch that a caller has made neither change a result nor are changed by a job."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import napari_sr as sr
from napari_sr.inference.timing.speed import measure_speed
from napari_sr.torch_state import own_torch_state
from napari_sr.zoo.classic import CLASSICS
from napari_sr.zoo.loading import classic

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


BUNDLED = [entry.name for entry in sr.list_models() if entry.where == "bundled"]


@pytest.mark.parametrize("name", [*BUNDLED, *CLASSICS])
@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 3)], ids=["gray", "RGB"])
def test_an_upscaling_neither_advances_nor_sets_back_the_global_random_state(name, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    torch.manual_seed(7)
    expected = torch.rand(100)
    torch.manual_seed(7)
    drawn = []
    model = classic(name, 2) if name in CLASSICS else sr.load_model(name)
    sr.upscale(image, model, device="cpu", progress=lambda done, total: drawn.append(torch.rand(1)))
    drawn.append(torch.rand(1))
    assert len(drawn) > 1
    assert torch.equal(torch.cat(drawn), expected[: len(drawn)])


@pytest.mark.parametrize("name", MODELS)
def test_a_self_ensemble_does_not_advance_the_global_random_state(name):
    before = torch.get_rng_state()
    sr.upscale(GRAY, sr.load_model(name), device="cpu", self_ensemble=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_measured_speed_does_not_advance_the_global_random_state():
    job = sr.Job("srcnn-x2", sr.JobSettings(device="cpu"))
    torch.manual_seed(7)
    before = torch.get_rng_state()
    measure_speed(job, np.uint8, rgb=False)
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

    def __init__(self, *, gradients=False):
        self.thread, self.context = ThreadPoolExecutor(1), own_torch_state(gradients=gradients)
        self.thread.submit(self.context.__enter__).result()

    def end(self):
        self.thread.submit(self.context.__exit__, None, None, None).result()
        self.thread.shutdown()


def test_of_jobs_on_several_threads_the_last_one_restores_the_settings_of_the_process():
    with default_dtype():
        first, second = OnItsThread(), OnItsThread()
        first.end()
        assert torch.get_default_dtype() == torch.float32
        second.end()
        assert torch.get_default_dtype() == torch.float64


def test_of_trainings_on_several_threads_the_last_one_restores_the_random_state():
    torch.manual_seed(7)
    random = torch.get_rng_state()
    job, first = OnItsThread(), OnItsThread(gradients=True)
    torch.rand(3)
    second = OnItsThread(gradients=True)
    first.end()
    job.end()
    assert not torch.equal(torch.get_rng_state(), random)
    second.end()
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
