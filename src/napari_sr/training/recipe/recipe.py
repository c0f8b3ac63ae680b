"""The description of a training as data: read from TOML, written to TOML, checked key by key.

Needs no torch, so that a window can show and change a recipe before torch is loaded.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Literal, Self, get_args

import tomli_w
from pydantic import Field, ValidationError, model_validator

from napari_sr.conversion import quote, read_path, shorten
from napari_sr.errors import InputError, one_line
from napari_sr.imaging.intensity.spec import Percentiles
from napari_sr.old_keys import renamed_recipe
from napari_sr.toml_text import parse_toml
from napari_sr.training.recipe.conditions import Conditions
from napari_sr.training.recipe.data import Data, ImageSet
from napari_sr.training.recipe.degradation import Degradation
from napari_sr.training.recipe.stage import Network, PatchSettings, Stage, Validation
from napari_sr.training.recipe.table import RecipeTable, first_fault
from napari_sr.zoo.card import Domain
from napari_sr.zoo.names import Name, as_name

Preset = Literal["srcnn", "srgan", "esrgan", "quick", "standard", "thorough"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
"""Recipes that travel with the package: the trainings of the papers, and three lengths of fine-tuning of any model."""
#: Keys of an image set that need conditions.
_CONDITIONED = ("share", "sizes", "noisy", "colors")
#: Largest size of a recipe's file in bytes; lists of thousands of images take less.
_LARGEST = 2**24


class Recipe(RecipeTable):
    """The description of a training: images, degradation, network, losses and stages.

    Tables are checked when they are made and do not change afterward; `model_copy(update={...})` makes a changed copy,
    which is checked too. In TOML, a key with its default can be left out.

    Parameters
    ----------
    name : str, default "model"
        Name of the recipe, and of the model that it trains (`napari_sr.zoo.names`). In a file, the default is the name
        of the file without its ending.
    description : str, default ""
        Text for the model's card.
    family : {"srcnn", "srgan", "esrgan"}, optional
        Family of a new network, which is required with `network`. In a recipe for fine-tuning, only models of this
        family are accepted; by default any.
    domain : {"natural", "fluorescence", "electron"}, optional
        Kind of the images, for the model's card.
    license : str, optional
        Terms of use of the model, for its card; by default those of the model that the training starts with.
    seed : int, default 0
        Seed of all random numbers, at least 0 and below 2^63.
    network : Network, optional
        A new network; by default the recipe fine-tunes a model.
    start : str, optional
        Name or path of a model with whose weights the training starts, if no model is given to `Training`. A new
        RRDBNet can also start with a model of half its factor and otherwise equal settings; its second upsampling
        convolution is then initialized as an identity.
    precision : {"auto", "float32", "bfloat16", "float16"}, default "auto"
        Number format of the networks; losses and means are computed in float32. "auto" is bfloat16 where the
        device computes fast in it, and float32 elsewhere and for SRCNN on a CPU. "bfloat16" is float32, with a
        warning, where the device has no instructions for it.
    data : Data, default Data()
        Training images.
    degradation : Degradation, default Degradation()
        The way from a high-resolution image to its low-resolution version.
    conditions : Conditions, optional
        Random conditions of each patch in place of a degradation, for a network with one channel that takes noise and
        blur as inputs; by default none.
    patches : PatchSettings, default PatchSettings()
        Size and number of the patches of a step.
    stages : tuple of Stage
        Stages in order, at least one.
    validation : Validation, default Validation()
        Measurements during the training.

    Raises
    ------
    InputError
        If a value does not fit; the message names the key.

    Examples
    --------
    >>> import napari_sr as sr
    >>> text = '''
    ... name = "cells"
    ... degradation = { shrink = "binning", noise = { gain = 0.5, read = 2.0 } }
    ... [[stages]]
    ... steps = 2000
    ... losses = [{ kind = "l1" }]
    ... optimizer = { learning_rate = 2e-4 }
    ... '''
    >>> recipe = sr.Recipe.from_toml(text)
    >>> recipe.steps
    2000
    >>> recipe.stages[0].optimizer.learning_rate
    0.0002
    """

    name: Name = "model"
    description: str = ""
    family: Literal["srcnn", "srgan", "esrgan"] | None = None
    domain: Domain | None = None
    license: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    network: Network | None = None
    start: str | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    data: Data = Data()
    degradation: Degradation = Degradation()
    conditions: Conditions | None = None
    patches: PatchSettings = PatchSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _endpoints(self) -> Self:
        names = [stage.endpoint for stage in self.stages if stage.endpoint is not None]
        if len(names) not in (0, 2) or len(set(names)) != len(names):
            raise ValueError("a pair has two endpoints: give two stages an endpoint, of different names, or none")
        if names and self.stages[-1].endpoint is None:
            raise ValueError("the last stage has no endpoint: give it one, or leave out those of the others")
        for number, stage in enumerate(self.stages):
            earlier = [before.endpoint for before in self.stages[:number]]
            if stage.reference is not None and stage.reference not in earlier:
                raise ValueError(
                    f'the reference "{stage.reference}" is not the endpoint of an earlier stage: give the name of one'
                )
        if self.network is not None and self.family is None:
            raise ValueError("a new network needs a family: add the key family")
        if self.stages and not self.steps:
            raise ValueError("no stage has any steps: give at least one of them 1 step or more")
        return self

    @model_validator(mode="after")
    def _conditions(self) -> Self:
        sets = (*self.data.images, *self.validation.images)
        if self.conditions is None:
            defaults = {key: ImageSet.model_fields[key].default for key in _CONDITIONED}
            key = next((key for entry in sets for key in defaults if getattr(entry, key) != defaults[key]), None)
            if key is not None:
                raise ValueError(f"the key {key} of images is for recipes with conditions: leave it out")
            return self
        if self.degradation != Degradation():
            raise ValueError("conditions are in place of a degradation: leave one of them out")
        if self.data.denoise is not None:
            raise ValueError("conditions have their own choice of clean images: leave denoise out")
        if any(entry.low is not None for entry in sets):
            raise ValueError("conditions are for high-resolution images alone: leave the key low of images out")
        return self

    @property
    def steps(self) -> int:
        """Number of steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def at_length(self, fraction: float) -> Self:
        """Scale the number of steps of every stage, with its schedule.

        The number of steps between two measurements is scaled as well. In a shortened recipe it is raised again, up to
        its former value, so that there are about ten measurements.

        Parameters
        ----------
        fraction : float
            Fraction of the steps, above 0 and up to 1000. A stage that has steps keeps at least one.

        Returns
        -------
        Recipe
            The scaled recipe; this one is unchanged.

        Raises
        ------
        InputError
            If the fraction is out of its range.

        Examples
        --------
        >>> from napari_sr.training import load_recipe
        >>> load_recipe("quick").at_length(0.25).steps
        100
        """
        if not 0 < fraction <= 1000:
            raise InputError(
                f"A recipe cannot be scaled to {fraction:g} times its length: give a number above 0, up to 1000."
            )

        def scaled(steps: int) -> int:
            return max(1, round(steps * fraction))

        stages = []
        for stage in self.stages:
            cycles = tuple(scaled(n) for n in stage.schedule.cycles)
            schedule = stage.schedule.model_copy(
                update={
                    "cycles": cycles,
                    "warm_up": round(stage.schedule.warm_up * fraction),
                    "milestones": tuple(scaled(n) for n in stage.schedule.milestones),
                }
            )
            steps = sum(cycles) or (scaled(stage.steps) if stage.steps else 0)
            stages.append(stage.model_copy(update={"steps": steps, "schedule": schedule}))
        every = scaled(self.validation.every)
        if fraction < 1:
            # Ten measurements show the course of a short run; more would take most of its time.
            every = max(every, min(sum(stage.steps for stage in stages) // 10, self.validation.every))
        validation = self.validation.model_copy(update={"every": every})
        return self.model_copy(update={"stages": tuple(stages), "validation": validation})

    def to_toml(self) -> str:
        """Write the recipe as TOML text, from which `from_toml` makes an equal one.

        Returns
        -------
        str
            The TOML text, without the keys that have their defaults.

        Examples
        --------
        >>> from napari_sr.training import load_recipe
        >>> print(load_recipe("quick").to_toml().splitlines()[0])
        name = "quick"
        """
        return tomli_w.dumps(_explicit(self))

    @classmethod
    def from_toml(cls, text: str, source: str = "The recipe") -> Self:
        """Read a recipe from TOML text.

        Parameters
        ----------
        text : str
            The TOML text; keys of earlier versions are accepted.
        source : str, default "The recipe"
            Name of the text in error messages, such as that of its file.

        Returns
        -------
        Recipe
            The recipe.

        Raises
        ------
        InputError
            If the text is not TOML, or a key is unknown, missing or has a value that does not fit; the message names
            the key.

        Examples
        --------
        >>> import napari_sr as sr
        >>> sr.Recipe.from_toml("stages = [{ steps = 10, losses = [{ kind = 'mse' }] }]").steps
        10
        """
        if not isinstance(text, str):
            raise InputError(f"{source} {shorten(text)} is not a text: give one in TOML.")
        try:
            values = renamed_recipe(parse_toml(text))
        except tomllib.TOMLDecodeError as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{source} is not valid TOML: {reason}; correct it there.") from error
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{source} cannot be used: {first_fault(error, values)}.") from error


class _WithoutTraining(Recipe):
    """A recipe of which the degradation is used alone."""

    stages: tuple[Stage, ...] = ()


def load_recipe(recipe: Recipe | str | os.PathLike[str], *, training: bool = True) -> Recipe:
    """Return a recipe, reading it if it is the name of a preset or a file.

    Parameters
    ----------
    recipe : Recipe, str or Path
        A recipe, one of `PRESETS`, or the path of a TOML file.
    training : bool, default True
        Whether the recipe is that of a training, which has stages; otherwise the file can leave them out.

    Returns
    -------
    Recipe
        The recipe. One that is read from a file and has no name gets that of the file, without its ending.

    Raises
    ------
    InputError
        If there is no such preset or file, or the file does not hold a recipe.

    Examples
    --------
    >>> load_recipe("standard").steps
    3000
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str | os.PathLike):
        raise InputError(f"{shorten(recipe)} is not a recipe: give a TOML file, or one of {', '.join(PRESETS)}.")
    if isinstance(recipe, str) and recipe in PRESETS:
        text = files("napari_sr.training.recipe").joinpath("presets", f"{recipe}.toml").read_text(encoding="utf-8")
        return Recipe.from_toml(text, f"The preset {recipe}")
    path = read_path(recipe, "recipe")
    if not path.is_file():
        raise InputError(f"There is no recipe {quote(recipe)}: give a TOML file, or one of {', '.join(PRESETS)}.")
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path.name} is too large for a recipe: give a recipe in TOML.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a text file in UTF-8: give a recipe in TOML.") from error
    read = (Recipe if training else _WithoutTraining).from_toml(text, path.name)
    return read if "name" in read.model_fields_set else read.model_copy(update={"name": as_name(path.stem)})


def _explicit(part: RecipeTable) -> dict[str, Any]:
    """Return the keys of a table that differ from their defaults, as values of TOML; `kind` is always among them."""
    table = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if value is None or (value == field.get_default(call_default_factory=True) and name != "kind"):
            continue
        table[name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, RecipeTable):
        return _explicit(value)
    if isinstance(value, Percentiles):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
