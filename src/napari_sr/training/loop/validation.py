"""PSNR, SSIM and lattice during a training, beside those of bicubic interpolation on the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_sr.evaluation.fidelity import psnr, ssim
from napari_sr.evaluation.lattice import lattice, tile_side
from napari_sr.imaging.color import luma
from napari_sr.imaging.resize import resize
from napari_sr.inference.compute.too_little_memory import sentence_for_too_little_memory
from napari_sr.training.data.training_set import Scene
from napari_sr.training.events import CropImage, ValidationCrop

#: PSNR of identical images, in decibel; infinity would make the mean infinite.
_HIGHEST_PSNR = 100.0
#: Number of scenes with crops, and the largest side of a crop in high-resolution pixels.
_CROPS, _CROP_SIDE = 3, 256


@dataclass(frozen=True)
class Score:
    """A measurement, averaged over the scenes.

    Parameters
    ----------
    psnr : float
        PSNR in decibel.
    ssim : float
        SSIM, up to 1.
    lattice : float or None
        Lattice of the results (`napari_sr.evaluation.lattice`), 1 without one; None if no scene is large enough.
    """

    psnr: float
    ssim: float
    lattice: float | None


class Validator:
    """Measures networks on a fixed set of scenes.

    Parameters
    ----------
    scenes : sequence of Scene
        The scenes, at least one.
    scale : int
        Factor of the network. A border of as many high-resolution pixels is not measured.

    Attributes
    ----------
    baseline : Score
        The measurement of bicubic interpolation.
    start : Score or None
        The first measurement: that of the weights with which the training began.
    """

    def __init__(self, scenes: Sequence[Scene], scale: int) -> None:
        self._scenes, self._scale = list(scenes), scale
        self._bicubic = [self._clipped(resize(s.low, factor=scale), s) for s in self._scenes]
        self.baseline = self._score(self._bicubic)
        self.start: Score | None = None
        self._before: list[npt.NDArray[np.float32]] | None = None

    def measure(self, network: nn.Module, device: torch.device) -> tuple[Score, tuple[ValidationCrop, ...]]:
        """Process all scenes by a network, and measure the results.

        Parameters
        ----------
        network : nn.Module
            A network in evaluation mode and float32, which maps (1, C, Y, X) to (1, C, scale Y, scale X). For scenes
            with noise and blur, it is called with them too.
        device : torch.device
            Device of the network.

        Returns
        -------
        score : Score
            The measurement.
        crops : tuple of ValidationCrop
            Parts of up to three scenes. The results of the first call are their `before`.

        Raises
        ------
        InputError
            If the device has too little memory for a whole scene.
        """
        results = []
        with torch.inference_mode():
            for scene in self._scenes:
                inputs = [torch.from_numpy(np.ascontiguousarray(scene.low))[None]]
                if scene.noise is not None:
                    noise = torch.from_numpy(np.ascontiguousarray(scene.noise))[None]
                    inputs += [noise, torch.tensor([scene.blur], dtype=torch.float32)]
                height, width = scene.low.shape[1:]
                with sentence_for_too_little_memory(
                    f"There is too little memory on {device} to process {height} x {width} pixels of {scene.name} for "
                    "the validation: choose smaller images, regions or blocks for the validation, or another device."
                ):
                    result = network(*(part.to(device) for part in inputs))[0].float().cpu().numpy()
                results.append(self._clipped(result, scene))
        score = self._score(results)
        if self._before is None:
            self._before, self.start = results, score
        crops = tuple(self._crop(n, results[n]) for n in range(min(_CROPS, len(results))))
        return score, crops

    def _score(self, results: Sequence[npt.NDArray[np.float32]]) -> Score:
        psnrs, ssims, lattices = [], [], []
        least = tile_side(self._scale) + 2 * self._scale if self._scale > 1 else inf
        for scene, result in zip(self._scenes, results, strict=True):
            image, truth = _gray(result), _gray(scene.high)
            psnrs.append(min(_HIGHEST_PSNR, psnr(image, truth, data_range=1.0, border=self._scale)))
            ssims.append(ssim(image, truth, data_range=1.0, border=self._scale))
            if min(image.shape) >= least:
                inner = image[self._scale : -self._scale, self._scale : -self._scale]
                lattices.append(lattice(inner, scale=self._scale, data_range=1.0))
        found = float(np.mean(lattices)) if lattices else None
        return Score(float(np.mean(psnrs)), float(np.mean(ssims)), found)

    def _clipped(self, result: npt.NDArray[np.float32], scene: Scene) -> npt.NDArray[np.float32]:
        """Clip a result to the range of the scene's dtype; values that are not finite become finite."""
        finite = np.nan_to_num(result, nan=0.0, posinf=1e6, neginf=-1e6)
        return np.clip(finite, *scene.limits)

    def _crop(self, number: int, now: npt.NDArray[np.float32]) -> ValidationCrop:
        assert self._before is not None
        scene = self._scenes[number]
        side = _CROP_SIDE // self._scale
        top, left = (max(0, (n - side) // 2) for n in scene.low.shape[1:])
        large = [
            _cut(image, top * self._scale, left * self._scale, side * self._scale)
            for image in (self._bicubic[number], self._before[number], now, scene.high)
        ]
        return ValidationCrop(scene.name, _cut(scene.low, top, left, side), *large)


def _gray(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the luminance of (3, Y, X), or the only channel of (1, Y, X), as (Y, X)."""
    return luma(np.moveaxis(image, 0, -1)).astype(np.float32) if image.shape[0] == 3 else image[0]


def _cut(image: npt.NDArray[np.float32], top: int, left: int, side: int) -> CropImage:
    """Cut a square out of (C, Y, X), as (Y, X) or (Y, X, 3)."""
    part = image[:, top : top + side, left : left + side]
    return np.ascontiguousarray(part[0] if part.shape[0] == 1 else np.moveaxis(part, 0, -1))
