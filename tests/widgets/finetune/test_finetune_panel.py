"""From layers to a new model in the window, without threads."""

import gc
import weakref

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sr import list_models
from napari_sr.training.events import ValidationCrop
from napari_sr.training.recipe import GaussianBlur, OpticsBlur
from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.finetune.images import PAIRS
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, open_panels
from napari_sr.zoo import read_model


def field(side=96, seed=0):
    """Smooth structure with edges, of uint16."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.integers(0, 3000, (side // 8, side // 8)), np.ones((8, 8)))
    return (coarse + generator.normal(0, 30, (side, side))).clip(0, 65535).astype(np.uint16)


@pytest.fixture
def finetuning(make_napari_viewer_proxy, models):
    """A viewer with an image, and the panel set to a training of seconds."""

    def make(image=None, *, executor=None, **layer):
        viewer = make_napari_viewer_proxy()
        viewer.add_image(field() if image is None else image, **{"name": "cells", **layer})
        panel = FinetunePanel(viewer, executor=executor or InPlaceExecutor())
        viewer.window.add_dock_widget(panel, name="Fine-tune")
        panel.models.select("srcnn-x2")
        panel.recipe.steps.value = 4
        panel.recipe.patch.value, panel.recipe.batch.value = 8, 2
        return viewer, panel

    return make


@pytest.mark.parametrize(
    ("blur", "noisy", "row"),
    [
        ("gaussian", False, "sigma"),
        ("gaussian", False, "sigma_to"),
        ("optics", False, "aperture"),
        ("optics", False, "pixel"),
        ("none", True, "gain"),
        ("none", True, "read"),
    ],
)
def test_the_first_number_that_is_typed_keeps_its_decimals(finetuning, qtbot, blur, noisy, row):
    viewer, panel = finetuning()
    window = viewer.__wrapped__.window._qt_window
    window.show()
    qtbot.waitExposed(window)
    panel.degradation_fold.open = True
    panel.degradation.blur.kind.value, panel.degradation.noise.switch.value = blur, noisy
    QApplication.processEvents()
    box = getattr(panel.degradation.noise if noisy else panel.degradation.blur, row)
    assert box.native.isVisible()
    box.native.setFocus()
    box.native.selectAll()
    QTest.keyClicks(box.native, box.native.locale().toString(1.5, "f", 1))
    assert box.value == 1.5


def test_the_pixel_size_of_the_optics_cannot_be_zero(finetuning):
    _, panel = finetuning()
    blur = panel.degradation.blur
    blur.kind.value = "optics"
    blur.pixel.native.selectAll()
    QTest.keyClicks(blur.pixel.native, "0")
    QTest.keyClick(blur.pixel.native, Qt.Key.Key_Return)
    blur.pixel.native.stepBy(-1000)
    assert blur.pixel.value > 0
    assert panel._plan().recipe.degradation.blur.pixel_size > 0


def names():
    return [entry.name for entry in list_models() if entry.where == "user"]


def test_start_makes_a_model_that_is_in_the_list(finetuning, models):
    _, panel = finetuning()
    before = {path: path.read_bytes() for path in models.iterdir()}
    panel.controls.start_button.native.click()
    assert "“srcnn-x2-quick” is in the list of models." in panel.outcome.title.value
    assert "srcnn-x2-quick" in names()
    assert "srcnn-x2-quick" in [offer.text for offer in panel.models.offers]
    assert all(path.read_bytes() == content for path, content in before.items())
    old, new = (read_model(models / f"{name}.safetensors")[1]["weights"] for name in ("srcnn-x2", "srcnn-x2-quick"))
    assert any(not torch.equal(old[key], new[key]) for key in old)


def test_the_curves_hold_every_step_and_the_measurements(finetuning):
    _, panel = finetuning()
    panel.start()
    assert panel.progress.curves.steps == [1, 2, 3, 4]
    assert np.all(np.isfinite(panel.progress.curves.losses["total"]))
    assert [seen.step for seen in panel.progress.curves.measured] == [1, 2, 3, 4]
    assert panel.progress.curve_box.native.isVisibleTo(panel.native)


def test_the_validation_layers_are_beside_the_image_and_not_offered_for_training(finetuning, qtbot):
    viewer, panel = finetuning(scale=(0.5, 0.5), units=("um", "um"))
    panel.start()
    crops = panel.progress.validation_layers.layers
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=10_000)
    assert list(crops) == ["before", "now", "truth"]
    right = viewer.layers["cells"].extent.world[1, 1]
    for layer in crops.values():
        assert layer.extent.world[0, 1] > right
        np.testing.assert_allclose(layer.scale, (0.5, 0.5))
        assert {str(unit) for unit in layer.units} == {"micrometer"}
    assert not np.array_equal(crops["before"].data, crops["truth"].data)
    assert [text for text, _ in panel.images._choices(None)] == ["cells"]


def test_a_panel_that_is_closed_removes_its_validation_layers_from_the_event_loop(finetuning, qtbot):
    viewer, panel = finetuning()
    panel.start()
    qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=10_000)
    panel.shut_down()
    # OpenGL can crash when layers are removed while the canvas changes its size.
    assert len(viewer.layers) > 1
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["cells"], timeout=10_000)


def test_a_validation_layer_that_was_removed_is_not_added_again(finetuning, qtbot):
    viewer, panel = finetuning()
    panel.start()
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=10_000)
    viewer.layers.remove("validation: truth")
    panel.progress.validation_layers.show(
        [ValidationCrop("cells", *(np.zeros((8, 8), np.float32),) * 5)],
    )
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_a_second_training_overwrites_no_model(finetuning, models):
    _, panel = finetuning()
    panel.start()
    first = (models / "srcnn-x2-quick.safetensors").read_bytes()
    panel.recipe.seed.value = 7
    panel.start()
    assert (models / "srcnn-x2-quick.safetensors").read_bytes() == first
    assert "srcnn-x2-quick-2" in names()


def test_the_name_of_another_model_gets_a_number(finetuning, models):
    _, panel = finetuning()
    before = (models / "srcnn-x2.safetensors").read_bytes()
    panel.name_box.value = "srcnn-x2"
    panel.start()
    assert (models / "srcnn-x2.safetensors").read_bytes() == before
    assert "srcnn-x2-2" in names()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "The name is empty"),
        ("a/b", "cannot be the name of a model"),
        ("..", "cannot be the name of a model"),
        ("a:b", "cannot be the name of a model"),
        ("con", "the name of a device on Windows"),
    ],
)
def test_a_name_that_cannot_be_a_file_name_is_refused(finetuning, name, words):
    _, panel = finetuning()
    before = names()
    panel.name_box.value = name
    panel.start()
    assert words in panel.controls.message.value
    assert names() == before


def test_use_it_now_says_that_the_file_of_the_model_was_deleted(finetuning):
    viewer, panel = finetuning()
    panel.start()
    panel.outcome.trained.path.unlink()
    panel.outcome.use_button.native.click()
    assert "The new model was moved or deleted" in panel.controls.message.value
    assert open_panels(viewer) == []


def test_a_model_worse_than_bicubic_is_marked(finetuning):
    _, panel = finetuning()
    panel.recipe.learning_rate.value = 1e-7
    panel.start()
    assert "It is worse than bicubic interpolation" in panel.outcome.title.value
    assert "worse than bicubic" in panel.outcome.card.value


def test_the_color_of_a_measurement_that_warns_follows_the_theme(finetuning):
    viewer, panel = finetuning()
    warning = panel.controls.warnings.label
    panel.controls.show_measurement("Worse than bicubic.", warns=True)
    assert (warning.value, panel.controls.measurement.value) == ("Worse than bicubic.", "")
    before = warning.native.styleSheet()
    viewer.theme = "light"
    assert warning.native.styleSheet() != before
    panel.controls.show_measurement("Better than bicubic.")
    assert (warning.value, panel.controls.measurement.value) == ("", "Better than bicubic.")


def test_use_it_now_opens_the_panel_of_its_family_with_the_model_chosen(finetuning):
    viewer, panel = finetuning()
    panel.start()
    panel.outcome.use_button.native.click()
    (other,) = open_panels(viewer)
    assert other.family == "srcnn"
    assert other.models.model.text == "srcnn-x2-quick"
    panel.outcome.use_button.native.click()
    assert open_panels(viewer) == [other]


def test_use_it_now_opens_the_file_of_a_model_that_is_not_in_the_folder_of_models_any_more(
    finetuning, monkeypatch, tmp_path, qtbot
):
    viewer, panel = finetuning()
    panel.start()
    (tmp_path / "others").mkdir()
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "others"))
    panel.outcome.use_button.native.click()
    (other,) = open_panels(viewer)
    qtbot.waitUntil(lambda: other.models.ready, timeout=10_000)
    assert other.models.model.source == panel.outcome.trained.path


def test_a_new_model_is_listed_in_all_panels_of_all_windows(finetuning, make_napari_viewer_proxy):
    viewer, panel = finetuning()
    other = make_napari_viewer_proxy()
    panels = [
        FilesPanel(viewer, executor=InPlaceExecutor()),
        FinetunePanel(other, executor=InPlaceExecutor()),
        SRCNNPanel(other, executor=InPlaceExecutor()),
        ESRGANPanel(other, executor=InPlaceExecutor()),
    ]
    for window, another in zip((viewer, other, other, other), panels, strict=True):
        window.window.add_dock_widget(another, name=type(another).__name__)
    panel.start()
    files, finetune, srcnn, esrgan = panels
    offered = [one.offers_model("srcnn-x2-quick") for one in (files.model.models, finetune.models, srcnn.models)]
    assert offered == [True, True, True]
    assert not esrgan.models.offers_model("srcnn-x2-quick")


def test_pairs_are_matched_and_their_shift_is_shown(finetuning):
    viewer, panel = finetuning(scale=(1.0, 1.0))
    image = viewer.layers["cells"].data.astype(np.float64)
    low = image.reshape(48, 2, 48, 2).mean(axis=(1, 3)).astype(np.uint16)
    viewer.add_image(low, name="low", scale=(2.0, 2.0), translate=(0.5, 0.5))
    panel.images.kind.value = PAIRS
    row = panel.images.rows[0]
    row.low.value, row.high.value = viewer.layers["low"], viewer.layers["cells"]
    assert panel.images.facts.value.startswith("“low” and “cells” fit to 0.0 pixels.")
    assert "too small to estimate" in panel.images.facts.value
    panel.start()
    assert "srcnn-x2-quick" in names()
    assert "Low resolution: recorded images" in panel.outcome.card.value
    panel.outcome.use_button.native.click()
    assert open_panels(viewer)[0].layer_choice.layer.name == "low"


def test_the_coarser_of_two_layers_is_the_low_one_in_any_unit(finetuning):
    viewer, panel = finetuning(scale=(200.0, 200.0), units=("nm", "nm"))
    viewer.add_image(field(48), name="low", scale=(0.4, 0.4), units=("um", "um"))
    table = panel.images
    for name in ("cells", "low"):
        viewer.layers.selection.active = viewer.layers[name]
        table.remove_row(table.rows[0])
        row = table.add()
        assert (row.low.value.name, row.high.value.name) == ("low", "cells")


def test_a_result_is_not_proposed_for_training_beside_its_source(finetuning, make_napari_viewer_proxy):
    viewer, panel = finetuning()
    source = viewer.layers[0]
    viewer.add_image(field(256), name="result", scale=(0.25, 0.25), metadata={"napari_sr": {}})
    again = FinetunePanel(viewer, executor=InPlaceExecutor())
    for each in (panel, again):
        assert [example.high.name for example in each.images.examples] == [source.name]
        assert each.images.rows[0].low.value.name == source.name


@pytest.mark.parametrize("late", [False, True])
def test_a_pair_gets_its_second_layer_also_when_that_is_opened_after_the_panel(finetuning, late):
    viewer, panel = finetuning()
    (row,) = panel.images.rows
    if late:
        panel.images.kind.value = PAIRS
    low = viewer.add_image(field(48), scale=(2, 2), name="low")
    panel.images.kind.value = PAIRS
    assert (row.low.value, row.high.value) == (low, viewer.layers["cells"])


def test_the_sentence_about_a_pair_has_the_present_names_of_its_layers(finetuning):
    viewer, panel = finetuning(scale=(1, 1))
    viewer.add_image(field()[::2, ::2], name="low", scale=(2, 2), translate=(0.5, 0.5))
    panel.images.kind.value = "pairs"
    row = panel.images.rows[0]
    row.low.value, row.high.value = viewer.layers["low"], viewer.layers["cells"]
    assert "“low”" in panel.images.facts.value
    viewer.layers["low"].name = "overview"
    assert "“overview”" in panel.images.facts.value


def test_an_image_that_is_added_is_one_that_no_row_shows(finetuning):
    viewer, panel = finetuning(scale=(1.0, 1.0))
    viewer.add_image(field(48), name="coarse", scale=(2.0, 2.0))
    panel.images.remove_row(panel.images.rows[0])
    panel.images.add()
    panel.images.add()
    assert [example.high.name for example in panel.images.examples] == ["cells", "coarse"]


@pytest.mark.parametrize(("seed", "before"), [(0, "A shift of 70.8 pixels is corrected. "), (6, "")])
def test_images_that_are_no_pair_are_not_said_to_fit(finetuning, seed, before):
    """A shift is mentioned if it is larger than its uncertainty."""
    viewer, panel = finetuning(scale=(1.0, 1.0))
    noise = np.random.default_rng(seed)
    for name, side, scale in (("low", 192, 2.0), ("high", 384, 1.0)):
        pixels = noise.integers(0, 4000, (side, side)).astype(np.uint16)
        viewer.add_image(pixels, name=name, scale=(scale, scale), translate=((scale - 1) / 2,) * 2)
    panel.images.kind.value = PAIRS
    row = panel.images.rows[0]
    row.low.value, row.high.value = viewer.layers["low"], viewer.layers["high"]
    assert panel.images.facts.value.startswith(f"{before}The shift between low and high is uncertain by ")
    assert "fit to" not in panel.images.facts.value


def test_the_check_of_a_pair_follows_its_layers_until_they_are_removed(finetuning):
    viewer, panel = finetuning(scale=(1.0, 1.0), units=("um", "um"))
    image = viewer.layers["cells"].data.astype(np.float64)
    pixels = image.reshape(48, 2, 48, 2).mean(axis=(1, 3)).astype(np.uint16)
    viewer.add_image(pixels, name="low", scale=(2.0, 2.0), translate=(0.5, 0.5), units=("um", "um"))
    low = viewer.layers["low"]
    panel.images.kind.value = PAIRS
    row = panel.images.rows[0]
    row.low.value, row.high.value = low, viewer.layers["cells"]
    fits = panel.images.facts.value
    assert "fit to 0.0 pixels" in fits
    for name, value, words in (
        ("translate", (900.0, 0.0), "overlap"),
        ("rotate", 20, "rotated or sheared against each other"),
        ("scale", (3.0, 3.0), "the model upscales by 2"),
        ("units", ("nm", "nm"), "the model upscales by 2"),
    ):
        before = getattr(low, name)
        setattr(low, name, value)
        assert words in panel.images.facts.value
        setattr(low, name, before)
        assert panel.images.facts.value == fits
    low.data = np.zeros_like(pixels)
    assert panel.images.facts.value != fits
    viewer.layers.remove(low)
    facts = panel.images.facts.value
    low.scale = (7.0, 7.0)
    assert panel.images.facts.value == facts
    viewer.layers.clear()
    remains = weakref.ref(low)
    del low
    gc.collect()
    assert remains() is None


def test_the_blur_by_the_optics_has_the_present_pixel_size(finetuning):
    viewer, panel = finetuning(scale=(0.1, 0.1), units=("um", "um"))
    panel.degradation.blur.kind.value = "optics"
    viewer.layers["cells"].scale = (0.02, 0.02)
    assert panel.degradation.blur.pixel.value == pytest.approx(20)
    assert panel._plan().recipe.degradation.blur.pixel_size == pytest.approx(20)
    viewer.layers["cells"].units = ("nm", "nm")
    assert panel._plan().recipe.degradation.blur.pixel_size == pytest.approx(0.02)


def test_the_noise_and_the_blur_of_the_training_are_shown_and_the_model_takes_them(finetuning, conditioned):
    _, panel = finetuning()
    panel.models.select(conditioned)
    panel.degradation.blur.sigma.value = panel.degradation.blur.sigma_to.value = 1.0
    panel.start()
    notes = panel.controls.notes
    assert notes.native.isVisibleTo(panel.native)
    assert "The network was given the noise" in notes.value
    assert "low-resolution pixels" in notes.value
    card = next(entry.card for entry in list_models() if entry.name == f"{conditioned}-quick")
    assert card.conditioning.noise is not None
    assert card.conditioning.blur is not None


@pytest.mark.parametrize(
    ("low", "words"),
    [
        ({"scale": (3.0, 3.0)}, "the model upscales by 2"),
        ({"scale": (2.0, 2.0), "translate": (900.0, 0.0)}, "overlap"),
    ],
)
def test_a_pair_that_does_not_fit_is_refused(finetuning, low, words):
    viewer, panel = finetuning()
    viewer.add_image(field(48), name="low", **low)
    panel.images.kind.value = PAIRS
    row = panel.images.rows[0]
    row.low.value, row.high.value = viewer.layers["low"], viewer.layers["cells"]
    assert words in panel.images.facts.value
    before = names()
    panel.start()
    assert words in panel.controls.message.value
    assert names() == before
    assert panel.controls.state == "idle"
    assert panel.controls.start_button.enabled


@pytest.mark.parametrize(
    ("image", "words"),
    [(np.full((96, 96), 7, np.uint16), "is constant"), (field(16), "less than a patch")],
)
def test_an_image_without_content_is_refused(finetuning, image, words):
    _, panel = finetuning(image)
    before = names()
    panel.start()
    assert words in panel.controls.message.value
    assert names() == before


def test_regions_set_training_and_validation(finetuning):
    viewer, panel = finetuning()
    left = viewer.add_shapes([[(0, 0), (0, 40), (95, 40), (95, 0)]], shape_type="rectangle", name="left")
    right = viewer.add_shapes([[(0, 55), (0, 95), (95, 95), (95, 55)]], shape_type="rectangle", name="right")
    panel.regions.train.value, panel.regions.validate.value = viewer.layers["left"], viewer.layers["right"]
    plan = panel._plan()
    assert (plan.train_on.name, plan.validate_on.name) == (left.name, right.name)
    panel.start()
    assert "srcnn-x2-quick" in names()
    viewer.layers.remove("left")
    assert panel.regions.train_on is None


def test_rows_are_added_and_removed(finetuning):
    viewer, panel = finetuning()
    viewer.add_image(field(seed=1), name="more")
    panel.images.add_button.native.click()
    assert [example.high.name for example in panel.images.examples] == ["cells", "more"]
    panel.images.remove_row(panel.images.rows[0])
    assert [example.high.name for example in panel.images.examples] == ["more"]
    assert not panel.images.rows[0].remove_button.enabled
    panel.start()
    assert "Trained on: training data of srcnn-x2, more" in panel.outcome.card.value


def test_the_degradation_follows_the_rows(finetuning):
    _, panel = finetuning(scale=(0.1, 0.1), units=("um", "um"))
    rows = panel.degradation
    assert rows.degradation().blur == GaussianBlur(sigma=(0.8, 1.2))
    rows.blur.sigma.value = rows.blur.sigma_to.value = 1.5
    assert rows.degradation().blur == GaussianBlur(sigma=1.5)
    rows.blur.kind.value = "optics"
    blur = rows.degradation().blur
    assert isinstance(blur, OpticsBlur)
    assert (blur.numerical_aperture, blur.wavelength, blur.pixel_size) == (0.8, 520.0, pytest.approx(100.0))
    assert not rows.blur.pixel.enabled
    assert rows.degradation().noise is None
    rows.noise.switch.value = True
    rows.noise.gain.value, rows.noise.read.value, rows.noise.offset.value = 0.5, 3.0, 100.0
    made = rows.degradation()
    assert (made.noise.gain, made.noise.read, made.offset) == (0.5, 3.0, 100.0)


def test_the_noise_is_estimated_from_the_image(finetuning):
    bright = np.repeat(np.linspace(100, 4000, 256)[None], 256, axis=0)
    noisy = np.random.default_rng(0).normal(bright, np.sqrt(2.0 * bright + 25.0)).clip(0).astype(np.uint16)
    _, panel = finetuning(noisy)
    panel.degradation.noise.estimate_button.native.click()
    assert panel.degradation.noise.gain.value == pytest.approx(2.0, rel=0.25)
    assert panel.degradation.noise.switch.value


def test_the_preview_shows_the_low_resolution_image_and_follows_the_rows(finetuning):
    _, panel = finetuning()
    panel.degradation_preview.make_now()
    before = dict(panel.degradation_preview.widget.images)
    assert list(before) == ["original", "low resolution"]
    assert before["original"].width() == 2 * before["low resolution"].width()
    panel.degradation.blur.sigma.value = panel.degradation.blur.sigma_to.value = 6.0
    panel.degradation_preview.make_now()
    after = dict(panel.degradation_preview.widget.images)
    assert after["original"] == before["original"]
    assert after["low resolution"] != before["low resolution"]
    panel.images.kind.value = PAIRS
    panel.degradation_preview.make_now()
    assert panel.degradation_preview.widget.images == ()


def test_the_low_resolution_image_is_that_of_the_present_view(finetuning, qtbot):
    viewer, panel = finetuning(field(512))
    viewer.scene.camera.zoom = max(viewer.canvas.size) / 100
    shown = []
    for center in ((0, 100, 100), (0, 400, 300)):
        viewer.scene.camera.center = center
        qtbot.waitUntil(lambda: not panel.degradation_preview.busy, timeout=10_000)
        shown.append(dict(panel.degradation_preview.widget.images)["original"].copy())
    assert shown[0] != shown[1]
    panel.shut_down()
    viewer.scene.camera.center = (0, 100, 100)
    assert not panel.degradation_preview.busy


def test_the_images_of_the_degradation_have_the_present_contrast_limits(finetuning, qtbot):
    viewer, panel = finetuning()
    layer = viewer.layers["cells"]
    shown = []
    for limits in ((0, 3000), (1000, 2000)):
        layer.contrast_limits = limits
        qtbot.waitUntil(lambda: not panel.degradation_preview.busy, timeout=10_000)
        shown.append(dict(panel.degradation_preview.widget.images))
    assert shown[0]["original"] != shown[1]["original"]
    assert shown[0]["low resolution"] != shown[1]["low resolution"]
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not panel.degradation_preview.busy, timeout=10_000)
    layer.contrast_limits = (0, 500)
    assert not panel.degradation_preview.busy


def test_a_preset_sets_the_details_and_the_name(finetuning):
    _, panel = finetuning()
    panel.recipe.preset.value = "thorough"
    assert panel.recipe.steps.value == 20000
    assert panel.recipe.patch.native.text() == "Automatic"
    assert panel.name_box.value == "srcnn-x2-thorough"
    panel.name_box.value = "mine"
    panel.recipe.preset.value = "quick"
    assert panel.name_box.value == "mine"


def test_without_an_image_start_is_disabled_and_the_reason_is_shown(make_napari_viewer_proxy, models):
    viewer = make_napari_viewer_proxy()
    panel = FinetunePanel(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel, name="Fine-tune")
    assert not panel.controls.start_button.enabled
    assert "Open an image" in panel.controls.message.value
    viewer.add_image(field(), name="cells")
    assert panel.controls.start_button.enabled


def test_a_training_can_begin_with_a_file(finetuning, tmp_path):
    _, panel = finetuning(field(192))
    panel.models.choose_file(tmp_path / "gan.pth")
    assert panel.models.model.text == "gan.pth"
    panel.start()
    assert any(name.startswith("gan") for name in names())


def test_the_length_names_the_steps_that_are_set(finetuning):
    _, panel = finetuning()
    assert panel.recipe.preset.current_choice == "Quick (4 steps)"
    panel.recipe.steps.value = 60
    assert panel.recipe.preset.current_choice == "Quick (60 steps)"
    panel.recipe.preset.value = "standard"
    assert panel.recipe.preset.current_choice == f"Standard ({panel.recipe.steps.value} steps)"
    assert "Quick (400 steps)" in panel.recipe.preset.native.itemText(0)


def test_start_pause_and_stop_are_in_view_whatever_is_scrolled(finetuning, qtbot):
    viewer, panel = finetuning()
    window = viewer.__wrapped__.window._qt_window
    window.resize(1000, 700)
    window.show()
    qtbot.waitExposed(window)
    panel.more.open = True
    bar = panel.scroll.verticalScrollBar()
    for place in (bar.minimum(), bar.maximum()):
        bar.setValue(place)
        for button in (panel.controls.start_button, panel.controls.pause_button, panel.controls.stop_button):
            assert not button.native.visibleRegion().isEmpty()


def test_the_axis_ends_at_the_present_step(finetuning):
    _, panel = finetuning()
    panel.recipe.steps.value = 6
    seen = []
    add = panel.progress.curves.add_step
    panel.progress.curves.add_step = lambda step: (
        add(step),
        seen.append((step.step, panel.progress.curves._psnr.getViewBox().viewRange()[0][1])),
    )
    panel.start()
    assert all(end <= max(step, 2) * 1.1 for step, end in seen)
    assert len(seen) == 6
