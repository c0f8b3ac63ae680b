"""The sets of weights in a file: they are in nested dicts, or have prefixes in the names of their tensors."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from napari_sr.errors import CheckpointError
from napari_sr.zoo.checkpoint.limits import check_count, check_key
from napari_sr.zoo.checkpoint.stored import StoredTensor
from napari_sr.zoo.names import shown

#: Names of averaged weights, which are preferred, in order of preference.
_AVERAGED = ("params_ema", "g_ema", "net_g_ema", "netg_ema", "generator_ema", "ema", "ema_model", "model_ema")
_AVERAGED_WORDS = {"ema", "swa", "average", "averaged", "avg", "shadow"}
#: Names of the generator, in files that also have a discriminator.
_GENERATORS = ("netg", "net_g", "generator", "model_g", "g", "gen", "generator_state_dict", "g_state_dict")
#: Names of any network, in order of preference.
_NETWORKS = (
    *("params", "state_dict", "model_state_dict", "model", "net", "network", "weights", "online_model"),
    *("state", "network_state_dict", "net_state_dict", "sr", "sr_model", "srnet", "model_state", "params_state_dict"),
)
#: Names of everything else in the checkpoint of a training.
_OTHERS = re.compile(
    r"(net_?d|model_d|d|dis|disc|critic|.*discriminator.*|d_.*|net_?d_.*|.*optim.*|opt(_.*)?|.*scheduler.*|lr_.*|scaler|"
    r"(.*_)?loss(es)?(_.*)?|.*criterion.*|.*perceptual.*|vgg.*|lpips|cri_.*|callbacks|loops|hyper_parameters|metrics?)"
)
#: Parts of names that wrappers of torch insert anywhere: DataParallel, torch.compile, FSDP and others.
_INSERTED = {"module", "_orig_mod", "_fsdp_wrapped_module", "_forward_module", "_checkpoint_wrapped_module"}
#: Tensors of averages and trainings that are no weights.
_COUNTERS = {
    *("n_averaged", "num_updates", "decay", "step", "steps", "epoch", "iter", "iteration", "global_step", "initted"),
}
#: Largest depth of nested dicts that are searched.
_DEPTH = 5
#: Largest number of prefixes that are removed.
_PREFIXES = 8
#: Largest number of other names of one set that are kept.
_MOST_NAMES = 8


@dataclass(frozen=True)
class WeightSet:
    """A set of weights.

    Parameters
    ----------
    name : str or None
        Key or prefix under which the file has it; None if the file has nothing else.
    tensors : mapping of str to StoredTensor
        The weights by their names without wrappers and prefixes.
    rank : int
        Preference: 0 for averaged weights, 1 for those of a generator, 2 for those of a network, 3 for others, and 4
        for what is no network.
    others : tuple of str
        Names of the sets that are not used with it.
    """

    name: str | None
    tensors: Mapping[str, StoredTensor]
    rank: int
    others: tuple[str, ...] = ()


def find_weight_sets(content: Any, name: str) -> list[WeightSet]:
    """Find the sets of weights in the nested dicts of a file, averaged weights first; errors have the name.

    Raises `CheckpointError` if there are none, or a set has a tensor twice, too many tensors, or one with a wrong name.
    """
    sets = [part for found in _nested_sets(content) for part in _without_prefixes(found, name)]
    sets.sort(key=lambda one: (one.rank, _position(one.name)))
    if not sets or sets[0].rank == 4:
        only = f" (only {_listed(one.name for one in sets)})" if sets else ""
        raise CheckpointError(f"{name} has no weights{only}: choose the file of a trained network.")
    names = [name for one in sets for name in (one.name, *one.others) if name is not None]
    return [replace(one, others=tuple(n for n in names if n != one.name)) for one in sets if one.rank < 4]


def _listed(names: Iterable[str | None]) -> str:
    found = [shown(name) for name in names if name is not None]
    return ", ".join(found[:5]) + (" and others" if len(found) > 5 else "")


def _nested_sets(content: Any) -> list[WeightSet]:
    """Return the tables of tensors in nested dicts, each once."""
    found: list[WeightSet] = []
    places: dict[int, int] = {}
    seen: set[int] = set()
    taken: set[str | None] = set()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), content)])
    while waiting:
        path, table = waiting.popleft()
        if not isinstance(table, Mapping) or len(path) > _DEPTH:
            continue
        if id(table) in seen:
            # The same weights under another name.
            place = places.get(id(table))
            if place is not None and path and len(found[place].others) < _MOST_NAMES:
                found[place] = replace(found[place], others=(*found[place].others, path[-1]))
            continue
        seen.add(id(table))
        tensors = {key: t for key, t in table.items() if isinstance(key, str) and isinstance(t, StoredTensor)}
        if any(tensor.shape and key not in _COUNTERS for key, tensor in tensors.items()):
            inner = path[-1] if path else None
            name = inner if inner not in taken else ".".join(path)
            taken.add(name)
            places[id(table)] = len(found)
            found.append(WeightSet(name, tensors, min(_rank_of_path(path), 4)))
        waiting.extend(((*path, key), value) for key, value in table.items() if isinstance(key, str))
    if len(found) > 1:
        # A table of tensors beside named ones, such as the mean of the images, is no network by itself.
        found = [replace(one, rank=3) if one.name is None else one for one in found]
    return found


def _rank_of_path(path: tuple[str, ...]) -> int:
    if not path:
        return 2
    ranks = [_rank(part) for part in path]
    return 4 if 4 in ranks else min(ranks)


@lru_cache(maxsize=1024)
def _rank(name: str) -> int:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:80]
    if _OTHERS.fullmatch(plain):
        return 4
    if plain in _AVERAGED or _AVERAGED_WORDS & set(plain.split("_")):
        return 0
    if plain in _GENERATORS:
        return 1
    return 2 if plain in _NETWORKS else 3


def _position(name: str | None) -> int:
    """Return the place of a name in the order of preference among those of its rank."""
    plain = re.sub(r"[^a-z0-9]+", "_", (name or "").lower()).strip("_")
    order = (*_AVERAGED, *_GENERATORS, *_NETWORKS)
    return order.index(plain) if plain in order else len(order)


def _without_prefixes(found: WeightSet, name: str) -> list[WeightSet]:
    """Remove the prefixes of a set; a set with several networks is divided."""
    check_count(len(found.tensors), name)
    for key in found.tensors:
        check_key(key, name)
    kept = {key: tensor for key, tensor in found.tensors.items() if not _is_counter(key, tensor)}
    tensors = _renamed({key: _without_inserted(key) for key in kept}, kept, name)
    sets = [replace(found, tensors=tensors)]
    for _ in range(_PREFIXES):
        sets, before = [part for one in sets for part in _divided(one)], sets
        if len(sets) == len(before) and all(a.tensors is b.tensors for a, b in zip(sets, before, strict=True)):
            break
    return sets


def _is_counter(key: str, tensor: StoredTensor) -> bool:
    return tensor.size == 1 and key.rsplit(".", 1)[-1] in _COUNTERS


def _without_inserted(key: str) -> str:
    *parents, last = key.split(".")
    return ".".join([*(part for part in parents if part not in _INSERTED), last])


def _renamed(names: Mapping[str, str], tensors: Mapping[str, StoredTensor], name: str) -> dict[str, StoredTensor]:
    counted = Counter(names.values())
    twice = [key for key, count in counted.items() if count > 1]
    if twice:
        raise CheckpointError(
            f"{name} has the tensor {shown(twice[0])} with and without a prefix: save one network alone."
        )
    return {new: tensors[old] for old, new in names.items()}


def _divided(one: WeightSet) -> list[WeightSet]:
    """Divide a set by the first parts of its names, if they are names of networks; otherwise return the set alone."""
    heads: dict[str, dict[str, StoredTensor]] = {}
    rest: dict[str, StoredTensor] = {}
    for key, tensor in one.tensors.items():
        head, _, inner = key.partition(".")
        # `model.0.weight` is a layer of a chain, and `conv.weight` has no prefix. `discriminator.0.weight` has one.
        is_chain = inner[:1].isdigit() and _rank(head) < 4
        if not inner or is_chain or "." not in inner or _rank(head) == 3:
            rest[key] = tensor
        else:
            heads.setdefault(head, {})[inner] = tensor
    ranks = {head: _rank(head) for head in heads}
    best = min(ranks.values(), default=4)
    if one.rank == 4 or best == 4 or (best == 2 and rest):
        return [one]
    divided = [
        WeightSet(
            head if len(heads) > 1 or rest or one.name is None else one.name,
            tensors,
            4 if ranks[head] == 4 else min(one.rank, ranks[head]),
            one.others,
        )
        for head, tensors in heads.items()
    ]
    if any(tensor.shape for tensor in rest.values()):
        divided.append(WeightSet("without a prefix" if one.name is None else one.name, rest, 3))
    return divided
