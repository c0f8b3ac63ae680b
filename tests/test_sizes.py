"""Modules and folders of the source are no larger than CONTRIBUTING.md says."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_sr"
RULES = ROOT / "CONTRIBUTING.md"
MODULES = sorted(SOURCE.rglob("*.py"))

pytestmark = pytest.mark.skipif(not RULES.is_file(), reason="an sdist holds no rules for contributors")


def limits():
    """Lines of a module, and modules of a folder."""
    text = " ".join(RULES.read_text(encoding="utf-8").split())
    (found,) = re.findall(r"No module of `src/` has more than (\d+) lines, no folder more than (\d+) modules", text)
    return tuple(map(int, found))


def test_no_module_has_more_lines():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    most, _ = limits()
    assert lines
    assert {path.relative_to(SOURCE).as_posix(): count for path, count in lines.items() if count > most} == {}


def test_no_folder_has_more_modules():
    modules = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    _, most = limits()
    assert modules
    assert {path.relative_to(SOURCE).as_posix(): count for path, count in modules.items() if count > most} == {}
