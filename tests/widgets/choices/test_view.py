"""The view of the camera, the slice of the sliders and drawn rectangles, in pixels of a layer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_sr.errors import InputError
from napari_sr.imaging.napari_layer import layer_axes
from napari_sr.widgets.choices.view import current_slice, rectangles, viewbox, visible_part


def viewer_of(*layers, zoom=10.0, center=(0.0, 5.0, 8.0), canvas=(100, 200)):
    viewer = ViewerModel()
    for layer in layers:
        viewer.add_layer(layer)
    viewer.canvas.size = canvas
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = center
    return viewer


def part_of(viewer, layer, axes=None, most=None):
    return visible_part(viewer, layer, layer_axes(layer, axes), most)


def test_the_view_is_the_part_under_the_canvas():
    # 100 x 200 pixels of the canvas at 10 a pixel are 10 x 20 of the image around (5, 8).
    layer = Image(np.zeros((40, 60)))
    part = part_of(viewer_of(layer), layer)
    assert (part.rows, part.columns, dict(part.at)) == ((0, 11), (0, 19), {})


@pytest.mark.parametrize(("spacing", "second"), [(0, (100, 0, 100, 100)), (20, (110, 0, 90, 100))])
def test_the_view_in_grid_mode_is_the_part_under_the_box_of_the_layer(spacing, second):
    layer, other = Image(np.zeros((40, 60))), Image(np.zeros((40, 60)))
    viewer = viewer_of(layer, other)
    viewer.canvas.grid.spacing = spacing
    assert viewbox(viewer, other) == (0, 0, 200, 100)
    viewer.canvas.grid.enabled = True
    assert viewbox(viewer, other) == second
    half = second[2] / 20
    for shown in (layer, other):
        part = part_of(viewer, shown)
        assert part.rows == (0, 11)
        assert part.columns == (np.floor(8 - half + 0.5), np.ceil(8 + half + 0.5))


def test_scale_and_translate_are_undone():
    layer = Image(np.zeros((40, 60)), scale=(2, 0.5), translate=(1, 3))
    part = part_of(viewer_of(layer), layer)
    # rows: (0..10 - 1) / 2 = -0.5..4.5; columns: (-2..18 - 3) / 0.5 = -10..30
    assert (part.rows, part.columns) == ((0, 5), (0, 31))


@settings(max_examples=40)
@given(
    st.floats(-180, 180),
    st.floats(0.2, 5),
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    st.tuples(st.floats(0, 40), st.floats(0, 40)),
)
def test_the_visible_pixels_of_a_rotated_layer_are_in_the_part(angle, scale, translate, center):
    layer = Image(np.zeros((40, 60)), rotate=angle, scale=(scale, scale), translate=translate)
    viewer = viewer_of(layer, center=(0.0, *center))
    seen = [
        layer.world_to_data((center[0] + row, center[1] + column))
        for row in np.linspace(-5, 5, 9)
        for column in np.linspace(-10, 10, 9)
    ]
    inside = [p for p in seen if -0.49 < p[0] < 39.49 and -0.49 < p[1] < 59.49]
    try:
        part = part_of(viewer, layer)
    except InputError:
        assert not inside
        return
    for row, column in inside:
        assert part.rows[0] - 0.5 - 1e-6 <= row <= part.rows[1] - 0.5 + 1e-6
        assert part.columns[0] - 0.5 - 1e-6 <= column <= part.columns[1] - 0.5 + 1e-6


def test_units_of_another_layer_are_converted():
    nano = Image(np.zeros((40, 60)), scale=(100, 100), units=("nm", "nm"))
    micro = Image(np.zeros((40, 60)), scale=(0.1, 0.1), units=("um", "um"))
    viewer = viewer_of(nano, micro, zoom=0.1, center=(0, 500.0, 800.0))
    assert str(viewer.layers.extent.units[0]) in ("nanometer", "micrometer")
    in_micro = str(viewer.layers.extent.units[0]) == "micrometer"
    if in_micro:
        viewer.scene.camera.zoom, viewer.scene.camera.center = 100, (0, 0.5, 0.8)
    first, second = part_of(viewer, nano), part_of(viewer, micro)
    assert (first.rows, first.columns) == ((0, 11), (0, 19))
    assert (second.rows, second.columns) == (first.rows, first.columns)


def test_the_sliders_give_the_plane():
    layer = Image(np.zeros((3, 4, 40, 60)), scale=(1, 0.5, 1, 1))
    viewer = viewer_of(layer)
    viewer.dims.set_point((0, 1), (2, 1.5))
    assert current_slice(viewer, layer, layer_axes(layer)) == {"C": 2, "Z": 3}
    assert dict(part_of(viewer, layer, "TZYX").at) == {"T": 2, "Z": 3}


def test_a_slider_outside_the_layer_is_refused():
    short, long = Image(np.zeros((3, 40, 60)), name="short"), Image(np.zeros((9, 40, 60)))
    viewer = viewer_of(short, long)
    viewer.dims.set_point(0, 7)
    with pytest.raises(InputError, match="“short”"):
        part_of(viewer, short)
    assert dict(part_of(viewer, long).at) == {"Z": 7}


def test_a_flat_layer_lies_in_every_slice_of_a_stack():
    flat, stack = Image(np.zeros((40, 60))), Image(np.zeros((9, 40, 60)))
    viewer = viewer_of(flat, stack)
    viewer.dims.set_point(0, 7)
    assert dict(part_of(viewer, flat).at) == {}
    assert part_of(viewer, flat).rows == (0, 11)


def test_rgb_is_no_axis_of_the_world():
    layer = Image(np.zeros((40, 60, 3), np.uint8), rgb=True)
    part = part_of(viewer_of(layer), layer)
    assert (part.rows, part.columns) == ((0, 11), (0, 19))


def test_a_transposed_display_shows_the_same_part():
    layer = Image(np.zeros((40, 60)))
    viewer = viewer_of(layer)
    viewer.dims.transpose()
    viewer.scene.camera.zoom, viewer.scene.camera.center = 10.0, (0, 8.0, 5.0)
    part = part_of(viewer, layer)
    # The 10 rows of the canvas are now columns of the image around 8, the 20 columns its rows around 5.
    assert (part.rows, part.columns) == ((0, 16), (3, 14))


def test_other_planes_and_volumes_are_refused():
    layer = Image(np.zeros((9, 40, 60)))
    viewer = viewer_of(layer)
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(InputError, match="axes Y and X"):
        part_of(viewer, layer)
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    with pytest.raises(InputError, match="2-D view"):
        part_of(viewer, layer)


def test_a_layer_out_of_view_is_refused():
    layer = Image(np.zeros((40, 60)), name="far")
    with pytest.raises(InputError, match="“far” is out of view"):
        part_of(viewer_of(layer, center=(0, 500.0, 0.0)), layer)


@settings(max_examples=40)
@given(st.integers(1, 60), st.floats(-5, 45), st.floats(-5, 65), st.floats(0.5, 30))
def test_a_part_is_no_larger_than_requested_and_lies_in_the_view(most, y, x, zoom):
    layer = Image(np.zeros((40, 60)))
    viewer = viewer_of(layer, zoom=zoom, center=(0, y, x))
    try:
        whole = part_of(viewer, layer)
    except InputError:
        return
    part = part_of(viewer, layer, most=most)
    for own, entire in ((part.rows, whole.rows), (part.columns, whole.columns)):
        assert own[1] - own[0] == min(most, entire[1] - entire[0])
        assert entire[0] <= own[0]
        assert own[1] <= entire[1]


def box(top, left, bottom, right, *before):
    return [[*before, y, x] for y, x in ((top, left), (top, right), (bottom, right), (bottom, left))]


def test_rectangles_are_parts_and_other_shapes_are_not():
    layer = Image(np.zeros((40, 60)), scale=(2, 2))
    shapes = Shapes()
    shapes.add_rectangles(box(3.2, 7, 10.6, 20.9))
    shapes.add_ellipses(box(0, 0, 8, 8))
    shapes.add_rectangles(box(-9, 100, 9, 900))
    first, second = rectangles(shapes, layer, layer_axes(layer))
    # In pixels 1.6..5.3 and 3.5..10.45
    assert (first.rows, first.columns) == ((2, 6), (4, 11))
    assert (second.rows, second.columns) == ((0, 5), (50, 60))


def test_a_rectangle_belongs_to_the_slice_it_was_drawn_in():
    layer = Image(np.zeros((9, 40, 60)))
    drawn = Shapes([box(0, 0, 10, 10, 4)], shape_type="rectangle", ndim=3)
    assert dict(rectangles(drawn, layer, layer_axes(layer))[0].at) == {"Z": 4}
    flat = Shapes([box(0, 0, 10, 10)], shape_type="rectangle")
    assert dict(rectangles(flat, layer, layer_axes(layer))[0].at) == {}


def test_rectangles_in_other_units_are_converted():
    layer = Image(np.zeros((40, 60)), scale=(100, 100), units=("nm", "nm"))
    shapes = Shapes([box(0.15, 0.25, 1.05, 1.45)], shape_type="rectangle", units=("um", "um"))
    (part,) = rectangles(shapes, layer, layer_axes(layer))
    assert (part.rows, part.columns) == ((2, 11), (3, 15))


@pytest.mark.parametrize(("own", "drawn_in"), [(("nm", "nm"), None), (None, ("um", "um"))])
def test_a_length_and_pixels_are_compared_by_their_numbers_as_on_the_canvas(own, drawn_in):
    layer = Image(np.zeros((40, 60)), scale=(100, 100), units=own)
    shapes = Shapes([box(150, 250, 1050, 1450)], shape_type="rectangle", units=drawn_in)
    (part,) = rectangles(shapes, layer, layer_axes(layer))
    assert (part.rows, part.columns) == ((2, 11), (3, 15))


def test_no_rectangle_or_one_outside_the_image_is_refused():
    layer = Image(np.zeros((40, 60)), name="cells")
    with pytest.raises(InputError, match="has no rectangle"):
        rectangles(Shapes(name="marks"), layer, layer_axes(layer))
    beside = Shapes([box(50, 0, 60, 10)], shape_type="rectangle", name="marks")
    with pytest.raises(InputError, match="“marks” is outside “cells”"):
        rectangles(beside, layer, layer_axes(layer))
