"""What a job says of itself when it is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """The facts of one job.

    Parameters
    ----------
    model : str
        Name of the model.
    alpha : float or None
        Mixture of the model's two endpoints, 0 the first; None for a model of one.
    mixing : {"weights", "images"} or None
        What alpha mixed: the weights of the two (network interpolation), or the two results; None for a model of one.
    scale : int
        The model's factor.
    factors : (float, float)
        Pixels of the whole result for each of the image, along Y and X: the model's factor unless another was asked.
    part : dict of str to (int, int) or None
        What of the image was upscaled, first and one after the last along each axis; None for all of it.
    device : str
        Where the work was done.
    precision : str
        Numbers it was done in.
    tiling : str
        How planes were cut, in words.
    not_exact_because : str or None
        Why overlapping tiles were used although exact tiling was requested; None where that is not so.
    intensity : dict
        Layer values (low, high) that stood for black and white, by channel; the key "" where there are no channels.
    planes : int
        Planes of the image.
    strips : int
        Strips of rows that came out of the stream; 0 where nothing was streamed.
    peak_memory : int or None
        Bytes that the stream was cut to on the device; None where nothing was streamed.
    halved : int
        How often the device ran out of memory all the same, and the strips were halved.
    clipped : int
        Values of the result beyond the ends of the dtype, which were clipped.
    recomputed : int
        Pieces computed again in float32 because half precision made a NaN or an infinity.
    seconds : float
        Time from the first plane to the last.
    pixels_per_second : float
        Pixels of the result, per second.
    """

    model: str
    alpha: float | None
    mixing: str | None
    scale: int
    factors: tuple[float, float]
    part: dict[str, tuple[int, int]] | None
    device: str
    precision: str
    tiling: str
    not_exact_because: str | None
    intensity: dict[str, tuple[float, float]]
    planes: int
    strips: int
    peak_memory: int | None
    halved: int
    clipped: int
    recomputed: int
    seconds: float
    pixels_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Give the facts as plain values, for a layer's metadata or a JSON file."""
        return asdict(self)

    def sentence(self) -> str:
        """Say the facts in one line."""
        images = " (images mixed)" if self.mixing == "images" else ""
        mixed = "" if self.alpha is None else f" alpha {self.alpha:g}{images}"
        resized = any(abs(factor - self.scale) > 1e-9 for factor in self.factors)
        brought = f" brought to x{self.factors[0]:.4g} and x{self.factors[1]:.4g}" if resized else ""
        planes = "1 plane" if self.planes == 1 else f"{self.planes} planes"
        instead = f", because {self.not_exact_because}" if self.not_exact_because is not None else ""
        extra = f", {self.clipped} values clipped" if self.clipped else ""
        extra += f", {self.halved} times out of memory" if self.halved else ""
        extra += f", {self.recomputed} pieces computed again in float32" if self.recomputed else ""
        return (
            f"{self.model}{mixed} x{self.scale}{brought} on {self.device} in {self.precision}, "
            f"{planes}, {self.tiling}{instead}, "
            f"{self.seconds:.1f} s ({self.pixels_per_second / 1e6:.2f} megapixels of result per second){extra}"
        )
