"""Base class of all tables of a recipe, and the types of the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_sr.errors import InputError, one_line

if TYPE_CHECKING:
    # pydantic does not export its metaclass.
    from pydantic._internal._model_construction import ModelMetaclass as _ModelType
else:
    _ModelType = type(BaseModel)

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Spread = NonNegative | tuple[NonNegative, NonNegative]
"""A number, or the two ends of a range from which numbers are drawn uniformly."""
PositiveSpread = Positive | tuple[Positive, Positive]
"""A number above 0, or the two ends of a range."""
_Width = Annotated[float, Field(ge=0, le=1000)]
_PositiveWidth = Annotated[float, Field(gt=0, le=1000)]
Widths = _Width | tuple[_Width, _Width]
"""Standard deviation of a Gaussian in pixels up to 1000, since its time grows with it, or the two ends of a range."""
PositiveWidths = _PositiveWidth | tuple[_PositiveWidth, _PositiveWidth]
"""The same above 0."""


#: Keys of which two numbers are not the ends of a range, so that the second may be smaller.
_NOT_RANGES = ("betas", "cycle_rates", "cycles", "milestones", "sizes")
#: Sentences in place of pydantic's, whose words are those of Python, by the type of the error.
_SENTENCES = {
    "model_type": "Input should be a table",
    "model_attributes_type": "Input should be a table",
    "dict_type": "Input should be a table",
    "tuple_type": "Input should be a list",
    "too_short": "Input has too few items: give at least {min_length}",
    "too_long": "Input has too many items: give at most {max_length}",
    "union_tag_invalid": "the kind '{tag}' is not one of {expected_tags}",
}


#: Largest numbers, above which integers overflow in libraries and products of floats in float32; and the keys without
#: this limit: one with a limit of its own, and values of images.
_LARGEST_INT, _LARGEST_FLOAT = 10**9, 1e15
_UNLIMITED = ("seed", "intensity")


class _TableType(_ModelType):
    """Type of the tables: one that is made in Python of values that do not fit is an `InputError`."""

    def __call__(self, *args: Any, **values: Any) -> Any:
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            raise InputError(f"The {self.__name__} cannot be used: {first_fault(error, values)}.") from error


class RecipeTable(BaseModel, metaclass=_TableType):
    """A table of a recipe: immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changed values, which are checked as those of a new table, unlike in pydantic.

        Parameters
        ----------
        update : mapping of str to object, optional
            New values by their keys; by default none is changed.
        deep : bool, default False
            Without effect, since tables do not change.

        Returns
        -------
        RecipeTable
            The copy, of the same type.

        Raises
        ------
        InputError
            If a key does not exist, or a value cannot be used.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **(update or {})})

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

    @model_validator(mode="after")
    def _limited(self) -> Self:
        """Refuse numbers with which no computation ends."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
            for number in () if name in _UNLIMITED else numbers:
                largest = _LARGEST_INT if isinstance(number, int) else _LARGEST_FLOAT
                if isinstance(number, int | float) and number > largest:
                    raise ValueError(f"{name} is too large: give at most {largest:g}")
        return self


def first_fault(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Describe the first error of a validation of values as a part of a sentence, with the location of the key."""
    faults = [(_keys(fault["loc"], values), fault) for fault in error.errors()]
    first, _ = faults[0]
    # A value that may be of several types has an error for each: the one of the type that it nearly has is shown.
    keys, fault = max(
        (entry for entry in faults if entry[0][: len(first)] == first),
        key=lambda entry: (len(entry[0]), not entry[1]["type"].endswith("_type")),
    )
    kind, where = fault["type"], ".".join(keys)
    if kind == "extra_forbidden":
        return f"it has an unknown key {where}"
    if kind == "missing":
        # A number stands for an item that a list is too short for.
        last = fault["loc"][-1]
        return f"the key {'.'.join([*keys, last] if isinstance(last, str) else keys)} is missing"
    if kind == "union_tag_not_found":
        return f"the key {where}.kind is missing"
    sentence = _SENTENCES[kind].format_map(fault.get("ctx", {})) if kind in _SENTENCES else str(fault["msg"])
    message = one_line(sentence.removeprefix("Value error, ")).rstrip(".")
    return f"{where}: {message}" if where else message


def _keys(location: tuple[int | str, ...], values: object) -> list[str]:
    """Return the keys and the numbers of items in a location, to which pydantic adds the names of types."""
    keys = []
    for part in location:
        if isinstance(part, int):
            values = values[part] if isinstance(values, list | tuple) and part < len(values) else None
        elif isinstance(values, Mapping) and part in values:
            values = values[part]
        else:
            continue
        keys.append(str(part))
    return keys


def _numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def value_at(spread: Spread, fraction: float) -> float:
    """Return the number at a fraction, from 0 to 1, of a range; a number that is no range as it is."""
    if isinstance(spread, tuple):
        low, high = spread
        return low + (high - low) * fraction
    return spread
