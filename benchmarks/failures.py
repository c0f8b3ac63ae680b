"""Draw the pictures of what the microscopy models get wrong, for docs/models.md.

    python benchmarks/failures.py DATA [--model esrgan-microscopy-x2] [--out docs/pictures] [--cache FOLDER] [NAME ...]

Each picture shows one image of benchmarks/held_out.py, the one on which the settings lose most against bicubic
interpolation: the low-resolution image, bicubic interpolation, the model with the settings in question, the model with
better ones, and the truth. Printed are the gains over bicubic interpolation in decibels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparison.conditions import CONDITIONS, Case, cases_of
from comparison.methods import noise_as_it_was, upscaled
from comparison.scores import bicubic_score, score
from comparison.truths import Plane, held_out_sets

import napari_sr as sr
from napari_sr.evaluation import Panel, bicubic, interpolate, side_by_side
from napari_sr.imaging.files import write_image

ROOT = Path(__file__).parents[1]
#: Sides in result pixels of the part that is shown, and of the part of it that is enlarged.
SHOWN, INSET = 128, 32


@dataclass(frozen=True)
class Failure:
    """Settings that lose on some images: the data set, the condition, and the settings in question and better ones."""

    data_set: str
    condition: str
    wrong: tuple[str, Callable[[Case], Mapping[str, Any]]]
    right: tuple[str, Callable[[Case], Mapping[str, Any]]]


FAILURES = {
    "failure-texture": Failure(
        "em_8nm_check",
        "binning",
        ("noise measured", lambda case: {}),
        ("noise none", lambda case: {"noise": 0}),
    ),
    "failure-blur-claimed": Failure(
        "stained",
        "binning",
        ("blur 0.8 claimed", lambda case: {"noise": 0, "blur": 0.8}),
        ("blur 0", lambda case: {"noise": 0}),
    ),
    "failure-correlated": Failure(
        "em_8nm_check",
        "correlated",
        ("noise measured", lambda case: {}),
        ("noise as it was", noise_as_it_was),
    ),
    "failure-heavy-blur": Failure(
        "stained",
        "heavy blur",
        ("blur 0", lambda case: {}),
        ("blur as it was", lambda case: {"blur": min(case.blur, 1.6)}),
    ),
}


def worst(cases: list[Case], model: sr.Model, settings: Callable[[Case], Mapping[str, Any]]) -> tuple[Case, Plane]:
    """Return the image on which a model gains least over bicubic interpolation, and its result."""
    results = [upscaled(case, model, settings(case)) for case in cases]
    gains = [score(case, result) - bicubic_score(case) for case, result in zip(cases, results, strict=True)]
    place = int(np.argmin(gains))
    return cases[place], results[place]


def part_with_most(truth: Plane, side: int) -> tuple[int, int]:
    """Return the top left corner of the square, on a grid, with the largest standard deviation."""
    places = [
        (y, x)
        for y in range(0, truth.shape[0] - side + 1, side // 4)
        for x in range(0, truth.shape[1] - side + 1, side // 4)
    ]
    return max(places, key=lambda place: float(truth[place[0] : place[0] + side, place[1] : place[1] + side].std()))


def draw(failure: Failure, model: sr.Model, data: Path, listed: Path, store: Path | None, path: Path) -> None:
    """Write the picture of a failure, and print its figures."""
    data_set = next(one for one in held_out_sets(data, listed) if failure.data_set in one.name)
    condition = next(one for one in CONDITIONS if one.name == failure.condition)
    (wrong, wrong_settings), (right, right_settings) = failure.wrong, failure.right
    case, lost = worst(cases_of(data_set, condition, model.scale, store), model, wrong_settings)
    better = upscaled(case, model, right_settings(case))
    low, truth = case.low.astype(np.float64), case.truth.values
    images = {
        "input": interpolate(low, case.scale, "nearest"),
        "bicubic": bicubic(low, case.scale),
        wrong: lost,
        right: better,
        "truth": truth,
    }
    top, left = part_with_most(truth, SHOWN)
    parts = {name: image[top : top + SHOWN, left : left + SHOWN] for name, image in images.items()}
    ends = np.quantile(parts["truth"], (0.002, 0.998))
    inset = (*part_with_most(parts["truth"], INSET), INSET)
    panels = [Panel(name, part) for name, part in parts.items()]
    write_image(path, side_by_side(panels, contrast=(float(ends[0]), float(ends[1])), inset=inset))
    gains = ", ".join(f"{name} {score(case, images[name]) - bicubic_score(case):+.2f}" for name in (wrong, right))
    print(f"{path.name}: {data_set.name}, {case.truth.name}, {condition.name}, blur {case.blur:.2f} pixels: {gains} dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds micro/ and train/")
    parser.add_argument("names", nargs="*", help=f"by default all of {', '.join(FAILURES)}")
    parser.add_argument("--model", default="esrgan-microscopy-x2", help="name or file")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    listed = ROOT / "recipes" / "held_out.toml"
    parser.add_argument("--list", type=Path, default=listed, help="the files that are kept aside")
    parser.add_argument("--cache", type=Path, help="folder of benchmarks/held_out.py's --cache")
    parser.add_argument("--threads", type=int, help="threads of torch")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in FAILURES:
            parser.error(f"there is no picture {name}: give one of {', '.join(FAILURES)}")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = sr.load_model(arguments.model)
    for name in arguments.names or FAILURES:
        path = arguments.out / f"{name}.png"
        draw(FAILURES[name], model, arguments.data, arguments.list, arguments.cache, path)


if __name__ == "__main__":
    main()
