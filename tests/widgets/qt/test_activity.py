"""Bars in napari's activity dock, while napari handles other events."""

import pytest
from napari.utils import progress

from napari_sr.widgets.qt.activity import ActivityBar


def bars():
    return {bar.desc: bar for bar in progress._all_instances}


@pytest.fixture
def opened(qtbot):
    """Opens bars, and closes them at the end."""
    made = []

    def make(text):
        made.append(ActivityBar(text, lambda: None))
        made[-1].open()
        return made[-1]

    yield make
    for bar in made:
        bar.close()


def test_a_report_that_arrives_while_a_bar_is_moved_moves_no_bar(opened):
    first, second = opened("first"), opened("second")
    bars()["first"].events.value.connect(lambda event: second.show(1, 2))
    first.show(1, 2)
    assert (bars()["first"].n, bars()["second"].n) == (500, 0)
    second.show(1, 2)
    assert bars()["second"].n == 500


def test_a_bar_that_is_opened_while_another_is_moved_comes_later(opened, qtbot):
    first = opened("first")
    bars()["first"].events.value.connect(lambda event: opened("second"))
    first.show(1, 2)
    assert set(bars()) == {"first"}
    qtbot.waitUntil(lambda: set(bars()) == {"first", "second"}, timeout=10_000)


def test_a_bar_that_is_closed_while_it_is_added_does_not_stay(qtbot):
    bar = ActivityBar("first", lambda: None)

    def close(event):
        bar.close()

    progress._all_instances.events.changed.connect(close)
    bar.open()
    progress._all_instances.events.changed.disconnect(close)
    assert not bars()


def test_a_bar_stays_in_the_other_windows_when_one_is_closed(make_napari_viewer_proxy, opened, qtbot):
    one, two = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    bar = opened("first")
    bar.show(1, 4)
    one.close()
    qtbot.waitUntil(lambda: set(bars()) == {"first"} and bars()["first"].n == 250, timeout=10_000)
    dialog = two.__wrapped__.window._qt_window._activity_dialog
    qtbot.waitUntil(lambda: dialog.get_pbar_from_prog(bars()["first"]) is not None, timeout=10_000)
    bar.show(2, 4)
    assert dialog.get_pbar_from_prog(bars()["first"]).qt_progress_bar.value() == 500
    bar.close()
    assert not bars()
