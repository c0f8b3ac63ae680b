"""The noise of an image, read off the image: how strong it is at each brightness, and of what kind."""

from napari_sr.imaging.noise.camera import estimate_noise
from napari_sr.imaging.noise.correlation import Correlation
from napari_sr.imaging.noise.measurement import NoiseMeasurement, measure_noise

__all__ = ["Correlation", "NoiseMeasurement", "estimate_noise", "measure_noise"]
