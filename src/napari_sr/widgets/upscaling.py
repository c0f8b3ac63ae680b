"""One run from the window: a model is loaded, a layer read, upscaled off the main thread, and the result added."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sr.imaging.geometry import LayerData, copy_contrast_range
from napari_sr.widgets.executor import Executor, Run

if TYPE_CHECKING:
    from napari_sr.inference import Job
    from napari_sr.zoo import Model


class Listener(Protocol):
    """Hears how an upscaling goes, on the main thread; one of the last three is called, once."""

    def progressed(self, done: int, total: int) -> None:
        """Hear how far it is."""

    def finished(self, layer: Image) -> None:
        """Hear that the result was added."""

    def failed(self, error: Exception) -> None:
        """Hear why it could not be done."""

    def stopped(self, why: str) -> None:
        """Hear that it was stopped and nothing was added."""


class Upscaling:
    """A run over one layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer is and the result goes.
    layer : napari Image layer
        The source; only read.
    load : callable
        Gives the model; called on the executor's thread.
    make_job : callable
        Gives the job for the model; called on the main thread.
    executor : Executor
        Where the work is done.
    listener : Listener
        Who hears of it.
    """

    def __init__(
        self,
        viewer: Viewer,
        layer: Image,
        load: Callable[[], Model],
        make_job: Callable[[Model], Job],
        executor: Executor,
        listener: Listener,
    ) -> None:
        self._viewer, self._layer = viewer, layer
        self._name = str(layer.name)
        self._load, self._make_job = load, make_job
        self._executor = executor
        self._listener: Listener | None = listener
        self._run: Run[Any] | None = None
        self._why = "Stopped: nothing was added."

    def start(self) -> None:
        """Begin; how it goes on is told to the listener."""
        self._viewer.layers.events.removed.connect(self._layer_removed)
        self._submit(
            Run(
                f"loading the model for “{self._name}”",
                lambda progress, cancel: self._load(),
                returned=self._loaded,
                errored=self._failed,
                cancelled=self._stopped,
            )
        )

    def cancel(self, why: str = "") -> None:
        """Ask it to stop; the listener hears when it has."""
        self._why = why or self._why
        if self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Ask it to stop and tell nobody."""
        if self._run is not None:
            self._run.abandon()
        self._end()

    def _submit(self, run: Run[Any]) -> None:
        self._run = run
        self._executor.submit(run)

    def _loaded(self, model: Model) -> None:
        from napari_sr.inference import prepare_layer, run_layer

        try:
            job = self._make_job(model)
            prepared = prepare_layer(job, self._layer)
        except Exception as error:  # whatever it is, the panel must not be left running
            self._failed(error)
            return
        self._submit(
            Run(
                f"upscaling “{self._name}” with {model.name}",
                lambda progress, cancel: run_layer(job, prepared, progress=progress, cancel=cancel),
                returned=self._add,
                errored=self._failed,
                cancelled=self._stopped,
                progressed=self._progressed,
            )
        )

    def _add(self, result: LayerData) -> None:
        try:
            added = self._viewer.add_layer(Layer.create(*result))
            copy_contrast_range(self._layer, added)
        except Exception as error:  # as above
            self._failed(error)
            return
        listener = self._end()
        if listener is not None:
            listener.finished(added)

    def _progressed(self, done: int, total: int) -> None:
        if self._listener is not None:
            self._listener.progressed(done, total)

    def _failed(self, error: Exception) -> None:
        listener = self._end()
        if listener is not None:
            listener.failed(error)

    def _stopped(self) -> None:
        listener = self._end()
        if listener is not None:
            listener.stopped(self._why)

    def _layer_removed(self, event: object) -> None:
        if self._listener is not None and self._layer not in self._viewer.layers:
            self.cancel(f"“{self._name}” was removed, so its run was stopped: nothing was added.")

    def _end(self) -> Listener | None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._viewer.layers.events.removed.disconnect(self._layer_removed)
        return listener
