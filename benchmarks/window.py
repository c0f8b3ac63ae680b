"""Response of the window: opening a panel, longest stall of the event loop, time from a change of alpha to its preview.

    scripts/with-display python benchmarks/window.py [--size 256]

Needs a window with a real canvas. The figures are printed with the machine on which they were measured; no test depends
on them. The model is the bundled pair of about a million weights.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QElapsedTimer, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

print = functools.partial(print, flush=True)
_MODEL = "esrgan-compact-x4"
_TICK_MS = 2


class Stalls:
    """Measures the longest time between two rounds of the event loop with a timer of 2 ms."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.all: list[float] = []
        self._clock = QElapsedTimer()
        self._timer = QTimer()
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self.longest, self.all = 0.0, []
        self._clock.start()
        self._timer.start()

    def stop(self) -> str:
        self._timer.stop()
        over = [gap for gap in self.all if gap > 100]
        return f"longest stall {self.longest:.0f} ms, {len(over)} over 100 ms"

    def _tick(self) -> None:
        gap = self._clock.nsecsElapsed() / 1e6 - _TICK_MS
        self._clock.restart()
        self.all.append(gap)
        self.longest = max(self.longest, gap)


def wait_while(condition, seconds: float = 120) -> None:
    ends = time.perf_counter() + seconds
    while condition() and time.perf_counter() < ends:
        QTest.qWait(5)


def opening(stalls: Stalls) -> tuple[napari.Viewer, object]:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)
    rng = np.random.default_rng(0)
    viewer.add_image(
        rng.integers(0, 4000, (2048, 2048), dtype=np.uint16), name="cells", scale=(0.1, 0.1), units=("um", "um")
    )
    QTest.qWait(1500)
    stalls.start()
    QTest.qWait(500)
    print(f"napari without a panel, idle: {stalls.stop()}")
    assert "torch" not in sys.modules
    started = time.perf_counter()
    from napari_sr.widgets.upscale.families import ESRGANPanel

    imported = time.perf_counter()
    panel = ESRGANPanel(viewer)
    made = time.perf_counter()
    stalls.start()
    viewer.window.add_dock_widget(panel, name="ESRGAN")
    QApplication.processEvents()
    shown = time.perf_counter()
    print(
        f"panel drawn in {shown - started:.2f} s (import {imported - started:.2f}, made {made - imported:.2f}, "
        f"docked and drawn {shown - made:.2f})"
    )
    wait_while(lambda: "torch" not in sys.modules or not panel.settings.device.known)
    QTest.qWait(1500)
    print(f"while torch is imported ({time.perf_counter() - shown - 1.5:.1f} s): {stalls.stop()}")
    return viewer, panel


def alpha(viewer: napari.Viewer, panel: object, stalls: Stalls, size: int) -> None:
    viewer.layers.clear()
    rng = np.random.default_rng(0)
    for name, shape in (("the view is the image", (size, size)), ("the view is a part", (2048, 2048))):
        viewer.layers.clear()
        viewer.add_image(rng.integers(0, 255, shape, dtype=np.uint8), name="cells")
        viewer.scene.camera.center = (0, shape[0] / 2 - 0.5, shape[1] / 2 - 0.5)
        viewer.scene.camera.zoom = min(viewer.canvas.size) / size
        panel.models.select(_MODEL)
        panel.preview_controls.switch.value = True
        wait_while(lambda: panel.preview.busy)
        if panel.preview.layer is None:
            raise SystemExit(f"There is no preview: {panel.preview_controls.message.value}")
        seconds, refined = [], []
        stalls.start()
        for value in (0.2, 0.4, 0.6, 0.8, 1.0):
            before = panel.preview.layer.data
            started = time.perf_counter()
            panel.mixing.alpha.value = value
            wait_while(lambda before=before: panel.preview.layer is None or panel.preview.layer.data is before)
            seconds.append(time.perf_counter() - started)
            wait_while(lambda: panel.preview.busy)
            refined.append(time.perf_counter() - started)
        shape = panel.preview.layer.data.shape
        print(
            f"alpha to preview, {name}, {shape[0] // 4} x {shape[1] // 4} pixels: "
            f"{statistics.median(seconds):.2f} s (from {min(seconds):.2f} to {max(seconds):.2f}), "
            f"exact border after {statistics.median(refined):.2f} s; {stalls.stop()}"
        )
        panel.preview_controls.switch.value = False
        # If the layers were cleared in the same round of the event loop, the canvas could crash while it drew.
        QTest.qWait(500)


def running(viewer: napari.Viewer, panel: object, stalls: Stalls) -> None:
    viewer.layers.clear()
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (512, 512), dtype=np.uint8), name="cells")
    panel.controls.run_button.native.click()
    wait_while(lambda: "%" not in panel.controls.message.value)
    stalls.start()
    QTest.qWait(3000)
    panel.controls.cancel_button.native.click()
    started = time.perf_counter()
    wait_while(lambda: panel.running)
    print(f"a run of 3 s: {stalls.stop()}; cancelled within {time.perf_counter() - started:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of the view")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NAPARI_SR_CONFIG"], os.environ["NAPARI_SR_CACHE"] = (
            str(folder / "config.toml"),
            str(folder / "cache"),
        )
        stalls = Stalls()
        viewer, panel = opening(stalls)
        import torch

        machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        print(f"{machine}, torch {torch.__version__}, napari {napari.__version__}")
        alpha(viewer, panel, stalls, arguments.size)
        running(viewer, panel, stalls)
        viewer.close()


if __name__ == "__main__":
    main()
