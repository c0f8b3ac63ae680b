"""What alpha does between the two endpoints of a pair: PSNR, and how much fine detail there is.

    python benchmarks/endpoints.py MODEL --low natural/Set5/LR_bicubic/X4 --high natural/Set5/HR

Fine detail is the power of luminance above half the Nyquist frequency, as a share of the truth's: 1 is as sharp as the
truth, a PSNR-trained network lies far below.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import napari_sr as sr
from napari_sr.evaluation import bicubic, evaluate
from napari_sr.imaging.colour import luma
from napari_sr.imaging.files import read_image


def fine_power(image: np.ndarray) -> float:
    """Power of luminance above half the Nyquist frequency, the border windowed away."""
    y = luma(image / 255.0) if image.ndim == 3 else image / 255.0
    window = np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))
    power = np.abs(np.fft.fft2((y - y.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None, :])
    return float(power[(radius > 0.25) & (radius <= 0.5)].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--low", type=Path, required=True)
    parser.add_argument("--high", type=Path, required=True)
    arguments = parser.parse_args()
    model = sr.load_model(arguments.model)
    pairs = []
    for path in sorted(arguments.high.glob("*.png")):
        low = next(p for p in arguments.low.glob("*.png") if p.stem.startswith(path.stem))
        pairs.append((read_image(low).data, read_image(path).data))
    print(f"{model.name}: means of {len(pairs)} images")
    print("| alpha | PSNR (luminance) | fine detail, of the truth's |\n|---|---|---|")
    for alpha in (None, 0.0, 0.25, 0.5, 0.75, 1.0):
        mixed = None if alpha is None else model.with_alpha(alpha)
        figures, shares = [], []
        for low, high in pairs:
            result = bicubic(low, model.scale) if mixed is None else sr.upscale(low, mixed)
            truth = high[: result.shape[0], : result.shape[1]]
            figures.append(evaluate(result, truth, scale=model.scale).psnr)
            shares.append(fine_power(result) / fine_power(truth))
        print(
            f"| {'bicubic' if alpha is None else alpha} | {np.mean(figures):.2f} | {np.mean(shares):.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
