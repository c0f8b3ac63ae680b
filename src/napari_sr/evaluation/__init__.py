"""How close a result comes to a reference: figures with their protocol, the plain baselines, files and folders."""

from napari_sr.evaluation.baseline import BASELINES, bicubic, interpolate
from napari_sr.evaluation.fidelity import CHANNELS, Channels, Fidelity, evaluate, psnr, ssim
from napari_sr.evaluation.folders import FileFidelity, Pair, evaluate_files, pair_files, scale_of_sizes
from napari_sr.evaluation.showcase import Showcase, write_showcase
from napari_sr.evaluation.side_by_side import Panel, side_by_side

__all__ = [
    "BASELINES",
    "CHANNELS",
    "Channels",
    "Fidelity",
    "FileFidelity",
    "Pair",
    "Panel",
    "Showcase",
    "bicubic",
    "evaluate",
    "evaluate_files",
    "interpolate",
    "pair_files",
    "psnr",
    "scale_of_sizes",
    "side_by_side",
    "ssim",
    "write_showcase",
]
