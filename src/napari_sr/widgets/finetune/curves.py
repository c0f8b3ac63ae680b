"""Curves of a training: the losses, the PSNR on the validation scenes with that of bicubic interpolation, the lattice.

The lattice is shown for trainings with a discriminator, since those weave it into images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_sr.training.events import StepDone, Validated
from napari_sr.widgets.qt.text.contrast import readable
from napari_sr.widgets.qt.timers import delayed, stop_timer

# Losses arrive many times a second; drawing takes time of the main thread.
_DRAWING_MS = 200
_HEIGHT = 145
#: The running mean of a loss is over this fraction of the steps so far.
_SMOOTH = 0.05
#: More points than a plot has pixels are thinned out.
_MOST_POINTS = 2000
_COLORS = ("#5aa9e6", "#f6ae2d", "#9bc53d", "#c56bd0", "#7d8597")
_LATTICE_TIP = (
    "A pattern that repeats with the factor, as upsampling can leave it: its strength beside that of other fine "
    "detail. 1 is none."
)
_MODEL_COLOR, _BICUBIC_COLOR = "#5aa9e6", "#e4572e"


class Curves(QWidget):
    """Plots over the steps, one above the other."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[str, list[float]] = {}
        """Values of each loss, one for each step."""
        self.steps: list[int] = []
        self.measured: list[Validated] = []
        self._plots: list[Any] = [pg.PlotWidget(), pg.PlotWidget(), pg.PlotWidget()]
        self._loss, self._lattice, self._psnr = self._plots
        self._items: dict[str, Any] = {}
        self._background = "#000000"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for plot, title in zip(self._plots, ("loss", "lattice", "PSNR (dB)"), strict=True):
            _set_up(plot, title)
            layout.addWidget(plot)
        self._psnr.setLabel("bottom", "step")
        for plot in (self._loss, self._lattice):
            plot.getPlotItem().hideAxis("bottom")
            plot.setXLink(self._psnr)
        self._lattice.setToolTip(_LATTICE_TIP)
        self._lattice.hide()
        self._timer = delayed(self.draw, _DRAWING_MS, self)

    def clear(self) -> None:
        """Remove the curves of the last training."""
        stop_timer(self._timer)
        self.losses, self.steps, self.measured = {}, [], []
        for plot in self._plots:
            plot.clear()
            plot.setTitle(None)
        self._items = {}
        self._lattice.hide()

    def add_step(self, step: StepDone) -> None:
        """Add the losses of a step, and draw them in a moment.

        Steps after it are removed: the training was set back to an earlier state.
        """
        self._remove_from(step.step)
        self.steps.append(step.step)
        for name, value in step.losses.items():
            # A stage may have losses that the previous one does not have.
            values = self.losses.setdefault(name, [np.nan] * (len(self.steps) - 1))
            values.append(float(value))
        for values in self.losses.values():
            values += [np.nan] * (len(self.steps) - len(values))
        # To the present step: the rest of the axis would be empty.
        self._psnr.setXRange(0, max(step.step, 2), padding=0.02)
        self._draw_soon()

    def add_measurement(self, measurement: Validated) -> None:
        """Add a measurement in place of those at later steps, and draw it in a moment."""
        self.measured = [other for other in self.measured if other.step < measurement.step]
        self.measured.append(measurement)
        self._draw_soon()

    def set_colors(self, background: str, foreground: str) -> None:
        """Set the colors of the plots to those of the window's theme, such as "#262930"."""
        self._background = background
        # The next drawing makes the curves again, in colors that can be read on this background.
        for item in self._items.values():
            for plot in self._plots:
                plot.removeItem(item)
        self._items = {}
        self.draw()
        for plot in self._plots:
            plot.setBackground(background)
            for side in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(side)
                axis.setPen(foreground)
                axis.setTextPen(foreground)

    def draw(self) -> None:
        """Draw the curves now."""
        losses = {name: values for name, values in self.losses.items() if name == "total" or len(self.losses) > 2}
        colors = dict(zip(losses, (self._readable(color) for color in cycle(_COLORS)), strict=False))
        model_color, bicubic_color = self._readable(_MODEL_COLOR), self._readable(_BICUBIC_COLOR)
        for name, values in losses.items():
            raw: Any = np.asarray(values)
            self._set(f"{name}, each step", self._loss, self.steps, raw, pg.mkPen(colors[name] + "40", width=1))
            self._set(name, self._loss, self.steps, smoothed(raw), pg.mkPen(colors[name], width=2))
        if losses:
            _set_caption(self._loss, colors)
        if self.measured:
            steps = [seen.step for seen in self.measured]
            dashed = pg.mkPen(bicubic_color, width=2, style=Qt.PenStyle.DashLine)
            # It is equal for all measurements: a line from the first step on.
            bicubic = [self.measured[0].bicubic_psnr, self.measured[-1].bicubic_psnr]
            self._set("bicubic", self._psnr, [0, max(steps)], np.asarray(bicubic), dashed)
            reached = np.asarray([seen.psnr for seen in self.measured])
            self._set("model", self._psnr, steps, reached, pg.mkPen(model_color, width=2), **_dots(model_color))
            _set_caption(self._psnr, {"this model": model_color, "bicubic interpolation": bicubic_color})
        self._draw_lattice(model_color, bicubic_color)

    def _draw_lattice(self, model_color: str, none_color: str) -> None:
        seen = [(m.step, m.lattice) for m in self.measured if m.lattice is not None]
        shown = bool(seen) and "discriminator" in self.losses
        self._lattice.setVisible(shown)
        if shown:
            steps, values = zip(*seen, strict=True)
            dashed = pg.mkPen(none_color, width=2, style=Qt.PenStyle.DashLine)
            self._set("no lattice", self._lattice, [0, max(steps)], [1.0, 1.0], dashed)
            pen = pg.mkPen(model_color, width=2)
            self._set("lattice", self._lattice, steps, values, pen, **_dots(model_color))
            _set_caption(self._lattice, {"this model": model_color, "no lattice": none_color})

    def _readable(self, color: str) -> str:
        return readable(color, QColor(self._background).name())

    def _draw_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _set(self, key: str, plot: Any, steps: Sequence[int], values: Any, pen: Any, **look: Any) -> None:
        if key not in self._items:
            self._items[key] = plot.plot(pen=pen, **look)
        thin = max(1, len(values) // _MOST_POINTS)
        self._items[key].setData(np.asarray(steps, float)[::thin], np.asarray(values, float)[::thin])

    def _remove_from(self, step: int) -> None:
        """Remove steps that are done again, after a recovery or a restart from a checkpoint."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            for values in self.losses.values():
                values.pop()


def smoothed(values: Any) -> Any:
    """Return the running mean over the last 5 % of the values, without NaN and infinities.

    Parameters
    ----------
    values : array of float, shape (n,)
        One value for each step.

    Returns
    -------
    array of float, shape (n,)
        Mean of each value and those before it; NaN if none of them is finite.
    """
    width = max(1, round(_SMOOTH * len(values)))
    known = np.isfinite(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    counts = np.concatenate(([0], np.cumsum(known)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    number = counts[ends] - counts[starts]
    with np.errstate(invalid="ignore"):
        return np.where(number > 0, (sums[ends] - sums[starts]) / np.maximum(number, 1), np.nan)


def _dots(color: str) -> dict[str, Any]:
    return {"symbol": "o", "symbolSize": 5, "symbolBrush": color}


def _set_up(plot: Any, title: str) -> None:
    plot.setFixedHeight(_HEIGHT)
    plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    plot.setMinimumWidth(100)
    plot.setLabel("left", title)
    plot.getPlotItem().getAxis("left").enableAutoSIPrefix(False)
    plot.getPlotItem().getAxis("left").setWidth(68)
    plot.getPlotItem().setMenuEnabled(False)
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    plot.showGrid(x=True, y=True, alpha=0.15)


def _set_caption(plot: Any, colors: Mapping[str, str]) -> None:
    """Write the names of the curves in their colors above the plot, where they cover no curve."""
    names = [f'<span style="color: {color}">{name}</span>' for name, color in colors.items()]
    plot.setTitle(" · ".join(names), size="9pt")
