"""Weights of the networks of perceptual losses: from a file, from torch's cache, or downloaded and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError, InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.zoo.checkpoint import read_checkpoint
from napari_sr.zoo.dialects import detect_architecture

ADDRESS = "https://download.pytorch.org/models/"


class Published(NamedTuple):
    """A file of weights that is downloaded.

    Parameters
    ----------
    file : str
        Its name, at `ADDRESS` and in torch's cache.
    sha256 : str
        Its SHA-256, 64 hexadecimal digits.
    megabytes : int
        Its size.
    """

    file: str
    sha256: str
    megabytes: int


#: torchvision's weights of each network, trained on ImageNet.
TORCHVISION = {
    "vgg19": Published("vgg19-dcbb9e9d.pth", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 575),
    "vgg16": Published("vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553),
    "squeezenet": Published(
        "squeezenet1_1-b8a52dc0.pth", "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b", 5
    ),
}
#: Whether published weights were trained in Caffe, by the first digits of the SHA-256 of their files. torchvision's
#: names end with these digits, and so do those of the Caffe weights that were converted to torchvision's keys.
_PUBLISHED = {
    **{published.sha256[:8]: False for published in TORCHVISION.values()},
    "f364aa15": False,  # torchvision: squeezenet1_1-f364aa15.pth
    "d01eb7cb": True,  # J. Johnson: vgg19-d01eb7cb.pth
    "00b39a1b": True,  # J. Johnson: vgg16-00b39a1b.pth
}
#: SHA-256 of the first kernels of SqueezeNet 1.1 as its authors trained it in Caffe, in float16, so that copies of the
#: weights in other files and formats are recognized.
_CAFFE_KERNELS = "088e118678847ef1b6d3a8a578bcfccd7a47be521ac3686fdd55a01190c20cff"


def torchvision_file(network: str) -> Path:
    """Return torchvision's weights of a network in torch's cache, downloading them if they are not in it.

    Raises
    ------
    InputError
        If the file is not in the cache and cannot be downloaded.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    published = TORCHVISION[network]
    path = folder / published.file
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # torch downloads to a temporary name, checks the hash and renames the file.
        torch.hub.download_url_to_file(
            f"{ADDRESS}{published.file}", str(path), hash_prefix=published.sha256, progress=False
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", error)).rstrip(".")
        raise InputError(
            f"The perceptual loss needs {published.file} ({published.megabytes} MB), which could not be downloaded "
            f"({reason}): put it into {folder}, or add the key weights with another file to the loss."
        ) from error
    return path


def load_features(network: str, weights: str | Path | None) -> tuple[VGGFeatures | SqueezeNetFeatures, bool]:
    """Load the network of a perceptual loss.

    Parameters
    ----------
    network : {"vgg19", "vgg16", "squeezenet"}
        The network.
    weights : str or Path, optional
        File of its weights; by default torchvision's, which is downloaded.

    Returns
    -------
    network : VGGFeatures or SqueezeNetFeatures
        The network with its weights.
    caffe : bool
        Whether it takes blue, green, red in 0..255 less Caffe's mean, instead of RGB normalized as for ImageNet.

    Raises
    ------
    InputError
        If there is no such file, it cannot be downloaded, it holds other weights, or it is not known for which input
        the weights of a SqueezeNet were trained.
    """
    default = weights is None
    path = torchvision_file(network) if weights is None else Path(weights)
    if not path.is_file():
        raise InputError(f"There is no file {path} with the weights of {network}: correct the key weights of the loss.")
    try:
        tensors = dict(read_checkpoint(path).tensors)
        if network == "squeezenet":
            _, state = detect_architecture(tensors)
            squeezenet = SqueezeNetFeatures()
            squeezenet.load_state_dict(dict(state))
            return squeezenet, _is_caffe_squeezenet(path, state)
    except (CheckpointError, RuntimeError) as error:
        raise InputError(f"{path.name} does not hold the weights of {network}: {error}") from error
    vgg = VGGFeatures(depth=19 if network == "vgg19" else 16)
    vgg.load_state_dict(_convolutions(tensors, vgg, path, network))
    if "features.0.weight" in tensors:
        # Weights of Caffe are published with torchvision's keys too.
        return vgg, not default and _PUBLISHED.get(_hash_of(path), False)
    # The VGG16 of materials (MINC) was trained in Caffe, and its keys are not torchvision's.
    return vgg, True


def _is_caffe_squeezenet(path: Path, state: Mapping[str, Tensor]) -> bool:
    """Whether weights of SqueezeNet were trained in Caffe; torchvision's have the same keys and sizes."""
    kernels = state["features.0.weight"].half().numpy().tobytes()
    if hashlib.sha256(kernels).hexdigest() == _CAFFE_KERNELS:
        return True
    published = _PUBLISHED.get(_hash_of(path))
    if published is None:
        raise InputError(
            f"{path.name} is neither the SqueezeNet 1.1 of Caffe nor that of torchvision, which take different inputs: "
            "give one of their files."
        )
    return published


def _hash_of(path: Path) -> str:
    """Return the first eight digits of the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _convolutions(tensors: dict[str, Tensor], network: VGGFeatures, path: Path, name: str) -> dict[str, Tensor]:
    """Return the weights of the convolutions, by torchvision's keys or, with other keys, in their order in the file."""
    expected = network.state_dict()
    if all(key in tensors and tensors[key].shape == value.shape for key, value in expected.items()):
        return {key: tensors[key] for key in expected}
    kernels = [t for t in tensors.values() if t.ndim == 4]
    biases = [
        tensors[key.removesuffix("weight") + "bias"]
        for key, t in tensors.items()
        if t.ndim == 4 and key.removesuffix("weight") + "bias" in tensors
    ]
    layers = [key.removesuffix(".weight") for key, value in expected.items() if value.ndim == 4]
    state: dict[str, Tensor] = {}
    for layer, kernel, bias in zip(layers, kernels, biases, strict=False):
        state |= {f"{layer}.weight": kernel, f"{layer}.bias": bias}
    if set(state) != set(expected) or any(state[key].shape != expected[key].shape for key in expected):
        raise InputError(f"{path.name} does not hold the {len(layers)} convolutions of {name}: give another file.")
    return state
