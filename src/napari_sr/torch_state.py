"""Settings of torch that a caller may have changed, set back while networks are built, applied or trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import torch

#: Held while a job runs on a thread of dask, which runs several tasks at a time: settings of torch belong to the
#: process, strips are planned for all of the free memory, and a network uses all cores.
ONE_NETWORK = Lock()


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
    The default dtype and the random state belong to the process: other threads notice the change meanwhile.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(gradients))
        # New layers are initialized with random numbers, although their weights are replaced.
        stack.enter_context(torch.random.fork_rng(devices=[]))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield
