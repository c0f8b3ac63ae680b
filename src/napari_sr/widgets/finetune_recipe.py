"""How long and how a model is trained: a preset, and its details under "More"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from magicgui.widgets import ComboBox, FloatSpinBox, SpinBox
from magicgui.widgets.bases import Widget

from napari_sr.imaging.intensity import SPECS
from napari_sr.training.recipe import Degradation, Recipe, load_recipe
from napari_sr.widgets.job_settings import format_device, format_intensity
from napari_sr.widgets.rows import plain_number, shrinkable
from napari_sr.zoo.card import Domain

_PRESETS = ("quick", "standard", "thorough")
_DOMAIN_WORDS = {"natural": "Photographs", "fluorescence": "Fluorescence", "electron": "Electron microscopy"}
_NOT_SAID = ""
# As many times a preset's steps as `Recipe.at_length` takes.
_MOST_TIMES = 1000
# What a spin box holds for "the network decides".
_AUTOMATIC = 0


class RecipeChoice:
    """The preset and its details.

    Parameters
    ----------
    on_change : callable
        Told when one of them says something else.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._wanted_device = "auto"
        recipes = {name: load_recipe(name) for name in _PRESETS}
        self.preset = shrinkable(
            ComboBox(
                name="preset",
                label="Training",
                choices=[(f"{name.capitalize()} ({recipe.steps} steps)", name) for name, recipe in recipes.items()],
                tooltip="How long is trained. Quick shows in minutes whether it helps; stop when it is good enough.",
            )
        )
        self._recipes = recipes
        self.steps = SpinBox(name="steps", label="Steps", min=1, max=_MOST_TIMES * 400, tooltip="How many.")
        self.batch = SpinBox(
            name="batch",
            label="Patches a step",
            min=1,
            max=1024,
            tooltip="More give steadier steps and take longer. Halved where the model is large, unless a size is set.",
        )
        self.patch = SpinBox(
            name="patch",
            label="Patch size",
            min=_AUTOMATIC,
            max=512,
            tooltip="Side of a patch in low-resolution pixels. Automatic takes the largest that the model can afford.",
        )
        self.patch.native.setSpecialValueText("Automatic")
        self.learning_rate = FloatSpinBox(
            name="learning_rate", label="Learning rate", min=1e-7, max=1.0, step=1e-5, tooltip="How far each step goes."
        )
        plain_number(self.learning_rate, 7)
        self.seed = SpinBox(
            name="seed", label="Seed", min=0, max=2**31 - 1, tooltip="The same seed draws the same patches and noise."
        )
        self.intensity = shrinkable(
            ComboBox(
                name="intensity",
                label="Brightness",
                choices=[(format_intensity(name), name) for name in SPECS],
                tooltip="Which values count as black and white. Upscale with the same choice.",
            )
        )
        self.domain = shrinkable(
            ComboBox(
                name="domain",
                label="Images",
                choices=[
                    ("Not said", _NOT_SAID),
                    *((_DOMAIN_WORDS[name], name) for name in get_args(Domain)),
                ],
                tooltip="What kind of images these are: written on the model's card.",
            )
        )
        self.device = shrinkable(
            ComboBox(
                name="device",
                label="Device",
                choices=[(format_device(name), name) for name in ("auto", "cpu")],
                tooltip="Where is trained. Automatic takes a graphics card when there is one.",
            )
        )
        self.preset.changed.connect(lambda: self._preset_chosen())
        for widget in self._details:
            widget.changed.connect(lambda: self._on_change())
        self._preset_chosen()

    @property
    def widgets(self) -> Sequence[Widget]:
        """The rows under "More", in order."""
        return self._details

    @property
    def _details(self) -> tuple[ComboBox | SpinBox | FloatSpinBox, ...]:
        return (
            self.steps,
            self.batch,
            self.patch,
            self.learning_rate,
            self.seed,
            self.intensity,
            self.domain,
            self.device,
        )

    def take_defaults(self, device: str) -> None:
        """Begin with the device of the shared settings; one that is not known yet is shown once it is."""
        self._wanted_device = device
        if device in self.device.choices:
            self.device.value = device

    def offer_devices(self, names: Sequence[str]) -> None:
        """List the devices of this computer; the chosen one stays if it is there."""
        chosen = self._wanted_device if self.device.value == "auto" else self.device.value
        with self.device.changed.blocked():
            self.device.choices = [(format_device(name), name) for name in names]
            self.device.value = chosen if chosen in names else names[0]

    def recipe(self, degradation: Degradation) -> Recipe:
        """Write down what is chosen.

        Raises
        ------
        InputError
            If the numbers do not go together.
        """
        base = self._recipes[self.preset.value]
        recipe = base.at_length(self.steps.value / base.steps)
        stages = tuple(
            stage.model_copy(
                update={
                    "optimizer": stage.optimizer.model_copy(update={"learning_rate": float(self.learning_rate.value)})
                }
            )
            for stage in recipe.stages
        )
        size: Any = self.patch.value if self.patch.value != _AUTOMATIC else "auto"
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
        # Copies are not checked; reading it back is what a file would go through.
        return Recipe.from_toml(changed.to_toml(), "The training")

    def _preset_chosen(self) -> None:
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
        self._on_change()
