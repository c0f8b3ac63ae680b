"""Settings of torch that a caller may have changed, set back while networks are built, applied or trained."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

import torch

from napari_sr.process_settings import OfProcess, Restore

_Value = TypeVar("_Value")
# Kinds of devices for which torch has automatic mixed precision.
_AUTOCAST = ("cpu", "cuda", "mps", "xpu")

#: Held while a job runs on a thread of dask, which runs several tasks at a time: settings of torch belong to the
#: process, strips are planned for all of the free memory, and a network uses all cores.
ONE_NETWORK = Lock()


def _own_dtype(first: bool) -> Restore | None:
    """Change the default dtype."""
    dtype = torch.get_default_dtype()
    if dtype == torch.float32:
        return None
    torch.set_default_dtype(torch.float32)
    return lambda: torch.set_default_dtype(dtype)


def _own_random(first: bool) -> Restore | None:
    """Keep the random state."""
    if not first:
        return None
    state = torch.get_rng_state()
    return lambda: torch.set_rng_state(state)


def _all_bits(first: bool) -> Restore | None:
    """Change the settings of torch for products of float32."""
    if not first:
        return None
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


_OWN_DTYPE, _OWN_RANDOM, _ALL_BITS = OfProcess(_own_dtype), OfProcess(_own_random), OfProcess(_all_bits)


@contextmanager
def own_torch_state(*, gradients: bool = False) -> Iterator[None]:
    """Use torch's initial settings, and restore those of the caller afterwards.

    Parameters
    ----------
    gradients : bool, default False
        Whether gradients are computed, also within ``torch.no_grad`` or ``torch.inference_mode`` of the caller. The
        global random state is restored, too: a training initializes new layers with random numbers.

    Yields
    ------
    None
        Tensors are made on the CPU in float32 by default, and computed in their own number format.

    Notes
    -----
    The default dtype and the random state belong to the process: other threads compute with the changed ones
    meanwhile. Of several contexts at a time, in any threads, the last one restores them. Without gradients no random
    number of the global state is drawn, and those that other threads draw meanwhile are not drawn again.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(gradients))
        stack.enter_context(_OWN_DTYPE)
        if gradients:
            stack.enter_context(_OWN_RANDOM)
        for kind in _AUTOCAST:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def _unless_refused(read: Callable[[], _Value]) -> _Value | None:
    """Read an older setting; None if the newer ones contradict it, since torch refuses to read it then."""
    try:
        return read()
    except RuntimeError:
        return None


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Compute products of float32 with all bits within the context, not rounded to those of TF32 or bfloat16.

    The settings belong to the process. The first context of several that overlap changes them, and the last one
    restores the earlier ones.

    Notes
    -----
    A fork of a process that has computed has no copy of torch's threads and would wait for them for ever, as in
    ``multiprocessing.Pool`` on Linux before Python 3.14. From the first context on, torch uses one thread in forks.
    """
    _compute_in_forks()
    with _ALL_BITS:
        yield


@cache
def _compute_in_forks() -> None:
    """Let torch use one thread in the forks of this process, once for the process."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
