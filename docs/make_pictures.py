"""Make the pictures of the panels in docs/pictures from real windows.

    scripts/with-display python docs/make_pictures.py [--size WIDTHxHEIGHT] [--out docs/pictures] [NAME ...]

Each picture is a napari window with a sample and a panel after a few actions, or is composed of parts of such a window.
Look at every picture before you commit.
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
from magicgui.widgets.bases import Widget
from napari.layers import Layer
from napari.settings import get_settings
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget
from scipy.ndimage import gaussian_filter

from napari_sr.imaging.files import write_image
from napari_sr.widgets.choices.output import LAZY
from napari_sr.widgets.files.panel import FilesPanel
from napari_sr.widgets.finetune.panel import FinetunePanel
from napari_sr.widgets.formats.opening import open_path
from napari_sr.widgets.plugin.sample_data import electron_high, electron_low, fluorescence_high, fluorescence_low
from napari_sr.widgets.upscale.families import ESRGANPanel, SRCNNPanel, SRGANPanel, show_panel
from napari_sr.widgets.upscale.panel import UpscalePanel

_DRAWING_MS = 700
_LARGE = "esrgan-microscopy-x4"
# Standard deviation of the blur of the picture of both sliders, in pixels, and space between its parts.
_BLUR = 1.0
_GAP = 4
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
        self.wait(lambda: panel.suggestion.computation.busy)
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

    def save(self, path: Path, picture: QImage | None) -> None:
        QTest.qWait(_DRAWING_MS)
        if picture is not None:
            picture.save(str(path))
        else:
            self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.viewer.close()


def esrgan(scene: Scene) -> None:
    """A preview of the view, split through a nucleus against bicubic."""
    panel = scene.open(fluorescence_low(), ESRGANPanel, "ESRGAN")
    panel.models.select(_LARGE)
    scene.summary(panel)
    panel.preview_controls.switch.value = True
    scene.wait(lambda: panel.preview.busy)
    scene.viewer.scene.camera.center, scene.viewer.scene.camera.zoom = (0, 51, 20), 17
    panel.preview_controls.compare.value, panel.preview_controls.against.value = "split", "bicubic"
    scene.wait(lambda: panel.preview.busy)


def lazy(scene: Scene) -> QImage:
    """A lazy result whose view is computed in part."""
    data, kwargs, kind = fluorescence_low()[0]
    panel = scene.open([(np.tile(data, (30, 30)), kwargs, kind)], ESRGANPanel, "ESRGAN")
    panel.models.select(_LARGE)
    panel.output.kind.value = LAZY
    panel.run_upscaling()
    scene.wait(lambda: len(scene.viewer.layers) == 1)
    result = scene.viewer.layers[1]
    scene.viewer.layers[0].visible = False
    scene.viewer.scene.camera.zoom = 1 / result.scale[-1]
    displayed = result.data[0].displayed
    scene.wait(lambda: displayed.missing()[0] in (0, displayed.missing()[1]))
    QTest.qWait(100)
    picture = np.ascontiguousarray(scene.viewer.screenshot(canvas_only=False, flash=False))
    height, width, _ = picture.shape
    return QImage(picture.data, width, height, QImage.Format.Format_RGBA8888).copy()


def conditions(scene: Scene) -> QImage:
    """The same part of a noisy, blurred image at several positions of the two sliders, which are below each."""
    data = [(noisy_and_blurred(), {"name": "noisy, blurred", "gamma": 0.7}, "image")]
    panel = scene.open(data, ESRGANPanel, "ESRGAN")
    panel.preview_controls.switch.value = True
    scene.wait(lambda: panel.preview.busy)
    scene.viewer.scene.camera.center, scene.viewer.scene.camera.zoom = (0, 104, 40), 7
    rows, pictures = panel.conditions, []
    for blur in (0.0, _BLUR):
        for denoise in (0.0, 1.0, 2.0):
            rows.noise.denoise.value, rows.blur.sigma.value = denoise, blur
            scene.wait(lambda: panel.preview.busy)
            QTest.qWait(_DRAWING_MS)
            content = panel.content.native
            sliders = content.grab(_row(content, rows.noise.denoise) | _row(content, rows.blur.sigma)).toImage()
            canvas = np.ascontiguousarray(scene.viewer.screenshot(flash=False))
            height, width = canvas.shape[:2]
            view = QImage(canvas.tobytes(), width, height, QImage.Format.Format_RGBA8888)
            side = sliders.width()
            view = view.copy((width - side) // 2, (height - side) // 2, side, side)
            pictures.append(_stacked([view, sliders], Qt.Orientation.Vertical))
    lines = [_stacked(pictures[n : n + 3], Qt.Orientation.Horizontal) for n in (0, 3)]
    return _stacked(lines, Qt.Orientation.Vertical)


def noisy_and_blurred() -> np.ndarray:
    """Blur the sample of high resolution, bin it, and add the noise of a camera."""
    high = np.asarray(fluorescence_high()[0][0], np.float64)
    low = gaussian_filter(high, 2 * _BLUR).reshape(high.shape[0] // 2, 2, high.shape[1] // 2, 2).mean((1, 3))
    black = low.min()
    noise = np.random.default_rng(0).normal(size=low.shape) * np.sqrt(15.0**2 + 3.0 * (low - black))
    return np.clip(np.rint(low + noise), 0, 65535).astype(np.uint16)


def _row(content: QWidget, widget: Widget) -> QRect:
    """The part of a panel that a row takes, with its label."""
    row = widget.native.parentWidget()
    return QRect(0, row.mapTo(content, row.rect().topLeft()).y() - 3, content.width(), row.height() + 6)


def _stacked(pictures: list[QImage], direction: Qt.Orientation) -> QImage:
    """Put pictures below each other or side by side."""
    down = direction == Qt.Orientation.Vertical
    lengths = [(one.height() if down else one.width()) + _GAP for one in pictures]
    across = max(one.width() if down else one.height() for one in pictures)
    whole = QImage(*((across, sum(lengths)) if down else (sum(lengths), across)), QImage.Format.Format_RGB32)
    whole.fill(QColor("#262930"))
    painter, place = QPainter(whole), 0
    for one, length in zip(pictures, lengths, strict=True):
        painter.drawImage(0 if down else place, place if down else 0, one)
        place += length
    painter.end()
    return whole


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
    panel.models.select(_LARGE)
    panel.settings.intensity.kind.value, panel.settings.tiling.kind.value = "percentile", "overlap"
    panel.more.open = True
    scene.summary(panel)
    QTest.qWait(_DRAWING_MS)
    panel.scroll.verticalScrollBar().setValue(panel.scroll.verticalScrollBar().maximum())


def stack(scene: Scene) -> None:
    """A stack with an entered pixel size, and rectangles that are upscaled in their places."""
    high = electron_high()[0][0]
    planes = np.stack([high[place : place + 128, place : place + 128] for place in (0, 128, 256)])
    panel = scene.open([(planes, {"name": "stack"}, "image")], ESRGANPanel, "ESRGAN")
    panel.models.select(_LARGE)
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
    """The light theme, with a split preview."""
    scene.viewer.theme = "light"
    panel = scene.open(electron_low(), ESRGANPanel, "ESRGAN")
    panel.models.select(_LARGE)
    scene.summary(panel)
    panel.preview_controls.switch.value = True
    panel.preview_controls.compare.value, panel.preview_controls.against.value = "split", "bicubic"
    scene.wait(lambda: panel.preview.busy)


def files(scene: Scene) -> None:
    """A folder of which some images are finished, and one is none."""
    with tempfile.TemporaryDirectory() as folder:
        # Relative, so that the picture shows no path of the machine.
        os.chdir(folder)
        plate = Path("plate")
        high = np.asarray(fluorescence_high()[0][0])
        for number, (row, column) in enumerate(np.ndindex(3, 4)):
            place = plate / f"{'AB'[number % 2]}{number // 2 + 1}" / "field.tif"
            place.parent.mkdir(parents=True)
            write_image(place, high[50 * row : 50 * row + 64, 40 * column : 40 * column + 64], "YX")
        (plate / "B3" / "broken.tif").write_text("no image")
        panel = FilesPanel(scene.viewer)
        scene.viewer.window.add_dock_widget(panel, name="Files and folders")
        scene.wait(lambda: not panel.settings.device.known)
        panel.images.choose([plate])
        scene.wait(lambda: not panel.controls.start_button.enabled)
        panel.controls.start_button.native.click()
        scene.wait(lambda: "running" not in [panel.table.results.result(n).state for n in range(9, 13)])
        panel.controls.stop_button.native.click()
        scene.wait(lambda: panel.running)
        for name in ("A2", "B2"):
            open_path(scene.viewer, f"plate-upscaled/{name}/field.tif")
        scene.viewer.canvas.grid.enabled = True
        scene.viewer.reset_view()
        QTest.qWait(_DRAWING_MS)
        os.chdir(_FOLDER)


def finetune(scene: Scene) -> None:
    """A training that is set up: an image, its degradation, and the low-resolution image."""
    panel = scene.finetune(electron_high(), "srcnn-microscopy-x4", steps=400)
    panel.degradation.noise.switch.value = True
    panel.degradation.noise.gain.value, panel.degradation.noise.read.value = 0.5, 4.0
    scene.wait(lambda: panel.degradation_preview.busy)


def finetuning(scene: Scene) -> None:
    """A training in progress, paused."""
    panel = scene.finetune(electron_high(), "srcnn-microscopy-x4", steps=40)
    panel.controls.start_button.native.click()
    scene.wait(lambda: len(panel.progress.curves.measured) < 2)
    QTest.qWait(_DRAWING_MS)
    panel.controls.pause_button.native.click()
    scene.wait(lambda: not panel.controls.message.value.startswith("Paused after"))


def finetuned(scene: Scene) -> None:
    """A layer that was upscaled by the new model, after "Use it now"."""
    panel = scene.finetune(electron_high(), "srcnn-microscopy-x4", steps=40)
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


def unfinished(scene: Scene) -> None:
    """The offer to continue a training whose panel was closed."""
    panel = scene.finetune(electron_high(), "srcnn-microscopy-x4", steps=40)
    panel.controls.start_button.native.click()
    scene.wait(lambda: not panel.progress.curves.measured)
    scene.viewer.window.remove_dock_widget(panel.native)
    panel.shut_down()
    scene.wait(lambda: panel.running)
    QTest.qWait(_DRAWING_MS)
    panel = FinetunePanel(scene.viewer)
    scene.viewer.window.add_dock_widget(panel, name="Fine-tune")
    scene.viewer.reset_view()
    scene.wait(lambda: panel.degradation_preview.busy)


def small(scene: Scene) -> None:
    """A small window: Run and its message stay in view."""
    panel = scene.open(electron_low(), SRCNNPanel, "SRCNN")
    scene.summary(panel)
    panel.controls.run_button.native.click()
    scene.wait(lambda: panel.running)


def small_light(scene: Scene) -> None:
    """A small window in the light theme, with a split preview."""
    scene.viewer.theme = "light"
    esrgan(scene)


SCENES = {
    scene.__name__: scene
    for scene in (
        esrgan, conditions, srcnn, srgan, more, stack, light, small, small_light, files,
        finetune, finetuning, finetuned, unfinished, lazy,
    )
}  # fmt: skip
_SMALL = "1000x700"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", help=f"by default 1400x900, and {_SMALL} for the pictures of small windows")
    parser.add_argument("--out", type=Path, default=_FOLDER)
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_SR_CACHE"] = f"{folder}/cache"
        # The picture must not show a path of the machine on which it was made.
        os.environ["NAPARI_SR_MODELS"] = "my-models"
        get_settings().application.confirm_close_window = False
        for name in arguments.names or SCENES:
            # A panel shows the choices of the run before.
            os.environ["NAPARI_SR_CONFIG"] = f"{folder}/{name}.toml"
            if name.startswith("finetun") or name == "unfinished":
                # A training writes its model into this folder.
                os.environ["NAPARI_SR_MODELS"] = f"{folder}/models"
            size = arguments.size or (_SMALL if name.startswith("small") else "1400x900")
            width, height = (int(part) for part in size.split("x"))
            scene = Scene((width, height))
            scene.save(arguments.out / f"{name}.png", SCENES[name](scene))
            print(f"{arguments.out / name}.png", flush=True)


if __name__ == "__main__":
    main()
