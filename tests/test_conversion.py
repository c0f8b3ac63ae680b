"""Values that users give are read, or refused as they were given."""

from pathlib import Path

import pytest

from napari_sr.conversion import read_path
from napari_sr.errors import InputError


@pytest.mark.parametrize("value", ["runs\0", Path("runs\0")], ids=["text", "path"])
def test_a_path_that_no_system_can_have_is_refused_as_it_was_given(value):
    with pytest.raises(InputError, match=r"^The folder 'runs\\x00' is not a path that this system can have"):
        read_path(value, "folder")
