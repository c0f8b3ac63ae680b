"""A run from a panel: the place of the result, the messages of errors, and that nothing else changes."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtTest import QTest

import napari_sr
from napari_sr.inference import Job
from napari_sr.networks import RRDBNet
from napari_sr.settings import Overlap
from napari_sr.widgets.choices.output import DISK, LAZY, MEMORY
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.qt.rows import leaf_widgets
from napari_sr.widgets.qt.work_controls import WorkControls
from napari_sr.zoo.modelfile import write_model


def world_box(layer):
    """Edges of a layer in the world, of its pixels and not of their centers, whatever its rotation."""
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    ends = np.array(shape[: layer.ndim], float)
    corners = np.array(np.meshgrid(*[(-0.5, end - 0.5) for end in ends], indexing="ij")).reshape(layer.ndim, -1).T
    return np.array([layer.data_to_world(corner) for corner in corners])


def assert_coincide(result, source):
    np.testing.assert_allclose(world_box(result), world_box(source), atol=1e-9)
    assert result.units == source.units


def press_run(panel):
    panel.controls.run_button.native.click()


def drawn(*shape, dtype=np.uint16):
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("image", "layer", "shape", "scale"),
    [
        (drawn(12, 16), {"scale": (0.5, 0.25), "translate": (3, -2)}, (48, 64), (0.125, 0.0625)),
        (drawn(3, 12, 16), {"scale": (0.3, 0.1, 0.1), "units": ("um",) * 3}, (3, 48, 64), (0.3, 0.025, 0.025)),
        (drawn(2, 2, 9, 8), {}, (2, 2, 36, 32), (1, 1, 0.25, 0.25)),
        (drawn(12, 16, 3, dtype=np.uint8), {"rgb": True, "scale": (2, 2)}, (48, 64, 3), (0.5, 0.5)),
        (drawn(12, 16), {"rotate": 30, "shear": [0.2], "scale": (2, 1)}, (48, 64), (0.5, 0.25)),
        ([drawn(12, 16), drawn(6, 8)], {"multiscale": True}, (48, 64), (0.25, 0.25)),
    ],
    ids=["plane", "z-stack", "T and Z", "rgb", "rotated and sheared", "multiscale"],
)
def test_the_result_is_a_layer_that_lies_on_its_source(in_viewer, image, layer, shape, scale):
    viewer, panel = in_viewer("esrgan", image=image, **layer)
    press_run(panel)
    source, result = viewer.layers
    assert result.data.shape == shape
    assert result.data.dtype == (image[0] if isinstance(image, list) else image).dtype
    np.testing.assert_allclose(result.scale, scale)
    assert result.multiscale is False
    assert_coincide(result, source)
    assert panel.controls.message.value.startswith("Done")


def test_units_and_name_are_carried_over(in_viewer):
    viewer, panel = in_viewer("srcnn", scale=(0.2, 0.2), units=("um", "um"))
    press_run(panel)
    source, result = viewer.layers
    assert [str(unit) for unit in result.units] == ["micrometer", "micrometer"]
    assert result.name == "cells (SRCNN x2)"
    assert result.contrast_limits_range == source.contrast_limits_range


@pytest.fixture
def during_the_run(monkeypatch):
    """Calls a function while a run computes."""

    def call(function):
        def calibrate(job, *arguments, **more):
            function()
            return measure(job, *arguments, **more)

        measure = Job.calibrate
        monkeypatch.setattr(Job, "calibrate", calibrate)

    return call


@pytest.mark.parametrize("output", [MEMORY, LAZY])
def test_the_result_lies_on_its_source_as_it_is_when_the_run_ends(in_viewer, during_the_run, output):
    viewer, panel = in_viewer("srcnn", translate=(10, 20))
    source = viewer.layers[0]

    def change():
        panel.facts.size.value, panel.facts.unit.value = 0.1, "micrometer"
        source.rotate, source.affine = 30, [[1, 0, 3], [0, 1, 2], [0, 0, 1]]

    panel.output.kind.value = output
    during_the_run(change)
    press_run(panel)
    np.testing.assert_allclose(viewer.layers[1].scale, (0.05, 0.05))
    assert_coincide(viewer.layers[1], source)


def test_the_result_of_a_part_lies_on_it_when_the_layer_was_moved_meanwhile(in_viewer, during_the_run):
    viewer, panel = in_viewer("srcnn")
    source = viewer.layers[0]
    viewer.add_shapes([[(4, 6), (4, 11), (9, 11), (9, 6)]], shape_type="rectangle")
    panel.part_choice.kind.value = "rectangles"
    during_the_run(lambda: setattr(source, "translate", (30, 40)))
    press_run(panel)
    np.testing.assert_allclose(viewer.layers[-1].data_to_world((-0.5, -0.5)), source.data_to_world((3.5, 5.5)))


@pytest.mark.parametrize("output", [MEMORY, LAZY])
def test_the_record_and_the_script_have_the_name_and_the_position_of_the_source_when_the_run_ends(
    in_viewer, during_the_run, output
):
    viewer, panel = in_viewer("srcnn")
    source = viewer.layers[0]

    def change():
        panel.facts.size.value, panel.facts.unit.value = 0.1, "micrometer"
        source.name = "nuclei"

    panel.output.kind.value = output
    during_the_run(change)
    press_run(panel)
    result = viewer.layers[1]
    record = result.metadata["napari_sr"]
    assert (result.name, record["source"]["name"]) == ("nuclei (SRCNN x2)", "nuclei")
    assert ("seconds" in record) == (output == MEMORY)
    assert "cells" not in record["script"]
    assert "name='nuclei (SRCNN x2)',\n    scale=[0.05, 0.05]" in record["script"]
    assert "pixel_size={'Y': 0.05, 'X': 0.05}" in record["script"]


def test_the_result_stays_in_the_place_of_pixels_that_were_replaced_by_others_meanwhile(in_viewer, during_the_run):
    viewer, panel = in_viewer("srcnn", translate=(10, 20))
    source = viewer.layers[0]

    def change():
        source.data, source.translate = drawn(7, 9), (0, 0)

    during_the_run(change)
    press_run(panel)
    np.testing.assert_allclose(viewer.layers[1].data_to_world((-0.5, -0.5)), (9.5, 19.5))


def test_the_pixels_are_those_of_the_python_call(in_viewer):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    press_run(panel)
    source, result = viewer.layers
    expected = napari_sr.upscale(np.asarray(source.data), napari_sr.load_model("esrgan-one"))
    np.testing.assert_array_equal(result.data, expected)


def test_the_source_stays_as_it_was(in_viewer):
    viewer, panel = in_viewer("esrgan", blending="additive", colormap="green", metadata={"stain": "DAPI"})
    source = viewer.layers[0]
    before = source.data.copy(), source.as_layer_data_tuple()[1]["metadata"].copy(), source.blending, source.visible
    press_run(panel)
    after = source.data, source.metadata, source.blending, source.visible
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert "add up" in panel.controls.message.value


def test_the_kernel_reaches_the_model(in_viewer):
    viewer, panel = in_viewer("srcnn")
    source = viewer.layers[0]
    for kernel in ("nearest", "bilinear", "bicubic", "lanczos3"):
        panel.kernel.value = kernel
        press_run(panel)
        model = napari_sr.load_model("srcnn-x2", upsampling=kernel)
        np.testing.assert_array_equal(viewer.layers[-1].data, napari_sr.upscale(np.asarray(source.data), model))


def test_alpha_reaches_the_model(in_viewer):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    assert panel.mixing.alpha.value == 0.25  # the card's default
    panel.mixing.alpha.value = 0.8
    press_run(panel)
    source, result = viewer.layers
    assert result.name == "cells (ESRGAN x4)"
    expected = napari_sr.upscale(np.asarray(source.data), napari_sr.load_model("esrgan-pair", alpha=0.8))
    np.testing.assert_array_equal(result.data, expected)


def test_a_second_file_makes_a_pair(in_viewer, tmp_path):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    assert not panel.mixing.alpha.enabled
    panel.mixing.choose_file(tmp_path / "gan.pth")
    assert panel.mixing.alpha.enabled
    panel.mixing.alpha.value = 1.0
    press_run(panel)
    result = viewer.layers[-1]
    assert result.metadata["napari_sr"]["alpha"] == 1.0
    alone = napari_sr.upscale(np.asarray(viewer.layers[0].data), napari_sr.load_model(tmp_path / "gan.pth"))
    np.testing.assert_array_equal(result.data, alone)


def test_a_pair_has_its_own_second_weights(in_viewer, tmp_path):
    _, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    panel.mixing.choose_file(tmp_path / "gan.pth")
    panel.models.select("esrgan-pair")
    assert panel.mixing.alpha.enabled
    assert not panel.mixing.second_choice.widget.enabled
    assert panel.mixing.second is None


def test_new_models_are_offered_to_mix_with_when_the_catalog_is_read_again(in_viewer, models):
    _, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    template = next(entry for entry in napari_sr.list_models() if entry.name == "esrgan-one").card
    network = RRDBNet(**template.architecture.settings)
    file = models / "tuned.safetensors"
    write_model(file, template.model_copy(update={"name": "tuned"}), {"weights": network.state_dict()})
    panel.refresh_models()
    panel.mixing.second_choice.select("tuned")
    panel.mixing.alpha.value = 0.4
    panel.refresh_models()
    assert (panel.mixing.second, panel.mixing.value) == ("tuned", 0.4)
    file.unlink()
    panel.refresh_models()
    assert (panel.mixing.second, panel.mixing.value) == (None, None)


@pytest.mark.parametrize("deleted", ["esrgan-one", "esrgan-two"])
def test_a_run_says_that_the_file_of_its_model_was_deleted(in_viewer, models, deleted):
    viewer, panel = in_viewer("esrgan")
    copy = models / "esrgan-two.safetensors"
    copy.write_bytes((models / "esrgan-one.safetensors").read_bytes())
    panel.refresh_models()
    panel.models.select("esrgan-one")
    panel.mixing.second_choice.select("esrgan-two")
    (models / f"{deleted}.safetensors").unlink()
    panel.controls.run_button.native.click()
    assert panel.controls.message.value == (
        f"The file of the model {deleted} was moved or deleted: put it back into {models}, or choose another model."
    )
    assert len(viewer.layers) == 1


def test_alpha_of_a_pair_stays_when_the_catalog_is_read_again(in_viewer):
    _, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.8
    panel.refresh_models()
    assert panel.mixing.value == 0.8


def test_settings_reach_the_job(in_viewer):
    viewer, panel = in_viewer("esrgan")
    settings = panel.settings
    settings.device.widget.value, settings.precision.value, settings.intensity.kind.value = "cpu", "float32", "contrast"
    settings.tiling.kind.value = "none"
    press_run(panel)
    report = viewer.layers[-1].metadata["napari_sr"]
    low, high = viewer.layers[0].contrast_limits
    assert (report["device"], report["precision"], report["tiling"]) == ("cpu", "float32", "each plane whole")
    assert report["intensity"] == {"": (low, high)}
    settings.tiling.kind.value, settings.tiling.tile.value, settings.tiling.overlap.value = "overlap", 64, 4
    press_run(panel)
    assert viewer.layers[-1].metadata["napari_sr"]["tiling"] == "tiles of 64 pixels with 4 of overlap"


@pytest.mark.parametrize(("tile", "overlap"), [("512", "24"), ("96", "8"), ("100", "0"), ("4096", "100")])
def test_the_sizes_of_tiles_are_typed(in_viewer, tile, overlap):
    _, panel = in_viewer("esrgan")
    rows = panel.settings.tiling
    rows.kind.value = "overlap"
    for box, text in ((rows.tile, tile), (rows.overlap, overlap)):
        box.native.selectAll()
        QTest.keyClicks(box.native, text)
        assert box.native.text() == text
    assert panel.job_rows.settings().tiling == Overlap(tile=int(tile), overlap=int(overlap))


def test_a_typed_folder_may_begin_with_the_home_folder(in_viewer, tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "stores").mkdir()
    _, panel = in_viewer("esrgan")
    panel.output.kind.value = DISK
    line = panel.output.folder.line_edit.native
    line.selectAll()
    QTest.keyClicks(line, "~/stores")
    press_run(panel)
    assert panel.controls.message.value.startswith("Done")
    assert [path.suffix for path in (tmp_path / "stores").iterdir()] == [".zarr"]
    line.selectAll()
    QTest.keyClicks(line, "~no-such-user/stores")
    assert panel.output.store == Path("~no-such-user/stores").absolute()


def test_a_name_that_is_too_long_for_a_file_is_cut_in_its_middle(in_viewer, tmp_path):
    viewer, panel = in_viewer("esrgan", name="клетки " * 60)
    panel.output.kind.value, panel.output.folder.value = "disk", tmp_path / "stores"
    (tmp_path / "stores").mkdir()
    for _ in range(2):
        panel.controls.run_button.native.click()
    first, second = sorted((path.name for path in (tmp_path / "stores").iterdir()), key=len)
    assert first.startswith("клетки-клетки-")
    assert first.endswith("-клетки-ESRGAN-x4.ome.zarr")
    assert second == first.replace("x4", "x4-2")
    assert len(viewer.layers) == 3


def test_exact_tiling_is_the_default(in_viewer):
    viewer, panel = in_viewer("esrgan")
    tiling = panel.settings.tiling.kind
    assert tiling.choices == ("exact", "overlap", "none")
    assert [tiling.native.itemText(n) for n in range(3)] == [
        "Exact (streamed)",
        "Overlapping tiles",
        "Whole plane at once",
    ]
    press_run(panel)
    report = viewer.layers[-1].metadata["napari_sr"]
    assert report["tiling"].startswith("exact")
    assert report["strips"] >= 1


def test_each_tiling_shows_its_own_rows(in_viewer):
    _, panel = in_viewer("esrgan")
    settings = panel.settings
    panel.more.open = True

    def shown():
        rows = {"tile": settings.tiling.tile, "overlap": settings.tiling.overlap, "memory": settings.tiling.memory}
        return {name for name, row in rows.items() if row.native.isVisibleTo(panel.native)}

    assert shown() == {"memory"}
    settings.tiling.kind.value = "overlap"
    assert shown() == {"tile", "overlap"}
    settings.tiling.kind.value = "none"
    assert shown() == set()
    panel.more.open = False
    panel.more.open = True
    assert shown() == set()
    settings.tiling.kind.value = "exact"
    assert shown() == {"memory"}


def test_memory_is_automatic_or_gibibytes_of_the_exact_tiling(in_viewer):
    _, panel = in_viewer("esrgan")
    settings = panel.settings
    assert settings.tiling.memory.native.text() == "Automatic"
    assert settings.settings().memory == "auto"
    settings.tiling.memory.value = 1.5
    assert settings.tiling.memory.native.text() == "1.50 GiB"
    assert settings.settings().memory == 3 * 2**29
    settings.tiling.kind.value = "overlap"
    assert settings.settings().memory == "auto"


def test_the_batch_is_automatic_or_a_number_of_planes(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(3, 12, 16))
    assert panel.settings.batch.native.text() == "Automatic"
    assert panel.settings.settings().batch == "auto"
    panel.settings.batch.value = 2
    press_run(panel)
    assert viewer.layers[-1].metadata["napari_sr"]["job"]["batch"] == 2


def test_self_ensemble_reaches_the_job(in_viewer):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    assert not panel.settings.self_ensemble.value
    panel.settings.self_ensemble.value = True
    press_run(panel)
    source, result = viewer.layers
    image, model = np.asarray(source.data), napari_sr.load_model("esrgan-one")
    np.testing.assert_array_equal(result.data, napari_sr.upscale(image, model, self_ensemble=True))
    assert (result.data != napari_sr.upscale(image, model)).any()


def test_the_reason_is_shown_if_exact_tiling_is_not_possible(in_viewer, monkeypatch):
    from napari_sr.inference.compute.streaming.plan import NotStreamable

    def refuse(network):
        raise NotStreamable("its attention looks at the whole image")

    monkeypatch.setattr("napari_sr.inference.compute.prepared.plan_stream", refuse)
    _, panel = in_viewer("esrgan")
    press_run(panel)
    message = panel.controls.message.value
    assert "Exact tiling was not possible, because its attention looks at the whole image" in message
    assert "tiling: tiles of 256 pixels with 32 of overlap." in message


@pytest.mark.parametrize("tiling", ["exact", "overlap", "none"])
def test_progress_goes_from_zero_to_all(in_viewer, monkeypatch, tiling):
    _, panel = in_viewer("esrgan", image=drawn(3, 40, 24))
    panel.settings.tiling.kind.value = tiling
    shown = []
    monkeypatch.setattr(WorkControls, "show_progress", lambda controls, done, total: shown.append((done, total)))
    monkeypatch.setattr(WorkControls, "show_message", lambda controls, text: shown.append(text))
    press_run(panel)
    assert shown[:4] == [(0, 0), "Loading the model…", (0, 120), "Upscaling: 0 %"]
    bars = [entry for entry in shown if isinstance(entry, tuple)][1:]
    assert bars[-1] == (120, 120)
    assert bars == sorted(bars)
    assert "Upscaling: 100 %" in shown


def test_impossible_tiles_are_refused(in_viewer, errors):
    viewer, panel = in_viewer("esrgan")
    panel.settings.tiling.kind.value = "overlap"
    panel.settings.tiling.tile.value, panel.settings.tiling.overlap.value = 16, 64
    press_run(panel)
    assert_refused(viewer, panel, errors, "tile of 16 pixels leaves nothing")


def test_not_a_number_is_named_and_nothing_is_added(in_viewer, errors):
    image = drawn(12, 16).astype(np.float32)
    image[3, 4] = np.nan
    viewer, panel = in_viewer("esrgan", image=image)
    press_run(panel)
    assert_refused(viewer, panel, errors, "NaN")
    assert "check “Missing pixels” under “More” to fill such pixels" in errors[0]
    panel.settings.missing.value = True
    press_run(panel)
    assert len(viewer.layers) == 2


def test_only_a_labels_layer_leaves_nothing_to_run(make_napari_viewer_proxy, models):
    from napari_sr.widgets.upscale.families import ESRGANPanel

    viewer = make_napari_viewer_proxy()
    viewer.add_labels(drawn(12, 16), name="nuclei")
    panel = ESRGANPanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel)
    assert not panel.controls.run_button.enabled
    assert "labels" in panel.controls.message.value
    panel.run_upscaling()
    assert [layer.name for layer in viewer.layers] == ["nuclei"]


def test_a_labels_layer_given_by_a_script_is_refused(in_viewer, errors, monkeypatch):
    viewer, panel = in_viewer("esrgan")
    viewer.add_labels(drawn(12, 16), name="nuclei")
    labels = list(viewer.layers)[-1]
    monkeypatch.setattr(type(panel.layer_choice), "layer", property(lambda choice: labels))
    panel.run_upscaling()
    (sentence,) = errors
    assert "nuclei" in sentence
    assert "labels" in sentence
    assert [layer.name for layer in viewer.layers] == ["cells", "nuclei"]


def test_a_text_file_is_refused_and_the_model_stays(in_viewer, errors, tmp_path):
    viewer, panel = in_viewer("esrgan")
    before = panel.models.model
    path = tmp_path / "readme.pth"
    path.write_text("not weights at all")
    panel.models.choose_file(path)
    assert_refused(viewer, panel, errors, "readme.pth")
    assert panel.models.model == before
    assert panel.models.model_choice.value == before.source
    assert panel.controls.run_button.enabled


def test_a_truncated_file_is_refused_and_the_model_stays(in_viewer, errors, models, tmp_path):
    viewer, panel = in_viewer("esrgan")
    before = panel.models.model
    path = tmp_path / "half.safetensors"
    path.write_bytes((models / "esrgan-one.safetensors").read_bytes()[:-500])
    panel.models.choose_file(path)
    assert_refused(viewer, panel, errors, "half.safetensors")
    assert panel.models.model == before


def test_a_model_of_another_family_names_its_panel(in_viewer, errors, models):
    viewer, panel = in_viewer("srcnn")
    panel.models.choose_file(models / "esrgan-one.safetensors")
    assert_refused(viewer, panel, errors, "ESRGAN panel")


def test_it_is_said_at_once_that_two_models_cannot_be_mixed(in_viewer, models, errors, tmp_path):
    _, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    other = RRDBNet(scale=4, features=8, growth=4, blocks=2, in_channels=1, out_channels=1)
    torch.save(other.state_dict(), tmp_path / "deeper.pth")
    panel.mixing.choose_file(tmp_path / "deeper.pth")
    assert "choose two files of the same network" in panel.mixing.problem.value
    assert not panel.mixing.problem.native.isHidden()
    panel.mixing.choose_file(tmp_path / "gan.pth")
    assert panel.mixing.problem.native.isHidden()
    panel.models.choose_file(tmp_path / "deeper.pth")
    assert "choose two files of the same network" in panel.mixing.problem.value
    panel.models.select("esrgan-pair")
    assert panel.mixing.problem.native.isHidden()
    assert not errors


def test_a_pair_that_does_not_fit_is_refused(in_viewer, errors, tmp_path):
    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-one")
    other = RRDBNet(scale=4, features=8, growth=4, blocks=2, in_channels=1, out_channels=1)
    torch.save(other.state_dict(), tmp_path / "deeper.pth")
    panel.mixing.choose_file(tmp_path / "deeper.pth")
    press_run(panel)
    assert_refused(viewer, panel, errors, "choose two files of the same network")


def test_an_unexpected_error_is_shown_and_the_panel_stays_usable(in_viewer, errors, monkeypatch):
    viewer, panel = in_viewer("esrgan")
    monkeypatch.setattr("napari_sr.widgets.choices.job_plan.JobPlan.job", lambda settings, model: 1 / 0)
    press_run(panel)
    assert_refused(viewer, panel, errors, "ZeroDivisionError")
    monkeypatch.undo()


def test_the_result_can_be_run_again_and_panels_stay_on_the_source(in_viewer):
    viewer, panel = in_viewer("esrgan")
    press_run(panel)
    assert viewer.layers.selection.active == viewer.layers[0]
    assert panel.layer_choice.layer == viewer.layers[0]
    viewer.layers.selection.active = viewer.layers[1]
    assert panel.layer_choice.layer == viewer.layers[0]
    press_run(panel)
    assert len(viewer.layers) == 3


def test_a_removed_result_leaves_the_memory(in_viewer):
    viewer, panel = in_viewer("esrgan")
    press_run(panel)
    result = viewer.layers[1]
    remains = weakref.ref(result), weakref.ref(result.data)
    viewer.layers.remove(result)
    del result
    # As the event loop does: with PySide6 napari's controls of the layer hold it until they are deleted.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [remain() is None for remain in remains] == [True, True]
    assert panel.actions.again_button.enabled


def test_the_panel_follows_the_active_layer(in_viewer):
    viewer, panel = in_viewer("esrgan")
    first = viewer.layers[0]
    second = viewer.add_image(drawn(8, 8), name="second")
    assert panel.layer_choice.layer == second
    viewer.layers.selection.active = first
    assert panel.layer_choice.layer == first
    labels = viewer.add_labels(drawn(8, 8))
    assert viewer.layers.selection.active == labels
    assert panel.layer_choice.layer == first


def test_a_renamed_layer_stays_chosen_and_a_removed_one_does_not(in_viewer):
    viewer, panel = in_viewer("esrgan")
    first = viewer.layers[0]
    viewer.add_image(drawn(8, 8), name="second")
    viewer.layers.selection.active = first
    first.name = "renamed"
    assert panel.layer_choice.layer == first
    assert panel.layer_choice.widget.current_choice == "renamed"
    viewer.layers.remove(first)
    assert panel.layer_choice.layer.name == "second"
    viewer.layers.clear()
    assert panel.layer_choice.layer is None
    assert not panel.controls.run_button.enabled


def test_every_control_has_a_label_and_a_tooltip(in_viewer, srgan_file):
    for family in ("srcnn", "srgan", "esrgan"):
        _, panel = in_viewer(family)
        widgets = list(leaf_widgets(panel.content))
        assert len(widgets) >= 30
        for widget in widgets:
            assert widget.tooltip, widget.name
            assert widget.label, widget.name
            for word in ("tensor", "state_dict", "state dict", "inference"):
                assert word not in f"{widget.label} {widget.tooltip}".lower()


def test_tab_goes_from_top_to_bottom(in_viewer):
    _, panel = in_viewer("esrgan")
    panel.more.open = panel.layer_fold.open = True
    expected = [widget.native for widget in leaf_widgets(panel.content)]
    order, here = [], expected[0]
    # Not beyond the last row: PySide6 would hold references to the widgets of napari's window.
    while here in expected or panel.native.isAncestorOf(here):
        if here in order:
            break
        if here in expected:
            order.append(here)
        here = here.nextInFocusChain()
    assert order == expected


def test_more_is_folded_away_until_its_button_is_pressed(in_viewer):
    _, panel = in_viewer("esrgan")
    body = panel.settings.device.widget.native
    assert not body.isVisibleTo(panel.native)
    panel.more.button.native.click()
    assert body.isVisibleTo(panel.native)
    panel.more.button.native.click()
    assert not body.isVisibleTo(panel.native)


def test_a_panel_is_drawn_without_torch():
    """In a fresh process, because the tests have imported torch already."""
    import os
    import subprocess
    import sys

    code = """
import sys
import napari
from qtpy.QtTest import QTest
from napari_sr.widgets.upscale.families import ESRGANPanel
class Later:
    def submit(self, run): self.run = run
viewer = napari.Viewer(show=False)
later = Later()
panel = ESRGANPanel(viewer, executor=later)
viewer.window.add_dock_widget(panel)
QTest.qWait(1000)
print("torch" in sys.modules, later.run.name)
viewer.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=300, check=False
    )
    assert done.stdout.strip() == "False looking for devices", done.stderr


def test_torch_is_imported_in_a_fresh_process_and_works():
    import subprocess
    import sys

    code = """
from napari_sr.widgets.qt.torch_loading import load_torch
load_torch()
import torch
from qtpy.QtTest import QTest
print(float(torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.strip() == "9.0", done.stderr


def assert_refused(viewer, panel, errors, words):
    """Check that one sentence is shown in the panel and as a notification, and that nothing was added."""
    (sentence,) = errors
    assert words in sentence
    assert panel.controls.message.value == sentence
    assert "\n" not in sentence
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert not panel.controls.running


@pytest.fixture
def errors(monkeypatch):
    """Errors that were shown as notifications of napari."""
    shown: list[str] = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    return shown
