"""The buttons "?" open sections of the documentation that exist."""

import re
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtTest import QTest

from napari_sr.widgets.qt.executor import InPlaceExecutor
from napari_sr.widgets.qt.help import RESPONSIBLE_USE, HelpButton, documentation
from napari_sr.widgets.qt.rows import leaf_widgets
from napari_sr.widgets.upscale.families import ESRGANPanel

DOCS = Path(__file__).parents[3] / "docs"


def section_exists(page):
    path, _, anchor = page.partition("#")
    file = DOCS / f"{path.rstrip('/')}.md"
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    slugs = [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return not anchor or anchor in slugs


@pytest.fixture
def opened(monkeypatch):
    pages = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: pages.append(url.toString()))
    return pages


def test_every_button_opens_a_section_that_exists(make_napari_viewer_proxy, models, opened, monkeypatch, qtbot):
    from napari_sr.widgets.finetune.panel import FinetunePanel

    cards = []
    monkeypatch.setattr("napari_sr.widgets.choices.card_text.show_card", lambda _, name, card: cards.append(name))
    viewer = make_napari_viewer_proxy()
    for panel_class in (ESRGANPanel, FinetunePanel):
        panel = panel_class(viewer, executor=InPlaceExecutor())
        viewer.window.add_dock_widget(panel, name=panel_class.__name__)
        buttons = [widget for widget in leaf_widgets(panel.content) if isinstance(widget, HelpButton)]
        assert buttons
        for button in buttons:
            menu = button.native.menu()
            if menu is None:
                QTest.mouseClick(button.native, Qt.MouseButton.LeftButton)
            else:
                for action in menu.actions():
                    action.trigger()
    assert len(cards) == 2
    pages = [page.removeprefix(f"{documentation()}/") for page in opened]
    assert len(pages) >= 9
    assert RESPONSIBLE_USE in pages
    assert not [page for page in pages if not section_exists(page)]
