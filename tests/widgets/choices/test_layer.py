"""Layers are added and removed without a change of what the user has selected."""

import numpy as np
import pytest
from napari.layers import Image

from napari_sr.widgets.choices.layer import PREVIEW_KEY, add_unselected, remove_unselected


def image(name, **metadata):
    return Image(np.zeros((8, 8), np.uint8), name=name, metadata=metadata)


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    for name in "abc":
        viewer.add_layer(image(name))
    return viewer


@pytest.mark.parametrize("names", ["", "b", "ac", "abc"])
def test_a_layer_is_added_without_an_event_of_the_selection(viewer, names):
    layers = viewer.layers
    layers.selection = selected = {layers[name] for name in names}
    active = layers.selection.active
    events = []
    for emitter in (layers.selection.events.changed, layers.selection.events.active):
        emitter.connect(events.append)
    controls = viewer.window._qt_viewer.controls
    shown = controls.currentWidget()
    add_unselected(viewer, image("new"), 1)
    add_unselected(viewer, image("newer"))
    assert [layer.name for layer in layers] == ["a", "new", "b", "c", "newer"]
    assert set(layers.selection) == selected
    assert layers.selection.active is active
    assert not events
    assert controls.currentWidget() is shown, "the controls of many layers take long to make"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("apq", ["a", "new", "p", "q"]),
        ("apb", ["a", "p", "b", "new"]),
        ("apbq", ["a", "p", "b", "new", "q"]),
        ("aps", ["a", "new", "p", "s"]),
        ("as", ["a", "s", "new"]),
    ],
)
def test_a_new_layer_lies_above_all_but_the_previews_that_are_above_all_images(make_napari_viewer, order, expected):
    """p and q are previews, such as the validation images of a training, and s are shapes."""
    viewer = make_napari_viewer()
    for name in order:
        if name == "s":
            viewer.add_shapes(name=name)
        else:
            viewer.add_layer(image(name, **({PREVIEW_KEY: True} if name in "pq" else {})))
    add_unselected(viewer, image("new"))
    assert [layer.name for layer in viewer.layers] == expected


@pytest.mark.parametrize("names", ["", "b", "ac", "abc"])
def test_of_the_layers_that_remain_those_that_were_selected_stay_so(viewer, names):
    layers = viewer.layers
    layers.selection = {layers[name] for name in names}
    gone, rest = layers["b"], set(names) - {"b"}
    remove_unselected(viewer, [gone, image("elsewhere")])
    assert {layer.name for layer in layers.selection} == rest
    assert gone not in layers


@pytest.mark.parametrize(("gone", "times"), [("ab", 1), ("a", 1), ("", 0)])
def test_napari_collects_garbage_once_for_all_layers_that_are_removed(viewer, monkeypatch, gone, times):
    collected = []
    monkeypatch.setattr("napari._vispy.canvas.gc.collect", lambda *args: collected.append(args))
    remove_unselected(viewer, [viewer.layers[name] for name in gone])
    assert len(collected) == times
    assert [layer.name for layer in viewer.layers] == [name for name in "abc" if name not in gone]
