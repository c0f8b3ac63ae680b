"""The step of the values of an image."""

import numpy as np
import pytest

from napari_sr.imaging.noise.quantization import quantization_step


def test_steps_of_values():
    levels = np.random.default_rng(0).integers(0, 200, (80, 80))
    assert quantization_step([levels.astype(np.uint8)]) == 1
    assert quantization_step([(levels * 257).astype(np.uint16)]) == 257
    assert quantization_step([(levels * 257).astype(np.int64) - 2**40]) == 257
    assert quantization_step([(levels / 255).astype(np.float32)]) == pytest.approx(1 / 255, rel=1e-4)
    deep = np.random.default_rng(1).integers(0, 65536, (600, 600))
    assert quantization_step([(deep / 65535).astype(np.float32)]) == pytest.approx(1 / 65535, rel=1e-3)
    # 8-bit values that were stretched and rounded again: their gaps are 1 and 2.
    assert quantization_step([np.rint(levels * 1.7).astype(np.uint16)]) == pytest.approx(1.7, rel=0.02)
    assert quantization_step([np.random.default_rng(0).random((50, 50))]) == 0
    assert quantization_step([np.where(levels > 100, 255, 0)]) == 0
