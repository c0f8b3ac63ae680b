"""The identity of a run: what a checkpoint must have in common with the training that continues it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from napari_sr.training.data.fingerprint import add_array
from napari_sr.zoo.architectures import complete
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.model import Model


def model_hash(model: Model) -> str:
    """Return a hash of the network and the weights with which a training starts.

    Parameters
    ----------
    model : Model
        The model to fine-tune or to start with; of two weight sets, those that count at its alpha.

    Returns
    -------
    str
        SHA-256, as 64 hexadecimal digits. Names and other facts of the card are not part of it, so that a model may be
        renamed or moved while its training is interrupted.
    """
    digest = hashlib.sha256()
    digest.update(_architecture(model.card.architecture).encode())
    states = [model.endpoints[name] for name in model.card.endpoints or model.endpoints]
    if model.alpha in (0, 1):
        states = [states[int(model.alpha)]]
    elif model.alpha is not None:
        # The sets and not the mixed weights, whose last bit can be another one on another processor.
        digest.update(f"{model.mixing}{model.alpha!r}".encode())
    for state in states:
        for key in sorted(state):
            digest.update(key.encode())
            add_array(digest, state[key].detach().cpu().numpy())
    return digest.hexdigest()


def difference(begun: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Describe how a training differs from the one that began in its folder.

    Parameters
    ----------
    begun : mapping
        Identity of the checkpoint: "recipe", the TOML text without paths that depend on the machine; "images", their
        fingerprint; and "model", the hash of the model at the start or an empty text, which checkpoints of earlier
        versions do not have.
    now : mapping
        Identity of the training.

    Returns
    -------
    str or None
        The end of "a training with": "another model and another length (400 steps)"; None if nothing differs. The name
        of the recipe does not count, since no weight depends on it.
    """
    recipe, new_recipe = ({**tomllib.loads(text["recipe"]), "name": ""} for text in (begun, now))
    parts = ["another model"] if begun.get("model", now["model"]) != now["model"] else []
    if _images(recipe) != _images(new_recipe):
        parts.append("other images")
    same_length = _steps(recipe) == _steps(new_recipe)
    if not same_length:
        parts.append(f"another length ({sum(_steps(recipe))} steps)")
    keys = _different(_settings(recipe, same_length), _settings(new_recipe, same_length))
    if keys:
        parts.append(f"another recipe ({', '.join(keys)})")
    # Patches depend on recipe and network, so that their fingerprint alone does not tell that images differ.
    if not parts and begun["images"] != now["images"]:
        parts.append("other images")
    return " and ".join(parts) or None


def _images(recipe: Mapping[str, Any]) -> list[Any]:
    return [recipe.get(table, {}).get("images") for table in ("data", "validation")]


def _steps(recipe: Mapping[str, Any]) -> list[int]:
    return [stage["steps"] for stage in recipe["stages"]]


def _settings(recipe: Mapping[str, Any], with_length: bool) -> dict[str, Any]:
    """Return a recipe without its images and steps, and without all that `Recipe.at_length` changes on request."""
    tables = {name: _without(recipe.get(name, {}), ("images",)) for name in ("data", "validation")}
    stages = [_without(stage, ("steps",)) for stage in recipe["stages"]]
    if not with_length:
        tables["validation"] = _without(tables["validation"], ("every",))
        scaled = ("cycles", "warm_up", "milestones")
        stages = [{**stage, "schedule": _without(stage.get("schedule", {}), scaled)} for stage in stages]
    return {**recipe, **tables, "stages": stages}


def _without(table: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the keys with different values, in alphabetical order."""
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _architecture(architecture: Architecture) -> str:
    """Return a text of an architecture that does not change when a setting with a default is added to its network."""
    defaults = complete(Architecture(network=architecture.network)).settings
    settings = {key: value for key, value in architecture.settings.items() if value != defaults.get(key)}
    return json.dumps([architecture.network, settings], sort_keys=True)
