"""Every control of every panel: its name for screen readers, its tooltip, the wheel, the keyboard, and the focus."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QFontMetrics, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QStyle,
    QStyleOptionSpinBox,
)

from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.finetune.images import PAIRS
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.qt.accessibility import controls_of
from napari_sr.widgets.qt.elision import elided
from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.qt.text.contrast import LEAST, contrast, readable
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel

PANELS = (SRCNNPanel, ESRGANPanel, FinetunePanel, FilesPanel)


@pytest.fixture(params=PANELS, ids=lambda panel: panel.__name__)
def panel(request, make_napari_viewer_proxy, models, qtbot):
    """A panel in a window, with everything unfolded."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.random.default_rng(0).integers(0, 200, (40, 40)).astype(np.uint8), name="cells")
    panel = request.param(viewer, executor=InPlaceExecutor())
    viewer.window.add_dock_widget(panel, name="panel")
    window = viewer.__wrapped__.window._qt_window
    window.resize(1400, 900)
    window.show()
    window.activateWindow()
    qtbot.waitExposed(window)
    panel.more.open = True
    if isinstance(panel, FinetunePanel):
        panel.images.kind.value = PAIRS
        panel.images.add()
    elif not isinstance(panel, FilesPanel):
        panel.layer_fold.open = True
    return panel


def model_list(panel):
    """The list of models of a panel; of the files panel the list of the ways to choose one."""
    return panel.model.kind.native if isinstance(panel, FilesPanel) else panel.models.model_choice.widget.native


def described(native):
    return f"{type(native).__name__} {native.objectName()} {native.accessibleName()!r}"


def test_every_control_has_a_name_and_a_tooltip(panel):
    controls = controls_of(panel.native)
    assert len(controls) > 20
    assert not [described(one) for one in controls if len(one.accessibleName().strip()) < 2]
    assert not [described(one) for one in controls if not one.toolTip()]
    # The name is the one on show, not that of the field in the code.
    assert not [described(one) for one in controls if "_" in one.accessibleName()]


def test_every_label_of_a_row_is_the_buddy_of_its_control(panel):
    named = {one.accessibleName() for one in controls_of(panel.native) if not isinstance(one, QAbstractButton)}
    buddies = {label.text(): label.buddy() for label in panel.native.findChildren(QLabel) if label.buddy() is not None}
    assert {"Model", "Factor"} <= set(buddies)
    assert all(text in named or "row" in text or control is not None for text, control in buddies.items())
    for text in ("Model", "Factor"):
        assert isinstance(buddies[text], QComboBox)
        assert buddies[text].accessibleName() == text


def test_the_wheel_over_any_control_without_the_focus_changes_nothing(panel):
    panel.native.window().setFocus()
    for control in controls_of(panel.native):
        if not isinstance(control, QAbstractSpinBox | QComboBox | QSlider) or not control.isVisible():
            continue
        before = state(control)
        middle = control.rect().center()
        event = QWheelEvent(
            QPointF(middle), QPointF(control.mapToGlobal(middle)), QPoint(0, 0), QPoint(0, -120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        control.clearFocus()
        QApplication.sendEvent(control, event)
        assert state(control) == before, described(control)


def test_page_keys_step_every_number_and_come_back(panel):
    stepped = 0
    for control in numbers(panel):
        panel.scroll.ensureWidgetVisible(control)
        for least, key, back in (
            (control.minimum(), Qt.Key.Key_PageUp, Qt.Key.Key_PageDown),
            (control.maximum(), Qt.Key.Key_PageDown, Qt.Key.Key_PageUp),
        ):
            before = state(control)
            control.setValue(least)
            start = state(control)
            QTest.keyClick(control, key)
            moved = state(control)
            assert moved != start, described(control)
            assert control.minimum() <= moved <= control.maximum(), described(control)
            QTest.keyClick(control, back)
            assert state(control) == pytest.approx(start), described(control)
            control.setValue(before)
        stepped += 1
    assert stepped > 1


def test_a_click_on_every_arrow_goes_by_one_step(panel):
    clicked = 0
    for control in numbers(panel):
        if isinstance(control, QSlider) or control.buttonSymbols() == QAbstractSpinBox.ButtonSymbols.NoButtons:
            continue
        panel.scroll.ensureWidgetVisible(control)
        option = QStyleOptionSpinBox()
        control.initStyleOption(option)
        before = state(control)
        control.setValue(control.minimum())
        for arrow, value in (
            (QStyle.SubControl.SC_SpinBoxUp, control.minimum() + control.singleStep()),
            (QStyle.SubControl.SC_SpinBoxDown, control.minimum()),
        ):
            place = control.style().subControlRect(QStyle.ComplexControl.CC_SpinBox, option, arrow, control)
            QTest.mouseClick(control, Qt.MouseButton.LeftButton, pos=place.center())
            assert state(control) == pytest.approx(min(value, control.maximum())), described(control)
            clicked += 1
        control.setValue(before)
    assert clicked > 1


def test_a_click_switches_every_check_box_and_back(panel):
    boxes = [one for one in controls_of(panel.native) if isinstance(one, QCheckBox)]
    for box in boxes:
        if not box.isVisible() or not box.isEnabled():
            continue
        panel.scroll.ensureWidgetVisible(box)
        before = box.isChecked()
        for expected in (not before, before):
            QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
            assert box.isChecked() == expected, described(box)
    assert boxes


def numbers(panel):
    """The sliders and number boxes that can be used."""
    return [
        one
        for one in controls_of(panel.native)
        if isinstance(one, QSlider | QSpinBox | QDoubleSpinBox) and one.isVisible() and one.isEnabled()
    ]


def state(control):
    return control.currentIndex() if isinstance(control, QComboBox) else control.value()


def test_the_tab_key_reaches_every_enabled_control_that_is_on_show(panel, qtbot):
    expected = {
        one
        for one in controls_of(panel.native)
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & Qt.FocusPolicy.TabFocus
    }
    inputs = [one for one in controls_of(panel.native) if isinstance(one, QAbstractSpinBox | QComboBox | QLineEdit)]
    assert all(one.focusPolicy() & Qt.FocusPolicy.TabFocus for one in (*inputs,) if one.isVisible() and one.isEnabled())
    first = model_list(panel)
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    reached = set()
    for _ in range(3 * len(expected) + 60):
        focused = QApplication.focusWidget()
        if focused is None:
            break
        reached |= {one for one in expected if one is focused or one.isAncestorOf(focused)}
        QTest.keyClick(focused, Qt.Key.Key_Tab)
        if expected <= reached:
            break
    assert not [described(one) for one in expected - reached]


def test_tab_stops_at_nothing_in_a_panel_that_has_no_name(panel, qtbot):
    first = model_list(panel)
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    stops = []
    while (focused := QApplication.focusWidget()) not in stops:
        stops.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    inside = [one for one in stops if panel.native.isAncestorOf(one)]
    assert len(inside) > 10
    assert panel.scroll not in stops
    assert not [described(one) for one in inside if not one.accessibleName()]


def test_keys_that_a_button_does_not_take_scroll_the_panel(panel, qtbot):
    panel.native.window().resize(900, 400)
    bar = panel.scroll.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    bar.setValue(0)
    QTest.keyClick(panel.more.button.native, Qt.Key.Key_PageDown)
    assert bar.value() > 0


def test_the_control_with_the_focus_has_a_frame_that_can_be_seen(panel, qtbot):
    content = panel.content.native
    native = model_list(panel)
    panel.native.window().setFocus()
    native.clearFocus()
    qtbot.wait(50)
    corner = native.mapTo(content, QPoint(0, 0))
    place = native.rect().translated(corner).adjusted(-3, -3, 3, 3)
    before = content.grab(place).toImage()
    native.setFocus()
    qtbot.waitUntil(native.hasFocus)
    qtbot.wait(50)
    after = content.grab(place).toImage()
    changed = [
        contrast(QColor(before.pixel(x, y)).name(), QColor(after.pixel(x, y)).name())
        for x in range(after.width())
        for y in range(4)
    ]
    assert sum(ratio > 3 for ratio in changed) > after.width() / 2


def test_the_frame_stays_around_its_control_when_rows_above_grow(panel, qtbot):
    content, native = panel.content.native, model_list(panel)
    native.setFocus()
    qtbot.waitUntil(native.hasFocus)
    before = native.mapTo(content, QPoint(0, 0))
    content.layout().insertSpacing(0, 40)
    qtbot.waitUntil(lambda: native.mapTo(content, QPoint(0, 0)) != before)
    qtbot.wait(50)
    place = native.rect().translated(native.mapTo(content, QPoint(0, 0)))
    assert panel._focus_frames[0].geometry() == place.adjusted(-2, -2, 2, 2).intersected(content.rect())


def test_own_colors_can_be_read_in_both_themes(panel):
    from napari.utils.theme import get_theme

    for theme in ("dark", "light"):
        panel._viewer.theme = theme
        background = QColor(get_theme(theme).background.as_hex()).name()
        own = [label for label in panel.native.findChildren(QLabel) if label.styleSheet().startswith("color:")]
        if isinstance(panel, SRCNNPanel | ESRGANPanel):
            assert len(own) == 3
        for label in own:
            assert contrast(label.styleSheet().removeprefix("color:").strip(" ;"), background) >= LEAST, theme
        assert all(contrast(frame._color, background) >= LEAST for frame in panel._focus_frames), theme


def test_a_color_is_kept_where_it_can_be_read_and_changed_where_it_cannot():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert readable("#e3b617", "#262930") == "#e3b617"
    darker = readable("#e3b617", "#efebe9")
    assert contrast(darker, "#efebe9") >= LEAST
    assert QColor(darker).hue() == pytest.approx(QColor("#e3b617").hue(), abs=3)


def test_a_name_that_is_too_long_is_elided_in_its_middle_and_keeps_the_factor(qapp):
    metrics = QFontMetrics(qapp.font())
    name = "a long name of a layer from a microscope (ESRGAN x4)"
    short = elided(name, metrics, metrics.horizontalAdvance(name) // 2)
    assert "…" in short
    assert short.startswith("a long")
    assert short.endswith("ESRGAN x4)")
