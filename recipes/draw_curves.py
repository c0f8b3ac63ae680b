"""Draw the curves of runs: validation PSNR with that of bicubic interpolation, and the losses below.

    python recipes/draw_curves.py runs/srcnn-x3 [more runs] --out docs/pictures/training-srcnn.png

Needs pyqtgraph and Qt (the extra `gui`), but no display.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pyqtgraph as pg
from pyqtgraph.exporters import ImageExporter

from napari_sr.training.loop.log import CURVES, read_curves

COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")


def main() -> None:
    """Read the command line and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    pg.setConfigOptions(antialias=True, background="w", foreground="k")
    pg.mkQApp()
    window = pg.GraphicsLayoutWidget()
    window.resize(560 * len(arguments.runs), 640)
    for column, run in enumerate(arguments.runs):
        rows = read_curves(run / CURVES)
        draw(window.addPlot(row=0, col=column, title=run.name), rows, ("psnr", "bicubic_psnr"), "PSNR, dB", log=False)
        others = {"step", "stage", "learning_rate", "psnr", "ssim", "bicubic_psnr", "bicubic_ssim", "lattice", "total"}
        losses = [name for name in rows[0] if name not in others]
        values = [float(row[name]) for row in rows for name in losses if row[name]]
        # A logarithmic axis has no labels if its range is small.
        wide = max(values) > 5 * min(values)
        draw(window.addPlot(row=1, col=column), rows, losses, "losses", log=wide)
    # The plots are laid out only when the window is shown, which the offscreen platform does without a screen.
    window.show()
    pg.QtWidgets.QApplication.processEvents()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    ImageExporter(window.scene()).export(str(arguments.out))


def draw(
    plot: pg.PlotItem, rows: list[dict[str, str]], names: list[str] | tuple[str, ...], label: str, log: bool
) -> None:
    """Draw columns of the curves over the steps."""
    plot.addLegend(offset=(-10, -30) if "psnr" in names else (-10, 10))
    plot.setLabels(left=label, bottom="steps")
    plot.setLogMode(y=log)
    for color, name in zip(COLORS, names, strict=False):
        filled = [row for row in rows if row[name]]
        steps, values = [int(row["step"]) for row in filled], [float(row[name]) for row in filled]
        style = pg.QtCore.Qt.PenStyle.DashLine if name.startswith("bicubic") else pg.QtCore.Qt.PenStyle.SolidLine
        plot.plot(steps, values, pen=pg.mkPen(color, width=2, style=style), name=name.replace("_", " "))


if __name__ == "__main__":
    main()
