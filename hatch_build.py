"""Build hook: the README as package indexes and the napari hub show it, with absolute links.

In the repository the README links relatively, so that a fork's links stay in the fork. A package index shows the text
alone, where such links lead nowhere. They are completed here from `[project.urls]`, the only place that holds the
address of the repository.
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<start>!?\[[^\]]*\]\()(?P<target>(?!\w+:|#)[^)\s]+)(?P<end>\))")


def with_absolute_links(text: str, repository: str) -> str:
    """Complete the relative links and pictures of a Markdown text.

    Parameters
    ----------
    text : str
        Markdown of a file at the top of the repository.
    repository : str
        Address of the repository, without a slash at its end.

    Returns
    -------
    str
        The text, with links to pages and to raw pictures of the main branch.
    """

    def completed(link: re.Match[str]) -> str:
        kind = "raw" if link["start"].startswith("!") else "blob"
        return f"{link['start']}{repository}/{kind}/main/{link['target']}{link['end']}"

    return _LINK.sub(completed, text)


class ReadmeHook(MetadataHookInterface):
    """Sets the long description of the package."""

    def update(self, metadata: dict) -> None:
        """Set `metadata["readme"]`."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        readme = with_absolute_links(text, metadata["urls"]["Source"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
