"""A whole training described as data: read from TOML, written to TOML, checked key by key.

Needs no torch, so that a window can show and change a recipe at once.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self, get_args

import tomli_w
from pydantic import Field, ValidationError, model_validator

from napari_sr.errors import InputError
from napari_sr.old_keys import renamed_recipe
from napari_sr.training.recipe.data import Data
from napari_sr.training.recipe.degradation import Degradation
from napari_sr.training.recipe.stage import Network, PatchSettings, Stage, Validation
from napari_sr.training.recipe.table import RecipeTable
from napari_sr.zoo.card import Domain, Family

Preset = Literal["srcnn", "srgan", "esrgan", "quick", "standard", "thorough"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
"""The papers' own trainings, and three lengths of fine-tuning of any model."""


class Recipe(RecipeTable):
    """A whole training.

    Parameters
    ----------
    name : str
        Of the recipe, and of the model it makes.
    description, license : str
        For the card.
    family
        For the card of a new network; a fine-tuned one keeps its own.
    domain
        Kind of the images, for the card.
    seed : int
        Everything drawn follows from it.
    network : Network or None
        None fine-tunes the model that is given.
    start : str or None
        Name or file of a model whose weights are begun with.
    precision : {"auto", "float32", "bfloat16", "float16"}
        What the networks compute in; losses and means are in float32. "auto" is bfloat16 where the processor computes
        it fast, and float32 elsewhere.
    data, degradation, patches, stages, validation
        The parts.
    """

    name: str = Field(default="model", pattern=r"^[^/\\]+$")
    description: str = ""
    family: Family | None = None
    domain: Domain | None = None
    license: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    network: Network | None = None
    start: str | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    data: Data = Data()
    degradation: Degradation = Degradation()
    patches: PatchSettings = PatchSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _endpoints(self) -> Self:
        names = [stage.endpoint for stage in self.stages if stage.endpoint is not None]
        if len(names) not in (0, 2) or len(set(names)) != len(names):
            raise ValueError("two stages are stored as the endpoints of a pair, under two names, or none is")
        if names and self.stages[-1].endpoint is None:
            raise ValueError("the last stage is one of the two endpoints")
        if self.network is not None and self.family is None:
            raise ValueError("a new network needs the family that it belongs to")
        if not self.steps:
            raise ValueError("no stage has any steps")
        return self

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def at_length(self, share: float) -> Self:
        """Shorten (or lengthen) every stage, with its schedule, and measure as often or, in a short run, ten times.

        Parameters
        ----------
        share : float
            Of the steps; a stage that has any keeps at least one.
        """
        if not 0 < share <= 1000:
            raise InputError(f"A training cannot be {share:g} of its length: give a number more than 0.")

        def scaled(steps: int) -> int:
            return max(1, round(steps * share))

        stages = []
        for stage in self.stages:
            cycles = tuple(scaled(n) for n in stage.schedule.cycles)
            schedule = stage.schedule.model_copy(
                update={
                    "cycles": cycles,
                    "warm_up": round(stage.schedule.warm_up * share),
                    "milestones": tuple(scaled(n) for n in stage.schedule.milestones),
                }
            )
            steps = sum(cycles) or (scaled(stage.steps) if stage.steps else 0)
            stages.append(stage.model_copy(update={"steps": steps, "schedule": schedule}))
        every = scaled(self.validation.every)
        if share < 1:
            # Ten measurements tell the course of a short run; measuring must not be most of its work.
            every = max(every, min(sum(stage.steps for stage in stages) // 10, self.validation.every))
        validation = self.validation.model_copy(update={"every": every})
        return self.model_copy(update={"stages": tuple(stages), "validation": validation})

    def to_toml(self) -> str:
        """Write the recipe as TOML, which `from_toml` reads back to an equal one; defaults are left out."""
        return tomli_w.dumps(_explicit(self))

    @classmethod
    def from_toml(cls, text: str, source: str = "The recipe") -> Self:
        """Read a recipe from TOML text.

        Parameters
        ----------
        text : str
            The TOML.
        source : str
            What to call it in a sentence.

        Raises
        ------
        InputError
            If it is no TOML, or a key is unknown, missing or has a value that does not fit; the sentence names it.
        """
        try:
            return cls.model_validate(renamed_recipe(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{source} is no TOML: {str(error).rstrip('.')}; correct it there.") from error
        except ValidationError as error:
            raise InputError(f"{source} cannot be used: {_first_fault(error)}.") from error


def load_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Give a recipe: as it is, a preset by its name, or a TOML file.

    Raises
    ------
    InputError
        If there is no such preset or file, or the file is no recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe in PRESETS:
        text = files("napari_sr.training.recipe").joinpath("presets", f"{recipe}.toml").read_text(encoding="utf-8")
        return Recipe.from_toml(text, f"The preset {recipe}")
    path = Path(recipe)
    if not path.is_file():
        raise InputError(f"There is no recipe {recipe}: give a TOML file, or one of {', '.join(PRESETS)}.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no TOML file: give a recipe in UTF-8 text.") from error
    return Recipe.from_toml(text, path.name)


def _explicit(part: RecipeTable) -> dict[str, Any]:
    """What differs from the defaults, as TOML knows it: a table's kind stays, None is left out."""
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
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


#: What a union puts into the place of a fault, and no file has as a key.
_TAGS = {"l1", "mse", "charbonnier", "perceptual", "adversarial", "equivariance", "gaussian", "optics"}


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    # A union adds its members' names to the place: only the keys that stand in the file are told.
    where = ".".join(str(part) for part in fault["loc"] if str(part) not in _TAGS and "[" not in str(part))
    if fault["type"] == "extra_forbidden":
        return f"it has an unknown key {where}"
    if fault["type"] == "missing":
        return f"the key {where} is missing"
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}" if where else message
