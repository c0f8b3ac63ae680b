"""The number of cases of a generated test, and the errors that it may end with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

from napari_sr.errors import NapariSRError

#: Longest message that still is one sentence to read.
LONGEST = 600
#: Cases of each suite in the test command.
FEW = 300


def cases(share: float = 1.0) -> settings:
    """Return the settings of a generated test.

    Parameters
    ----------
    share : float, default 1.0
        Fraction of the suite's cases that belong to this test. The fractions of a file add up to 1, so that a suite has
        as many cases as the profile says: `FEW` in the test command, 10,000 with ``--hypothesis-profile=nightly``.

    Returns
    -------
    hypothesis.settings
        A decorator.
    """
    of_suite = FEW if settings.get_current_profile_name() in ("local", "ci") else settings.default.max_examples
    return settings(
        max_examples=max(1, round(of_suite * share)),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def check_sentence(text: str) -> None:
    """Check that a message is one sentence for users: one line, with an end, without parts of a traceback.

    Parameters
    ----------
    text : str
        The message.
    """
    assert text.strip(), "the message is empty"
    assert "\n" not in text, text
    assert len(text) <= LONGEST, text
    assert text.rstrip()[-1] in ".!?", text
    assert text[0].isupper() or not text[0].isalpha() or "/" in text or "." in text.split(" ")[0] or ":" in text, text
    for part in ("Traceback", 'File "', "object at 0x", "<class '", "napari_sr."):
        assert part not in text, text


@contextmanager
def one_sentence(*others: type[Exception]) -> Iterator[None]:
    """Accept an error of napari-sr if its message is one sentence; every other exception fails the test.

    Parameters
    ----------
    *others : type of Exception
        Exceptions of Python that are right here, such as TypeError for an argument that does not exist.

    Yields
    ------
    None
        Nothing.
    """
    try:
        yield
    except NapariSRError as error:
        check_sentence(str(error))
    except others:
        pass
