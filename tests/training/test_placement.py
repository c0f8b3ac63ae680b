"""A training on a device other than the CPU: every tensor is there, and the losses are the CPU's."""

from __future__ import annotations

import pytest
import torch

from napari_sr.training import Recipe, Training
from napari_sr.training.events import StepDone, Validated
from napari_sr.training.loop.log import read_curves
from napari_sr.training.loop.stage_losses import StageLosses
from tests.elsewhere import elsewhere

ADVERSARIAL = """
name = "adversarial"
family = "esrgan"
seed = 5
precision = "float32"
patches = { size = 16, batch = 4, empty = 0.0 }
validation = { every = 2, block = 16, gap = 2 }

[network]
name = "RRDBNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 4, growth = 2, blocks = 1 }

[[stages]]
name = "psnr"
endpoint = "psnr"
steps = 2
losses = [
    { kind = "charbonnier" },
    { kind = "equivariance" },
    { kind = "periodic", weight = 0.1 },
    { kind = "pattern" },
]
optimizer = { learning_rate = 1e-3, whiten = true }
ema = 0.9

[[stages]]
name = "gan"
endpoint = "gan"
steps = 3
losses = [
    { kind = "l1", weight = 1e-2, binned = 2 },
    { kind = "adversarial", form = "relativistic", weight = 5e-3 },
    { kind = "matching", weight = 1e-2 },
]
optimizer = { learning_rate = 1e-4 }
discriminator = { kind = "unet", features = 4, conditional = true }
clip = 1.0
accumulate = 2
shift = 2
"""
CLASSIFIED = """
name = "classified"
family = "srgan"
seed = 5
precision = "float32"
patches = { size = 16, batch = 2, empty = 0.0 }
validation = { every = 2, block = 16, gap = 2 }

[network]
name = "SRResNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 4, blocks = 1 }

[[stages]]
steps = 2
losses = [{ kind = "mse" }, { kind = "adversarial", form = "standard", weight = 1e-3 }]
optimizer = { learning_rate = 1e-4 }
discriminator = { kind = "srgan", features = 4 }
"""
CONDITIONED = """
name = "conditioned"
family = "esrgan"
seed = 3
precision = "float32"
patches = { size = 12, batch = 4 }
validation = { every = 2, block = 24, gap = 2, most = 2 }

[network]
name = "RRDBNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 8, growth = 4, blocks = 1, bias = false, zero_sum = true, padding = "replicate", skip = "bicubic", noise_plane = true, gate = 4 }
start_as_interpolation = true

[conditions]
halo = 8
flats = 0.1
noise = { gain = [0.1, 5.0], read = [0.5, 10.0], absent = 0.2, correlated = 0.1, texture = 0.3, jitter = 0.1 }
blur = { result = [0.3, 1.6], source = [0.0, 1.0], result_fraction = 0.7, absent = 0.3, jitter = 0.04 }

[[stages]]
steps = 2
losses = [{ kind = "relative", absolute = 0.1, flat = 20.0 }]
optimizer = { learning_rate = 1e-3, whiten = true }
clip = 0.5
"""  # noqa: E501 (an inline table of TOML is one line)


#: Biases in front of a batch normalization, which subtracts them again: their gradients are rounding errors.
_WITHOUT_EFFECT = ("body.0.conv1.bias", "body.0.conv2.bias", "conv_mid.bias")


@pytest.fixture
def train(tmp_path, textured):
    """Train a recipe in a folder, up to a step; return the outcome and the events."""

    def run(recipe, folder, device, until=None):
        events = []

        def on_event(event):
            events.append(event)
            if isinstance(event, StepDone) and event.step == until:
                training.stop()

        training = Training(
            Recipe.from_toml(recipe), [textured(128, 96)], folder=tmp_path / folder, device=device, on_event=on_event
        )
        return training.run(), events

    return run


def check_same(one, other, tmp_path):
    """Check that two trainings have the same losses, measurements and weights, up to 1e-4."""
    curves = [read_curves(tmp_path / folder / "curves.csv") for folder in ("there", "here")]
    assert len(curves[0]) == len(curves[1]) > 0
    for there, here in zip(*curves, strict=True):
        assert there.keys() == here.keys()
        for key in there.keys() - {"stage"}:
            assert (there[key] == "") == (here[key] == ""), key
            if there[key]:
                assert float(there[key]) == pytest.approx(float(here[key]), rel=1e-4, abs=1e-4), key
    for name, state in one.model.endpoints.items():
        for key, value in state.items():
            assert value.device.type == "cpu"
            if key in _WITHOUT_EFFECT:
                continue
            torch.testing.assert_close(value, other.model.endpoints[name][key], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "device"),
    [(ADVERSARIAL, "cuda:0"), (ADVERSARIAL, "mps"), (CLASSIFIED, "cuda:0"), (CONDITIONED, "mps")],
    ids=["unet on cuda", "unet on mps", "srgan on cuda", "conditioned on mps"],
)
def test_a_training_stopped_and_resumed_on_a_device_has_the_losses_of_the_cpu(
    recipe, device, train, tmp_path, monkeypatch
):
    expected, _ = train(recipe, "here", "cpu")
    with elsewhere(device, monkeypatch) as there:
        stopped, _ = train(recipe, "there", device, until=1)
        assert stopped.step == 1
        outcome, events = train(recipe, "there", device)
    assert outcome.finished
    assert any(isinstance(event, Validated) for event in events)
    assert there.calls["aten.convolution_backward.default"] > 0
    check_same(outcome, expected, tmp_path)


def test_a_loss_with_a_tensor_on_the_cpu_is_an_error(train, monkeypatch):
    pixel = StageLosses.generator
    weights = torch.rand(32, 32)

    def weighted(self, batch, result, offset=(0, 0)):
        return pixel(self, batch, result * weights, offset)

    monkeypatch.setattr(StageLosses, "generator", weighted)
    train(ADVERSARIAL, "here", "cpu")
    with elsewhere("cuda:0", monkeypatch), pytest.raises(RuntimeError, match=r"on the CPU with the shape \(32, 32\)"):
        train(ADVERSARIAL, "there", "cuda:0")
