"""Compare models on images that no model was trained on, under conditions inside and outside their training.

    python benchmarks/held_out.py DATA [--scale 4] [--models NAME_OR_FILE ...] [--rows PART ...] [--cache FOLDER]

DATA holds micro/ and train/; recipes/held_out.toml lists the files that are kept aside. Further folders of images may
follow, each of which is a data set of its own. Every image is cut to 256 pixels, made smaller under each condition with
fixed seeds, and upscaled by bicubic and Lanczos interpolation, by the best classical restoration and by each model. The
tables show the gain over bicubic interpolation in decibels: the mean, the worst image, and the number of images above
0. The peak of PSNR is the span of the truth without its extreme 0.1 %. Results are in floating point, not rounded.

Models with inputs for noise and blur run through the public calls, once for each way to set them. "auto" is the model
with the settings that `napari_sr.suggest` names.

The classical restorations (a Gaussian filter, a Wiener filter and Richardson-Lucy, each followed by bicubic
interpolation) have the same blur, as it was, and the same measured noise. One of them, with one setting, is chosen for
each condition and kind of image on training images.

Conditions without noise are measured on truths that were made clean first: made smaller until their own noise is below
0.3 % of their span, or to a quarter. In the other conditions the truth is the image as it is, with its noise.

Flat fields have 8 bits, several levels and noise of several strengths. Their table shows the mean of the result less
that of the input.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from comparison.classical import chosen_settings
from comparison.conditions import CONDITIONS, FLATS, FURTHER, Case, Condition, cases_of, flat_case
from comparison.methods import VARIANTS, Method, automatic, classical, interpolation, model_rows, prototype_rows
from comparison.scores import Gains, KeptScores, gains_of
from comparison.truths import LISTED, DataSet, held_out_sets, training_sets

import napari_sr as sr


class Comparison:
    """The methods and conditions of one run, with the scores that are kept."""

    def __init__(
        self, methods: Mapping[str, Method], conditions: Sequence[Condition], scale: int, store: Path | None
    ) -> None:
        self.methods, self.conditions, self.scale, self.store = methods, conditions, scale, store
        self.kept = KeptScores(store / f"scores-x{scale}.json" if store else None)
        #: Data set, condition, row, image and gain, of every image.
        self.lines: list[tuple[str, str, str, str, float]] = []

    def table(self, data_set: DataSet, settings: Mapping[tuple[str, str], str]) -> Iterator[str]:
        """Yield the lines of the table of a data set."""
        cases = {c.name: cases_of(data_set, c, self.scale, self.store) for c in self.conditions}
        yield from header([c.name for c in self.conditions])
        yield self._row(data_set, "Lanczos", {name: interpolation("lanczos3") for name in cases}, cases)
        if settings:
            best = {name: classical(settings[data_set.kind, name]) for name in cases}
            yield self._row(data_set, "best classical", best, cases)
        for row, method in self.methods.items():
            yield self._row(data_set, row, dict.fromkeys(cases, method), cases)
        for row, method in self.methods.items():
            if method.choice is not None:
                yield choices(row, method, cases)
        if settings:
            shown = (f"{name}: {settings[data_set.kind, name]}" for name in cases)
            yield f"\nBest classical restoration by condition: {', '.join(shown)}."

    def _row(
        self, data_set: DataSet, row: str, methods: Mapping[str, Method], cases: Mapping[str, Sequence[Case]]
    ) -> str:
        cells = []
        for name, images in cases.items():
            if not images or (methods[name].only_clean and not images[0].clean):
                cells.append("")
                continue
            gains = self._gains(methods[name], images)
            cells.append(str(gains))
            for case, gain in zip(images, gains.values, strict=True):
                self.lines.append((data_set.name, name, row, case.truth.name, gain))
        self.kept.save()
        return f"| {row} | " + " | ".join(cells) + " |"

    def _gains(self, method: Method, cases: Sequence[Case]) -> Gains:
        scores = []
        for case in cases:
            call = method.call(case)
            scores.append(self.kept.get(call.description, case, call.compute))
        return gains_of(scores, cases)

    def flats(self) -> Iterator[str]:
        """Yield the lines of the table of flat fields."""
        yield from header([f"{level} ± {noise}" for level, noise in FLATS])
        cases = [flat_case(level, noise, self.scale) for level, noise in FLATS]
        known: dict[tuple[int, str], float] = {}
        for row, method in self.methods.items():
            if method.only_clean:
                continue
            cells = []
            for place, case in enumerate(cases):
                call = method.call(case)
                # Without blur, rows that differ only in the blur are the same.
                if (place, call.description) not in known:
                    known[place, call.description] = float(call.compute().mean() - case.low.mean())
                cells.append(f"{known[place, call.description]:+.2f}")
            yield f"| {row} | " + " | ".join(cells) + " |"


def header(columns: Sequence[str]) -> Iterator[str]:
    """Yield the first two lines of a table."""
    yield "| | " + " | ".join(columns) + " |"
    yield "|" + "---|" * (len(columns) + 1)


def choices(row: str, method: Method, cases: Mapping[str, Sequence[Case]]) -> str:
    """Return the row of what an automatic choice found: bicubic interpolation, and images outside the range."""
    assert method.choice is not None
    cells = []
    for images in cases.values():
        made = [method.choice(case) for case in images]
        bicubic, outside = (sum(one[place] for one in made) for place in (0, 1))
        cells.append(f"bicubic {bicubic}, outside {outside} of {len(made)}")
    return f"| {row}: choices | " + " | ".join(cells) + " |"


def methods_of(arguments: argparse.Namespace) -> dict[str, Method]:
    """Return the rows that the command line selects."""
    entries = [entry for entry in sr.list_models() if entry.where == "bundled" and entry.card.scale == arguments.scale]
    methods: dict[str, Method] = {}
    if hasattr(sr, "suggest"):
        methods["auto"] = automatic(arguments.scale)
    for name in [entry.name for entry in entries] if arguments.models is None else arguments.models:
        methods |= model_rows(sr.load_model(name, scale=arguments.scale))
    if arguments.prototype:
        methods |= prototype_rows(*arguments.prototype)
    selected = arguments.rows or [""]
    return {row: method for row, method in methods.items() if any(part in row for part in selected)}


def arguments_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds micro/ and train/")
    parser.add_argument("folders", type=Path, nargs="*", help="further files or folders of images, a data set each")
    parser.add_argument(
        "--kind", choices=("fluorescence", "electron", "stained"), default="fluorescence", help="of further folders"
    )
    parser.add_argument(
        "--models",
        nargs="*",
        help="names or files, wiener or richardson-lucy too; by default every bundled model of the factor",
    )
    parser.add_argument("--scale", type=int, default=2, help="factor")
    parser.add_argument(
        "--prototype", type=Path, nargs=2, metavar=("CODE", "WEIGHTS"), help="a network outside the package, x2"
    )
    parser.add_argument("--sets", nargs="+", default=[""], help="parts of the names of data sets")
    parser.add_argument(
        "--conditions",
        nargs="+",
        choices=[c.name for c in (*CONDITIONS, *FURTHER)],
        help=f"by default all but {' and '.join(c.name for c in FURTHER)}",
    )
    parser.add_argument(
        "--rows", nargs="+", help=f"parts of the names of rows: auto, a model, or {', '.join(VARIANTS)}"
    )
    parser.add_argument("--without-classical", action="store_true", help="leave the classical restorations out")
    parser.add_argument("--without-flats", action="store_true", help="leave the flat fields out")
    parser.add_argument("--list", type=Path, default=LISTED, help="the files that are kept aside")
    parser.add_argument("--cache", type=Path, help="folder for truths, classical settings and scores")
    parser.add_argument("--csv", type=Path, help="file for the gain on each image")
    parser.add_argument("--threads", type=int, help="threads of torch")
    return parser.parse_args()


def main() -> None:
    arguments = arguments_of()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    # Images whose percentiles coincide are reported by the job; here they are measured like the others.
    warnings.simplefilter("ignore")
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)
    wanted = arguments.conditions or [c.name for c in CONDITIONS]
    conditions = [c for c in (*CONDITIONS, *FURTHER) if c.name in wanted]
    sets = [s for s in held_out_sets(arguments.data, arguments.list) if any(part in s.name for part in arguments.sets)]
    sets += [DataSet(folder.name, arguments.kind, (folder,), 4) for folder in arguments.folders]
    comparison = Comparison(methods_of(arguments), conditions, arguments.scale, arguments.cache)
    print(f"x{arguments.scale}; gain over bicubic interpolation in dB: mean / worst (images above 0)\n")
    print(*(f"- {condition}" for condition in conditions), sep="\n")
    settings: dict[tuple[str, str], str] = {}
    if not arguments.without_classical:
        training = [s for s in training_sets(arguments.data, arguments.list) if s.kind in {x.kind for x in sets}]
        settings = chosen_settings(training, conditions, arguments.scale, arguments.cache)
    for data_set in sets:
        print(f"\n### {data_set.name}\n", flush=True)
        for line in comparison.table(data_set, settings):
            print(line, flush=True)
    if not arguments.without_flats:
        print("\n### Flat fields: shift of the mean in gray levels\n")
        for line in comparison.flats():
            print(line, flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("data set", "condition", "row", "image", "gain in dB"), *comparison.lines])


if __name__ == "__main__":
    main()
