"""A panel that is opened again shows the choices of its family's last run, and a button sets them back."""

from pathlib import Path

import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sr.config import config_path, load_config
from napari_sr.networks import RRDBNet
from napari_sr.settings import JobSettings, Overlap
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel
from napari_sr.widgets.upscale.remembered import recent_files, remember_file, without_image
from tests.widgets.conftest import RRDB, weights


@pytest.fixture
def reopened(in_viewer):
    """Opens a panel beside the first one, as in a later session."""

    def make(viewer, panel_class, executor=None):
        return panel_class(viewer, executor=executor or InPlaceExecutor())

    return make


def test_settings_the_model_chosen_by_hand_and_the_comparison_come_back(in_viewer, reopened):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value, panel.mixing.mix.value = 0.6, "images"
    panel.settings.tiling.kind.value, panel.settings.tiling.tile.value = "overlap", 96
    panel.settings.self_ensemble.value = True
    panel.size.kind.value, panel.size.factor.value = "factor", 3.0
    panel.preview_controls.compare.value, panel.preview_controls.against.value = "split", "bicubic"
    panel.controls.run_button.native.click()
    again = reopened(viewer, ESRGANPanel)
    assert again._plan() == panel._plan()
    assert again.job_rows.settings().tiling == Overlap(tile=96, overlap=int(panel.settings.tiling.overlap.value))
    assert (again.preview_controls.kind, again.preview_controls.counterpart) == ("split", "bicubic")
    other = reopened(viewer, SRCNNPanel)
    assert other.job_rows.settings() == JobSettings(device=other.settings.device.value)


def test_a_mixture_of_two_weight_files_comes_back_when_they_have_been_read(in_viewer, reopened, models, qtbot):
    first, second = models.parent / "psnr.pth", models.parent / "gan.pth"
    torch.save(weights(RRDBNet(**RRDB), 1), first)
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    (models / "esrgan-one.safetensors").unlink()
    panel.models.choose_file(first)
    panel.mixing.choose_file(second)
    panel.mixing.alpha.value = 0.6
    panel.controls.run_button.native.click()
    again = reopened(viewer, ESRGANPanel, ThreadExecutor())
    qtbot.waitUntil(lambda: again.models.model.source == first, timeout=5_000)
    assert again._plan() == panel._plan()
    assert again.mixing.value == 0.6


@pytest.mark.parametrize("executor", [InPlaceExecutor, ThreadExecutor])
def test_the_factor_that_was_chosen_for_a_model_without_one_comes_back(in_viewer, reopened, tmp_path, qtbot, executor):
    viewer, panel = in_viewer("srcnn")
    panel.models.select("bicubic")
    panel.models.factor.value = 4
    panel.controls.run_button.native.click()
    assert reopened(viewer, SRCNNPanel, executor())._plan() == panel._plan()
    panel.models.choose_file(tmp_path / "bare-srcnn.pth")
    panel.models.factor.value, panel.kernel.value = 3, "lanczos3"
    panel.controls.run_button.native.click()
    again = reopened(viewer, SRCNNPanel, executor())
    qtbot.waitUntil(lambda: again.models.ready, timeout=5_000)
    assert again._plan() == panel._plan()


def test_a_model_that_was_suggested_is_not_kept_as_a_choice(in_viewer, reopened):
    viewer, panel = in_viewer("esrgan")
    panel.models.propose("esrgan-pair")
    panel.controls.run_button.native.click()
    assert not reopened(viewer, ESRGANPanel).models.chosen_by_hand


def test_properties_of_the_last_image_are_not_kept():
    shared = JobSettings(device="cpu")
    last = JobSettings(device="auto", blur=1.2, noise=(3.0, 0.5), intensity=(3.0, 90.0), denoise=1.4)
    assert without_image(last, shared) == JobSettings(device="cpu", denoise=1.4)
    kept = JobSettings(noise=0.0, intensity="dtype", target=2.5)
    assert without_image(kept, JobSettings()) == kept


def test_set_back_shows_the_choices_of_a_new_panel_and_forgets_the_last(in_viewer, reopened, qtbot):
    viewer, panel = in_viewer("esrgan")
    window = viewer.__wrapped__.window._qt_window
    window.show()
    before = panel._plan()
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.6
    panel.settings.batch.value, panel.part_choice.kind.value = 4, "slice"
    panel.preview_controls.compare.value = "blink"
    panel.controls.run_button.native.click()
    panel.more.open = True
    qtbot.waitUntil(panel.remembered.button.native.isVisible, timeout=2_000)
    QTest.mouseClick(panel.remembered.button.native, Qt.MouseButton.LeftButton)
    assert panel._plan() == before
    assert not panel.models.chosen_by_hand
    assert panel.part_choice.kind.value == "whole"
    assert panel.preview_controls.kind == "nothing"
    assert "esrgan" not in load_config().last
    assert reopened(viewer, ESRGANPanel)._plan() == before


def test_recent_weight_files_are_offered_again_the_last_first(in_viewer, reopened, srgan_file, tmp_path):
    viewer, panel = in_viewer("srcnn")
    panel.models.choose_file(tmp_path / "bare-srcnn.pth")
    assert recent_files("srcnn") == [tmp_path / "bare-srcnn.pth"]
    again = reopened(viewer, SRCNNPanel)
    assert again.models.offers[-1].source == tmp_path / "bare-srcnn.pth"
    again.models.select(tmp_path / "bare-srcnn.pth")
    assert again.models.model.known
    (tmp_path / "bare-srcnn.pth").unlink()
    assert not recent_files("srcnn")


def test_five_files_are_kept_each_once(tmp_path: Path):
    files = [tmp_path / f"{number}.pth" for number in range(7)]
    for file in (*files, files[3]):
        file.touch()
        remember_file("esrgan", file)
    assert recent_files("esrgan") == [files[number] for number in (3, 6, 5, 4, 2)]


def test_choices_of_a_run_that_cannot_be_kept_give_one_message(in_viewer, monkeypatch):
    def refuse(*args, **more):
        raise OSError("disk full")

    errors: list[str] = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", errors.append)
    _, panel = in_viewer("esrgan")
    monkeypatch.setattr("napari_sr.config.write_file", refuse)
    panel.controls.run_button.native.click()
    (message,) = errors
    assert message.startswith("The settings cannot be written")
    assert panel.controls.message.value.startswith("Done")


def test_a_kept_value_of_another_version_does_not_keep_the_panel_from_opening(in_viewer, reopened):
    viewer, panel = in_viewer("esrgan")
    panel.preview_controls.compare.value = "split"
    config_path().write_text(config_path().read_text().replace('"split"', '"curtain"'))
    assert reopened(viewer, ESRGANPanel).preview_controls.kind == "nothing"
