"""Train one bundled network as its recipe says.

    python recipes/train.py recipes/srcnn-x3.toml --data DATA [--out runs] [--threads 2]

DATA is the folder that holds ``train/`` (and ``natural/Set5``, on which the log reports the PSNR; nothing is learnt
from it). The run goes on from its last checkpoint when it is started again. ``recipes/bundle.py`` makes a model file of
it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import tomllib
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_sr import networks
from napari_sr.imaging.colour import luma
from napari_sr.imaging.resize import resize


def build(recipe: dict[str, Any]) -> nn.Module:
    """Build the recipe's network."""
    return getattr(networks, recipe["network"]["name"])(**recipe["network"]["settings"])


def read_rgb(path: Path) -> np.ndarray:
    """Read an image as uint8 (Y, X, 3)."""
    image = iio.imread(path)
    return np.stack([image] * 3, -1) if image.ndim == 2 else image[..., :3]


def twins(image: np.ndarray, scale: int, colour: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Low- and high-resolution uint8 twins (C, Y, X), the low one by MATLAB's bicubic, cropped to whole factors."""
    height, width = (n // scale * scale for n in image.shape[:2])
    high = image[:height, :width]
    low = resize(high, (height // scale, width // scale), axes=(0, 1))
    pair = []
    for part in (low, high):
        values = luma(part / 255.0)[..., None] if colour == "luma" else part / 255.0
        pair.append(torch.from_numpy(np.moveaxis(values, -1, 0).astype(np.float32)))
    return pair[0], pair[1]


class Patches:
    """Random patches of pairs, flipped and turned."""

    def __init__(self, recipe: dict[str, Any], data: Path, network: nn.Module) -> None:
        part = recipe["data"]
        self.scale = recipe["network"]["settings"]["scale"]
        self.patch, self.batch = part["patch"], part["batch"]
        # SRCNN's convolutions are unpadded: it learns from patches of the interpolated image with a margin around.
        self.margin = network.pad.padding[0] if isinstance(network, networks.SRCNN) else 0
        self.pairs = []
        files = sorted(
            p for folder in part["folders"] for p in (data / folder).iterdir() if p.suffix in {".png", ".jpg"}
        )
        for path in files:
            image = read_rgb(path)
            for size in part["sizes"]:
                smaller = image if size == 1 else resize(image, factor=size, axes=(0, 1))
                low, high = twins(smaller, self.scale, part["colour"])
                if self.margin:
                    with torch.inference_mode():
                        low = network.upsample(low[None])[0]
                if min(low.shape[1:]) >= self.low_side and min(high.shape[1:]) >= self.patch * self.scale:
                    self.pairs.append((low, high))
        self.generator = np.random.default_rng(recipe["seed"])

    @property
    def low_side(self) -> int:
        """Side of the patch that goes into the network."""
        return self.patch * self.scale + 2 * self.margin if self.margin else self.patch

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw one batch of (low, high)."""
        lows, highs = [], []
        rng = self.generator
        for _ in range(self.batch):
            low, high = self.pairs[rng.integers(len(self.pairs))]
            side = self.low_side
            y, x = (int(rng.integers(n - side + 1)) for n in low.shape[1:])
            a = low[:, y : y + side, x : x + side]
            if self.margin:
                y, x, step = y + self.margin, x + self.margin, 1
            else:
                step = self.scale
            target = self.patch * self.scale
            b = high[:, y * step : y * step + target, x * step : x * step + target]
            turn, flip = int(rng.integers(4)), bool(rng.integers(2))
            a, b = (torch.rot90(t.flip(-1) if flip else t, turn, (-2, -1)) for t in (a, b))
            lows.append(a)
            highs.append(b)
        return torch.stack(lows), torch.stack(highs)


def forward(network: nn.Module, low: torch.Tensor) -> torch.Tensor:
    """Run the network on a batch of patches; SRCNN's patches are interpolated already."""
    if isinstance(network, networks.SRCNN):
        return network.conv3(network.relu(network.conv2(network.relu(network.conv1(low)))))
    return network(low)


def set5_psnr(network: nn.Module, data: Path, scale: int, colour: str) -> float:
    """Mean PSNR on the luminance of Set5, border of `scale` left out; for the log."""
    values = []
    for path in sorted((data / "natural/Set5/HR").glob("*.png")):
        low, high = twins(read_rgb(path), scale, colour)
        with torch.inference_mode():
            out = network(low[None])[0].clamp(0, 1).numpy()
        truth = high.numpy()
        if colour == "rgb":
            out, truth = (luma(np.moveaxis(t, 0, -1))[None] for t in (out, truth))
        inner = np.s_[:, scale:-scale, scale:-scale]
        values.append(-10 * math.log10(np.mean((out[inner] - truth[inner]) ** 2)))
    return float(np.mean(values))


def place(step: int, cycles: list[int], rate: float | list[float]) -> tuple[int, int, float]:
    """Position within the cycle that a step (from 0) falls into, the cycle's length and its highest rate."""
    rates = rate if isinstance(rate, list) else [rate] * len(cycles)
    for length, highest in zip(cycles, rates, strict=True):
        if step < length:
            return step, length, highest
        step -= length
    raise ValueError("The recipe's cycles add up to fewer steps than the recipe has.")


def train(recipe: dict[str, Any], data: Path, out: Path) -> None:
    """Run the recipe to its end, with a checkpoint and a line of the log every 500 steps."""
    part = recipe["training"]
    torch.manual_seed(recipe["seed"])
    network = build(recipe).to(memory_format=torch.channels_last)
    if "start" in part:
        network.load_state_dict(torch.load(out.parent / part["start"] / "last.pt", weights_only=True)["ema"])
    ema = {k: v.detach().clone() for k, v in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    patches = Patches(recipe, data, network)
    begin, spent, steps = 0, 0.0, sum(part["cycles"])
    last = out / "last.pt"
    if last.exists():
        state = torch.load(last, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        ema, begin, spent = state["ema"], state["step"], state["seconds"]
        patches.generator = np.random.default_rng((recipe["seed"], begin))
    loss_of = functional.mse_loss if part["loss"] == "mse" else functional.l1_loss
    started = time.perf_counter() - spent
    running = 0.0
    for step in range(begin + 1, steps + 1):
        low, high = patches.draw()
        low = low.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=part["autocast"] == "bfloat16"):
            result = forward(network, low)
        loss = loss_of(result.float(), high)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        position, length, rate = place(step - 1, part["cycles"], part["rate"])
        for group in optimiser.param_groups:
            rise = min(1.0, (position + 1) / max(1, part.get("warm_up", 0)))
            group["lr"] = rate * rise * 0.5 * (1 + math.cos(math.pi * position / length))
        optimiser.step()
        running += loss.item()
        # The average begins anew with every cycle: a restart at the full rate throws the weights far off.
        decay = min(part["ema"], position / (position + 10))
        with torch.no_grad():
            for key, value in network.state_dict().items():
                ema[key].lerp_(value, 1 - decay)
        if step % 500 == 0 or step == steps:
            judge = build(recipe)
            judge.load_state_dict(ema)
            psnr = set5_psnr(judge.eval(), data, patches.scale, recipe["data"]["colour"])
            seconds = time.perf_counter() - started
            line = {"step": step, "seconds": round(seconds, 1), "loss": running / 500, "set5_psnr_y": round(psnr, 3)}
            running = 0.0
            print(json.dumps(line), flush=True)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            state = {"network": network.state_dict(), "ema": ema, "optimiser": optimiser.state_dict()}
            state |= {"step": step, "seconds": seconds}
            torch.save(state, out / "part.pt")
            (out / "part.pt").replace(last)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/ and natural/")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = tomllib.loads(arguments.recipe.read_text())
    out = arguments.out / recipe["name"]
    out.mkdir(parents=True, exist_ok=True)
    train(recipe, arguments.data, out)


if __name__ == "__main__":
    main()
