"""Sentences on the shifts of the pairs of a training: one for each of a few pairs, and one for all of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_sr.training.data.pairs import UNCERTAIN, Match

#: Largest number of pairs that have a sentence each, and of pairs that are named in a sentence on many.
_FEW = 4


def match_notes(matches: Sequence[Match]) -> tuple[str, ...]:
    """Describe the shifts of pairs: a sentence for each of up to four, and one with the largest shifts for more."""
    if len(matches) <= _FEW:
        return tuple(match.sentence() for match in matches)
    before = max(matches, key=lambda match: np.hypot(*match.shift))
    after = max(matches, key=lambda match: np.hypot(*match.residual))
    return (
        f"The high-resolution images of {len(matches)} pairs were shifted by up to {np.hypot(*before.shift):.2f} "
        f"high-resolution pixels against their partners ({before.names[1]}); after a correction by whole pixels up to "
        f"{np.hypot(*after.residual):.2f} remain ({after.names[1]}).",
    )


def match_warnings(matches: Sequence[Match]) -> tuple[str, ...]:
    """Warn of pairs whose shift is uncertain.

    Returns
    -------
    tuple of str
        `Match.warning` of each of up to four pairs that have one. Of more, a sentence on those that are uncertain by
        more than half a high-resolution pixel, and one on those that are too small for an estimate.
    """
    doubtful = [match for match in matches if match.warning is not None]
    if len(doubtful) <= _FEW:
        return tuple(str(match.warning) for match in doubtful)
    return tuple(_grouped(doubtful, len(matches)))


def _grouped(doubtful: Sequence[Match], total: int) -> Iterator[str]:
    uncertain = sorted((m for m in doubtful if m.uncertainty > UNCERTAIN), key=lambda m: -m.uncertainty)
    small = [match for match in doubtful if not np.isfinite(match.uncertainty)]
    if uncertain:
        yield (
            f"The shift is uncertain by up to {uncertain[0].uncertainty:.2f} high-resolution pixels in "
            f"{len(uncertain)} of {total} pairs, which makes the results of a network blurred: check "
            f"{_named(uncertain)}."
        )
    if small:
        yield (
            f"Too small to estimate the uncertainty of the shift are {len(small)} of {total} pairs: compare them by "
            f"eye ({_named(small)})."
        )


def _named(matches: Sequence[Match]) -> str:
    names = ", ".join(match.names[1] for match in matches[:_FEW])
    return f"{names} and {len(matches) - _FEW} more" if len(matches) > _FEW else names
