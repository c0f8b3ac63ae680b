"""The weights of a file of any supported format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from napari_sr.zoo.checkpoint.weight_file import open_weights


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a weight file.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The weights by the names of the file without wrapper and prefix, on the CPU, with floats in float32.
    wrapper : str or None
        Key or prefix of the weight set; None if the file is a state dict itself.
    path : Path
        The file.
    others : tuple of str
        Keys of the weight sets that were not used.
    """

    tensors: Mapping[str, Tensor]
    wrapper: str | None
    path: Path
    others: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a weight file: a safetensors file, a torch checkpoint, or the MATLAB file of SRCNN.

    The tensors have memory of their own: later changes of the file have no effect on them.

    Parameters
    ----------
    path : str or Path
        The file, ending in .safetensors, .pth, .pt, .pkl, .ckpt, .bin, .tar or .mat.

    Returns
    -------
    Checkpoint
        The preferred weight set: averaged weights if there are any, or else those of the generator or the only network.

    Raises
    ------
    CheckpointError
        If the file is missing, empty, cut short, of another kind, or would run code; or if it has no weights, or
        weights that are not finite.
    """
    path = Path(path)
    with open_weights(path) as file:
        chosen = file.sets()[0]
        file.check(chosen.tensors)
        tensors = file.load(chosen.tensors)
    return Checkpoint(MappingProxyType(tensors), chosen.name, path, chosen.others)
