"""Reads files that were written before keys were renamed: model cards, recipes, training runs and settings.

Everything else in the package uses the present names only. A file with present keys passes through unchanged.
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
#: Degradation of a card that was written before cards had `paired`.
_PAIRED = "low-resolution images as they were taken"


def renamed_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Give a model card with present keys.

    Parameters
    ----------
    card : mapping of str to object
        The card as read from JSON.

    Returns
    -------
    dict
        A copy with present keys. Where they are missing, `training_noise` and `paired` are derived from the text of the
        degradation.
    """
    found = _renamed(card, _CARD)
    if found.get("color") == "grey":
        found["color"] = "gray"
    data = found.get("training_data")
    if isinstance(data, list | tuple):
        found["training_data"] = [_renamed(one, _CARD) if isinstance(one, Mapping) else one for one in data]
    if isinstance(found.get("recipe"), str):
        found["recipe"] = renamed_recipe_text(found["recipe"])
    degradation = found.get("degradation")
    if degradation == _PAIRED:
        found |= {"degradation": None, "paired": True}
    elif "training_noise" not in found and isinstance(degradation, str):
        found["training_noise"] = "noise" in degradation
    return found


def renamed_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Give a recipe with present keys.

    Parameters
    ----------
    recipe : mapping of str to object
        The recipe as read from TOML.

    Returns
    -------
    dict
        A copy with present keys; constructor arguments of the network are left as they are.
    """
    found = _renamed(recipe, _RECIPE)
    for key, value in found.items():
        found[key] = _renamed_table(key, value)
    return found


def renamed_recipe_text(text: str) -> str:
    """Give the TOML text of a recipe with present keys; text that is no recipe, and a present one, stay as they are."""
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text
    after = renamed_recipe(before)
    return text if after == before else tomli_w.dumps(after)


def renamed_run_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Give the state of a training run with present keys.

    Parameters
    ----------
    state : mapping of str to object
        Content of a run's checkpoint.
    """
    found = _renamed(state, {"rate_factor": "learning_rate_factor"})
    work = _renamed(found["work"], _RUN)
    for name in ("optimizer", "discriminator_optimizer"):
        if name in work:
            groups = [_renamed(group, {"full_rate": "full_learning_rate"}) for group in work[name]["param_groups"]]
            work[name] = {**work[name], "param_groups": groups}
    found["work"] = work
    found["identity"] = {**found["identity"], "recipe": renamed_recipe_text(found["identity"]["recipe"])}
    return found


def renamed_curve_row(row: Mapping[str, str]) -> dict[str, str]:
    """Give a row of a run's curves with present column names."""
    return _renamed(row, _CURVES)


def _renamed_table(name: str, value: Any) -> Any:
    """Rename the keys of a table of a recipe, and of the tables in it."""
    if isinstance(value, list | tuple):
        return [_renamed_table(name, one) for one in value]
    if not isinstance(value, Mapping):
        return "gray" if name == "color" and value == "grey" else value
    keys = {**_RECIPE, **(_OPTIMIZER if name == "optimizer" else _NETWORK if name == "network" else {})}
    found = _renamed(value, keys)
    return {
        key: one if (name, key) == ("network", "settings") else _renamed_table(key, one) for key, one in found.items()
    }


def _renamed(mapping: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in mapping.items()}
