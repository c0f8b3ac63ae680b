"""Base class of all tables of a recipe, and the types of the numbers in them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Spread = NonNegative | tuple[NonNegative, NonNegative]
"""A number, or the two ends of a range from which numbers are drawn uniformly."""
PositiveSpread = Positive | tuple[Positive, Positive]
"""A number above 0, or the two ends of a range."""


#: Keys of which two numbers are not the ends of a range, so that the second may be smaller.
_NOT_RANGES = ("betas", "cycle_rates", "cycles", "milestones", "sizes")


class RecipeTable(BaseModel):
    """A table of a recipe: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse a range whose second end is below the first."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name not in _NOT_RANGES and isinstance(value, tuple) and len(value) == 2 and _numbers(value):
                low, high = value
                if low > high:
                    raise ValueError(f"the range of {name} goes from {low:g} down to {high:g}: swap the two numbers")
        return self


def _numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def value_at(spread: Spread, fraction: float) -> float:
    """Return the number at a fraction of a range.

    Parameters
    ----------
    spread : float or (float, float)
        A number, which is returned as it is, or the two ends of a range.
    fraction : float
        Position in the range, from 0 to 1.

    Returns
    -------
    float
        The number.
    """
    if isinstance(spread, tuple):
        low, high = spread
        return low + (high - low) * fraction
    return spread
