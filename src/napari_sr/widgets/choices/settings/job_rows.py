"""All rows of a panel for the settings of a job together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.settings.conditions import ConditionRows
from napari_sr.widgets.choices.settings.rows import SettingsRows
from napari_sr.widgets.choices.size import SizeChoice


@dataclass(frozen=True)
class JobRows:
    """The rows for the settings of a job.

    Parameters
    ----------
    size : SizeChoice
        The size of the result.
    conditions : ConditionRows
        Noise and blur.
    more : SettingsRows
        The rows under "More".
    """

    size: SizeChoice
    conditions: ConditionRows
    more: SettingsRows

    def settings(self) -> JobSettings:
        """Return the settings of all rows; those that the model does not take have their defaults.

        Raises `InputError` if they do not fit together.
        """
        return replace(self.more.settings(), target=self.size.target, **self.conditions.values())

    def show(self, settings: JobSettings) -> None:
        """Show all settings of a job."""
        self.size.show(settings.target)
        self.more.show(settings)
        self.conditions.show(settings)
