"""An array that counts the values that are read."""

from typing import Any

import numpy as np


class CountedArray:
    """An array that counts the values that are read, in `read`."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, values.ndim
        self.read = 0

    def __getitem__(self, index: Any) -> np.ndarray:
        part = self.values[index]
        self.read += part.size
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype)
