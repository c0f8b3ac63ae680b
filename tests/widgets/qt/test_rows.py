"""Layout of the rows of a panel."""

from magicgui.widgets import Container

from napari_sr.widgets.qt.rows import VerticalScrollArea
from napari_sr.widgets.qt.text.wrapped_text import WrappedText


def test_there_is_no_scroll_bar_while_all_rows_fit(qtbot):
    """A text that is short at the panel's width would be high at the smallest width."""
    texts = [WrappedText(value="Noise measured: 3.9 gray levels at medium brightness. " * 8) for _ in range(4)]
    boxes = [Container(widgets=[Container(widgets=[text], labels=False)], labels=False) for text in texts]
    content = Container(widgets=boxes, labels=False)
    area = VerticalScrollArea(content.native)
    qtbot.addWidget(area)
    bar = area.verticalScrollBar()
    area.resize(600, 300)
    with qtbot.waitExposed(area):
        area.show()
    needed = content.native.heightForWidth(570)
    assert needed + 20 < content.native.minimumSizeHint().height()
    area.resize(600, needed + 10)
    qtbot.waitUntil(lambda: not bar.isVisible())
    area.resize(600, needed // 2)
    qtbot.waitUntil(bar.isVisible)
