"""Dialects: the names under which others write the same weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.architectures import build_empty, check_tensors
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.dialects import msrresnet, rrdbnet, squeezenet, srcnn, srresnet, srvgg
from napari_sr.zoo.dialects.dialect import Dialect

#: Every dialect known, each with signs that no other has.
DIALECTS: tuple[Dialect, ...] = (
    *srcnn.DIALECTS,
    *srresnet.DIALECTS,
    *msrresnet.DIALECTS,
    *rrdbnet.DIALECTS,
    *srvgg.DIALECTS,
    *squeezenet.DIALECTS,
)

__all__ = ["DIALECTS", "detect_architecture"]


def detect_architecture(
    tensors: Mapping[str, Tensor], *, scale: int | None = None
) -> tuple[Architecture, dict[str, Tensor]]:
    """Find out which network a set of weights belongs to, with its sizes read from the tensors' shapes.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        A state dict in any dialect, without wrapper and prefix.
    scale : int, optional
        Factor. SRCNN's weights do not know theirs; those of a x3 RRDBNet look like those of a x2.

    Returns
    -------
    architecture : Architecture
        Network and settings, all of them.
    tensors : dict of str to Tensor
        The weights under our names: exactly the network's state dict.

    Raises
    ------
    CheckpointError
        If no dialect fits, the weights are incomplete or cannot have this factor, or SRCNN's factor is not given.
    """
    for dialect in DIALECTS:
        if all(sign in tensors for sign in dialect.required_keys):
            architecture, renamed = dialect.read(tensors, scale)
            check_tensors(build_empty(architecture), renamed)
            return architecture, renamed
    some = ", ".join(sorted(tensors)[:3]) or "none at all"
    known = ", ".join(dict.fromkeys(dialect.network for dialect in DIALECTS))
    raise CheckpointError(
        f"The weights are of no network known here (tensors: {some}): the networks known are {known}."
    )
