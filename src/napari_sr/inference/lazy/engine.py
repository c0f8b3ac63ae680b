"""Computation of one chunk of a lazy result, in any thread or process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sr.imaging.part import LoadedPart
from napari_sr.inference.compute.network import JobNetwork
from napari_sr.inference.facts.calibration import Calibration
from napari_sr.inference.job import Job
from napari_sr.inference.lazy.chunks import Chunk
from napari_sr.torch_state import ONE_NETWORK


@dataclass(frozen=True, eq=False)
class ChunkUpscaler:
    """All that the chunks of a result have in common; it can be pickled, with the weights of the model.

    The first chunk in a process prepares the network, which is kept as long as this object.

    Parameters
    ----------
    job : Job
        Model and settings. The device "auto" is chosen where a chunk is computed.
    calibration : Calibration
        Facts of the whole image.
    dtype : dtype
        Data type of image and result.

    Attributes
    ----------
    network : JobNetwork
        The network of the job.
    """

    job: Job
    calibration: Calibration
    dtype: np.dtype[Any]
    network: JobNetwork = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", JobNetwork(self.job.model, self.job.settings))

    def compute(self, chunk: Chunk, origins: Sequence[tuple[int, ...]], blocks: Sequence[Any]) -> NDArray[Any]:
        """Compute a chunk of the result.

        Parameters
        ----------
        chunk : Chunk
            The chunk.
        origins : sequence of tuple of int
            Position of the first value of each block in the image.
        blocks : sequence of array
            The chunks of the image that have pixels of ``chunk.read``.

        Raises
        ------
        InputError
            If values do not fit, or a chunk does not fit into memory.
        """
        loaded = self._loaded(chunk, origins, blocks)
        part = LoadedPart(loaded, tuple(first for first, _ in chunk.read), chunk.region.axes.shape)
        # The chunks of the image are here, so that nothing waits for another task inside.
        with ONE_NETWORK:
            done = self.job.run_region(part, chunk.region, calibration=self.calibration, network=self.network)
        result = done.data
        inside = result[tuple(slice(*span) for span in chunk.inside)]
        # A view would keep the pixels around it in memory.
        return np.ascontiguousarray(inside) if inside.size < result.size else inside

    def _loaded(self, chunk: Chunk, origins: Sequence[tuple[int, ...]], blocks: Sequence[Any]) -> NDArray[Any]:
        """Put the pixels that are read together."""
        loaded = np.empty([last - first for first, last in chunk.read], self.dtype)
        for origin, block in zip(origins, blocks, strict=True):
            into, out_of = [], []
            for start, count, (first, last) in zip(origin, block.shape, chunk.read, strict=True):
                low, high = max(first, start), min(last, start + count)
                into.append(slice(low - first, high - first))
                out_of.append(slice(low - start, high - start))
            loaded[tuple(into)] = np.asarray(block[tuple(out_of)])
        return loaded
