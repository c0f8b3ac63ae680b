"""Settings of torch that a caller may have changed, set back while networks are built, applied or trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar

import torch

_Value = TypeVar("_Value")

#: Held while a job runs on a thread of dask, which runs several tasks at a time: settings of torch belong to the
#: process, strips are planned for all of the free memory, and a network uses all cores.
ONE_NETWORK = Lock()


class _ProcessState:
    """The default dtype and the random state of torch, which belong to the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._random: torch.Tensor | None = None
        self._dtype: torch.dtype | None = None

    def enter(self) -> None:
        """Change the default dtype, and keep the random state if no other context has."""
        with self._lock:
            if self._users == 0:
                self._random = torch.get_rng_state()
            dtype = torch.get_default_dtype()
            if dtype != torch.float32:
                self._dtype = dtype
                torch.set_default_dtype(torch.float32)
            self._users += 1

    def leave(self) -> None:
        """Restore both, if no other context remains."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            if self._random is not None:
                torch.set_rng_state(self._random)
            if self._dtype is not None:
                torch.set_default_dtype(self._dtype)
            self._random = self._dtype = None


_PROCESS = _ProcessState()


@contextmanager
def own_torch_state(*, gradients: bool = False) -> Iterator[None]:
    """Use torch's initial settings, and restore those of the caller afterwards, the global random state included.

    Parameters
    ----------
    gradients : bool, default False
        Whether gradients are computed, also within ``torch.no_grad`` or ``torch.inference_mode`` of the caller.

    Yields
    ------
    None
        Tensors are made on the CPU in float32 by default.

    Notes
    -----
    The default dtype and the random state belong to the process: other threads notice the change meanwhile. Of several
    contexts at a time, in any threads, the last one restores them.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(gradients))
        # New layers are initialized with random numbers, although their weights are replaced.
        _PROCESS.enter()
        stack.callback(_PROCESS.leave)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


class _FloatSettings:
    """The settings of torch for products of float32, which belong to the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._restore: Callable[[], None] | None = None

    def enter(self) -> None:
        """Change the settings, if no other context has."""
        with self._lock:
            if self._users == 0:
                self._restore = self._change()
            self._users += 1

    def leave(self) -> None:
        """Restore the settings, if no other context remains."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._restore is not None:
                self._restore()

    def _change(self) -> Callable[[], None]:
        # The annotations of torch lack these names.
        backends: Any = torch.backends
        settings = (
            backends.cuda.matmul,
            backends.cudnn.conv,
            backends.cudnn.rnn,
            backends.mkldnn.matmul,
            backends.mkldnn.conv,
        )
        earlier = [setting.fp32_precision for setting in settings]
        # Set beside the newer settings, so that programs which read these two find them in agreement.
        matmul = _unless_refused(torch.get_float32_matmul_precision)
        cudnn = _unless_refused(lambda: backends.cudnn.allow_tf32)
        torch.set_float32_matmul_precision("highest")
        backends.cudnn.allow_tf32 = False
        for setting in settings:
            setting.fp32_precision = "ieee"

        def restore() -> None:
            if matmul is not None:
                torch.set_float32_matmul_precision(matmul)
            if cudnn is not None:
                backends.cudnn.allow_tf32 = cudnn
            for setting, precision in zip(settings, earlier, strict=True):
                setting.fp32_precision = precision

        return restore


def _unless_refused(read: Callable[[], _Value]) -> _Value | None:
    """Read an older setting; None if the newer ones contradict it, since torch refuses to read it then."""
    try:
        return read()
    except RuntimeError:
        return None


_float_settings = _FloatSettings()


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Compute products of float32 with all bits within the context, not rounded to those of TF32 or bfloat16.

    The settings belong to the process. The first context of several that overlap changes them, and the last one
    restores the earlier ones.

    Yields
    ------
    None
        Nothing.
    """
    _float_settings.enter()
    try:
        yield
    finally:
        _float_settings.leave()
