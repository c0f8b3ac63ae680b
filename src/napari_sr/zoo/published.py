"""Weights published by others: name, address, hash and license. Nothing is downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from napari_sr.errors import CheckpointError

_REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
#: Size in bytes that no published file has; larger ones are refused without reading them.
_LARGEST = 2**28
_ESRGAN_DRIVE = "https://drive.google.com/drive/folders/17VYV_SoZZesU6mbxz2dMAIccSSlqLecY"


@dataclass(frozen=True)
class Published:
    """One published file of the ESRGAN family, for images of 3 channels.

    Parameters
    ----------
    name : str
        Name for `load_model`.
    file : str
        Name of the published file.
    url : str
        Address of the file, or of the folder or page with it.
    sha256_start : str or None
        First digits of the SHA-256 of the file; None if it is not known.
    license : str
        SPDX identifier of the license of the repository that publishes it.
    scale : int
        Upsampling factor.
    """

    name: str
    file: str
    url: str
    sha256_start: str | None
    license: str
    scale: int


def _real_esrgan(name: str, version: str, sha256_start: str | None, scale: int = 4) -> Published:
    file = f"{name}.pth"
    return Published(name, file, f"{_REAL_ESRGAN}/{version}/{file}", sha256_start, "BSD-3-Clause", scale)


PUBLISHED: tuple[Published, ...] = (
    Published("RRDB_ESRGAN_x4", "RRDB_ESRGAN_x4.pth", _ESRGAN_DRIVE, None, "Apache-2.0", 4),
    Published("RRDB_PSNR_x4", "RRDB_PSNR_x4.pth", _ESRGAN_DRIVE, None, "Apache-2.0", 4),
    # The hexadecimal digits at the end of the name are the first ones of the hash.
    Published(
        "ESRGAN_SRx4_DF2KOST_official",
        "ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
        f"{_REAL_ESRGAN}/v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
        "ff704c30",
        "Apache-2.0",
        4,
    ),
    Published(
        "ESRGAN_PSNR_SRx4_DF2K_official",
        "ESRGAN_PSNR_SRx4_DF2K_official-150ff491.pth",
        "https://drive.google.com/file/d/1swaV5iBMFfg-DL6ZyiARztbhutDCWXMM",
        "150ff491",
        "Apache-2.0",
        4,
    ),
    _real_esrgan("RealESRGAN_x4plus", "v0.1.0", "4fa0d38905f75ac0"),
    _real_esrgan("RealESRGAN_x2plus", "v0.2.1", "49fafd45f8fd7aa8", scale=2),
    _real_esrgan("RealESRNet_x4plus", "v0.1.1", None),
    _real_esrgan("RealESRGAN_x4plus_anime_6B", "v0.2.2.4", "f872d837d3c90ed2"),
    _real_esrgan("realesr-animevideov3", "v0.2.5.0", "b8a8376811077954"),
    _real_esrgan("realesr-general-x4v3", "v0.2.5.0", "8dc7edb9ac80ccdc"),
)


def find_published(name: str) -> Published | None:
    """Find a published file.

    Parameters
    ----------
    name : str
        Its name, or the name of its file with or without ending.

    Returns
    -------
    Published or None
        None if there is none.
    """
    for entry in PUBLISHED:
        if name in (entry.name, entry.file, Path(entry.file).stem):
            return entry
    return None


def check_hash(path: Path, entry: Published) -> None:
    """Check the hash of a published file, as far as it is known.

    Raises `CheckpointError` if the file has another hash, or is larger than any published file.
    """
    if entry.sha256_start is None:
        return
    size = path.stat().st_size
    if size > _LARGEST:
        raise CheckpointError(
            f"{path} is not the published file: it has {size / 2**20:.0f} MiB, so get it again from {entry.url}."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(entry.sha256_start):
        raise CheckpointError(
            f"{path} is not the published file: its SHA-256 starts with {digest[: len(entry.sha256_start)]} "
            f"and not with {entry.sha256_start}, so get it again from {entry.url}."
        )
