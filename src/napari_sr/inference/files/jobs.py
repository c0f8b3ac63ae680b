"""The jobs of several images: one model that is loaded once, or for "auto" each suggested model once."""

from __future__ import annotations

import os
from dataclasses import replace
from threading import Lock
from typing import Any

from napari_sr import __version__
from napari_sr.errors import InputError
from napari_sr.imaging.as_image import ImageInput
from napari_sr.inference.compute.device import choose_device
from napari_sr.inference.fingerprint import fingerprint
from napari_sr.inference.job import Job
from napari_sr.inference.suggest import suggested_settings
from napari_sr.progress import Cancel
from napari_sr.settings import JobSettings
from napari_sr.zoo.catalog import as_model, load_model
from napari_sr.zoo.model import Model
from napari_sr.zoo.names import is_auto


def check_settings(settings: JobSettings) -> None:
    """Check that settings do not depend on a layer."""
    if settings.intensity == "contrast":
        raise InputError(
            'The intensity "contrast" is that of a layer, and files have none: choose another one, or two values.'
        )


class FileJobs:
    """The jobs of several images.

    Parameters
    ----------
    model : Model, str or Path
        A model, the name of one, the path of a file, or "auto" for the suggested one of each image.
    settings : JobSettings
        Settings of all jobs.
    scale : float, optional
        Factor for "auto"; by default that of the target of the settings, or else 2.

    Raises
    ------
    InputError
        If model or settings cannot be used.
    CheckpointError
        If the model cannot be loaded.
    """

    def __init__(
        self, model: Model | str | os.PathLike[str], settings: JobSettings, *, scale: float | None = None
    ) -> None:
        check_settings(settings)
        self._model = None if is_auto(model) else Job(as_model(model), settings).model
        self._settings, self._scale = settings, scale
        self._loaded: dict[str, Model] = {}
        self._lock = Lock()
        choose_device(settings.device)

    def job(self, image: ImageInput, device: str | None = None, *, cancel: Cancel | None = None) -> Job:
        """Return the job for an image.

        Parameters
        ----------
        image : ImageInput
            The image, which is read for "auto".
        device : str, optional
            Device that computes; by default that of the settings.
        cancel : callable, optional
            Called before each part is read for "auto"; returning True ends the work with `Cancelled`.

        Raises
        ------
        InputError
            If image and settings do not fit together.
        Cancelled
            If `cancel` returned True.
        """
        settings = self._settings if device is None else replace(self._settings, device=device)
        if self._model is not None:
            return Job(self._model, settings)
        name, settings = suggested_settings(settings, image, scale=self._scale, cancel=cancel)
        return Job(self._load(name), settings)

    def fingerprint(self, **others: Any) -> str:
        """Return a hash of model and settings, which tells whether a result has to be computed again.

        Parameters
        ----------
        **others
            Further values that decide the pixels, such as the axes.

        Returns
        -------
        str
            SHA-256 as 64 hexadecimal digits. Device, memory and batch are not part of it. For "auto" the version of
            napari-sr is, whose suggestions may differ from those of another one.
        """
        model = f"auto {self._scale} {__version__}" if self._model is None else self._model
        return fingerprint(model, self._settings, others)

    def _load(self, name: str) -> Model:
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_model(name)
            return self._loaded[name]
