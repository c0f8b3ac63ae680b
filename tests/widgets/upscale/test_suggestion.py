"""The suggestion of a panel: computed in the background, shown as one line, chosen at first, used with one button."""

from dataclasses import dataclass, field
from importlib import import_module

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest

from napari_sr.errors import InputError
from napari_sr.samples import load_sample
from napari_sr.widgets.qt.executor import InPlaceExecutor, ThreadExecutor
from napari_sr.widgets.qt.text.contrast import contrast
from napari_sr.widgets.upscale.families import PANELS, open_panels
from napari_sr.widgets.upscale.suggestion import suggest_model


@dataclass
class StandIn:
    """What `napari_sr.suggest` returns."""

    model: str
    settings: dict = field(default_factory=dict)
    reasons: list = field(default_factory=lambda: ["It looks like an image.", "No noise was found."])
    warnings: list = field(default_factory=list)

    @property
    def outside(self):
        return bool(self.warnings)


class Suggester:
    """Returns a suggestion, and records the requests."""

    def __init__(self, suggestion):
        self.suggestion, self.requests = suggestion, []

    def __call__(self, request, cancel):
        self.requests.append(request)
        if isinstance(self.suggestion, Exception):
            raise self.suggestion
        return self.suggestion


@pytest.fixture
def suggesting(in_viewer, conditioned, suggest, qtbot):
    """A viewer, and a panel with a suggestion."""

    def make(suggestion, family="esrgan", **more):
        suggester = Suggester(suggestion)
        suggest(suggester)
        viewer, panel = in_viewer(family, **more)
        settled(panel, qtbot)
        return viewer, panel, suggester

    return make


def settled(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.suggestion.computation.busy, timeout=20_000)


def shown(panel):
    line = panel.suggestion
    return line.text.value if line.native.isVisibleTo(panel.native) else None


def offered(panel):
    """Whether the button is there."""
    return panel.suggestion.use_button.native.isVisibleTo(panel.native)


def warnings(panel):
    label = panel.suggestion.warnings.label
    return label.value if label.native.isVisibleTo(panel.native) else None


def press(panel):
    QTest.mouseClick(panel.suggestion.use_button.native, Qt.MouseButton.LeftButton)


def test_one_line_is_shown_and_all_reasons_in_the_tooltip(suggesting):
    _, panel, _ = suggesting(StandIn("esrgan-conditioned"))
    assert shown(panel) == "Suggested: esrgan-conditioned. It looks like an image."
    assert warnings(panel) is None
    lines = panel.suggestion.text.tooltip.splitlines()
    assert lines[1:] == ["It looks like an image.", "No noise was found."]


def test_without_suggestions_there_is_no_line(in_viewer):
    _, panel = in_viewer("esrgan")
    assert shown(panel) is None
    assert not panel.suggestion.computation.busy


def test_the_model_of_the_suggestion_is_chosen_at_first(suggesting, conditioned, qtbot):
    viewer, panel, suggester = suggesting(StandIn("esrgan-one"))
    assert panel.models.model.source == conditioned  # of factor 2, and the suggestion of factor 4
    assert offered(panel)
    panel.models.factor.value = 4
    assert panel.models.model.source == "esrgan-pair"
    settled(panel, qtbot)
    assert panel.models.model.source == "esrgan-one"
    assert not offered(panel)
    suggester.suggestion = StandIn("esrgan-pair", {"missing": "fill"})
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    settled(panel, qtbot)
    assert panel.models.model.source == "esrgan-pair"
    assert not panel.settings.missing.value  # settings are changed by the button only
    assert offered(panel)


def test_a_choice_by_hand_stays(suggesting, qtbot):
    viewer, panel, _ = suggesting(StandIn("esrgan-one"))
    panel.models.model_choice.widget.native.setCurrentText("esrgan-pair")
    assert panel.models.model.source == "esrgan-pair"
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    settled(panel, qtbot)
    assert panel.suggestion.suggestion is not None
    assert panel.models.model.source == "esrgan-pair"


def test_the_model_stays_after_a_run_on_the_layer_was_started(suggesting, qtbot):
    viewer, panel, _ = suggesting(StandIn("esrgan-one"))
    panel.models.factor.value = 4
    panel.controls.run_button.native.click()
    message = panel.controls.message.value
    settled(panel, qtbot)
    assert panel.models.model.source == "esrgan-pair"
    assert panel.controls.message.value == message
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    settled(panel, qtbot)
    assert panel.models.model.source == "esrgan-one"


def test_a_place_is_held_while_the_layer_is_read(suggesting, qtbot):
    viewer, panel, _ = suggesting(StandIn("esrgan-one"))
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    assert shown(panel) == "Looking at the layer…"
    assert not offered(panel)
    settled(panel, qtbot)
    assert shown(panel).startswith("Suggested")


def test_a_layer_outside_the_training_is_a_warning_in_the_color_of_the_theme(suggesting):
    sentences = ["It is overexposed.", "It has stripes.", "It was enlarged.", "It is a JPEG."]
    viewer, panel, _ = suggesting(StandIn("esrgan-one", warnings=sentences))
    assert shown(panel).startswith("Suggested: esrgan-one.")
    assert warnings(panel) == "It is overexposed. It has stripes. And 2 more warnings."
    assert set(sentences) < set(panel.suggestion.warnings.label.tooltip.splitlines())
    for theme in ("dark", "light"):
        viewer.theme = theme
        style = panel.suggestion.warnings.label.native.styleSheet()
        color = style.partition("color: ")[2].partition(";")[0]
        assert contrast(color, QColor(get_theme(theme).background.as_hex()).name()) >= 4.5
        # The theme's own color where it can be read.
        assert (color == get_theme(theme).warning.as_hex()) == (theme == "dark")


def test_use_it_sets_model_and_rows(suggesting, conditioned, qtbot):
    settings = {"noise": (2.0, 0.5), "denoise": 0.8, "blur": 0.4, "missing": "fill", "intensity": (3.0, 90.0)}
    viewer, panel, _ = suggesting(StandIn(conditioned, settings))
    panel.models.select("esrgan-one")
    settled(panel, qtbot)
    assert offered(panel)
    press(panel)
    assert panel.models.model.source == conditioned
    plan = panel._plan()
    assert {name: getattr(plan.settings, name) for name in settings} == settings
    settled(panel, qtbot)
    assert not offered(panel)
    panel.conditions.blur.sigma.value = 1.0
    assert offered(panel)
    press(panel)
    panel.controls.run_button.native.click()
    assert viewer.layers[-1].metadata["napari_sr"]["job"]["blur"] == 0.4


@pytest.mark.parametrize(
    "settings", [{}, {"target": 3.0}, {"tiling": "none", "self_ensemble": True, "batch": 3, "precision": "float32"}]
)
def test_use_it_leaves_other_settings(suggesting, settings):
    _, panel, _ = suggesting(StandIn("esrgan-one", settings))
    panel.settings.intensity.kind.value = "percentile"
    panel.settings.intensity.percentiles[0].value = 2.0
    before = panel._plan().settings
    press(panel)
    after = panel._plan()
    assert after.request.source == "esrgan-one"
    for name, value in settings.items():
        assert getattr(after.settings, name) == value
    assert after.settings.intensity == before.intensity


def test_a_model_of_another_family_is_used_in_its_panel(suggesting, conditioned, qtbot):
    viewer, panel, _ = suggesting(StandIn(conditioned, {"blur": 0.5}), family="srcnn")
    before = panel.models.model
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    settled(panel, qtbot)
    press(panel)
    (other,) = (one for one in open_panels(viewer) if one.family == "esrgan")
    assert other.models.model.source == conditioned
    assert other.conditions.blur.value == 0.5
    assert other.layer_choice.layer == panel.layer_choice.layer
    assert panel.models.model == before


def test_a_model_that_is_not_there_is_named(suggesting):
    _, panel, _ = suggesting(StandIn("esrgan-of-somebody"))
    press(panel)
    assert panel.controls.message.value == "The model esrgan-of-somebody is not on this computer."


def test_it_is_computed_again_for_another_layer_or_factor_or_pixel_size_only(suggesting, qtbot):
    viewer, panel, suggester = suggesting(StandIn("esrgan-one"), scale=(0.2, 0.2), units=("um", "um"))
    (first,) = suggester.requests
    assert (first.axes, first.scale, first.family, first.unit) == ("YX", 2, "esrgan", "micrometer")
    assert first.image is viewer.layers[0].data
    assert first.pixel_size == pytest.approx({"Y": 0.2, "X": 0.2})
    panel.settings.batch.value = 2
    panel.conditions.blur.sigma.value = 0.4
    settled(panel, qtbot)
    assert len(suggester.requests) == 1
    panel.models.select("esrgan-pair")
    settled(panel, qtbot)
    panel.models.select("esrgan-one")  # the same factor
    settled(panel, qtbot)
    assert [request.scale for request in suggester.requests] == [2, 4]
    viewer.layers[0].scale = (0.1, 0.1)
    settled(panel, qtbot)
    assert suggester.requests[-1].pixel_size["X"] == pytest.approx(0.1)
    viewer.add_image(np.zeros((2, 9, 9), np.uint8), name="second")
    assert panel.suggestion.suggestion is None  # that of the first layer is gone at once
    settled(panel, qtbot)
    assert suggester.requests[-1].axes == "ZYX"
    assert len(suggester.requests) == 4
    viewer.layers.clear()
    assert shown(panel) is None
    assert not panel.suggestion.computation.busy


def test_errors_leave_the_line_out(suggesting):
    for error in (InputError("The layer is empty."), ZeroDivisionError()):
        _, panel, suggester = suggesting(error)
        assert suggester.requests
        assert shown(panel) is None
        assert panel.controls.message.value == ""


def test_it_is_that_of_napari_sr_suggest(in_viewer, suggest, monkeypatch, qtbot):
    """With the panel's family and the layer's pixel size; units other than of length are left out."""
    calls = []
    # The package has a function of the module's name.
    module = import_module("napari_sr.inference.suggest")
    monkeypatch.setattr(module, "suggest", lambda *a, **k: calls.append((a, k)) or StandIn("none"))
    suggest(suggest_model)
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor(), scale=(0.2, 0.2), units=("um", "um"))
    settled(panel, qtbot)
    viewer.layers[0].units = ("second", "second")
    settled(panel, qtbot)
    assert [arguments for arguments, _ in calls] == [(viewer.layers[0].data, "YX")] * 2
    first, second = (keywords for _, keywords in calls)
    assert (first["scale"], first["family"], first["unit"]) == (2, "srcnn", "micrometer")
    assert first["pixel_size"] == pytest.approx({"Y": 0.2, "X": 0.2})
    assert (second["pixel_size"], second["unit"]) == (None, None)


@pytest.mark.parametrize(("family", "model"), [("srcnn", "srcnn-microscopy-x2"), ("esrgan", "esrgan-microscopy-x2")])
def test_each_panel_begins_with_its_model_for_microscopy(make_napari_viewer_proxy, suggest, qtbot, family, model):
    suggest(suggest_model)
    viewer = make_napari_viewer_proxy()
    viewer.add_image(load_sample("fluorescence").low)
    panel = PANELS[family](viewer, executor=InPlaceExecutor())
    assert panel.models.model.source == model
    settled(panel, qtbot)
    assert panel.models.model.source == model
    assert panel.suggestion.text.value == f"Suggested: {model}. The image looks like a fluorescence image."
    assert not panel.suggestion.suggestion.outside


def test_it_is_computed_off_the_main_thread_and_not_after_the_panel_is_closed(in_viewer, suggest, qtbot):
    import threading

    threads = []

    def record(request, cancel):
        threads.append(threading.current_thread())
        return StandIn("esrgan-one")

    suggest(record)
    viewer, panel = in_viewer("esrgan", executor=ThreadExecutor())
    settled(panel, qtbot)
    assert shown(panel) is not None
    assert threads and threading.main_thread() not in threads
    panel.layer_choice.widget.changed.emit(panel.layer_choice.layer)
    viewer.add_image(np.zeros((9, 9), np.uint8), name="second")
    panel.shut_down()
    assert not panel.suggestion.computation.busy
    viewer.theme = "light"
    assert len(threads) == 1
