"""A run over several images: what is finished is left out, and a bad image does not end the run."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import NamedTuple

from napari_sr.errors import Cancelled, InputError, describe_error, one_line
from napari_sr.imaging.as_image import as_image
from napari_sr.imaging.axes import parse_axes
from napari_sr.imaging.files import ImageFile, read_image
from napari_sr.imaging.files.series import partner_files
from napari_sr.inference.compute.memory import free_memory_of_host
from napari_sr.inference.files.inputs import PlannedFile
from napari_sr.inference.files.jobs import FileJobs
from napari_sr.inference.files.journal import Journal, stamp_of
from napari_sr.inference.files.one_file import check_format, check_output, upscale_to
from napari_sr.inference.files.read_ahead import ReadAhead
from napari_sr.inference.files.results import FileResult, FileResults
from napari_sr.inference.output.paths import is_store_name
from napari_sr.inference.output.store_metadata import VERSIONS, OmeZarr, read_version
from napari_sr.inference.stamp import Stamp, stamp_of_image
from napari_sr.progress import Cancel, Progress

#: Called with the number of an image, from 0, and its state.
Changed = Callable[[int, FileResult], None]

#: Pieces into which the work on an image is divided for the progress.
PIECES = 100
# Largest part of the free memory that a file may have which is read before its turn. Its pixels can be compressed.
_PART = 16
_FULL = (errno.ENOSPC, errno.EDQUOT)
_PAUSE = 0.1

_log = logging.getLogger(__name__)


class _Read(NamedTuple):
    """An image, the stamp that its files had before it was read, and the paths of its other files in their folder."""

    image: ImageFile
    stamp: Stamp | None
    partners: tuple[str, ...]


class FilesRun:
    """A run over several images.

    Parameters
    ----------
    files : sequence of PlannedFile
        The images, from `plan_files`.
    out_folder : Path
        Folder of the results.
    jobs : FileJobs
        Model and settings.
    axes : str, optional
        Axes of all images; by default those of each file.
    series : int or str, optional
        Image in files with several; by default the largest.
    overwrite : bool, default False
        Whether files are replaced that no run has written.
    devices : sequence of str, optional
        Devices that compute at the same time, each an image of its own. By default that of the settings alone.
    ome_zarr : {"0.5", "0.4"}, default "0.5"
        Version of a store that is written; 0.4 is for programs that read Zarr 2 only. It changes no pixel.

    Raises
    ------
    InputError
        If the journal of the folder cannot be read, or a version of OME-Zarr is given and no result is a store.
    """

    def __init__(
        self,
        files: Sequence[PlannedFile],
        out_folder: Path,
        jobs: FileJobs,
        *,
        axes: str | None = None,
        series: int | str | None = None,
        overwrite: bool = False,
        devices: Sequence[str] = (),
        ome_zarr: OmeZarr = "0.5",
    ) -> None:
        self._files, self._folder, self._jobs = tuple(files), out_folder, jobs
        self._axes, self._series, self._overwrite = axes, series, overwrite
        self._devices = tuple(devices)
        self._journal = Journal(out_folder)
        self._ome_zarr = read_version(ome_zarr, store=any(is_store_name(file.out) for file in self._files))
        self._fingerprint = self._of_stores = jobs.fingerprint(axes=axes, series=series)
        if self._ome_zarr != VERSIONS[0]:
            # A store of another version is another result.
            self._of_stores = jobs.fingerprint(axes=axes, series=series, ome_zarr=self._ome_zarr)
        self._disk_full = False

    def planned(self) -> FileResults:
        """Return the state of each image before the run; nothing is read but the journal.

        Returns
        -------
        FileResults
            "waiting" for an image that will be computed, and otherwise "skipped" or "failed".
        """
        return FileResults(self._planned(file) for file in self._files)

    def run(self, *, progress: Progress, cancel: Cancel, changed: Changed) -> FileResults:
        """Upscale all images that are not finished.

        Parameters
        ----------
        progress : callable
            Called as ``progress(done, total)``, with `PIECES` for each image.
        cancel : callable
            Returning True ends the run with `Cancelled`; what was finished before remains.
        changed : callable
            Called with the number of an image and its new state. It and `progress` are called by one thread at a time.

        Returns
        -------
        FileResults
            One for each image, in their order.

        Raises
        ------
        InputError
            If the folder of the results cannot be made.
        Cancelled
            If `cancel` returned True.
        """
        board = _Board(self.planned(), progress, changed)
        waiting = board.begin()
        if waiting:
            _make_folder(self._folder)
        stop = Event()
        with ReadAhead(waiting, self._read, self._fits, ahead=max(1, len(self._devices))) as images:

            def work(device: str | None) -> None:
                while (taken := images.take()) is not None:
                    if stop.is_set() or cancel():
                        raise Cancelled("The run over several images was stopped.")
                    number, read = taken
                    board.set(number, self._running(number))
                    step = board.progress_of(number)
                    board.set(number, self._upscale(number, read, device, step, lambda: stop.is_set() or cancel()))

            if self._devices:
                _work_in_threads(work, self._devices, stop)
            else:
                work(None)
        return board.results

    def _planned(self, file: PlannedFile) -> FileResult:
        if file.problem:
            return FileResult(file.source, file.out, "failed", file.problem)
        status = self._journal.status(file.out, file.source, self._fingerprint_of(file.out))
        if status == "finished":
            return FileResult(file.source, file.out, "skipped", "It is finished.")
        if status == "changed" and not self._overwrite:
            reason = f"{file.out} was changed after it was finished: delete it to compute it again."
            return FileResult(file.source, file.out, "skipped", reason)
        if status == "foreign" and not self._overwrite:
            return FileResult(file.source, file.out, "failed", _foreign(file.out))
        return FileResult(file.source, file.out, "waiting")

    def _fingerprint_of(self, out: Path) -> str:
        return self._of_stores if is_store_name(out) else self._fingerprint

    def _running(self, number: int) -> FileResult:
        file = self._files[number]
        return FileResult(file.source, file.out, "running")

    def _read(self, number: int) -> _Read:
        source = self._files[number].source
        # Found once, and listed in the journal: a later run does not open the files of finished images.
        partners = tuple(partner_files(source))
        stamp = stamp_of_image(source, partners)
        return _Read(read_image(source, series=self._series, lazy=True), stamp, partners)

    def _fits(self, number: int) -> bool:
        stamp = stamp_of(self._files[number].source)
        return stamp is not None and stamp.size <= free_memory_of_host() / _PART

    def _upscale(
        self, number: int, read: Callable[[], _Read], device: str | None, progress: Progress, cancel: Cancel
    ) -> FileResult:
        """Upscale an image; an error is the reason of a failure."""
        file, started = self._files[number], time.perf_counter()
        try:
            if self._disk_full:
                raise InputError("It was not begun because the disk is full: make room, and run again.")
            model, reason = self._write(file, read(), device, progress, cancel)
        except Cancelled:
            raise
        except Exception as error:
            # Of any kind: the other images do not depend on it.
            self._disk_full = self._disk_full or _is_full(error)
            sentence = describe_error(error)
            if sentence is None:
                _log.exception("An unexpected error occurred while %s was upscaled.", file.source)
                sentence = f"An unexpected error occurred ({type(error).__name__}: {one_line(error)})."
            return FileResult(file.source, file.out, "failed", sentence, time.perf_counter() - started)
        return FileResult(file.source, file.out, "done", reason, time.perf_counter() - started, model)

    def _is_foreign(self, file: PlannedFile, fingerprint: str) -> bool:
        """Whether an output was written neither by this run nor by another one with the same journal."""
        if self._journal.status(file.out, file.source, fingerprint) == "foreign":
            self._journal.read()
        return self._journal.status(file.out, file.source, fingerprint) == "foreign"

    def _write(
        self, file: PlannedFile, read: _Read, device: str | None, progress: Progress, cancel: Cancel
    ) -> tuple[str, str]:
        """Upscale an image, and return the name of the model and the remarks."""
        image, stamp, partners = read
        image = image.in_axes(self._axes) if self._axes else image
        axes = parse_axes(image.axes, image.data.shape)
        _make_folder(file.out.parent)
        # `planned` has found that the output may be replaced.
        check_output(file.source, file.out, overwrite=True)
        check_format(file.out, image, axes)
        job = self._jobs.job(as_image(image, axes), device, cancel=cancel)

        fingerprint = self._fingerprint_of(file.out)

        def complete(path: Path) -> None:
            if not self._overwrite and self._is_foreign(file, fingerprint):
                # Somebody has written it meanwhile.
                raise InputError(_foreign(file.out))
            self._journal.add(file.out, path, file.source, stamp, fingerprint, partners)

        report = upscale_to(
            file.out,
            job,
            image,
            axes,
            overwrite=True,
            progress=progress,
            cancel=cancel,
            completed=complete,
            ome_zarr=self._ome_zarr,
        )
        others = (
            [f"Series {image.series} was upscaled, of {len(image.other_series) + 1}."] if image.other_series else []
        )
        return report.model, " ".join([*others, *([image.remark] if image.remark else []), *report.warnings])


class _Board:
    """States and progress of all images; used by several threads."""

    def __init__(self, results: FileResults, progress: Progress, changed: Changed) -> None:
        self.results = results
        self._progress, self._changed = progress, changed
        self._pieces = [0] * len(results)
        self._lock = Lock()

    def begin(self) -> list[int]:
        """Report the images that are not computed, and return the numbers of the others."""
        for number, result in enumerate(self.results):
            if result.state != "waiting":
                self.set(number, result)
        return [number for number, result in enumerate(self.results) if result.state == "waiting"]

    def set(self, number: int, result: FileResult) -> None:
        """Change the state of an image."""
        with self._lock:
            self.results[number] = result
            self._changed(number, result)
            if result.state != "running":
                self._show(number, PIECES)

    def progress_of(self, number: int) -> Progress:
        """Return the progress of the work on one image."""

        def progress(done: int, total: int) -> None:
            with self._lock:
                self._show(number, int(PIECES * done / max(total, 1)))

        return progress

    def _show(self, number: int, pieces: int) -> None:
        self._pieces[number] = min(max(self._pieces[number], pieces), PIECES)
        self._progress(sum(self._pieces), PIECES * len(self._pieces))


def _work_in_threads(work: Callable[[str], None], devices: Sequence[str], stop: Event) -> None:
    """Do work on one thread for each device, and raise the first error."""
    errors: list[BaseException] = []

    def guarded(device: str) -> None:
        try:
            work(device)
        except BaseException as error:
            # It is raised on the thread of the caller.
            errors.append(error)
            stop.set()

    threads = [Thread(target=guarded, args=(device,), name=f"napari-sr-{device}") for device in devices]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            # With a timeout, so that a signal is handled meanwhile.
            while thread.is_alive():
                thread.join(_PAUSE)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join()
        raise
    if errors:
        raise next((error for error in errors if not isinstance(error, Cancelled)), errors[0])


def _foreign(out: Path) -> str:
    return (
        f"{out} exists already and is no earlier result of this image: give another folder, or allow to replace files "
        "(--overwrite)."
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be made ({error.strerror or error}): give another one."
        ) from error


def _is_full(error: BaseException | None) -> bool:
    """Whether an error was caused by a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False
