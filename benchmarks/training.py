"""Measure the overhead of a training: time of the phases of a step, and steps per second beside a plain loop.

    python benchmarks/training.py [--steps 30] [--threads 2]

SRCNN and the compact RRDB are trained on a random texture. The phases `forward`, `losses`, `backward` and `optimizer`
are necessary work; `data` is the drawing of patches, and `rest` everything else (controls, events, log, averages of the
weights). The plain loop does the same work on the same patches, which are drawn beforehand. The two alternate step by
step, so that other load of the machine slows down both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from napari_sr.training import Recipe, Training
from napari_sr.training.controls import Controls
from napari_sr.training.events import StepDone
from napari_sr.training.generator.generator import make_generator

RECIPES = {
    "SRCNN 9-5-5 x3": """
name = "srcnn"
family = "srcnn"
precision = "float32"
patches = { size = 28, batch = 8 }
validation = { every = 1000000 }
[network]
name = "SRCNN"

[network.settings]
scale = 3
channels = 1
kernels = [9, 5, 5]
features = [64, 32]

[[stages]]
steps = STEPS
losses = [{ kind = "mse" }]
optimizer = { learning_rate = 1e-4 }
""",
    "RRDB 32-16-6 x4": """
name = "rrdb"
family = "esrgan"
precision = "float32"
patches = { size = 32, batch = 8 }
validation = { every = 1000000 }
[network]
name = "RRDBNet"

[network.settings]
scale = 4
in_channels = 1
out_channels = 1
features = 32
growth = 16
blocks = 6

[[stages]]
steps = STEPS
losses = [{ kind = "l1" }]
optimizer = { learning_rate = 1e-4 }
""",
}
WORK = ("forward", "losses", "backward", "optimizer")
#: Number of first steps that are not counted, since they choose kernels and allocate memory.
WARM = 3


class Phases:
    """Sums of the time of each phase over the counted steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.steps: list[float] = []
        self._last = self._start = time.perf_counter()

    def phase(self, name: str) -> None:
        now = time.perf_counter()
        # The empty name is that of the check between two steps, which is not work of a step.
        self.seconds[name or "rest"] = self.seconds.get(name or "rest", 0.0) + now - self._last
        self._last = now

    def step(self, number: int) -> None:
        now = time.perf_counter()
        self.phase("rest")
        if number > WARM:
            self.steps.append(now - self._start)
        else:
            self.seconds.clear()
        self._start = self._last = now


def texture(side: int = 1024) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((side, side)), 1.5)
    return np.clip(np.rint(127 + 60 * noise / noise.std()), 0, 255).astype(np.uint8)


def measure(recipe: Recipe, image: np.ndarray, folder: Path) -> tuple[Phases, list[float]]:
    """Alternate steps of the training and of the plain loop; return the phases, and the seconds of the plain steps."""
    phases, plain = Phases(), PlainLoop(recipe, image, folder / "plain")

    def on_event(event: object) -> None:
        if isinstance(event, StepDone):
            phases.step(event.step)
            plain.step(event.step)
            phases._start = phases._last = time.perf_counter()

    training = Training(recipe, [image], folder=folder / "run", device="cpu", on_event=on_event)
    check = Controls.check

    def checked(self: Controls, phase: str = "") -> None:
        check(self, phase)
        phases.phase(phase)

    Controls.check = checked  # type: ignore[method-assign]
    try:
        training.run()
    finally:
        Controls.check = check  # type: ignore[method-assign]
    return phases, plain.seconds


class PlainLoop:
    """The shortest training loop: forward pass, loss, backward pass, step of the optimizer."""

    def __init__(self, recipe: Recipe, image: np.ndarray, folder: Path) -> None:
        self.generator = make_generator(recipe, None, rgb=False)
        self.network = self.generator.network.to(memory_format=torch.channels_last)
        self.forward = self.generator.for_patches()
        stage = recipe.stages[0]
        self.loss = functional.mse_loss if stage.losses[0].kind == "mse" else functional.l1_loss
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=stage.optimizer.learning_rate, fused=True)
        patches = Training(recipe, [image], folder=folder, device="cpu").prepare().patches
        self.batches = [patches.batch(0, step, range(recipe.patches.batch)) for step in range(recipe.steps)]
        self.seconds: list[float] = []

    def step(self, number: int) -> None:
        batch = self.batches[number - 1].to(torch.device("cpu"), torch.channels_last)
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.forward(batch.low), batch.high)
        loss.backward()
        self.optimizer.step()
        loss.item()
        if number > WARM:
            self.seconds.append(time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    image = texture()
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.steps} steps, float32")
    for name, text in RECIPES.items():
        recipe = Recipe.from_toml(text.replace("STEPS", str(arguments.steps + WARM)))
        with tempfile.TemporaryDirectory() as folder:
            phases, plain = measure(recipe, image, Path(folder))
        total = sum(phases.steps)
        fraction = sum(phases.seconds.get(phase, 0.0) for phase in WORK) / total
        parts = ", ".join(f"{phase} {seconds / total:.1%}" for phase, seconds in phases.seconds.items())
        ratio = statistics.median(plain) / statistics.median(phases.steps)
        print(f"{name}: {fraction:.1%} of the time is work ({parts})")
        print(
            f"  {1 / statistics.median(phases.steps):.2f} steps/s, plain loop {1 / statistics.median(plain):.2f} "
            f"(ratio {ratio:.3f}, medians of {len(plain)})"
        )


if __name__ == "__main__":
    main()
