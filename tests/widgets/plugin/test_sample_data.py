"""The samples cover the same area at low and at high resolution."""

import numpy as np
import pytest
from napari.layers import Layer

from napari_sr.widgets.plugin import sample_data


@pytest.mark.parametrize("name", ["fluorescence", "electron"])
def test_low_and_high_cover_the_same_part_of_the_world(name):
    (low,) = (Layer.create(*data) for data in getattr(sample_data, f"{name}_low")())
    (high,) = (Layer.create(*data) for data in getattr(sample_data, f"{name}_high")())
    assert high.data.shape[0] > low.data.shape[0]
    for corner in ((0, 0), (1, 1)):
        low_end = low.data_to_world(np.array(corner) * low.data.shape - 0.5)
        high_end = high.data_to_world(np.array(corner) * high.data.shape - 0.5)
        np.testing.assert_allclose(low_end, high_end, atol=1e-9)
    assert low.units == high.units


@pytest.mark.parametrize("name", ["fluorescence_low", "fluorescence_high", "electron_low", "electron_high"])
def test_a_sample_names_its_source_and_has_units(name):
    ((data, kwargs, kind),) = getattr(sample_data, name)()
    assert kind == "image"
    assert data.ndim == 2
    assert len(kwargs["units"]) == 2
    assert kwargs["metadata"]["source"]
    assert kwargs["metadata"]["license"]
