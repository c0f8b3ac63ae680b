"""Description of a dialect, and functions that read sizes from the shapes of tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from napari_sr.errors import CheckpointError
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.names import shown

#: Largest number of digits of a number in a key; longer ones are not converted.
_LONGEST_NUMBER = 6

#: A regular expression for the beginning of a key, and a replacement or a function of the match.
Rule = tuple[str, str | Callable[[re.Match[str]], str]]
Read = Callable[[Mapping[str, Tensor], int | None], tuple[Architecture, dict[str, Tensor]]]


@dataclass(frozen=True)
class Dialect:
    """The keys under which a program stores the weights of a network.

    Parameters
    ----------
    network : str
        Class name of the network.
    required_keys : tuple of str
        Keys by which the dialect is detected: every file of this dialect has all of them, and no other file does.
    read : callable
        Called with the tensors and the requested factor (None for that of the tensors); returns the architecture and
        the weights by the keys of the network. Unknown tensors may remain among the weights.
    intensity_range : (float, float), default (0.0, 1.0)
        Values of the network's input for black and white, with which the program trains.
    """

    network: str
    required_keys: tuple[str, ...]
    read: Read
    intensity_range: tuple[float, float] = (0.0, 1.0)


def shape_of(tensors: Mapping[str, Tensor], key: str, dimensions: int = 4) -> tuple[int, ...]:
    """Return the shape of a tensor; `CheckpointError` if it is missing or has another number of dimensions."""
    if key not in tensors:
        raise CheckpointError(f"The weights are incomplete: the tensor {key} is missing.")
    shape = tuple(tensors[key].shape)
    if len(shape) != dimensions:
        raise CheckpointError(f"The weights cannot be used: {key} has {len(shape)} dimensions and not {dimensions}.")
    return shape


def count(tensors: Mapping[str, Tensor], pattern: str, first: int = 0) -> int:
    """Return how many different numbers there are in the keys that begin with a pattern, whose group is the number.

    The numbers are consecutive: raises `CheckpointError` if those from `first` on have a gap.
    """
    numbers = {
        int(match[1]) for key in tensors if (match := re.match(pattern, key)) and len(match[1]) <= _LONGEST_NUMBER
    }
    for number in range(first, first + len(numbers)):
        if number not in numbers:
            missing = pattern.replace(r"(\d+)", str(number)).replace("\\", "")
            raise CheckpointError(f"The weights are incomplete: the tensor {missing} is missing.")
    return len(numbers)


def rename(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """Rename keys by the first rule that matches: a regular expression for the beginning, and a replacement.

    Raises `CheckpointError` if two tensors get the same key.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        for pattern, replacement in rules:
            if re.match(pattern, key):
                key = re.sub(pattern, replacement, key, count=1)
                break
        if key in renamed:
            raise CheckpointError(f"The weights have {shown(key)} twice, under two names: save one network alone.")
        renamed[key] = tensor
    return renamed


def agree_on_scale(requested: int | None, possible: Sequence[int], network: str) -> int:
    """Return the requested factor, or the first that a network with these weights can have.

    Raises `CheckpointError`, with the class name of the network, if the weights cannot have the requested factor.
    """
    if requested is None:
        return possible[0]
    if requested not in possible:
        factors = " or ".join(str(factor) for factor in possible)
        raise CheckpointError(f"These {network} weights upscale by {factors}, not by {requested}: give their factor.")
    return requested


def factor_of_shuffles(outputs: Sequence[int], features: int, network: str) -> int:
    """Return the factor of a chain of pixel shuffles.

    Parameters
    ----------
    outputs : sequence of int
        Number of output features of the convolution before each pixel shuffle.
    features : int
        Number of input features of each convolution.
    network : str
        Class name of the network, for the error message.

    Returns
    -------
    int
        The product of the factors of the steps.

    Raises
    ------
    CheckpointError
        If the steps are neither all by 2 nor a single one by 3.
    """
    steps = [out / features for out in outputs]
    if steps == [9]:
        return 3
    if len(steps) <= 3 and all(step == 4 for step in steps):
        return int(2 ** len(steps))
    raise CheckpointError(
        f"The weights have pixel shuffles of {outputs} features, which {network} does not have: use others."
    )
