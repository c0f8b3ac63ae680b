"""Parts of layers: each gives a layer in its place, with the pixels of the whole result."""

import numpy as np
import pytest

import napari_sr
from napari_sr.widgets.choices.layer import is_result
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor


def drawn(*shape, dtype=np.uint16):
    return np.random.default_rng(1).integers(0, 200, shape).astype(dtype)


def run(panel):
    panel.controls.run_button.native.click()


def shown(panel):
    return panel.summary.value.replace("\N{NO-BREAK SPACE}", " ")


def results(viewer):
    return [layer for layer in viewer.layers if is_result(layer)]


@pytest.fixture
def errors(monkeypatch):
    shown = []
    monkeypatch.setattr("napari_sr.widgets.qt.errors.show_error", shown.append)
    return shown


def test_this_slice_is_one_plane_in_its_place(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(5, 12, 16), scale=(2, 1, 1))
    viewer.dims.set_point(0, 6)
    panel.part_choice.kind.value = "slice"
    run(panel)
    (result,) = results(viewer)
    whole = napari_sr.upscale(drawn(5, 12, 16), napari_sr.load_model("esrgan-one"), axes="ZYX")
    np.testing.assert_array_equal(result.data, whole[3:4])
    assert result.translate[0] == 6
    assert result.name == "cells (ESRGAN x4, Z=3)"


def test_the_view_is_what_the_camera_shows(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(40, 60))
    viewer.scene.camera.center = (0, 20, 30)
    viewer.scene.camera.zoom = max(viewer.canvas.size) / 20
    panel.part_choice.kind.value = "view"
    run(panel)
    (result,) = results(viewer)
    assert result.data.size < 16 * 40 * 60
    assert result.name.endswith(", view)")
    first = viewer.layers[0].world_to_data(result.data_to_world((-0.5, -0.5))) + 0.5
    rows, columns = (
        slice(round(edge) * 4, round(edge) * 4 + n) for edge, n in zip(first, result.data.shape, strict=True)
    )
    whole = napari_sr.upscale(drawn(40, 60), napari_sr.load_model("esrgan-one"))
    assert np.abs(result.data.astype(int) - whole[rows, columns]).max() <= 1


@pytest.mark.parametrize("executor", [InPlaceExecutor, ThreadExecutor])
def test_each_rectangle_becomes_a_layer_in_its_place(in_viewer, qtbot, executor):
    viewer, panel = in_viewer("esrgan", image=drawn(40, 60), executor=executor())
    boxes = [[(4, 6), (4, 15), (11, 15), (11, 6)], [(20, 30), (20, 39), (29, 39), (29, 30)]]
    viewer.add_shapes(boxes, shape_type="rectangle", name="marks")
    panel.part_choice.kind.value = "rectangles"
    assert panel.part_choice.shapes.current_choice == "marks"
    assert panel.summary.value.replace("\N{NO-BREAK SPACE}", " ").startswith("2 runs")
    run(panel)
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    first, second = results(viewer)
    assert [first.data.shape, second.data.shape] == [(32, 40), (40, 40)]
    assert [first.name[-13:], second.name[-13:]] == [" rectangle 1)", " rectangle 2)"]
    np.testing.assert_allclose(first.data_to_world((-0.5, -0.5)), (3.5, 5.5))
    assert panel.controls.message.value.startswith("Done: 2 layers were added, the last one in ")


def test_the_summary_follows_the_drawn_rectangles(in_viewer):
    viewer, panel = in_viewer("esrgan", image=drawn(40, 60))
    panel.part_choice.kind.value = "rectangles"
    assert "There is no shapes layer" in panel.summary.value
    viewer.add_shapes(name="marks")
    marks = viewer.layers["marks"]
    assert "“marks” has no rectangle" in panel.summary.value
    marks.add_rectangles(np.array([(4, 6), (4, 15), (11, 15), (11, 6)]))
    assert shown(panel).startswith("8 × 10 uint16")
    marks.add_rectangles(np.array([(20, 30), (20, 39), (29, 39), (29, 30)]))
    assert shown(panel).startswith("2 runs")
    marks.selected_data = {1}
    marks.remove_selected()
    assert shown(panel).startswith("8 × 10 uint16")
    marks.scale = (2, 1)
    assert shown(panel).startswith("15 × 10 uint16")
    viewer.layers["cells"].scale = (2, 1)
    assert shown(panel).startswith("8 × 10 uint16")
    viewer.layers.remove(marks)
    assert "There is no shapes layer" in panel.summary.value
    panel.part_choice.kind.value = "whole"
    panel.controls.show_message("Done")
    viewer.add_shapes([[(4, 6), (4, 15), (11, 15), (11, 6)]], shape_type="rectangle")
    assert panel.controls.message.value == "Done", "rectangles do not matter for the whole layer"


def test_the_summary_has_the_present_names_of_layers(in_viewer):
    viewer, panel = in_viewer("srcnn")
    viewer.add_shapes(name="marks")
    panel.part_choice.kind.value = "rectangles"
    viewer.layers["marks"].name = "frames"
    assert "“frames” has no rectangle" in panel.summary.value
    viewer.add_image(drawn(8, 8), name="two")
    viewer.layers.selection = {viewer.layers["cells"], viewer.layers["two"]}
    panel.part_choice.kind.value = "selected"
    viewer.layers["cells"].name = "axons"
    assert shown(panel).startswith("2 runs, the first (“axons”)")


def test_all_selected_layers_are_done_in_their_order(in_viewer, qtbot):
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor())
    others = [viewer.add_image(drawn(8, 8), name=name) for name in ("two", "three", "not this")]
    viewer.layers.selection = {viewer.layers[0], *others[:2]}
    panel.part_choice.kind.value = "selected"
    run(panel)
    qtbot.waitUntil(lambda: not panel.running, timeout=60_000)
    assert [layer.name for layer in results(viewer)] == [f"{name} (SRCNN x2)" for name in ("cells", "two", "three")]


def test_all_selected_layers_twice_takes_the_sources_again_and_leaves_them_selected(in_viewer):
    viewer, panel = in_viewer("srcnn")
    viewer.add_image(drawn(8, 8), name="two")
    viewer.layers.selection = set(viewer.layers)
    sources = set(viewer.layers)
    panel.part_choice.kind.value = "selected"
    run(panel)
    assert set(viewer.layers.selection) == sources
    assert panel.summary.value.replace("\N{NO-BREAK SPACE}", " ").startswith("2 runs, the first (“cells”) 12 × 16")
    viewer.layers.select_all()
    run(panel)
    made = ["cells (SRCNN x2)", "two (SRCNN x2)"]
    assert [layer.name for layer in results(viewer)] == made + [f"{name} [1]" for name in made]
    assert [layer.data.shape for layer in results(viewer)] == [(24, 32), (16, 16)] * 2


def test_a_result_is_upscaled_only_if_it_is_chosen_by_name(in_viewer, errors):
    viewer, panel = in_viewer("srcnn")
    run(panel)
    result = viewer.layers[1]
    viewer.layers.selection = {result}
    panel.part_choice.kind.value = "selected"
    run(panel)
    assert "Only results of napari-sr are selected" in errors[0]
    panel.layer_choice.select(result)
    run(panel)
    assert viewer.layers[-1].data.shape == (48, 64)
    panel.part_choice.kind.value = "whole"
    del viewer.layers[0]
    panel.layer_choice.select(result)
    viewer.layers.remove(result)
    assert panel.layer_choice.layer is None
    assert panel.layer_choice.widget.current_choice == "Choose a result"


def test_a_run_that_fails_does_not_stop_the_others(in_viewer, errors):
    viewer, panel = in_viewer("srcnn")
    broken = drawn(8, 8).astype(np.float32)
    broken[2, 2] = np.nan
    viewer.add_image(broken, name="broken")
    viewer.layers.selection = set(viewer.layers)
    panel.part_choice.kind.value = "selected"
    run(panel)
    assert [layer.name for layer in results(viewer)] == ["cells (SRCNN x2)"]
    assert len(errors) == 1
    assert panel.controls.message.value == f"1 of 2 runs failed: {errors[0]}"


@pytest.mark.parametrize(
    ("where", "words"), [("rectangles", "shapes layer"), ("selected", "No image layer is selected")]
)
def test_a_choice_without_a_part_is_refused(in_viewer, errors, where, words):
    viewer, panel = in_viewer("srcnn")
    viewer.layers.selection.clear()
    panel.part_choice.kind.value = where
    assert words in panel.summary.value
    run(panel)
    assert words in errors[0]
    assert not panel.running
    assert not results(viewer)


def test_run_again_repeats_the_last_run_on_other_layers(in_viewer):
    viewer, panel = in_viewer("esrgan")
    other = viewer.add_image(drawn(8, 8), name="other & more")
    viewer.layers.selection.active = viewer.layers[0]
    assert not panel.actions.again_button.enabled
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.8
    run(panel)
    panel.mixing.alpha.value = 0.1  # the present sliders do not matter
    assert panel.actions.again_button.enabled
    panel.actions.menu.aboutToShow.emit()
    (action,) = panel.actions.menu.actions()
    assert action.text() == "other && more"
    action.trigger()
    assert results(viewer)[-1].name == "other & more (ESRGAN x4)"
    viewer.layers.remove(other)
    panel.actions.menu.aboutToShow.emit()
    (nothing,) = panel.actions.menu.actions()
    assert not nothing.isEnabled()


def test_run_again_leaves_out_layers_that_cannot_be_upscaled_and_names_the_reason(in_viewer, errors):
    viewer, panel = in_viewer("esrgan")
    source = viewer.layers[0]
    viewer.add_image(drawn(2, 2, 2, 2, 8, 8), name="six axes")
    viewer.add_image(drawn(8, 8), name="other")
    viewer.layers.selection.active = source
    run(panel)
    panel.actions.menu.aboutToShow.emit()
    entries = {action.text(): action for action in panel.actions.menu.actions()}
    entries["six axes"].trigger()
    assert panel.controls.message.value == errors[0]
    assert "six axes" in errors[0]
    assert not panel.running
    entries["All of them"].trigger()
    assert [layer.name for layer in results(viewer)] == ["cells (ESRGAN x4)", "other (ESRGAN x4)"]
    assert panel.controls.message.value == f"1 of 2 runs failed: {errors[1]}"
    assert not panel.running


def test_the_script_gives_the_pixels_of_the_result(in_viewer, tmp_path):
    from qtpy.QtWidgets import QApplication

    viewer, panel = in_viewer("esrgan")
    panel.models.select("esrgan-pair")
    panel.mixing.alpha.value = 0.3
    panel.settings.intensity.kind.value = "bounds"
    panel.settings.intensity.bounds[0].value, panel.settings.intensity.bounds[1].value = 5, 180
    panel.size.kind.value, panel.size.factor.value = "factor", 3.0
    panel.actions.copy_button.native.click()
    script = QApplication.clipboard().text()
    assert "put its array here" in script
    assert "no file" in panel.controls.message.value
    run(panel)
    (result,) = results(viewer)
    space = {"__name__": "pasted"}
    lines = script.replace("image = None", "image = given  #")
    space["given"] = np.asarray(viewer.layers[0].data)
    exec(compile(lines, "script", "exec"), space)
    np.testing.assert_array_equal(space["result"], result.data)
    np.testing.assert_allclose(space["layer"]["scale"], result.scale)
    np.testing.assert_allclose(space["layer"]["translate"], result.translate)


def test_the_script_covers_every_rectangle(in_viewer):
    from qtpy.QtWidgets import QApplication

    viewer, panel = in_viewer("esrgan", image=drawn(40, 60))
    boxes = [[(4, 6), (4, 15), (11, 15), (11, 6)], [(20, 30), (20, 39), (29, 39), (29, 30)]]
    viewer.add_shapes(boxes, shape_type="rectangle")
    panel.part_choice.kind.value = "rectangles"
    panel.actions.copy_button.native.click()
    assert panel.controls.message.value.startswith("The script for 2 parts is in the clipboard.")
    script = QApplication.clipboard().text()
    run(panel)
    space = {"__name__": "pasted", "given": np.asarray(viewer.layers[0].data)}
    exec(compile(script.replace("image = None", "image = given  #"), "script", "exec"), space)
    for pixels, layer, result in zip(space["results"], space["layers"], results(viewer), strict=True):
        np.testing.assert_array_equal(pixels, result.data)
        np.testing.assert_allclose(layer["translate"], result.translate)
        assert layer["name"] == result.name


def test_the_script_of_several_layers_is_that_of_the_first_and_this_is_shown(in_viewer):
    viewer, panel = in_viewer("srcnn")
    viewer.add_image(drawn(8, 8), name="two")
    viewer.layers.selection = set(viewer.layers)
    panel.part_choice.kind.value = "selected"
    panel.actions.copy_button.native.click()
    assert panel.controls.message.value.startswith("The script for the first of 2 layers is in the clipboard.")


def test_the_whole_job_is_in_the_metadata(in_viewer):
    viewer, panel = in_viewer("esrgan")
    panel.settings.device.widget.value = "cpu"
    run(panel)
    facts = results(viewer)[0].metadata["napari_sr"]
    assert facts["job"]["device"] == "cpu"
    assert facts["job"]["model"]["name"] == "esrgan-one"
    assert "sr.upscale(" in facts["script"]


@pytest.mark.parametrize(
    "pose",
    [
        {"scale": (0.2, 0.3), "rotate": 25, "translate": (-5, 7)},
        {"scale": (2, 3), "affine": [[0.9, 0.2, 4], [-0.1, 1.1, -3], [0, 0, 1]]},
        {"scale": (0.1, 0.1), "translate": (300, 500)},
    ],
)
def test_a_rectangle_along_the_edges_of_pixels_has_these_pixels_alone(in_viewer, pose):
    viewer, panel = in_viewer("srcnn", image=drawn(40, 60), **pose)
    corners = [(9.5, 14.5), (9.5, 44.5), (29.5, 44.5), (29.5, 14.5)]
    world = [viewer.layers[0].data_to_world(corner) for corner in corners]
    # napari holds them as float32.
    viewer.add_shapes([world], shape_type="rectangle")
    panel.part_choice.kind.value = "rectangles"
    (part,) = panel.part_choice.parts(viewer.layers[0])
    assert (part.part.rows, part.part.columns) == ((10, 30), (15, 45))
