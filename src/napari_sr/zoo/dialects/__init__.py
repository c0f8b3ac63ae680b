"""Dialects: the keys under which other programs store the weights of the same networks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.architectures import build_empty, check_depth, check_tensors
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects import msrresnet, rrdbnet, squeezenet, srcnn, srresnet, srvgg
from napari_sr.zoo.dialects.dialect import Dialect
from napari_sr.zoo.dialects.others import refuse_other_networks
from napari_sr.zoo.names import shown

#: All known dialects, each with keys that no other has.
DIALECTS: tuple[Dialect, ...] = (
    *srcnn.DIALECTS,
    *srresnet.DIALECTS,
    *msrresnet.DIALECTS,
    *rrdbnet.DIALECTS,
    *srvgg.DIALECTS,
    *squeezenet.DIALECTS,
)

__all__ = ["DIALECTS", "detect_architecture", "find_dialect"]


def detect_architecture(
    tensors: Mapping[str, Tensor], *, scale: int | None = None
) -> tuple[Architecture, dict[str, Tensor]]:
    """Detect the network of a set of weights, and read its sizes from the shapes of the tensors.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        A state dict in any dialect, without wrapper and prefix.
    scale : int, optional
        Upsampling factor. It is required for SRCNN, whose weights do not depend on it, and for an RRDBNet x3, whose
        weights have the shapes of an RRDBNet x2.

    Returns
    -------
    architecture : Architecture
        Network and all its settings.
    tensors : dict of str to Tensor
        The weights by the keys of the network: its state dict.

    Raises
    ------
    CheckpointError
        If they are those of another network, incomplete, or cannot have this factor, or the factor of SRCNN is missing.
    """
    empty = next((key for key, tensor in tensors.items() if tensor.numel() == 0), None)
    if empty is not None:
        raise CheckpointError(f"The weights have {shown(empty)} without any values: get the file again.")
    architecture, renamed = find_dialect(tensors).read(tensors, scale)
    check_depth(architecture, renamed)
    check_tensors(build_empty(architecture), renamed)
    return architecture, renamed


def find_dialect(tensors: Mapping[str, Tensor]) -> Dialect:
    """Find the dialect of a state dict, without wrapper and prefix, by its keys; the values are not used.

    Raises `CheckpointError` if they are those of another network.
    """
    known = ", ".join(dict.fromkeys(d.network for d in DIALECTS if d not in squeezenet.DIALECTS))
    refuse_other_networks(tensors, known)
    for dialect in DIALECTS:
        if all(key in tensors for key in dialect.required_keys):
            return dialect
    some = ", ".join(shown(key) for key in sorted(tensors)[:3]) or "none"
    raise CheckpointError(f"The weights belong to an unknown network (tensors: {some}): use those of {known}.")
