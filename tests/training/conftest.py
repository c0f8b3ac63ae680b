"""A training that takes seconds: a network with a few hundred weights, and random images."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sr.training import Recipe
from napari_sr.zoo import Architecture, Card, Model, build

TINY = """
name = "tiny"
family = "esrgan"
seed = 5
precision = "float32"
patches = { size = 8, batch = 4, empty = 0.0 }
validation = { every = 3, block = 16, gap = 2 }

[network]
name = "RRDBNet"

[network.settings]
scale = 2
in_channels = 1
out_channels = 1
features = 4
growth = 2
blocks = 1
skip = "bilinear"

[[stages]]
steps = 6
losses = [{ kind = "l1" }]
optimizer = { learning_rate = 1e-3 }
schedule = { kind = "cosine", warm_up = 2 }
ema = 0.9
"""

GAN = """
name = "tiny-gan"
family = "esrgan"
seed = 5
precision = "float32"
patches = { size = 16, batch = 4, empty = 0.0 }
validation = { every = 2, block = 16, gap = 2 }

[network]
name = "RRDBNet"

[network.settings]
scale = 2
in_channels = 1
out_channels = 1
features = 4
growth = 2
blocks = 1

[[stages]]
name = "psnr"
endpoint = "psnr"
steps = 4
losses = [{ kind = "charbonnier" }]
optimizer = { learning_rate = 1e-3 }
ema = 0.9

[[stages]]
name = "gan"
endpoint = "gan"
steps = 4
losses = [{ kind = "l1", weight = 1e-2 }, { kind = "adversarial", form = "relativistic", weight = 5e-3 }]
optimizer = { learning_rate = 1e-4 }
discriminator = { kind = "unet", features = 4 }
clip = 1.0
accumulate = 2
"""


@pytest.fixture(autouse=True)
def model_folder(tmp_path, monkeypatch):
    """Isolate the tests from the models and runs of the user."""
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "user" / "models"))
    return tmp_path / "user" / "models"


@pytest.fixture
def tiny():
    return Recipe.from_toml(TINY)


@pytest.fixture
def gan():
    return Recipe.from_toml(GAN)


@pytest.fixture
def textured():
    """Draw a smooth random texture of uint8."""

    def draw(height=96, width=96, seed=0):
        from scipy.ndimage import gaussian_filter

        noise = gaussian_filter(np.random.default_rng(seed).standard_normal((height, width)), 1.5)
        return np.clip(np.rint(127 + 60 * noise / noise.std()), 0, 255).astype(np.uint8)

    return draw


@pytest.fixture
def small_model():
    """An untrained x2 network of one channel, with its card."""
    import torch

    architecture = Architecture(
        network="RRDBNet",
        settings={"scale": 2, "in_channels": 1, "out_channels": 1, "features": 4, "growth": 2, "blocks": 1},
    )
    card = Card(name="small", family="esrgan", architecture=architecture, scale=2, channels=1, color="gray")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Model(card, {"weights": dict(build(architecture).state_dict())})
