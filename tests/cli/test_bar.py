"""The progress bar is shown on standard error, if there is one."""

import sys

import pytest

from napari_sr.cli import training
from napari_sr.cli.bar import Bar
from napari_sr.training.events import LearningRateLowered, Prepared, StepDone


def test_without_standard_error_there_is_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As in `napari-sr upscale ... 2>&-`, and under pythonw on Windows.
    monkeypatch.setattr(sys, "stderr", None)
    with Bar(False, "row") as bar:
        bar.describe("cells.tif")
        bar(1, 2)
        bar(2, 2)
    assert capsys.readouterr().out == ""


def test_without_standard_error_a_training_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    bar = training.Bar(False)
    bar(Prepared(1, 1, 8, 1, 10, warnings=("The images are small.",)))
    bar(StepDone(1, 10, "first", {"total": 1.0}, 1e-4, 1.0))
    bar(LearningRateLowered(2, 1))
    bar.close()
    assert capsys.readouterr().out == ""
