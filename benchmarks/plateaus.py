"""Measure how models shift the brightness of even areas.

    python benchmarks/plateaus.py [MODEL ...]

An image of 8 bits without noise has 9 even squares of 32 pixels, from 0 to 255. Printed is the mean of the result over
the inner half of each square less its value, in gray levels. Models with two weight sets are measured with alpha 0 and
1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from held_out import header

import napari_sr as sr

#: In an order in which dark and bright squares are neighbors.
LEVELS = (0, 200, 20, 250, 5, 128, 60, 255, 220)
SIDE = 32


def squares() -> np.ndarray:
    """Return the image: 3 x 3 squares of the levels, in order."""
    return np.array(LEVELS, np.uint8).reshape(3, 3).repeat(SIDE, 0).repeat(SIDE, 1)


def shifts(model: sr.Model) -> dict[int, float]:
    """Return the shift of each level."""
    image = squares().astype(np.float32)
    result = sr.upscale(image, model, "YX", intensity=(0, 255))
    side, quarter = SIDE * model.scale, SIDE * model.scale // 4
    found = {}
    for number, level in enumerate(LEVELS):
        top, left = number // 3 * side + quarter, number % 3 * side + quarter
        found[level] = float(result[top : top + 2 * quarter, left : left + 2 * quarter].mean()) - level
    return found


def ends(name: str) -> Iterator[tuple[str, sr.Model]]:
    """Yield a model, or both ends of a pair."""
    model = sr.load_model(name)
    if model.alpha is None:
        yield model.name, model
        return
    for alpha in (0.0, 1.0):
        yield f"{model.name}, alpha {alpha:g}", model.with_alpha(alpha)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="names or files; by default every bundled model")
    arguments = parser.parse_args()
    bundled = [entry.name for entry in sr.list_models() if entry.where == "bundled"]
    levels = sorted(LEVELS)
    print(*header([str(level) for level in levels]), sep="\n")
    for name in arguments.models or bundled:
        for row, model in ends(name):
            found = shifts(model)
            print(f"| {row} | " + " | ".join(f"{found[level]:+.2f}" for level in levels) + " |", flush=True)


if __name__ == "__main__":
    main()
