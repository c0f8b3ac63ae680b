"""Correlated noise counts if it is much stronger than the white noise beside it, or told by fine frequencies."""

import pytest

from napari_sr.imaging.noise import NoiseMeasurement
from napari_sr.imaging.noise.correlation import Correlation
from napari_sr.inference.facts.channel_facts import is_correlated


@pytest.mark.parametrize(
    ("verdict", "gaussian", "times", "neighbors", "counts"),
    [
        ("correlated", True, 6, 0.6, True),
        ("correlated", True, 4, 0.6, False),
        ("correlated", False, 9, 0.6, True),
        ("correlated", False, 6, 0.6, False),
        # Blurred structure exceeds the range of the correlation, less blurred texture is below it.
        ("correlated", False, 9, 0.85, False),
        ("correlated", False, 9, 0.43, False),
        ("unclear", False, 9, 0.6, False),
        ("white", False, 9, 0.6, False),
    ],
)
def test_correlated_noise_counts_by_its_strength_and_its_distribution(verdict, gaussian, times, neighbors, counts):
    noise = NoiseMeasurement(
        4.0,
        0.0,
        darkest=0.0,
        brightest=200.0,
        cautious_noise=(4.0 * times**2, 0.0),
        correlation=Correlation(verdict, neighbors, neighbors, gaussian),
    )
    assert is_correlated(noise) is counts
    assert is_correlated(noise.scaled(257.0, 40.0)) is counts


def test_noise_that_is_told_by_fine_frequencies_too_counts_at_any_strength():
    noise = NoiseMeasurement(4.0, 0.0, cautious_noise=(5.0, 0.0), correlation=Correlation("correlated", fine=True))
    assert is_correlated(noise)
