"""The script that "Copy as Python" copies, and the sentence that the panel shows with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from napari_sr.widgets.choices.job_plan import JobPlan
from napari_sr.widgets.choices.part import LayerPart

if TYPE_CHECKING:
    from napari_sr.zoo import Model


def copy_script(plan: JobPlan, model: Model, parts: Sequence[LayerPart]) -> str:
    """Copy a script that does the same as a run to the clipboard, and return one or two sentences about it.

    It is for all parts of the layer of the first. To be called on the main thread; raises `InputError` if a part cannot
    be upscaled with the plan.
    """
    # An import at the top would import torch before the panel is drawn.
    from napari_sr.inference.script import as_script

    of_first = [part for part in parts if part.layer is parts[0].layer]
    job = plan.job(model)
    prepared = [part.prepare(job) for part in of_first]
    which = f" for {len(of_first)} parts" if len(of_first) > 1 else ""
    if len(of_first) < len(parts):
        which = f" for the first of {len(parts)} layers"
    source, by_hand = prepared[0].source, ""
    if not source.is_readable:
        file = "is from no file" if source.path is None else "has a file that napari-sr does not read"
        by_hand = f" The layer {file}: insert its array where it is marked."
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setText(as_script(job, *prepared, lazy=plan.lazy))
    return f"The script{which} is in the clipboard.{by_hand}"
