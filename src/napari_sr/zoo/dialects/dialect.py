"""What a dialect is, and the sizes that tensors tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture

Read = Callable[[Mapping[str, Tensor], int | None], tuple[Architecture, dict[str, Tensor]]]


@dataclass(frozen=True)
class Dialect:
    """One way of writing a network's weights.

    Parameters
    ----------
    network : str
        Name of the network, for the sentence that lists what is known.
    signs : tuple of str
        Tensors that every file of this dialect has, and no file of another has all of.
    read : callable
        From tensors and the factor asked for (None: whatever they have) to the architecture and the weights in our
        names. It may leave it to the caller to find tensors that are too many.
    """

    network: str
    required_keys: tuple[str, ...]
    read: Read


def shape_of(tensors: Mapping[str, Tensor], key: str, dimensions: int = 4) -> tuple[int, ...]:
    """Shape of a tensor that has to be there.

    Raises
    ------
    CheckpointError
        If it is missing or has another number of dimensions.
    """
    if key not in tensors:
        raise CheckpointError(f"The weights are incomplete: the tensor {key} is missing.")
    shape = tuple(tensors[key].shape)
    if len(shape) != dimensions:
        raise CheckpointError(f"The weights cannot be used: {key} has {len(shape)} dimensions and not {dimensions}.")
    return shape


def count(tensors: Mapping[str, Tensor], pattern: str, first: int = 0) -> int:
    """How many numbers, from `first` on without a gap, the group of `pattern` takes among the keys.

    Raises
    ------
    CheckpointError
        If one is left out.
    """
    numbers = {int(match[1]) for key in tensors if (match := re.match(pattern, key))}
    for number in range(first, first + len(numbers)):
        if number not in numbers:
            missing = pattern.replace(r"(\d+)", str(number)).replace("\\", "")
            raise CheckpointError(f"The weights are incomplete: the tensor {missing} is missing.")
    return len(numbers)


def rename(tensors: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Write keys anew: each by the first rule (regular expression, replacement) that matches it from its beginning."""
    renamed = {}
    for key, tensor in tensors.items():
        for pattern, replacement in rules:
            if re.match(pattern, key):
                key = re.sub(pattern, replacement, key, count=1)
                break
        renamed[key] = tensor
    return renamed


def agree_on_scale(asked: int | None, possible: Sequence[int], network: str) -> int:
    """Take the factor asked for, or the first possible one.

    Raises
    ------
    CheckpointError
        If the weights cannot have the factor asked for.
    """
    if asked is None:
        return possible[0]
    if asked not in possible:
        factors = " or ".join(str(factor) for factor in possible)
        raise CheckpointError(f"These {network} weights upscale by {factors}, not by {asked}.")
    return asked


def factor_of_shuffles(outputs: Sequence[int], features: int, network: str) -> int:
    """Factor of a chain of pixel shuffles, from the outputs of the convolutions before them.

    Raises
    ------
    CheckpointError
        If they are neither doublings nor a single step of three.
    """
    steps = [out / features for out in outputs]
    if steps == [9]:
        return 3
    if len(steps) <= 3 and all(step == 4 for step in steps):
        return int(2 ** len(steps))
    raise CheckpointError(
        f"The weights enlarge in a way that {network} does not: by pixel shuffles of {outputs} features."
    )
