"""MkDocs hook: the address of the repository, and pages that live outside docs/.

The address comes from `[project.urls]` in pyproject.toml. The changelog, the guide for contributors, the code of
conduct and the page of the recipes are files at other places of the repository, where people look for them. Here they
become pages as well. In all pages, a relative link to a file of the repository that is no page leads to that file in
the repository.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

#: Files that become pages: path in the repository -> path in docs/.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "contributing/code-of-conduct.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "recipes/README.md": "recipes.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(?P<start>\]\()(?P<target>(?!\w+:|#|/)[^)\s#]+)(?P<rest>#[^)\s]*)?(?P<end>\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the addresses of the repository and of the site."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    config.repo_url = urls["Source"]
    config.repo_name = urls["Source"].removeprefix("https://").partition("/")[2]
    config.site_url = urls["Documentation"].rstrip("/") + "/"
    config.edit_uri = f"{urls['Source']}/edit/main/docs/"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that live outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Complete the links that lead out of docs/."""
    here = page.file.src_uri
    source = _SOURCES.get(here)
    if source is not None:
        page.edit_url = f"{config.repo_url}/edit/main/{source}"
    folder = PurePosixPath(source or f"docs/{here}").parent

    def completed(link: re.Match[str]) -> str:
        target = normpath(str(folder / link["target"]))
        inside = PAGES.get(target) or target.removeprefix("docs/")
        if target in PAGES or (target.startswith("docs/") and files.get_file_from_path(inside) is not None):
            address = relpath(inside, str(PurePosixPath(here).parent))
        elif (ROOT / target).exists():
            kind = "tree" if (ROOT / target).is_dir() else "blob"
            address = f"{config.repo_url}/{kind}/main/{target}"
        else:
            address = link["target"]  # MkDocs reports it.
        return f"{link['start']}{address}{link['rest'] or ''}{link['end']}"

    return _LINK.sub(completed, markdown)
