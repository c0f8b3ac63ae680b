"""Conversion of old keys to present ones, in model cards, recipes, training runs and their curves.

All other modules use the present keys only. Content with present keys is returned unchanged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

_CARD = {"licence": "license", "colour": "color"}
_RECIPE = {
    "licence": "license",
    "colour": "color",
    "optimiser": "optimizer",
    "synchronise": "synchronize",
}
_OPTIMIZER = {"rate": "learning_rate", "last_rate": "last_layer_rate", "white": "whiten"}
_NETWORK = {"interpolation": "start_as_interpolation"}
_RUN = {"optimiser": "optimizer", "d_optimiser": "discriminator_optimizer"}
_CURVES = {"rate": "learning_rate"}
#: Modules of the discriminators.
_DISCRIMINATOR = {"judge": "classifier"}
#: Degradation of a card without `paired` whose model was trained on pairs of recorded images.
_PAIRED = "low-resolution images as they were taken"


def renamed_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model card with present keys.

    Returns
    -------
    dict
        A copy with present keys. If `training_noise` or `paired` is missing, it is derived from the text of the
        degradation.
    """
    renamed = _renamed(card, _CARD)
    if renamed.get("color") == "grey":
        renamed["color"] = "gray"
    data = renamed.get("training_data")
    if isinstance(data, list | tuple):
        renamed["training_data"] = [_renamed(item, _CARD) if isinstance(item, Mapping) else item for item in data]
    if isinstance(renamed.get("recipe"), str):
        renamed["recipe"] = renamed_recipe_text(renamed["recipe"])
    degradation = renamed.get("degradation")
    if degradation == _PAIRED:
        renamed |= {"degradation": None, "paired": True}
    elif "training_noise" not in renamed and isinstance(degradation, str):
        renamed["training_noise"] = "noise" in degradation
    return renamed


def renamed_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with present keys.

    Returns
    -------
    dict
        A copy with present keys; constructor arguments of the network are not renamed.
    """
    renamed = _renamed(recipe, _RECIPE)
    for key, value in renamed.items():
        renamed[key] = _renamed_table(key, value)
    return renamed


def renamed_recipe_text(text: str) -> str:
    """Return the TOML text of a recipe with present keys.

    Returns
    -------
    str
        The same text if it has present keys or is not TOML.

    Raises
    ------
    ValueError
        If its tables or arrays are nested too deeply to be read.
    """
    try:
        before = tomllib.loads(text)
    except RecursionError:
        raise ValueError("its tables or arrays are nested too deeply") from None
    except ValueError:
        return text
    after = renamed_recipe(before)
    return text if after == before else tomli_w.dumps(after)


def renamed_run_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a training run with present keys."""
    renamed = _renamed(state, {"rate_factor": "learning_rate_factor"})
    work = _renamed(renamed["work"], _RUN)
    for name in ("optimizer", "discriminator_optimizer"):
        if name in work:
            groups = [_renamed(group, {"full_rate": "full_learning_rate"}) for group in work[name]["param_groups"]]
            work[name] = {**work[name], "param_groups": groups}
    if "discriminator" in work:
        work["discriminator"] = _renamed_modules(work["discriminator"], _DISCRIMINATOR)
    renamed["work"] = work
    renamed["identity"] = {**renamed["identity"], "recipe": renamed_recipe_text(renamed["identity"]["recipe"])}
    return renamed


def renamed_curve_row(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of the curves of a training run with present column names."""
    return _renamed(row, _CURVES)


def _renamed_table(name: str, value: Any) -> Any:
    """Rename the keys of a table of a recipe, and of the tables in it."""
    if isinstance(value, list | tuple):
        return [_renamed_table(name, item) for item in value]
    if not isinstance(value, Mapping):
        return "gray" if name == "color" and value == "grey" else value
    keys = {**_RECIPE, **(_OPTIMIZER if name == "optimizer" else _NETWORK if name == "network" else {})}
    return {
        key: item if (name, key) == ("network", "settings") else _renamed_table(key, item)
        for key, item in _renamed(value, keys).items()
    }


def _renamed(mapping: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in mapping.items()}


def _renamed_modules(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rename modules in the keys of a state dict, such as ``judge.0.weight``."""
    return {".".join(names.get(part, part) for part in key.split(".")): value for key, value in state.items()}
