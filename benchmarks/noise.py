"""Measure the accuracy of the measurements that are made of each layer: noise, sharpness, kind.

    python benchmarks/noise.py DATA [--parts noise sharpness kinds time] [--set micro] [--cases 480] [--others]

DATA holds train/ and micro/. For noise and sharpness, each image is made clean first: reduced until its own noise is
below 0.3 % of its span.

noise: Scenes are blurred, perhaps halved, and given noise of known variance, in several data types. "error" is the
measured over the true standard deviation, less 1, where the noise is above a tenth of the local contrast (the standard
deviation in a Gaussian window of 4 pixels) and three times the scene's own. "excess" is the measured standard deviation
over the larger of the true one and a tenth of the contrast, where there is contrast. --others adds simpler estimators.

sharpness: Scenes are blurred, halved by binning and given the noise of a camera. They have a sharpness of their own,
which is unknown and part of the measured width.

kinds: The images of train/ are compared with the features of the other folders.

time: One measurement of one plane, in processor time.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

from measuring import kinds, noise_accuracy, sharpness_accuracy
from measuring.scenes import scenes

PARTS = ("noise", "sharpness", "kinds", "time")


def arguments_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s DATA [options]"
    )
    parser.add_argument("data", type=Path, help="folder that holds train/ and micro/")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--set", choices=("train", "micro"), default="train", help="images for noise and sharpness")
    parser.add_argument("--cases", type=int, default=480, help="images with noise; half as many have none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--others", action="store_true", help="compare with simpler estimators")
    return parser.parse_args()


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of all parts."""
    by_kind = scenes(arguments.data, arguments.set) if {"noise", "sharpness"} & set(arguments.parts) else {}
    if by_kind:
        yield "Clean scenes: " + ", ".join(f"{len(found)} of {kind}" for kind, found in by_kind.items())
    if "noise" in arguments.parts:
        yield from noise_accuracy.accuracy(by_kind, arguments.cases, arguments.seed, arguments.others)
    if "sharpness" in arguments.parts:
        yield from sharpness_accuracy.accuracy(by_kind, arguments.seed)
    if "kinds" in arguments.parts:
        yield from kinds.table(arguments.data)
    if "time" in arguments.parts:
        yield from noise_accuracy.times()


def main() -> None:
    # The kinds of images in the folders include some without any structure.
    warnings.simplefilter("ignore")
    for line in lines(arguments_of()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
