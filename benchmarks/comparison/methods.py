"""The methods that are compared: interpolation, classical restoration, models with their settings, and a prototype."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import uniform_filter

import napari_sr as sr
from comparison.classical import restored
from comparison.conditions import Case
from comparison.truths import Plane, code_of_noise
from napari_sr.evaluation import bicubic, interpolate
from napari_sr.imaging.noise import measure_noise
from napari_sr.imaging.resize import Kernel

Settings = dict[str, Any]
#: The settings of models with inputs for noise and blur, by the names of their rows.
VARIANTS: dict[str, Callable[[Case, float], Settings]] = {
    "noise measured, blur 0": lambda case, limit: {"noise": "auto"},
    "noise measured, blur as it was": lambda case, limit: {"noise": "auto", "blur": min(case.blur, limit)},
    "noise said to be none": lambda case, limit: {"noise": 0},
    "noise and blur as they were": lambda case, limit: {**noise_as_it_was(case), "blur": min(case.blur, limit)},
}
ONLY_CLEAN = "noise said to be none"
#: Those that differ in the blur alone.
BLURS = ("noise measured, blur 0", "noise measured, blur as it was")


@dataclass(frozen=True)
class Call:
    """A computation on one image: a description by which its score is kept, and the result."""

    description: str
    compute: Callable[[], Plane]


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    `only_clean` is for conditions without noise. `choice` returns whether bicubic interpolation was chosen for an image
    and whether the image was found to be outside the range of the models.
    """

    call: Callable[[Case], Call]
    only_clean: bool = False
    choice: Callable[[Case], tuple[bool, bool]] | None = None


def noise_as_it_was(case: Case) -> Settings:
    """Return the noise as standard deviation in black and gain, with the black to which it belongs."""
    if case.clean:
        return {"noise": 0}
    dark = case.truth.dark
    deviation = float(np.sqrt(max(case.c0 + case.c1 * dark, 0.0)))
    white = 255.0 if case.truth.dtype == np.uint8 else dark + case.truth.peak
    return {"noise": (deviation, case.c1), "intensity": (dark, white)}


def interpolation(kernel: Kernel) -> Method:
    """Return the method of an interpolation."""

    def call(case: Case) -> Call:
        return Call(kernel, lambda: interpolate(case.low.astype(np.float64), case.scale, kernel))

    return Method(call)


def classical(setting: str) -> Method:
    """Return the method of a classical restoration."""

    def call(case: Case) -> Call:
        description = f"{setting} blur {case.blur:.6f} {code_of_noise()}"
        return Call(description, lambda: bicubic(restored(case, setting), case.scale))

    return Method(call)


def upscaled(case: Case, model: sr.Model, settings: Mapping[str, Any]) -> Plane:
    """Upscale an image by a model, in floating point."""
    # Of uint8, the data type decides on black and white.
    given = {"intensity": (0.0, 255.0)} if case.truth.dtype == np.uint8 else {}
    return sr.upscale(case.image, model, "YX", **{**given, **settings})


def model_rows(model: sr.Model) -> dict[str, Method]:
    """Return the rows of a model: one, or one for each of `VARIANTS` if it takes noise and blur."""
    identity = digest(model)
    conditioning = model.card.conditioning
    if conditioning is None:
        return {model.name: Method(lambda case: Call(identity, lambda: upscaled(case, model, {})))}
    limit = conditioning.blur[1] if conditioning.blur is not None else 0.0

    def method(name: str) -> Method:
        def call(case: Case) -> Call:
            settings = VARIANTS[name](case, limit)
            if conditioning.noise is None:
                settings = {key: value for key, value in settings.items() if key == "blur"}
            return Call(described(identity, settings), lambda: upscaled(case, model, settings))

        return Method(call, only_clean=name == ONLY_CLEAN)

    # A model without an input for noise has no settings but the blur.
    names = [name for name in VARIANTS if conditioning.noise is not None or name in BLURS]
    return {f"{model.name}, {name}": method(name) for name in names}


def automatic(scale: int) -> Method:
    """Return the method of `sr.suggest`: the model and the settings that it names."""

    @cache
    def suggestion(shape: tuple[int, ...], dtype: str, content: bytes) -> Any:
        image = np.frombuffer(content, np.dtype(dtype)).reshape(shape)
        return sr.suggest(image, axes="YX", scale=scale)

    @cache
    def load(name: str) -> tuple[sr.Model, str]:
        model = sr.load_model(name)
        return model, digest(model)

    def suggested(case: Case) -> tuple[Any, str]:
        made = suggestion(case.low.shape, case.low.dtype.str, case.low.tobytes())
        return made, getattr(made.model, "name", made.model)

    def call(case: Case) -> Call:
        made, name = suggested(case)
        if name == "bicubic":
            return Call("bicubic", lambda: bicubic(case.low.astype(np.float64), case.scale))
        model, identity = load(name)
        return Call(described(identity, made.settings), lambda: upscaled(case, model, made.settings))

    def choice(case: Case) -> tuple[bool, bool]:
        made, name = suggested(case)
        return name == "bicubic", bool(made.outside)

    return Method(call, choice=choice)


def prototype_rows(code: Path, weights: Path) -> dict[str, Method]:
    """Return the rows of a network outside the package, `EqB` in a Python file, whose blur is in result pixels."""
    spec = spec_from_file_location("prototype", code)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{code} is not a Python file.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.EqB()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.eval()
    identity = hashlib.sha256(weights.read_bytes()).hexdigest()

    def run(case: Case, noise: npt.NDArray[np.float64], blur: float) -> Plane:
        low = case.low.astype(np.float64)
        mean, deviation = float(low.mean()), float(low.std()) or 1.0
        image, plane = (
            torch.from_numpy(v.astype(np.float32))[None, None] for v in ((low - mean) / deviation, noise / deviation)
        )
        with torch.no_grad():
            result = network(image, plane, torch.tensor([case.scale * blur]))[0, 0].numpy()
        return np.asarray(result.astype(np.float64) * deviation + mean)

    def method(measured: bool, with_blur: bool) -> Method:
        def call(case: Case) -> Call:
            blur = case.blur if with_blur else 0.0
            description = described(identity, {"noise": "auto" if measured else 0, "blur": blur})
            return Call(description, lambda: run(case, noise_plane(case, measured), blur))

        return Method(call, only_clean=not measured)

    return {
        "prototype, noise measured, blur 0": method(True, False),
        "prototype, noise measured, blur as it was": method(True, True),
        "prototype, noise said to be none": method(False, False),
    }


def noise_plane(case: Case, measured: bool) -> npt.NDArray[np.float64]:
    """Return the standard deviation of the noise of each pixel, as measured or only of rounding."""
    found = measure_noise([case.low])
    mean = uniform_filter(case.low.astype(np.float64), 5, mode="nearest")
    return found.sigma(mean) if measured else np.full(mean.shape, np.sqrt(found.floor))


def described(identity: str, settings: Mapping[str, Any]) -> str:
    """Describe a computation by everything that decides its result."""
    measuring = code_of_noise() + code_of_jobs() if settings.get("noise", "auto") == "auto" else ""
    shown = {name: value for name, value in settings.items() if name != "blur" or value}
    return f"{identity} {sorted(shown.items())!r} {measuring}"


@cache
def code_of_jobs() -> str:
    """Return a digest of the code that runs jobs, which decides how the measured noise is used."""
    files = sorted((Path(str(sr.__file__)).parent / "inference").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def digest(model: sr.Model) -> str:
    """Return a digest of a model's weights."""
    content = hashlib.sha256(f"{model.card.architecture!r} {model.alpha}".encode())
    for state in model.endpoints.values():
        for tensor in state.values():
            content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()
