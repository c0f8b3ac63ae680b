"""Which paths are images: those of a folder by their endings, and Zarr stores; and names without their endings."""

from __future__ import annotations

from pathlib import Path

from napari_sr.errors import InputError

#: Endings of the images of a folder; other files in it are left out.
ENDINGS = (
    *(".tif", ".tiff", ".btf", ".lsm", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"),
    *(".jp2", ".ppm", ".pgm", ".tga", ".avif", ".zarr"),
)


def find_images(folder: Path) -> list[Path]:
    """Return the image files and Zarr stores of a folder by their endings, sorted, without hidden ones.

    Parameters
    ----------
    folder : Path
        The folder; those in it are not searched.
    """
    named = (p for p in folder.iterdir() if p.name.lower().endswith(ENDINGS) and not p.name.startswith("."))
    return sorted(path for path in named if is_image(path))


def is_image(path: Path) -> bool:
    """Whether a path is that of a file or a Zarr store, and not of another folder."""
    return path.is_file() or (path.is_dir() and is_store(path))


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store, or a group or array in one: it has a file with metadata of Zarr 2 or 3."""
    return any((path / mark).is_file() for mark in ("zarr.json", ".zarray", ".zgroup", ".zattrs"))


def folder_error(path: Path) -> InputError:
    """Return the error for a folder that is not an image.

    Returns
    -------
    InputError
        The error, which names an image in the folder if there is one.
    """
    images = find_images(path)
    if not images:
        return InputError(f"{path} is a folder without an image in it: give the path of an image file.")
    if len(images) == 1:
        return InputError(f"{path} is a folder with one image: give its path, {images[0]}.")
    return InputError(f"{path} is a folder with {len(images)} images: give one of them, such as {images[0]}.")


def stem_of(path: Path) -> str:
    """Return the name of an image file or store without its ending, of which ``.ome`` may be a part.

    Returns
    -------
    str
        The name: ``exp.1`` of ``exp.1.ome.tif``, ``exp.1.tif`` and ``exp.1.ome.zarr``.
    """
    stem = path.stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem
