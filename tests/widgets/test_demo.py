"""The demo shows a sample, its result in the same place, and the panel that made it."""

import numpy as np
import pytest

from napari_sr.errors import InputError


@pytest.fixture
def one_viewer(make_napari_viewer, monkeypatch):
    """Make the demo use a viewer that pytest closes."""
    viewer = make_napari_viewer()
    monkeypatch.setattr("napari_sr.widgets.demo.napari.Viewer", lambda title: viewer)
    return viewer


def test_the_result_lies_on_the_sample(one_viewer, models):
    from napari_sr.widgets.demo import open_demo

    viewer = open_demo("electron", "esrgan-one", block=False)
    truth, sample, result = viewer.layers
    assert [layer.visible for layer in viewer.layers] == [False, True, True]
    for layer in (truth, result):
        low = layer.data_to_world(np.full(2, -0.5)), layer.data_to_world(np.array(layer.data.shape) - 0.5)
        source = sample.data_to_world(np.full(2, -0.5)), sample.data_to_world(np.array(sample.data.shape) - 0.5)
        np.testing.assert_allclose(low, source, atol=1e-9)
    assert result.name.endswith("(ESRGAN x4)")


def test_a_missing_model_is_refused(one_viewer, models):
    from napari_sr.widgets.demo import open_demo

    with pytest.raises(InputError, match="no model"):
        open_demo("electron", "not-there", block=False)
    assert len(one_viewer.layers) == 0
