"""Warnings have the color of the theme, and no line while there are none."""

from napari.utils.theme import get_theme

from napari_sr.widgets.qt.text.warning_text import WarningText


def test_the_line_is_hidden_without_warnings(make_napari_viewer_proxy):
    line = WarningText(make_napari_viewer_proxy(), "warnings", "Of the layer.")
    assert line.label.native.isHidden()
    line.show("It is overexposed.")
    assert line.label.value == "It is overexposed."
    assert not line.label.native.isHidden()
    line.show("")
    assert line.label.native.isHidden()


def test_the_color_follows_the_theme_until_it_is_disconnected(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    line = WarningText(viewer, "warnings", "")
    viewer.theme = "light"
    darker = line.label.native.styleSheet()
    assert get_theme("light").warning.as_hex() not in darker  # it could not be read on a light background
    viewer.theme = "dark"
    assert get_theme("dark").warning.as_hex() in line.label.native.styleSheet()
    line.disconnect()
    viewer.theme = "light"
    assert get_theme("dark").warning.as_hex() in line.label.native.styleSheet()
