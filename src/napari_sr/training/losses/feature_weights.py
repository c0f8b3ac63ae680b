"""Weights of the networks of perceptual losses: from a file, from torch's cache, or downloaded and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from napari_sr.errors import CheckpointError, InputError
from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.networks.vgg import VGGFeatures
from napari_sr.zoo.checkpoint import read_checkpoint
from napari_sr.zoo.dialects import detect_architecture

#: torchvision's file; its name ends with the start of its SHA-256.
VGG19_FILE = "vgg19-dcbb9e9d.pth"
VGG19_URL = f"https://download.pytorch.org/models/{VGG19_FILE}"
_VGG19_HASH = "dcbb9e9d"
#: Whether published weights were trained in Caffe, by the first digits of the SHA-256 of their files. torchvision's
#: names end with these digits, and so do those of the Caffe weights that were converted to torchvision's keys.
_PUBLISHED = {
    _VGG19_HASH: False,  # torchvision: vgg19-dcbb9e9d.pth
    "397923af": False,  # torchvision: vgg16-397923af.pth
    "b8a52dc0": False,  # torchvision: squeezenet1_1-b8a52dc0.pth
    "f364aa15": False,  # torchvision: squeezenet1_1-f364aa15.pth
    "d01eb7cb": True,  # J. Johnson: vgg19-d01eb7cb.pth
    "00b39a1b": True,  # J. Johnson: vgg16-00b39a1b.pth
}
#: SHA-256 of the first kernels of SqueezeNet 1.1 as its authors trained it in Caffe, in float16, so that copies of the
#: weights in other files and formats are recognized.
_CAFFE_KERNELS = "088e118678847ef1b6d3a8a578bcfccd7a47be521ac3686fdd55a01190c20cff"


def vgg19_file() -> Path:
    """Return torchvision's weights of VGG19 in torch's cache, downloading them (575 MB) if they are not in it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the file is not in the cache and cannot be downloaded.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / VGG19_FILE
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # torch downloads to a temporary name, checks the hash and renames the file.
        torch.hub.download_url_to_file(VGG19_URL, str(path), hash_prefix=_VGG19_HASH, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", error)).rstrip(".")
        raise InputError(
            f"The perceptual loss needs {VGG19_FILE}, which could not be downloaded ({reason}): put it into {folder}, "
            "or add the key weights with another file to the loss."
        ) from error
    return path


def load_features(network: str, weights: str | Path | None) -> tuple[VGGFeatures | SqueezeNetFeatures, bool]:
    """Load the network of a perceptual loss.

    Parameters
    ----------
    network : {"vgg19", "vgg16", "squeezenet"}
        The network.
    weights : str or Path, optional
        File of its weights; required for VGG16 and SqueezeNet.

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
    if weights is None:
        if network != "vgg19":
            raise InputError(
                f"The weights of {network} are not downloaded: add the key weights with their file to the loss."
            )
        weights = vgg19_file()
    path = Path(weights)
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
