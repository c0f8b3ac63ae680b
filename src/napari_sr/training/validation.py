"""PSNR and SSIM on the way, beside those of bicubic interpolation on the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from napari_sr.evaluation.fidelity import psnr, ssim
from napari_sr.imaging.color import luma
from napari_sr.imaging.resize import resize
from napari_sr.training.events import CropImage, ValidationCrop
from napari_sr.training.training_set import Scene

#: What identical images count as; infinity would hide all others in the mean.
_MOST = 100.0
#: How many scenes are given as pictures, and the largest side of one in high-resolution pixels.
_PICTURES, _SIDE = 3, 256


@dataclass(frozen=True)
class Score:
    """Means over the scenes."""

    psnr: float
    ssim: float


class Validator:
    """Measures networks on the same scenes, always.

    Parameters
    ----------
    scenes : sequence of Scene
        What is measured on.
    scale : int
        Factor; as many high-resolution pixels of border are left out.
    """

    def __init__(self, scenes: Sequence[Scene], scale: int) -> None:
        self._scenes, self._scale = list(scenes), scale
        self._bicubic = [self._ended(resize(s.low, factor=scale), s) for s in self._scenes]
        #: Of bicubic interpolation.
        self.baseline = self._score(self._bicubic)
        self._before: list[npt.NDArray[np.float32]] | None = None

    def measure(self, network: nn.Module, device: torch.device) -> tuple[Score, tuple[ValidationCrop, ...]]:
        """Put every scene through a network in evaluation mode, in float32; the first call gives "before"."""
        results = []
        with torch.inference_mode():
            for scene in self._scenes:
                low = torch.from_numpy(np.ascontiguousarray(scene.low))[None].to(device)
                results.append(self._ended(network(low)[0].float().cpu().numpy(), scene))
        if self._before is None:
            self._before = results
        crops = tuple(self._crop(n, results[n]) for n in range(min(_PICTURES, len(results))))
        return self._score(results), crops

    def _score(self, results: Sequence[npt.NDArray[np.float32]]) -> Score:
        psnrs, ssims = [], []
        for scene, result in zip(self._scenes, results, strict=True):
            one, other = (_compared(image) for image in (result, scene.high))
            psnrs.append(min(_MOST, psnr(one, other, data_range=1.0, border=self._scale)))
            ssims.append(ssim(one, other, data_range=1.0, border=self._scale))
        return Score(float(np.mean(psnrs)), float(np.mean(ssims)))

    def _ended(self, result: npt.NDArray[np.float32], scene: Scene) -> npt.NDArray[np.float32]:
        """A result as an image of the scene's dtype would hold it; what is not finite stands for the lowest value."""
        finite = np.nan_to_num(result, nan=0.0, posinf=1e6, neginf=-1e6)
        return np.clip(finite, *scene.ends)

    def _crop(self, number: int, now: npt.NDArray[np.float32]) -> ValidationCrop:
        assert self._before is not None
        scene = self._scenes[number]
        side = _SIDE // self._scale
        top, left = (max(0, (n - side) // 2) for n in scene.low.shape[1:])
        large = [
            _picture(image, top * self._scale, left * self._scale, side * self._scale)
            for image in (self._bicubic[number], self._before[number], now, scene.high)
        ]
        return ValidationCrop(scene.name, _picture(scene.low, top, left, side), *large)


def _compared(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return luma(np.moveaxis(image, 0, -1)).astype(np.float32) if image.shape[0] == 3 else image[0]


def _picture(image: npt.NDArray[np.float32], top: int, left: int, side: int) -> CropImage:
    part = image[:, top : top + side, left : left + side]
    return np.ascontiguousarray(part[0] if part.shape[0] == 1 else np.moveaxis(part, 0, -1))
