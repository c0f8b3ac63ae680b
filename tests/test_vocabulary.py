"""The code is written in the field's words and in American spelling, in names, docstrings and messages alike."""

import io
import re
import tokenize
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "napari_sr"
#: Read keys and formats of other programs or of earlier versions, by their own names.
EXCEPTED = {"old_keys.py"}
#: Whole words; a star stands for any ending.
WORDS = """
twin twins lane lanes glance hear hears heard doubling doublings rehearsal rehearse* mishap licence* colour* optimis*
grey* recognis* initialis* synchronis* normalis* neighbour* behaviour* centre* favour* artefact* catalogue* learnt
judge judges judged doubt doubts wish wishes wished spelt labelled modelled analyse* organis* rasteris*
""".split()
PATTERN = re.compile(rf"(?:{'|'.join(word.replace('*', '[a-z]*') for word in WORDS)})$")


def words_of(text):
    """The words of a text or an identifier: read_imageFile2 is read, image, file."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)]


def found_in(path):
    with tokenize.open(path) as file:
        tokens = tokenize.generate_tokens(io.StringIO(file.read()).readline)
        kinds = (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)
        return [
            f"{path.name}:{token.start[0]} {word}"
            for token in tokens
            if token.type in kinds
            for word in words_of(token.string)
            if PATTERN.match(word)
        ]


@pytest.mark.parametrize("room", sorted({p.relative_to(SOURCE).parts[0] for p in SOURCE.rglob("*.py")}))
def test_the_words_are_those_of_the_field(room):
    place = SOURCE / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    found = [one for path in files if path.name not in EXCEPTED for one in found_in(path)]
    assert not found, "\n".join(found)


def test_the_test_above_can_fail(tmp_path):
    file = tmp_path / "bad.py"
    file.write_text('def twinOf(lane):\n    """Gray neighbours."""\n    return "a Colour"  # greyish\n')
    assert [one.split()[-1] for one in found_in(file)] == ["twin", "lane", "neighbours", "colour", "greyish"]
