"""A program that kills a training repeatedly, in steps and in writes, and runs one without interruption.

    python killed.py FOLDER KILLS SEED

Prints as JSON where the training was killed, and the hashes of both results.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from conftest import GAN

from napari_sr.training import Training
from napari_sr.training.controls import Controls
from napari_sr.training.loop import log
from napari_sr.training.loop.checkpoint import run_state
from napari_sr.training.recipe import Recipe


class Countdown:
    """Counts the places at which the process can be killed, and notes the one at which it is."""

    def __init__(self, count: int, notes: Path) -> None:
        self.left, self.notes = count, notes

    def __call__(self, place: str) -> bool:
        """Whether the process is to be killed now."""
        self.left -= 1
        if self.left:
            return False
        with self.notes.open("a") as file:
            file.write(place + "\n")
            file.flush()
            os.fsync(file.fileno())
        return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def add_places(ended: Countdown) -> None:
    """Let the process be killed after phases, while a checkpoint is written or renamed, and in a row of the log."""
    check, save, row, replace = Controls.check, torch.save, log.Log._write_row, Path.replace

    def checked(self: Controls, phase: str = "") -> None:
        if ended("phase"):
            die()
        check(self, phase)

    def saved(state: object, path: Path) -> None:
        if ended("write"):
            whole = io.BytesIO()
            save(state, whole)
            path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
            die()
        save(state, path)

    def replaced(self: Path, target: Path) -> Path:
        if ended("before renaming"):
            die()
        done = replace(self, target)
        if ended("after renaming"):
            die()
        return done

    def rowed(self: log.Log, *arguments: object) -> None:
        if ended("row"):
            with self._curves.open("a") as file:
                file.write("4,ps")
            die()
        row(self, *arguments)

    Controls.check, run_state.torch.save = checked, saved  # type: ignore[method-assign,assignment]
    log.Log._write_row, Path.replace = rowed, replaced  # type: ignore[method-assign,assignment]


def train(folder: Path) -> str:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).standard_normal((96, 96)), 1.5)
    image = np.clip(127 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)
    outcome = Training(Recipe.from_toml(GAN), [image], folder=folder, device="cpu").run()
    digest = hashlib.sha256()
    for name, state in outcome.model.endpoints.items():
        for key, tensor in state.items():
            digest.update(f"{name}/{key}".encode() + tensor.numpy().tobytes())
    digest.update((folder / "curves.csv").read_bytes())
    return digest.hexdigest()


def in_child(folder: Path, notes: Path, count: int | None) -> int:
    """Train in a process of its own; return the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        if count is not None:
            add_places(Countdown(count, notes))
        digest = train(folder)
        (folder / "digest").write_text(digest)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def main() -> None:
    root, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    generator, notes = random.Random(seed), root / "places"
    notes.touch()
    killed = 0
    while killed < kills:
        ended = in_child(root / "killed", notes, generator.randint(2, 45))
        if ended == 0:
            # The training ended before it was killed: the next one starts anew.
            for path in (root / "killed").iterdir():
                path.unlink()
        elif ended == signal.SIGKILL:
            killed += 1
        else:
            raise SystemExit(f"the training failed with status {ended}")
    assert in_child(root / "killed", notes, None) == 0
    assert in_child(root / "whole", notes, None) == 0
    result = {
        "places": notes.read_text().split("\n")[:-1],
        "killed": (root / "killed/digest").read_text(),
        "whole": (root / "whole/digest").read_text(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
