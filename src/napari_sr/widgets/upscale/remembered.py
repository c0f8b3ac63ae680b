"""Choices of a panel that are kept in the settings file: of the last run, of the comparison, and recent weight files.

Properties of one image are not kept, since they would spoil the next one: its blur, its noise as two values, and values
for black and white.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from napari_sr.config import forget, load_config, remember
from napari_sr.errors import InputError
from napari_sr.settings import JobSettings
from napari_sr.widgets.choices.job_plan import JobPlan, plan_from_scalars

_MOST_FILES = 5


@dataclass(frozen=True)
class Remembered:
    """The kept choices of a panel.

    Parameters
    ----------
    plan : JobPlan or None
        Model and settings of the last run; None before the first.
    by_hand : bool
        Whether the user had chosen the model, rather than a suggestion.
    compare, against : str or None
        Kind of comparison and the other image; None before the first change.
    """

    plan: JobPlan | None
    by_hand: bool
    compare: str | None
    against: str | None


def load_remembered(family: str) -> Remembered:
    """Read the kept choices of the panel of a family.

    Raises `InputError` if the settings file cannot be read, or has a value that cannot be used.
    """
    last = load_config().last
    run, window = last.get(family), last.get(_window(family), {})
    texts = {name: str(window[name]) for name in ("compare", "against") if name in window}
    plan = plan_from_scalars(run) if run else None
    return Remembered(plan, bool(window.get("by_hand", False)), texts.get("compare"), texts.get("against"))


def remember_window(family: str, *, by_hand: bool, compare: str, against: str) -> None:
    """Keep the choices of the panel of a family that are no settings of a job, as fields of `Remembered`.

    Raises `InputError` if the settings file cannot be written, as the functions below do.
    """
    remember(_window(family), {"by_hand": by_hand, "compare": compare, "against": against})


def forget_panel(family: str) -> None:
    """Remove the kept choices of the panel of a family from the settings file."""
    forget(family, _window(family), _files(family))


def remember_file(family: str, path: Path) -> None:
    """Put a weight file first in the list of recent ones of a family."""
    files = [path.absolute(), *(other for other in recent_files(family) if other != path.absolute())]
    remember(_files(family), {str(number): str(file) for number, file in enumerate(files[:_MOST_FILES], 1)})


def recent_files(family: str) -> list[Path]:
    """Return the recent weight files of a family that exist, the last one first.

    There are none if the settings file cannot be read, of which the panel informs at another place.
    """
    try:
        files = load_config().last.get(_files(family), {})
    except InputError:
        return []
    return [Path(str(files[number])) for number in sorted(files) if Path(str(files[number])).is_file()]


def without_image(settings: JobSettings, shared: JobSettings) -> JobSettings:
    """Return settings of the last run without the properties of the last image.

    Device, precision and memory are those of `shared`, the present defaults of the settings file.
    """
    fresh = JobSettings()
    return replace(
        settings,
        device=shared.device,
        precision=shared.precision,
        memory=shared.memory,
        blur=fresh.blur,
        noise=fresh.noise if isinstance(settings.noise, tuple) else settings.noise,
        intensity=fresh.intensity if type(settings.intensity) is tuple else settings.intensity,
    )


def _window(family: str) -> str:
    return f"{family} window"


def _files(family: str) -> str:
    return f"{family} files"
