"""The curves of a training: the losses, and the PSNR on the validation scenes with bicubic's line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_sr.training.events import StepDone, Validated
from napari_sr.widgets.rows import stop

# Losses come many times a second; the eye needs five pictures.
_DRAWING_MS = 200
_HEIGHT = 145
#: A running mean of the loss over this share of the steps so far.
_SMOOTH = 0.05
#: More points than a plot has pixels are thinned out.
_MOST_POINTS = 2000
_COLORS = ("#5aa9e6", "#f6ae2d", "#9bc53d", "#c56bd0", "#7d8597")
_TRUE, _PLAIN = "#5aa9e6", "#e4572e"
_DOTS = {"symbol": "o", "symbolSize": 5, "symbolBrush": _TRUE}


class Curves(QWidget):
    """Two plots over the steps, one above the other."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[str, list[float]] = {}
        self.steps: list[int] = []
        self.measured: list[Validated] = []
        self._plots: list[Any] = [pg.PlotWidget(), pg.PlotWidget()]
        self._loss, self._psnr = self._plots
        self._items: dict[str, Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for plot, title in zip(self._plots, ("loss", "PSNR (dB)"), strict=True):
            _prepare(plot, title)
            layout.addWidget(plot)
        self._loss.getPlotItem().hideAxis("bottom")
        self._psnr.setLabel("bottom", "step")
        self._loss.setXLink(self._psnr)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_DRAWING_MS)
        self._rest.timeout.connect(self.draw)

    def clear(self) -> None:
        """Forget the training before."""
        stop(self._rest)
        self.losses, self.steps, self.measured = {}, [], []
        for plot in self._plots:
            plot.clear()
            plot.setTitle(None)
        self._items = {}

    def add_step(self, step: StepDone) -> None:
        """Take the losses of a step."""
        self._forget_after(step.step)
        self.steps.append(step.step)
        for name, value in step.losses.items():
            # A stage may have losses that the one before had not.
            values = self.losses.setdefault(name, [np.nan] * (len(self.steps) - 1))
            values.append(float(value))
        for values in self.losses.values():
            values += [np.nan] * (len(self.steps) - len(values))
        self._psnr.setXRange(0, step.steps, padding=0.02)
        self._draw_soon()

    def add_measurement(self, seen: Validated) -> None:
        """Take a measurement."""
        self.measured = [old for old in self.measured if old.step < seen.step]
        self.measured.append(seen)
        self._draw_soon()

    def dress(self, background: str, foreground: str) -> None:
        """Take on the colors of the window."""
        for plot in self._plots:
            plot.setBackground(background)
            for side in ("left", "bottom"):
                axis = plot.getPlotItem().getAxis(side)
                axis.setPen(foreground)
                axis.setTextPen(foreground)

    def draw(self) -> None:
        """Draw what is known."""
        losses = {name: values for name, values in self.losses.items() if name == "total" or len(self.losses) > 2}
        colors = dict(zip(losses, cycle(_COLORS), strict=False))
        for name, values in losses.items():
            raw: Any = np.asarray(values)
            self._set(f"{name}, each step", self._loss, self.steps, raw, pg.mkPen(colors[name] + "40", width=1))
            self._set(name, self._loss, self.steps, smoothed(raw), pg.mkPen(colors[name], width=2))
        if losses:
            _caption(self._loss, colors)
        if self.measured:
            steps = [seen.step for seen in self.measured]
            dashed = pg.mkPen(_PLAIN, width=2, style=Qt.PenStyle.DashLine)
            # Bicubic's is the same always: a line over the whole width, from the first step on.
            plain = [self.measured[0].bicubic_psnr, self.measured[-1].bicubic_psnr]
            self._set("bicubic", self._psnr, [0, max(steps)], np.asarray(plain), dashed)
            reached = np.asarray([seen.psnr for seen in self.measured])
            self._set("model", self._psnr, steps, reached, pg.mkPen(_TRUE, width=2), **_DOTS)
            _caption(self._psnr, {"this model": _TRUE, "bicubic interpolation": _PLAIN})

    def _draw_soon(self) -> None:
        if not self._rest.isActive():
            self._rest.start()

    def _set(self, key: str, plot: Any, steps: Sequence[int], values: Any, pen: Any, **look: Any) -> None:
        if key not in self._items:
            self._items[key] = plot.plot(pen=pen, **look)
        thin = max(1, len(values) // _MOST_POINTS)
        self._items[key].setData(np.asarray(steps, float)[::thin], np.asarray(values, float)[::thin])

    def _forget_after(self, step: int) -> None:
        """Forget what comes again: a training goes back to its last good state, or goes on from a checkpoint."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            for values in self.losses.values():
                values.pop()


def smoothed(values: Any) -> Any:
    """Running mean over a share of the values; what is not a number does not count.

    Parameters
    ----------
    values : array of float, shape (n,)

    Returns
    -------
    array of float, shape (n,)
        At each place the mean of those before it, itself included.
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


def _prepare(plot: Any, title: str) -> None:
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


def _caption(plot: Any, colors: Mapping[str, str]) -> None:
    """Name the curves in their colors, above the plot, where they hide nothing."""
    words = [f'<span style="color: {color}">{name}</span>' for name, color in colors.items()]
    plot.setTitle(" · ".join(words), size="9pt")
