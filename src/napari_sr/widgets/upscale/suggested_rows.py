"""Model and settings of a suggestion in the rows of a panel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sr.errors import NapariSRError
from napari_sr.widgets.choices.model import ModelChoice
from napari_sr.widgets.choices.settings.job_rows import JobRows

if TYPE_CHECKING:
    from napari_sr.inference.suggest import Suggestion


class SuggestedRows:
    """Shows suggestions in the rows of a panel.

    Parameters
    ----------
    models : ModelChoice
        The rows for the model.
    rows : JobRows
        The rows for the settings.
    """

    def __init__(self, models: ModelChoice, rows: JobRows) -> None:
        self._models, self._rows = models, rows
        self.may_begin = True
        """Whether a suggestion may choose the model by itself: not after a run on the chosen layer was started."""

    def use(self, suggestion: Suggestion) -> None:
        """Show the settings of a suggestion, and its model, which the panel offers.

        Raises `InputError` if the settings do not fit together.
        """
        settings = replace(self._rows.settings(), **suggestion.settings)
        self._models.select(suggestion.model)
        self._rows.show(settings)

    def begin_with(self, suggestion: Suggestion | None) -> None:
        """Choose the model of a suggestion, if there is one and the user has chosen none; settings stay as they are."""
        if suggestion is not None and self.may_begin:
            self._models.propose(suggestion.model)

    def shows(self, suggestion: Suggestion) -> bool:
        """Return whether the rows show the model and the settings of a suggestion."""
        model = self._models.model
        try:
            settings = self._rows.settings()
            same = replace(settings, **suggestion.settings) == settings
        except NapariSRError:
            return False
        return same and model is not None and model.source == suggestion.model
