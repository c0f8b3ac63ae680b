"""The last run in the settings file, and the command that repeats it without a panel."""

from threading import Event

import numpy as np
import pytest
from napari.utils import progress

from napari_sr.config import config_path, load_config
from napari_sr.imaging.intensity.spec import Percentiles
from napari_sr.settings import JobSettings, Overlap
from napari_sr.widgets.choices.job_plan import JobPlan, load_last_plan, plan_as_scalars, plan_from_scalars
from napari_sr.widgets.choices.model_loading import ModelRequest
from napari_sr.widgets.choices.output import LAZY, store_in
from napari_sr.widgets.plugin.commands import upscale_active_layer
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.qt.run import Run


@pytest.fixture
def notifications(monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    monkeypatch.setattr("napari_sr.widgets.plugin.commands.show_info", shown.append)
    return shown


def test_a_plan_is_restored_from_the_settings_file(tmp_path):
    plans = [
        JobPlan(ModelRequest("esrgan-one"), JobSettings()),
        JobPlan(
            ModelRequest(tmp_path / "a.pth", "b", 3, 0.25, None, "images"),
            JobSettings(
                device="cpu", precision="float32", tiling=Overlap(tile=96, overlap=8), memory=2**31, self_ensemble=True,
                intensity=(3.0, 90.0), target="0.05 micrometer",
            ),
            tmp_path,
        ),
        JobPlan(ModelRequest("c", upsampling="lanczos3"), JobSettings(intensity=Percentiles(1, 99), target=2.5)),
        JobPlan(ModelRequest("d"), JobSettings(intensity="percentile", tiling="none")),
    ]  # fmt: skip
    for plan in plans:
        assert plan_from_scalars(plan_as_scalars(plan)) == plan


def test_the_command_repeats_the_last_run_of_any_panel(in_viewer, notifications):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.4
    panel.settings.intensity.kind.value = "dtype"
    panel.controls.run_button.native.click()
    other = viewer.add_image(np.arange(120, dtype=np.uint8).reshape(10, 12), name="other")
    viewer.layers.selection.active = other
    upscale_active_layer(viewer, InPlaceExecutor())
    result = viewer.layers[-1]
    assert result.name == "other (ESRGAN x4)"
    assert result.metadata["napari_sr"]["job"]["intensity"] == "dtype"
    assert "other (ESRGAN x4)" in notifications[-1]
    assert load_config().last["recent"] == {"panel": "esrgan"}


def test_the_command_repeats_a_run_of_which_only_what_is_displayed_is_computed(in_viewer, notifications):
    viewer, panel = in_viewer("srcnn")
    panel.output.kind.value = LAZY
    panel.controls.run_button.native.click()
    other = viewer.add_image(np.arange(120, dtype=np.uint8).reshape(10, 12), name="other")
    viewer.layers.selection.active = other
    upscale_active_layer(viewer, InPlaceExecutor())
    assert viewer.layers[-1].data[0].shape == (20, 24)
    assert notifications[-1].startswith("Added “other (SRCNN x2)”: its pixels are computed where you look")


def test_the_command_names_a_missing_run_or_image(in_viewer, notifications):
    viewer, panel = in_viewer("srcnn")
    upscale_active_layer(viewer, InPlaceExecutor())
    assert "run it once from a panel" in notifications[-1]
    viewer.add_labels(np.zeros((4, 4), int))
    upscale_active_layer(viewer, InPlaceExecutor())
    assert "not an image" in notifications[-1]
    assert len(viewer.layers) == 2
    viewer.layers.selection.active = viewer.layers[0]
    panel.controls.run_button.native.click()
    panel.settings.intensity.bounds[0].value = 5
    config_path().write_text("device = 3", encoding="utf-8")
    upscale_active_layer(viewer, InPlaceExecutor())
    assert "device" in notifications[-1]


def test_an_error_of_the_command_is_shown(in_viewer, notifications, models):
    viewer, panel = in_viewer("srcnn")
    panel.controls.run_button.native.click()
    viewer.layers.selection.active = viewer.layers[0]
    (models / "srcnn-x2.safetensors").unlink()
    upscale_active_layer(viewer, InPlaceExecutor())
    assert "srcnn-x2" in notifications[-1]
    assert len(viewer.layers) == 2


def test_a_panel_starts_with_the_settings_file(in_viewer):
    config_path().write_text('device = "cpu"\nprecision = "float32"\nmemory = "2GiB"\n', encoding="utf-8")
    _, panel = in_viewer("srcnn")
    settings = panel.settings.settings()
    assert (settings.device, settings.precision, settings.memory) == ("cpu", "float32", 2 * 2**30)


def test_a_broken_settings_file_is_shown_and_the_panel_opens(in_viewer, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    config_path().write_text("color = 3", encoding="utf-8")
    _, panel = in_viewer("srcnn")
    assert "color" in shown[0]
    assert panel.settings.settings().device == "auto"


def test_load_last_plan_is_none_before_the_first_run():
    assert load_last_plan() is None


def test_a_run_has_a_bar_in_the_activity_dock_that_can_cancel_it(in_viewer, monkeypatch):
    bars = []

    def run(job, prepared, *, out=None, progress=None, cancel=None):
        from napari_sr.errors import Cancelled

        (bar,) = list(progress_bars())
        bars.append((bar.desc, bar.n))
        progress(1, 2)
        bars.append((bar.desc, bar.n))
        bar.cancel()
        assert cancel()
        raise Cancelled("stopped")

    def progress_bars():
        return progress._all_instances

    monkeypatch.setattr("napari_sr.inference.run_layer", run)
    viewer, panel = in_viewer("srcnn")
    panel.controls.run_button.native.click()
    assert bars == [("Upscaling cells", 0), ("Upscaling cells", 500)]
    assert not list(progress_bars())
    assert "nothing was added" in panel.controls.message.value
    assert len(viewer.layers) == 1


def test_a_result_on_disk_is_a_layer_and_a_store_of_its_own(in_viewer, tmp_path):
    viewer, panel = in_viewer("esrgan")
    panel.output.kind.value, panel.output.folder.value = "disk", tmp_path
    panel.controls.run_button.native.click()
    panel.controls.run_button.native.click()
    first, second = viewer.layers[1:]
    np.testing.assert_array_equal(np.asarray(first.data), np.asarray(second.data))
    stores = sorted(path.name for path in tmp_path.glob("*.ome.zarr"))
    assert stores == ["cells-ESRGAN-x4-2.ome.zarr", "cells-ESRGAN-x4.ome.zarr"]
    panel.output.kind.value = "memory"
    panel.controls.run_button.native.click()
    np.testing.assert_array_equal(viewer.layers[-1].data, np.asarray(first.data))


def test_waiting_runs_write_stores_of_their_own(in_viewer, tmp_path, qtbot):
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    free, jobs = Event(), panel._queues.jobs
    jobs.submit(Run("before", lambda progress, cancel: free.wait(60), returned=print, errored=print))
    panel.output.kind.value, panel.output.folder.value = "disk", tmp_path
    panel.controls.run_button.native.click()
    panel.controls.run_button.native.click()
    qtbot.waitUntil(lambda: [run.ahead for run in panel.runs._runs] == [1, 2], timeout=60_000)
    free.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    stores = sorted(path.name for path in tmp_path.glob("*.ome.zarr"))
    assert stores == ["cells-ESRGAN-x4-2.ome.zarr", "cells-ESRGAN-x4.ome.zarr"]
    assert len(viewer.layers) == 3


def test_a_run_that_is_cancelled_while_napari_adds_its_bar_adds_nothing(in_viewer):
    viewer, panel = in_viewer("srcnn")

    def cancel(event):
        panel.cancel_upscaling()

    progress._all_instances.events.changed.connect(cancel)
    panel.controls.run_button.native.click()
    progress._all_instances.events.changed.disconnect(cancel)
    assert not panel.running
    assert len(viewer.layers) == 1


def test_names_of_stores_are_names_of_files(tmp_path):
    assert store_in(tmp_path, "a/b: c (ESRGAN x4)").name == "a-b-c-ESRGAN-x4.ome.zarr"
    assert store_in(tmp_path, "///").name == "result.ome.zarr"


def test_the_command_is_in_the_palette(make_napari_viewer_proxy):
    from npe2 import PluginManager

    make_napari_viewer_proxy()
    manifest = PluginManager.instance().get_manifest("napari-sr")
    commands = {command.id: command for command in manifest.contributions.commands}
    assert commands["napari-sr.upscale_active_layer"].python_name.endswith(":upscale_active_layer")
    entries = [item.command for item in manifest.contributions.menus["napari-sr/filter"]]
    assert entries[-1] == "napari-sr.upscale_active_layer"


def test_the_panel_for_files_is_in_the_file_menu(make_napari_viewer_proxy):
    from npe2 import PluginManager

    make_napari_viewer_proxy()
    contributions = PluginManager.instance().get_manifest("napari-sr").contributions
    assert "napari-sr.files_panel" in [item.command for item in contributions.menus["napari/file/io_utilities"]]
    assert "napari-sr.files_panel" in [widget.command for widget in contributions.widgets]
