"""Base of all tables of a recipe, and the types of numbers in them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Spread = NonNegative | tuple[NonNegative, NonNegative]
"""One number, or the two ends of a range from which numbers are drawn evenly."""


#: Pairs of numbers that may fall.
_NOT_RANGES = ("betas", "cycle_rates")


class RecipeTable(BaseModel):
    """A table of a recipe. Nothing unknown is let in, and nothing changes afterward."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse a range whose ends are in the wrong order."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name not in _NOT_RANGES and isinstance(value, tuple) and len(value) == 2 and _numbers(value):
                low, high = value
                if low > high:
                    raise ValueError(f"the range of {name} goes from {low:g} down to {high:g}")
        return self


def _numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)
