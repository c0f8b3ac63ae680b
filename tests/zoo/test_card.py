"""Cards are consistent, and the same after JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_sr.errors import CheckpointError
from napari_sr.zoo import Architecture, Card, Figure, TrainingData

words = st.text(min_size=1, max_size=12)
known = st.none() | words
figures = st.builds(
    Figure,
    dataset=words,
    metric=words,
    value=st.floats(allow_nan=False, allow_infinity=False),
    protocol=words,
)
data = st.builds(
    TrainingData, name=words, license=known, sha256=st.none() | st.from_regex(r"\A[0-9a-f]{64}\Z"), source=known
)
settings = st.dictionaries(
    words,
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words | st.just((9, 5, 5)),
)


@given(
    settings,
    st.lists(figures, max_size=2),
    st.lists(data, max_size=2),
    st.sampled_from([(None, None), (0.1, "micrometer")]),
    st.sampled_from([((), None), (("psnr", "gan"), 0.8), (("psnr", "gan"), None)]),
    st.sampled_from([None, "natural", "fluorescence", "electron"]),
    known,
)
def test_a_card_is_the_same_after_json(settings, figures, data, pixel, ends, domain, text):
    card = Card(
        name="a",
        family="esrgan",
        architecture=Architecture(network="RRDBNet", settings=settings),
        scale=4,
        channels=3,
        color="rgb",
        domain=domain,
        intensity_range=(0, 1),
        output_range=(-1, 1),
        degradation=text,
        pixel_size=pixel[0],
        pixel_unit=pixel[1],
        training_data=tuple(data),
        recipe=text,
        figures=tuple(figures),
        license=text,
        endpoints=ends[0],
        default_alpha=ends[1],
        for_quantification=True,
    )
    back = Card.from_json(card.to_json())
    assert back == card
    types = {key: type(value) for key, value in card.architecture.settings.items()}
    assert {key: type(value) for key, value in back.architecture.settings.items()} == types


def test_unknown_fields_are_none(small_card):
    card = small_card()
    unknown = (card.domain, card.degradation, card.pixel_size, card.pixel_unit, card.recipe, card.license)
    assert unknown == (None,) * 6
    assert card.intensity_range == card.output_range == (0, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"color": "rgb"},
        {"color": "luma", "channels": 3},
        {"pixel_size": 0.1},
        {"pixel_unit": "nanometer"},
        {"pixel_size": -1.0, "pixel_unit": "nanometer"},
        {"endpoints": ("psnr",)},
        {"endpoints": ("same", "same")},
        {"endpoints": ("a/b", "c")},
        {"default_alpha": 0.5},
        {"default_alpha": 1.5, "endpoints": ("a", "b")},
        {"intensity_range": (1.0, 1.0)},
        {"output_range": (float("nan"), 1.0)},
        {"scale": 0},
        {"family": "swinir"},
        {"domain": "astronomy"},
        {"colur": "gray"},
        {"conditioning": {"noise": (0.0, 1.0), "correlated": 1.5}},
        {"conditioning": {"noise": (0.0, 1.0), "correlated": -0.1}},
        {"training_data": ({"name": "T91", "sha256": "abc"},)},
    ],
)
def test_an_inconsistent_card_is_refused(small_card, fields):
    with pytest.raises(ValidationError):
        small_card(**fields)


def test_a_card_is_frozen(small_card):
    with pytest.raises(ValidationError):
        small_card().name = "other"


@pytest.mark.parametrize(("text", "reason"), [("{", "it is not JSON"), ('{"name": "a"}', "family")])
def test_other_text_is_refused_with_the_reason(text, reason):
    with pytest.raises(CheckpointError, match=reason):
        Card.from_json(text)
