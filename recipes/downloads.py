"""Download packages with published weights or photographs, for the scripts of the recipes."""

from __future__ import annotations

import hashlib
import urllib.request


def download(address: str, sha256: str) -> bytes:
    """Download a file and check it.

    Parameters
    ----------
    address : str
        Its address.
    sha256 : str
        Its complete SHA-256.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    SystemExit
        If the file at the address is another one.
    """
    with urllib.request.urlopen(address) as response:
        content: bytes = response.read()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{address} has the SHA-256 {found}, not {sha256}: it is another file.")
    return content
