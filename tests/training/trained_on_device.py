"""Train on a device, after the CPU, or after gradients that torch computed before it knew the device.

Run as a program: torch prepares its gradients once in a process. It writes one line of JSON.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sr import InputError
from napari_sr.training import Recipe, Training
from napari_sr.training.events import StepDone
from napari_sr.training.loop.log import read_curves

RECIPE = """
name = "small"
family = "esrgan"
seed = 5
precision = "float32"
patches = { size = 8, batch = 2, empty = 0.0 }
validation = { every = 2, block = 16, gap = 2 }

[network]
name = "RRDBNet"
settings = { scale = 2, in_channels = 1, out_channels = 1, features = 4, growth = 2, blocks = 1 }

[[stages]]
name = "psnr"
steps = 1
losses = [{ kind = "charbonnier" }]
optimizer = { learning_rate = 1e-3, whiten = true }

[[stages]]
name = "gan"
steps = 3
losses = [{ kind = "l1" }, { kind = "adversarial", form = "relativistic", weight = 5e-3 }]
optimizer = { learning_rate = 1e-4 }
discriminator = { kind = "unet", features = 4 }
clip = 1.0
ema = 0.9
"""


def training(folder, device, stop_at=None):
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 1.5)
    image = np.clip(np.rint(127 + 60 * noise / noise.std()), 0, 255).astype(np.uint8)

    def on_event(event):
        if isinstance(event, StepDone) and event.step == stop_at:
            made.stop()

    made = Training(Recipe.from_toml(RECIPE), image, folder=folder, device=device, on_event=on_event)
    return made


def main(device, order):
    with tempfile.TemporaryDirectory() as folder:
        there, here = Path(folder) / "there", Path(folder) / "here"
        if order == "gradients first":
            torch.ones(1, requires_grad=True).sum().backward()
            try:
                training(there, device).run()
            except InputError as error:
                return {"error": str(error)}
            return {}
        expected = training(here, "cpu").run()
        stopped = training(there, device, stop_at=2).run()
        outcome = training(there, device).run()
        furthest = max(
            float((state[key] - value).abs().max())
            for name, state in outcome.model.endpoints.items()
            for key, value in expected.model.endpoints[name].items()
        )
        return {
            "stopped": stopped.step,
            "finished": outcome.finished,
            "furthest": furthest,
            "expected": read_curves(here / "curves.csv"),
            "curves": read_curves(there / "curves.csv"),
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
