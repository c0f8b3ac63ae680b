"""Input files of a run over several images: files, folders and patterns, each with the place of its result."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_sr.conversion import check_no_address, quote, read_path, shorten
from napari_sr.errors import InputError
from napari_sr.imaging.files import ENDINGS
from napari_sr.imaging.files.names import is_store
from napari_sr.imaging.files.plates import fields_of, is_plate_part, plate_of
from napari_sr.inference.output.paths import FORMATS

#: Name of the journal in a folder of results.
JOURNAL = "napari-sr-journal.jsonl"

#: Endings of images whose results have the same format.
_KEPT = FORMATS
#: Microscopy formats, whose results are OME-TIFFs; those of all other pictures are PNGs.
_MICROSCOPY = (".btf", ".lsm")
_MAGIC = "*?["


@dataclass(frozen=True)
class PlannedFile:
    """An input file and the place of its result.

    Parameters
    ----------
    source : Path
        The input: a file, or the folder of a Zarr store. With a problem, also a folder or link of which nothing is
        known.
    out : Path
        The output.
    problem : str, default ""
        Why the input is not upscaled; empty if it is.
    """

    source: Path
    out: Path
    problem: str = ""


def is_pattern(text: str | os.PathLike[str]) -> bool:
    """Whether an input is a pattern and not the name of a file or folder.

    Returns
    -------
    bool
        True if it has one of ``*?[`` and no file or folder has this name.
    """
    name = os.fspath(text)
    return any(character in name for character in _MAGIC) and not os.path.lexists(name)


def has_many_images(text: str | os.PathLike[str]) -> bool:
    """Whether an input is a pattern or a folder of images, and not an image.

    Returns
    -------
    bool
        True for a plate of OME-Zarr, and a row or well of one. False for a file, the folder of another Zarr store, and
        a name that does not exist.
    """
    if is_pattern(text):
        return True
    path = Path(text)
    return path.is_dir() and (not is_store(path) or is_plate_part(path))


def plan_files(inputs: Any, out_folder: str | os.PathLike[str], *, format: str | None = None) -> list[PlannedFile]:
    """List the images of several inputs, with the places of their results.

    Parameters
    ----------
    inputs : str, Path, or sequence of them
        Files, folders and patterns such as ``"plate/**/*.tif"``. Of a folder, all images in it and in its folders are
        taken, by their endings (`ENDINGS`), but not hidden ones, and not those in linked folders. A Zarr store is one
        image; of a plate of OME-Zarr, or a row or well of one, all fields are taken. Folders of results, which have a
        journal, are left out below an input.
    out_folder : str or Path
        Folder of the results. A folder of images is mirrored in it, and so are the folders of a pattern from its first
        wildcard on, and the rows and wells of a plate. Where it is inside a folder of images, the files in it are no
        inputs.
    format : str, optional
        Format of the results: .ome.tif, .tif, .png, .ome.zarr or .zarr. By default that of the input for TIFF, PNG and
        Zarr, OME-TIFF for other microscopy formats, and PNG for other pictures.

    Returns
    -------
    list of PlannedFile
        Each image once, in the order of the inputs, and sorted by name in a folder. Images whose results would have the
        same name have a problem, and so have folders that cannot be listed and links to images that cannot be found.

    Raises
    ------
    InputError
        If an input does not exist or has no images, if the results would be written among the images, or the output is
        not a folder or the format is unknown.
    """
    texts, folder, ending = _read_inputs(inputs), _read_out_folder(out_folder), _read_format(format)
    found: dict[str, PlannedFile] = {}
    for text in texts:
        root, paths = _images_of(text, folder)
        for path, problem in paths.items():
            place = path.relative_to(root) if problem else _mirrored(path, root) / _result_name(path, ending)
            found.setdefault(os.path.normpath(path.absolute()), PlannedFile(path, folder / place, problem))
    return _with_collisions(list(found.values()))


def _read_inputs(inputs: Any) -> list[str]:
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    if not isinstance(given, Iterable):
        raise InputError(f"The images {shorten(inputs)} are no files: give a path, a pattern, or a list of them.")
    texts = [str(read_path(one, "image file", pattern=True)) for one in given]
    if not texts:
        raise InputError("There is no image to upscale: give files, folders or patterns.")
    return texts


def _read_out_folder(out_folder: Any) -> Path:
    folder = read_path(out_folder, "folder of the results")
    if folder.exists() and (not folder.is_dir() or is_store(folder)):
        raise InputError(f"{folder} is not a folder: give a folder for the results of several images.")
    if not folder.exists() and folder.name.lower().endswith(FORMATS):
        raise InputError(
            f"{folder} is the name of an image, and the results of several images need a folder: give one, and the "
            "format with format=... in Python or --format."
        )
    return folder


def _read_format(given: Any) -> str | None:
    if given is None:
        return None
    ending = f".{given.strip().lower().lstrip('.')}" if isinstance(given, str) else ""
    if ending not in FORMATS:
        raise InputError(f"The format {shorten(given)} cannot be written: give one of {', '.join(FORMATS)}.")
    return ending


def _images_of(text: str, out_folder: Path) -> tuple[Path, dict[Path, str]]:
    """Return the folder below which an input is mirrored, and its images, each with its problem or an empty text."""
    pattern, path = is_pattern(text), Path(text)
    if pattern:
        root = _fixed_part(path)
        paths = dict.fromkeys(_matches(text, root), "")
    elif path.is_dir() and not is_store(path):
        root, paths = path, dict(_walk(path))
    elif path.exists():
        root, paths = path if is_plate_part(path) else path.parent, {path: ""}
    else:
        check_no_address(path)
        raise InputError(f"There is no file or folder {path}: check the name.")
    inside, outside = root.resolve(), out_folder.resolve()
    if inside == outside or outside in inside.parents:
        raise InputError(f"{out_folder} is the folder of the images themselves: give another folder for the results.")
    # The places of the fields in the results are those in their plate.
    root = plate_of(root) or root
    images = {
        field: problem
        for one, problem in paths.items()
        for field in (fields_of(one) if not problem and is_plate_part(one) else [one])
        # A link with a problem leads nowhere.
        if outside not in (field.parent.resolve() / field.name if problem else field.resolve()).parents
    }
    if not images:
        kind = f"No image matches the pattern {quote(text)}" if pattern else f"The folder {path} has no image in it"
        raise InputError(f"{kind}: check the name, and quote patterns.")
    return root, images


def _fixed_part(pattern: Path) -> Path:
    """Return the folders of a pattern before the first one with a wildcard."""
    fixed = Path()
    for part in pattern.parts[:-1]:
        if any(character in part for character in _MAGIC):
            break
        fixed /= part
    return fixed


def _matches(pattern: str, root: Path) -> list[Path]:
    """Return the files and stores that match a pattern, without those inside stores and folders of results."""
    # pathlib's patterns include hidden files.
    paths = (Path(name) for name in sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207
    return [
        path
        for path in paths
        # The files in a plate are its metadata.
        if (is_store(path) or (path.is_file() and plate_of(path.parent) is None))
        and not any(_is_closed(folder) for folder in _folders_between(root, path))
    ]


def _folders_between(root: Path, path: Path) -> Iterator[Path]:
    """Return the folders below a root that contain a path."""
    return (root / parent for parent in path.relative_to(root).parents if parent != Path())


def _is_closed(folder: Path) -> bool:
    """Whether a folder is an image or has results, so that nothing in it is an input."""
    return (is_store(folder) and not is_plate_part(folder)) or _has_results(folder)


def _has_results(folder: Path) -> bool:
    return (folder / JOURNAL).is_file()


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """List the images of a folder and its folders, each with its problem or an empty text."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        yield folder, _unlisted(folder, error)
        return
    for entry in sorted(shown, key=lambda entry: entry.name):
        path = folder / entry.name
        if _holds(entry.is_dir):
            try:
                store = is_store(path)
                searched = not store and not entry.is_symlink() and not _has_results(path)
            except OSError as error:
                yield path, _unlisted(path, error)
                continue
            if store:
                yield path, ""
            elif searched:
                yield from _walk(path)
        elif entry.name.lower().endswith(ENDINGS):
            if _holds(entry.is_file):
                yield path, ""
            elif entry.is_symlink():
                yield path, f"{path} is a link to a file that cannot be found: correct the link, or delete it."


def _holds(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:
        # A link that cannot be followed, such as one to itself.
        return False


def _unlisted(folder: Path, error: OSError) -> str:
    return f"The images in the folder {folder} cannot be listed ({error.strerror or error}): check its permissions."


def _mirrored(path: Path, root: Path) -> Path:
    """Return the folder of a result: that of the image below the root, with a plate's name without its ending."""
    parts = path.relative_to(root).parent.parts
    plate = plate_of(path)
    if plate is None or plate == root or root not in plate.parents:
        return Path(*parts)
    number = len(plate.relative_to(root).parts) - 1
    known = next((one for one in (".ome.zarr", ".zarr") if parts[number].lower().endswith(one)), "")
    return Path(*parts[:number], parts[number][: len(parts[number]) - len(known)], *parts[number + 1 :])


def _result_name(source: Path, ending: str | None) -> str:
    name = source.name
    if plate_of(source) is not None:
        # Fields have the name of a number.
        return f"{name}{ending or '.ome.zarr'}"
    known = next((one for one in sorted(_KEPT, key=len, reverse=True) if name.lower().endswith(one)), None)
    stem = name[: -len(known)] if known is not None else source.stem
    if ending is None:
        other = ".ome.tif" if source.suffix.lower() in _MICROSCOPY else ".png"
        ending = name[len(stem) :].lower() if known is not None else other
    # A file that is called ".tif" has no other name.
    return f"{stem or source.name}{ending}"


def _with_collisions(files: Sequence[PlannedFile]) -> list[PlannedFile]:
    """Give a problem to files whose results would have one name."""
    named: dict[str, list[PlannedFile]] = {}
    for file in files:
        if not file.problem:
            named.setdefault(os.path.normcase(file.out), []).append(file)
    return [file if file.problem else _checked(file, named[os.path.normcase(file.out)]) for file in files]


def _checked(file: PlannedFile, of_one_name: Sequence[PlannedFile]) -> PlannedFile:
    """Give a problem to a file if it is not the only one of its name."""
    if len(of_one_name) == 1:
        return file
    other = of_one_name[1] if of_one_name[0] is file else of_one_name[0]
    problem = (
        f"The result of {other.source} has the same name, {file.out.name}: rename one of them, or choose one of them "
        "with a pattern."
    )
    return replace(file, problem=problem)
