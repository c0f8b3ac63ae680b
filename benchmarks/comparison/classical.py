"""Classical restorations, each followed by bicubic interpolation, and the choice of the best on training images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.restoration import richardson_lucy, wiener

from comparison.conditions import Case, Condition, cases_of
from comparison.scores import score
from comparison.truths import DataSet, Plane, code_of_noise
from napari_sr.evaluation import bicubic
from napari_sr.imaging.noise import measure_noise

#: Standard deviations of the Gaussian filter, in low-resolution pixels.
SIGMAS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3)
#: Regularization of the Wiener filter, in units of the measured noise over the variance of the image.
BALANCES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
#: Iterations of Richardson-Lucy.
ITERATIONS = (1, 2, 4, 8, 16, 32, 64)
#: Standard deviation of a pixel's own area.
PIXEL = 0.29
SETTINGS = (
    "as it is",
    *(f"Gaussian {sigma}" for sigma in SIGMAS),
    *(f"Wiener {balance}" for balance in BALANCES),
    *(f"Richardson-Lucy {count}" for count in ITERATIONS),
)


def point_spread(sigma: float) -> npt.NDArray[np.float64]:
    """Return a Gaussian point spread function with the sum 1."""
    radius = max(1, int(np.ceil(3 * sigma)))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(line, line)
    return np.asarray(kernel / kernel.sum(), np.float64)


def restored(case: Case, setting: str) -> Plane:
    """Restore a low-resolution image, without interpolation, with the blur as it was and the measured noise."""
    low = case.low.astype(np.float64)
    name, _, number = setting.rpartition(" ")
    if name == "Gaussian":
        return np.asarray(ndimage.gaussian_filter(low, float(number), mode="reflect"))
    if name not in ("Wiener", "Richardson-Lucy"):
        return low
    span = float(np.ptp(low)) or 1.0
    psf = point_spread(float(np.hypot(case.blur, PIXEL)))
    # Mirrored borders, since the filters assume periodic images or zeros outside.
    wide = len(psf) + 8
    padded = np.pad((low - low.min()) / span, wide, mode="symmetric")
    if name == "Wiener":
        noise = max(float(measure_noise([case.low]).sigma(low.mean())) ** 2, 1e-9 * span**2)
        share = noise / max(float(low.var()) - noise, noise)
        result = wiener(padded, psf, float(number) * share, clip=False)
    else:
        result = richardson_lucy(padded, psf, num_iter=int(number), clip=False)
    return np.asarray(result[wide:-wide, wide:-wide] * span + low.min())


def best_setting(cases: Sequence[Case]) -> str:
    """Return the restoration, with its setting, that is best in the mean over some images."""
    means = {
        setting: float(np.mean([score(case, bicubic(restored(case, setting), case.scale)) for case in cases]))
        for setting in SETTINGS
    }
    return max(means, key=lambda setting: means[setting])


def chosen_settings(
    sets: Sequence[DataSet], conditions: Sequence[Condition], scale: int, store: Path | None
) -> dict[tuple[str, str], str]:
    """Return the best restoration for each kind of image and condition on training images."""
    chosen: dict[tuple[str, str], str] = {}
    path = store / f"classical-x{scale}.json" if store else None
    kept: dict[str, str] = json.loads(path.read_text()) if path is not None and path.exists() else {}
    for data_set in sets:
        for condition in conditions:
            made = f"{data_set} {condition!r} {SETTINGS} {code_of_noise()}"
            key = f"{data_set.kind} {condition.name} {hashlib.sha256(made.encode()).hexdigest()[:12]}"
            if key not in kept:
                kept[key] = best_setting(cases_of(data_set, condition, scale, store))
                if path is not None:
                    path.write_text(json.dumps(kept, indent=1))
            chosen[data_set.kind, condition.name] = kept[key]
    return chosen
