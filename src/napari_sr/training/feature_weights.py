"""Weights of the networks that perceptual losses look with: found, given, or downloaded and checked."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError, InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.zoo.checkpoint import read_checkpoint
from napari_sr.zoo.dialects import detect_architecture

#: torchvision's file; the end of its name is the start of its SHA-256.
VGG19_FILE = "vgg19-dcbb9e9d.pth"
VGG19_URL = f"https://download.pytorch.org/models/{VGG19_FILE}"
_VGG19_HASH = "dcbb9e9d"


def vgg19_file() -> Path:
    """The file of torchvision's VGG19 in torch's cache, downloaded there (575 MB) when it is not.

    Raises
    ------
    InputError
        If it is not there and cannot be had.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / VGG19_FILE
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # It downloads to a temporary name, checks the hash and renames.
        torch.hub.download_url_to_file(VGG19_URL, str(path), hash_prefix=_VGG19_HASH, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", error)).rstrip(".")
        raise InputError(
            f"The perceptual loss needs {VGG19_FILE}, which could not be downloaded ({reason}): put it into {folder}, "
            "or name a file as weights in the recipe."
        ) from error
    return path


def load_features(network: str, weights: str | Path | None) -> tuple[VGGFeatures | SqueezeNetFeatures, bool]:
    """Load the network of a perceptual loss.

    Parameters
    ----------
    network : {"vgg19", "vgg16", "squeezenet"}
        Which one.
    weights : path, optional
        A file; needed for all but VGG19.

    Returns
    -------
    network : VGGFeatures or SqueezeNetFeatures
    caffe : bool
        Whether it takes blue, green, red in 0..255 less Caffe's mean, and not ImageNet-normalized RGB.

    Raises
    ------
    InputError
        If there is no such file, it cannot be downloaded, or it holds other weights.
    """
    if weights is None:
        if network != "vgg19":
            raise InputError(f"The weights of {network} do not come by themselves: name a file as weights.")
        weights = vgg19_file()
    path = Path(weights)
    if not path.is_file():
        raise InputError(f"There is no file {path} with the weights of {network}: name one that is there.")
    try:
        tensors = dict(read_checkpoint(path).tensors)
        if network == "squeezenet":
            _, own = detect_architecture(tensors)
            judge = SqueezeNetFeatures()
            judge.load_state_dict(dict(own))
            return judge, True
    except (CheckpointError, RuntimeError) as error:
        raise InputError(f"{path.name} does not hold the weights of {network}: {error}") from error
    depth_network = VGGFeatures(depth=19 if network == "vgg19" else 16)
    depth_network.load_state_dict(_in_order(tensors, depth_network, path, network))
    # The materials (MINC) variant was trained in Caffe; its keys are not torchvision's.
    return depth_network, "features.0.weight" not in tensors


def _in_order(tensors: dict[str, Tensor], network: VGGFeatures, path: Path, name: str) -> dict[str, Tensor]:
    """Convolutions under torchvision's keys, or in their order under any others; what follows them is left out."""
    own = network.state_dict()
    if all(key in tensors and tensors[key].shape == value.shape for key, value in own.items()):
        return {key: tensors[key] for key in own}
    kernels = [t for t in tensors.values() if t.ndim == 4]
    biases = [
        tensors[key.removesuffix("weight") + "bias"]
        for key, t in tensors.items()
        if t.ndim == 4 and key.removesuffix("weight") + "bias" in tensors
    ]
    places = [key.removesuffix(".weight") for key, value in own.items() if value.ndim == 4]
    found: dict[str, Tensor] = {}
    for place, kernel, bias in zip(places, kernels, biases, strict=False):
        found |= {f"{place}.weight": kernel, f"{place}.bias": bias}
    if set(found) != set(own) or any(found[key].shape != own[key].shape for key in own):
        raise InputError(f"{path.name} does not hold the {len(places)} convolutions of {name}: name another file.")
    return found
