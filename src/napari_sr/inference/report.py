"""The report of a job."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from napari_sr.imaging.intensity.spec import format_limits
from napari_sr.inference.formatting import format_speed

# Channels whose black and white are shown in a sentence.
_CHANNELS = 4
_AND = " and "


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report of a job.

    Parameters
    ----------
    model : str
        Name of the model.
    alpha : float or None
        Mixture of the two endpoints of the model, from 0 (the first) to 1; None for a model without endpoints.
    mixing : {"weights", "images"} or None
        What is mixed: the weights of the endpoints (network interpolation), or their results; None for a model without
        endpoints.
    scale : int
        Factor of the model.
    factors : (float, float)
        Pixels of the whole result for each pixel of the image, along Y and X.
    part : dict of str to (int, int) or None
        The part of the image that was upscaled, as first position and the one after the last along each axis; None for
        all of it.
    device : str
        Device that computed.
    precision : str
        Number format of the computation.
    tiling : str
        How planes were cut, as text.
    not_exact_because : str or None
        Why overlapping tiles were used although exact tiling was requested; None where that is not so.
    intensity : dict of str to (float, float)
        Values of the image that were mapped to black and white, by the number of the channel; the key is "" without
        separate channels. Channels without different values have none.
    own_range : bool
        Whether those values are the ends of the range of the data type.
    planes : int
        Number of planes.
    strips : int
        Strips of rows that were computed by exact tiling; 0 without it.
    peak_memory : int or None
        Predicted memory of exact tiling on the device, in bytes; None without it.
    halved : int
        How often the device ran out of memory and the strips were halved.
    clipped : int
        Values of the result that were outside the range of the data type and were clipped.
    recomputed : int
        Ranges of rows, or tiles, that were computed again in float32 because half precision overflowed.
    seconds : float
        Duration of the computation, in seconds.
    pixels_per_second : float
        Values of the result per second.
    continued : int, default 0
        Rows of the result, over all planes, that an interrupted run had finished; columns where the image is wider than
        high.
    repeated : int, default 0
        Rows or columns of the image that were computed again, because the first ones that were left depend on them.
    blocks : int, default 0
        Blocks that a cluster computed; 0 on one machine.
    continued_blocks : int, default 0
        Blocks that an interrupted run on a cluster had finished, and that were not computed again.
    warnings : tuple of str, default ()
        Sentences about choices that may not fit the image, and pixels that were not passed through the network.
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
    own_range: bool
    planes: int
    strips: int
    peak_memory: int | None
    halved: int
    clipped: int
    recomputed: int
    seconds: float
    pixels_per_second: float
    continued: int = 0
    repeated: int = 0
    blocks: int = 0
    continued_blocks: int = 0
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain values, for the metadata of a layer or a JSON file."""
        return asdict(self)

    def black_and_white(self) -> str:
        """Return the values that were taken for black and white as text.

        Returns
        -------
        str
            Such as "black is 103 and white 3211", or "black is 103 and white 3211 in channel 0, 99 and 4000 in channel
            1"; empty where they are the ends of the range of the data type.
        """
        if self.own_range or not self.intensity:
            return ""
        shown = [
            f"{black} and {'' if n else 'white '}{white}" + (f" in channel {name}" if name else "")
            for n, (name, (black, white)) in enumerate((k, format_limits(*v)) for k, v in self.intensity.items())
        ]
        more = ", …" if len(shown) > _CHANNELS else ""
        return f"black is {', '.join(shown[:_CHANNELS])}{more}"

    def remarks(self) -> list[str]:
        """Return black and white and the warnings as sentences.

        Returns
        -------
        list of str
            For a message; empty where there is nothing to say.
        """
        text = self.black_and_white()
        return [*([f"{text[0].upper()}{text[1:]}."] if text else []), *self.warnings]

    def sentence(self) -> str:
        """Return the facts as one line of text.

        Returns
        -------
        str
            Such as "srcnn-x2 x2 on cpu in float32, 1 plane, exact, 64 rows at a time, 0.5 s (2.1 megapixels of result
            per second)", and the remarks.
        """
        images = " (images mixed)" if self.mixing == "images" else ""
        mixed = "" if self.alpha is None else f" alpha {self.alpha:g}{images}"
        resized = any(abs(factor - self.scale) > 1e-9 for factor in self.factors)
        target = f" resized to x{self.factors[0]:.4g} and x{self.factors[1]:.4g}" if resized else ""
        planes = "1 plane" if self.planes == 1 else f"{self.planes} planes"
        reason = f", because {self.not_exact_because}" if self.not_exact_because is not None else ""
        extra = f", {self.clipped} values clipped" if self.clipped else ""
        extra += f", {self.halved} times out of memory" if self.halved else ""
        extra += f", {self.recomputed} parts computed again in float32" if self.recomputed else ""
        extra += f", {self.continued} lines of an interrupted run continued" if self.continued else ""
        extra += f", {self.repeated} lines computed again" if self.repeated else ""
        if self.continued_blocks:
            extra += f", {self.continued_blocks} blocks of an interrupted run continued, {self.blocks} computed"
        remarks = "".join(f" {remark}" for remark in self.remarks())
        return (
            f"{self.model}{mixed} x{self.scale}{target} on {self.device} in {self.precision}, "
            f"{planes}, {self.tiling}{reason}, "
            f"{self.seconds:.1f} s ({format_speed(self.pixels_per_second)} megapixels of result per second){extra}"
            f"{'.' if remarks else ''}{remarks}"
        )


def joined(first: Report, second: Report) -> Report:
    """Combine the reports of two parts of a run.

    Returns
    -------
    Report
        Counts are added; devices, channels and warnings are those of both.
    """
    devices = dict.fromkeys([*first.device.split(_AND), *second.device.split(_AND)])
    peaks = [report.peak_memory for report in (first, second) if report.peak_memory is not None]
    return replace(
        first,
        device=_AND.join(devices),
        intensity={**first.intensity, **second.intensity},
        own_range=first.own_range and second.own_range,
        strips=first.strips + second.strips,
        peak_memory=max(peaks, default=None),
        halved=first.halved + second.halved,
        clipped=first.clipped + second.clipped,
        recomputed=first.recomputed + second.recomputed,
        warnings=tuple(dict.fromkeys((*first.warnings, *second.warnings))),
    )
