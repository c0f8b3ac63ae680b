"""The network of a job: that of the model with the layers around it, and its preparation on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch
from torch import nn

from napari_sr.imaging.axes import Axes
from napari_sr.inference.channels import CarryAdapter, network_for, separate_colors
from napari_sr.inference.compute.conditions import conditioned
from napari_sr.inference.compute.plane import PlaneRunner
from napari_sr.inference.compute.prepared import PreparedNetwork
from napari_sr.networks.conditioning import NoiseLevels
from napari_sr.settings import JobSettings, Overlap
from napari_sr.zoo.model import Model


def network_of(model: Model, settings: JobSettings, rgb: bool, noise: NoiseLevels) -> nn.Module:
    """Return the network for the planes of an image, with the layers for the conditions and the colors.

    Parameters
    ----------
    model : Model
        The model.
    settings : JobSettings
        The settings.
    rgb : bool
        Whether the planes have three colors.
    noise : NoiseLevels
        Noise of the planes, to be set for each batch.

    Returns
    -------
    nn.Module
        A network of one input: gray values, one color, or three colors together. A layer for values far beyond black
        and white is not included.
    """
    return network_for(conditioned(model, settings, noise), model.card, _colors(model, rgb))


class JobNetwork:
    """The network of a job, built and copied to the device by the first run and kept for those that follow.

    The copies on the device are kept as long as this object. It is pickled without them.

    Parameters
    ----------
    model : Model
        The model of the job.
    settings : JobSettings
        The settings of the job.

    Attributes
    ----------
    noise : NoiseLevels
        Noise of the planes, to be set for each batch.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_sr as sr
    >>> from napari_sr.imaging.axes import parse_axes
    >>> job = sr.Job("srcnn-x2", sr.JobSettings(device="cpu", intensity=(0, 255)))
    >>> image = np.zeros((32, 32), np.uint8)
    >>> axes = parse_axes("YX", image.shape)
    >>> network = JobNetwork(job.model, job.settings)
    >>> for top in (0, 16):
    ...     region = job.region(axes, sr.Part(rows=(top, top + 16)))
    ...     print(job.run_region(image, region, network=network).data.shape)
    (32, 64)
    (32, 64)
    """

    def __init__(self, model: Model, settings: JobSettings) -> None:
        self.model, self.settings = model, settings
        self.noise = NoiseLevels()
        self._prepared: dict[tuple[int, bool, torch.device], PreparedNetwork] = {}
        self._in_use = Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return JobNetwork, (self.model, self.settings)

    @contextmanager
    def for_one_run(self) -> Iterator[JobNetwork]:
        """Provide the network for a run.

        Yields
        ------
        JobNetwork
            This one; a new one while another run uses this one, so that no run waits for another.
        """
        if not self._in_use.acquire(blocking=False):
            yield JobNetwork(self.model, self.settings)
            return
        self.noise.set((0.0,), (0.0,), (0.0,))
        try:
            yield self
        finally:
            self._in_use.release()

    def prepared(self, axes: Axes, device: torch.device, *, carried: bool) -> PreparedNetwork:
        """Return the network on a device.

        Parameters
        ----------
        axes : Axes
            Axes of the image.
        device : torch.device
            Device that computes.
        carried : bool
            Whether values far beyond black and white are carried around the network.
        """
        key = (_colors(self.model, axes.rgb), carried, device)
        if key not in self._prepared:
            network = network_of(self.model, self.settings, axes.rgb, self.noise)
            self._prepared[key] = PreparedNetwork(CarryAdapter(network) if carried else network, device)
        return self._prepared[key]


def _colors(model: Model, rgb: bool) -> int:
    """Channels of the planes that pass through the network: 3 for colors together, otherwise 1."""
    return 3 if rgb and not separate_colors(model.card) else 1


def not_exact_because(model: Model, settings: JobSettings, rgb: bool) -> str | None:
    """Return why a part of an image would not be computed as it is in the whole image.

    Returns
    -------
    str or None
        Such as "tiles overlap"; None where the tiling is exact, or none.
    """
    if settings.tiling == "overlap" or isinstance(settings.tiling, Overlap):
        return "tiles overlap"
    return _runner(model, settings, rgb).not_exact_because


def is_streamed(model: Model, settings: JobSettings, rgb: bool) -> bool:
    """Return whether planes of an image are streamed, by rows or by columns.

    Returns
    -------
    bool
        False for tiles, and for planes that are computed in one piece.
    """
    return _runner(model, settings, rgb).is_streamed


def _runner(model: Model, settings: JobSettings, rgb: bool) -> PlaneRunner:
    network = network_of(model, settings, rgb, NoiseLevels())
    return PlaneRunner(PreparedNetwork(network, torch.device("cpu")), tiling=settings.tiling)
