"""Make the pictures of the panels in docs/pictures from real windows.

    scripts/with-display python docs/make_preview.py [--size 1400x900] [--out docs/pictures] [NAME ...]

Each picture is a napari window with a sample and a panel after a few actions. Look at every picture before you commit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from napari.layers import Layer
from napari.settings import get_settings
from qtpy.QtTest import QTest

from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.plugin.sample_data import electron_high, electron_low, fluorescence_low
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, SRGANPanel, show_panel
from napari_sr.widgets.upscale.panel import UpscalePanel

_DRAWING_MS = 700
_ELECTRON = "esrgan-electron-x4"
_FOLDER = Path(__file__).parent / "pictures"


class Scene:
    """A window with a layer and a panel."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.viewer = napari.Viewer(title="napari-sr")
        self.viewer.window.resize(*size)

    def open(self, data: list, panel_class: type[UpscalePanel], name: str) -> UpscalePanel:
        self.viewer.add_layer(Layer.create(*data[0]))
        panel = panel_class(self.viewer)
        self.viewer.window.add_dock_widget(panel, name=name)
        self.wait(lambda: not panel.settings.device.known)
        QTest.qWait(_DRAWING_MS)
        self.viewer.reset_view()
        return panel

    def finetune(self, data: list, model: str, steps: int) -> FinetunePanel:
        self.viewer.add_layer(Layer.create(*data[0]))
        panel = FinetunePanel(self.viewer)
        self.viewer.window.add_dock_widget(panel, name="Fine-tune")
        panel.models.select(model)
        panel.recipe.steps.value = steps
        QTest.qWait(_DRAWING_MS)
        self.viewer.reset_view()
        self.wait(lambda: panel.degradation_preview.busy)
        return panel

    def wait(self, condition: Callable[[], bool], seconds: float = 1800) -> None:
        ends = time.monotonic() + seconds
        while condition():
            if time.monotonic() > ends:
                raise SystemExit(f"The scene was not complete after {seconds:g} s.")
            QTest.qWait(20)

    def summary(self, panel: UpscalePanel) -> None:
        self.wait(lambda: panel.time.seconds is None)

    def save(self, path: Path) -> None:
        QTest.qWait(_DRAWING_MS)
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.viewer.close()


def esrgan(scene: Scene) -> None:
    """A preview of the view, split against bicubic."""
    panel = scene.open(fluorescence_low(), ESRGANPanel, "ESRGAN")
    scene.summary(panel)
    panel.preview_controls.switch.value = True
    scene.wait(lambda: panel.preview.busy)
    scene.viewer.scene.camera.zoom *= 2
    panel.preview_controls.compare.value, panel.preview_controls.against.value = "split", "bicubic"
    scene.wait(lambda: panel.preview.busy)


def srcnn(scene: Scene) -> None:
    """A run that has ended."""
    panel = scene.open(fluorescence_low(), SRCNNPanel, "SRCNN")
    scene.summary(panel)
    panel.controls.run_button.native.click()
    scene.wait(lambda: panel.running)


def srgan(scene: Scene) -> None:
    """A pair of weight sets, with a preview of the view."""
    panel = scene.open(fluorescence_low(), SRGANPanel, "SRGAN")
    scene.summary(panel)
    panel.preview_controls.switch.value = True
    scene.wait(lambda: panel.preview.busy)


def more(scene: Scene) -> None:
    """All rows under "More"."""
    panel = scene.open(electron_low(), ESRGANPanel, "ESRGAN")
    panel.models.select(_ELECTRON)
    panel.settings.intensity.kind.value, panel.settings.tiling.kind.value = "percentile", "overlap"
    panel.more.open = True
    scene.summary(panel)
    QTest.qWait(_DRAWING_MS)
    panel.scroll.verticalScrollBar().setValue(panel.scroll.verticalScrollBar().maximum())


def stack(scene: Scene) -> None:
    """A stack with an entered pixel size, and rectangles that are upscaled in their places."""
    low = electron_low()[0][0]
    planes = np.stack([low, low[::-1], low[:, ::-1]])
    panel = scene.open([(planes, {"name": "stack"}, "image")], ESRGANPanel, "ESRGAN")
    panel.models.select(_ELECTRON)
    panel.layer_fold.open = True
    panel.facts.size.value, panel.facts.unit.value, panel.facts.depth.value = 0.1, "micrometer", 0.3
    boxes = [[(1, 2, 2), (1, 2, 5), (1, 5, 5), (1, 5, 2)], [(1, 7, 6), (1, 7, 11), (1, 10, 11), (1, 10, 6)]]
    scaled = [[(z * 0.3, y, x) for z, y, x in box] for box in boxes]
    scene.viewer.add_shapes(
        scaled,
        shape_type="rectangle",
        name="regions",
        ndim=3,
        units=("um",) * 3,
        face_color="transparent",
        edge_color="yellow",
        edge_width=0.1,
    )
    scene.viewer.dims.set_point(0, 0.3)
    scene.viewer.reset_view()
    panel.part_choice.kind.value = "rectangles"
    panel.size.kind.value = "pixel"
    scene.summary(panel)
    panel.controls.run_button.native.click()
    scene.wait(lambda: panel.running)


def light(scene: Scene) -> None:
    """The light theme."""
    scene.viewer.theme = "light"
    panel = scene.open(electron_low(), ESRGANPanel, "ESRGAN")
    panel.models.select(_ELECTRON)
    scene.summary(panel)
    panel.preview_controls.switch.value = True
    scene.wait(lambda: panel.preview.busy)


def finetune(scene: Scene) -> None:
    """A training that is set up: an image, its degradation, and the low-resolution image."""
    panel = scene.finetune(electron_high(), "srcnn-x4", steps=400)
    panel.degradation.noise.switch.value = True
    panel.degradation.noise.gain.value, panel.degradation.noise.read.value = 0.5, 4.0
    scene.wait(lambda: panel.degradation_preview.busy)


def finetuning(scene: Scene) -> None:
    """A training in progress, paused."""
    panel = scene.finetune(electron_high(), "srcnn-x4", steps=40)
    panel.controls.start_button.native.click()
    scene.wait(lambda: len(panel.progress.curves.measured) < 2)
    QTest.qWait(_DRAWING_MS)
    panel.controls.pause_button.native.click()
    scene.wait(lambda: not panel.controls.message.value.startswith("Paused after"))


def finetuned(scene: Scene) -> None:
    """A layer that was upscaled by the new model, after "Use it now"."""
    panel = scene.finetune(electron_high(), "srcnn-x4", steps=40)
    panel.controls.start_button.native.click()
    scene.wait(lambda: panel.running)
    print(panel.outcome.title.value, flush=True)
    scene.viewer.add_layer(Layer.create(*electron_low()[0]))
    panel.outcome.use_button.native.click()
    upscaling = show_panel(scene.viewer, "srcnn")
    scene.wait(lambda: not upscaling.settings.device.known)
    scene.summary(upscaling)
    upscaling.controls.run_button.native.click()
    scene.wait(lambda: upscaling.running)
    panel.progress.validation_layers.remove()
    scene.viewer.reset_view()


SCENES = {
    scene.__name__: scene for scene in (esrgan, srcnn, srgan, more, stack, light, finetune, finetuning, finetuned)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1400x900")
    parser.add_argument("--out", type=Path, default=_FOLDER)
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], default=[])
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_SR_CONFIG"], os.environ["NAPARI_SR_CACHE"] = f"{folder}/config.toml", f"{folder}/cache"
        # The picture must not show a path of the machine on which it was made.
        os.environ["NAPARI_SR_MODELS"] = "my-models"
        get_settings().application.confirm_close_window = False
        for name in arguments.names or SCENES:
            if name.startswith("finetun"):
                # A training writes its model into this folder.
                os.environ["NAPARI_SR_MODELS"] = f"{folder}/models"
            scene = Scene((width, height))
            SCENES[name](scene)
            scene.save(arguments.out / f"{name}.png")
            print(f"{arguments.out / name}.png", flush=True)


if __name__ == "__main__":
    main()
