"""Values that users give are read, or refused as they were given."""

import errno
from pathlib import Path, PureWindowsPath

import numpy as np
import pint
import pytest

from napari_sr.conversion import check_no_address, quote, read_path
from napari_sr.errors import InputError


@pytest.mark.parametrize("value", ["runs\0", Path("runs\0")], ids=["text", "path"])
def test_a_path_that_no_system_can_have_is_refused_as_it_was_given(value):
    with pytest.raises(InputError, match=r"^The folder 'runs\\x00' is not a path that this system can have"):
        read_path(value, "folder")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("https://example.org/a/b.pth", "https://example.org/a/b.pth"),
        (Path("https://example.org/a/b.pth"), "https://example.org/a/b.pth"),
        (PureWindowsPath("https://example.org/a/b.pth"), "https://example.org/a/b.pth"),
        ("file:///home/me/b.pth", "file:///home/me/b.pth"),
    ],
)
def test_an_address_is_shown_with_its_slashes_on_every_system(path, address):
    with pytest.raises(InputError, match=f'^"{address}" is an address, not a file: download'):
        check_no_address(path)


@pytest.mark.parametrize("path", ["a.tif", "folder/a.tif", r"C:\a.tif", PureWindowsPath(r"C:\a.tif"), r"\\server\a"])
def test_a_path_is_no_address(path):
    check_no_address(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("pixels\n", '"pixels\\n"'),
        ("cells at 0x1", '"cells at 0x1"'),
        (np.str_("mile"), '"mile"'),
        (pint.Unit("nm"), '"nanometer"'),
        (object(), "<object>"),
        (int, "<int>"),
        ("a" * 70, f'"{"a" * 57}..."'),
    ],
)
def test_a_text_is_quoted_and_an_object_without_one_is_named_by_its_type(value, text):
    assert quote(value) == text


def test_a_pattern_is_a_path_where_no_file_name_can_have_its_wildcards(monkeypatch):
    find = Path.lstat

    def as_on_windows(path):
        if set("*?") & set(str(path)):
            raise OSError(errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect")
        return find(path)

    monkeypatch.setattr(Path, "lstat", as_on_windows)
    for text in ("plate/**/*.tif", "w?.tif"):
        assert read_path(text, "image", pattern=True) == Path(text)
        with pytest.raises(InputError, match="is not a path"):
            read_path(text, "image")
    with pytest.raises(InputError, match="is not a path"):
        read_path("a\0*", "image", pattern=True)
