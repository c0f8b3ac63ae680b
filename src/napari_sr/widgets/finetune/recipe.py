"""Rows for the recipe: a preset, and its details under "More"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from magicgui.widgets import ComboBox, FloatSpinBox, SpinBox

from napari_sr.imaging.intensity.spec import SPECS
from napari_sr.training.recipe import Degradation, Recipe, load_recipe
from napari_sr.widgets.choices.settings.device import DeviceChoice
from napari_sr.widgets.choices.settings.intensity import format_intensity
from napari_sr.widgets.qt.rows import refresh_choices, show_automatic, shrinkable, typed_number
from napari_sr.zoo.card import Domain

_PRESETS = ("quick", "standard", "thorough")
_DOMAIN_TEXTS = {"natural": "Photographs", "fluorescence": "Fluorescence", "electron": "Electron microscopy"}
_NO_DOMAIN = ""
# Limit of `Recipe.at_length`.
_MOST_TIMES = 1000
# Value of the box for the patch size that is shown as "Automatic".
_AUTOMATIC = 0


class RecipeChoice:
    """The preset and its details.

    Parameters
    ----------
    on_change : callable
        Called without arguments when a choice changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._recipes = {name: load_recipe(name) for name in _PRESETS}
        self._chosen = _PRESETS[0]
        self._add_training()
        self.preset = shrinkable(
            ComboBox(
                name="preset",
                label="Length",
                choices=self._lengths,
                tooltip="Length of the training. Quick shows in minutes whether it helps; stop when it is good.",
            )
        )
        self._add_card()
        self.device = DeviceChoice(on_change)
        self.preset.changed.connect(lambda: self._preset_chosen())
        self.steps.changed.connect(lambda: refresh_choices(self.preset, self.preset.value))
        for widget in self.widgets[:-1]:
            widget.changed.connect(lambda: self._on_change())
        self._preset_chosen()

    @property
    def widgets(self) -> Sequence[ComboBox | SpinBox | FloatSpinBox]:
        """The rows under "More", in order."""
        training = (self.steps, self.batch, self.patch, self.learning_rate, self.seed)
        return (*training, self.intensity, self.domain, self.device.widget)

    def recipe(self, degradation: Degradation) -> Recipe:
        """Return the recipe with a degradation; raises `InputError` if the numbers do not fit together."""
        base = self._recipes[self.preset.value]
        recipe = base.at_length(self.steps.value / base.steps)
        rate = {"learning_rate": float(self.learning_rate.value)}
        stages = tuple(
            stage.model_copy(update={"optimizer": stage.optimizer.model_copy(update=rate)}) for stage in recipe.stages
        )
        size: Any = int(self.patch.value) if self.patch.value != _AUTOMATIC else "auto"
        changed = recipe.model_copy(
            update={
                "stages": stages,
                "seed": int(self.seed.value),
                "domain": self.domain.value or None,
                "degradation": degradation,
                "data": recipe.data.model_copy(update={"intensity": self.intensity.value}),
                "patches": recipe.patches.model_copy(update={"size": size, "batch": int(self.batch.value)}),
            }
        )
        # pydantic does not check copies, but what it reads.
        return Recipe.from_toml(changed.to_toml(), "The training")

    def _add_training(self) -> None:
        """Make the rows for steps, patches, learning rate and seed."""
        self.steps = SpinBox(name="steps", label="Steps", min=1, max=_MOST_TIMES * 400, tooltip="Number of steps.")
        self.batch = SpinBox(
            name="batch",
            label="Patches per step",
            min=1,
            max=1024,
            tooltip=(
                "More patches make the steps steadier and slower. "
                "Halved for large models if the patch size is automatic."
            ),
        )
        self.patch = FloatSpinBox(
            name="patch",
            label="Patch size",
            min=_AUTOMATIC,
            max=512,
            step=1,
            tooltip="Side of a patch in low-resolution pixels. Automatic is the largest that is fast with the model.",
        )
        show_automatic(self.patch, 0)
        self.learning_rate = typed_number(
            "learning_rate", 1e-4, 1e-7, 1.0, 1e-5, 7, "Length of each step.", "Learning rate"
        )
        self.seed = SpinBox(
            name="seed", label="Seed", min=0, max=2**31 - 1, tooltip="The same seed draws the same patches and noise."
        )

    def _add_card(self) -> None:
        """Make the rows for the intensity range and for the kind of images, which the card of the model records."""
        self.intensity = shrinkable(
            ComboBox(
                name="intensity",
                label="Brightness",
                choices=[(format_intensity(name), name) for name in SPECS],
                tooltip="Values of the images that are black and white. Upscale with the same choice.",
            )
        )
        self.domain = shrinkable(
            ComboBox(
                name="domain",
                label="Kind of images",
                choices=[("Not given", _NO_DOMAIN), *((_DOMAIN_TEXTS[name], name) for name in get_args(Domain))],
                tooltip="Kind of the images, for the card of the model.",
            )
        )

    def _lengths(self, widget: object) -> list[tuple[str, str]]:
        """List the presets with their steps; the chosen one with those of the box, which may have been changed."""
        steps = {
            name: int(self.steps.value) if name == self._chosen else recipe.steps
            for name, recipe in self._recipes.items()
        }
        return [(f"{name.capitalize()} ({count} steps)", name) for name, count in steps.items()]

    def _preset_chosen(self) -> None:
        self._chosen = self.preset.value
        recipe = self._recipes[self.preset.value]
        self.steps.max = _MOST_TIMES * recipe.steps
        for widget, value in (
            (self.steps, recipe.steps),
            (self.batch, recipe.patches.batch),
            (self.patch, _AUTOMATIC if recipe.patches.size == "auto" else recipe.patches.size),
            (self.learning_rate, recipe.stages[0].optimizer.learning_rate),
            (self.seed, recipe.seed),
        ):
            with widget.changed.blocked():
                widget.value = value
        refresh_choices(self.preset, self._chosen)
        self._on_change()
