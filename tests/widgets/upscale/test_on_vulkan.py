"""A run in the window on another device than the CPU, chosen in its list."""

import numpy as np
import pytest

import napari_sr as sr
from napari_sr.accelerators import unavailable
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.widgets.qt.executor import ThreadExecutor

reason = unavailable("vulkan")
pytestmark = pytest.mark.skipif(reason is not None, reason=f"Vulkan cannot be used: {reason}")


def cells(dtype=np.uint16):
    """An image whose result by srcnn-x2 has no value near the middle of two integers.

    Devices add in different orders, so that values differ by up to 1.5e-4. A value of 91.50002 on one and 91.49994 on
    the other is rounded to another integer.
    """
    return np.random.default_rng(198).integers(0, 200, (12, 16)).astype(dtype)


@pytest.mark.parametrize("intensity", [(0, 255), "auto"])
def test_the_image_has_no_result_near_the_middle_of_two_integers(models, intensity):
    values = sr.upscale(cells(np.float32), "srcnn-x2", device="cpu", precision="float32", intensity=intensity)
    assert np.abs(values % 1 - 0.5).min() > 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_run_on_vulkan_adds_the_layer_of_the_cpu(in_viewer, qtbot, dtype):
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor(), image=cells(dtype))
    device = panel.settings.device
    qtbot.waitUntil(lambda: device.known, timeout=30_000)
    # "auto" may choose float16 for 8 bits on a graphics card.
    panel.settings.precision.value = "float32"
    native = device.widget.native
    assert "Vulkan graphics" in [native.itemText(n) for n in range(native.count())]
    assert "Automatic uses" in device.widget.tooltip
    for number, name in enumerate(("cpu", "vulkan"), start=2):
        device.widget.value = name
        panel.controls.run_button.native.click()
        qtbot.waitUntil(lambda number=number: len(viewer.layers) == number, timeout=60_000)
        qtbot.waitUntil(lambda: not panel.controls.running, timeout=5_000)
    of_cpu, of_vulkan = (np.asarray(layer.data) for layer in list(viewer.layers)[1:])
    assert of_cpu.dtype == of_vulkan.dtype == dtype
    if dtype is np.float32:
        assert np.abs(of_cpu - of_vulkan).max() <= 1e-4 * np.ptp(of_cpu)
    else:
        assert np.array_equal(of_cpu, of_vulkan)


def test_a_preview_on_vulkan_is_that_of_the_cpu(in_viewer, qtbot, monkeypatch):
    used, run = [], PlaneRunner.run

    def watched(self, *arguments, **more):
        used.append(self._device.type)
        return run(self, *arguments, **more)

    monkeypatch.setattr(PlaneRunner, "run", watched)
    viewer, panel = in_viewer("srcnn", executor=ThreadExecutor(), image=cells())
    device = panel.settings.device
    qtbot.waitUntil(lambda: device.known, timeout=30_000)
    panel.settings.precision.value = "float32"
    shown, computed = {}, {}
    for name in ("cpu", "vulkan"):
        used.clear()
        device.widget.value = name
        if name == "cpu":
            panel.preview_controls.switch.native.click()
        qtbot.waitUntil(lambda: bool(used) and not panel.preview.busy and len(viewer.layers) == 2, timeout=60_000)
        computed[name] = set(used)
        shown[name] = np.array(viewer.layers[1].data)
    assert computed == {"cpu": {"cpu"}, "vulkan": {"vulkan"}}
    assert shown["cpu"].size > 0
    assert np.array_equal(shown["cpu"], shown["vulkan"])
