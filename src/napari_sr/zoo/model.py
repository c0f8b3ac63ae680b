"""A model: a card, its weights, and the network with these weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from torch import Tensor, nn

from napari_sr.conversion import read_choice
from napari_sr.errors import InputError
from napari_sr.imaging.resize import Kernel, check_kernel
from napari_sr.networks.mixture import ImageMixture
from napari_sr.torch_state import own_torch_state
from napari_sr.zoo.architectures import build_with
from napari_sr.zoo.card import MIXINGS, Architecture, Card, Mixing
from napari_sr.zoo.checkpoint.limits import memory_of
from napari_sr.zoo.mixing import check_alpha, mix
from napari_sr.zoo.modelfile import check_endpoints

Endpoints = Mapping[str, Mapping[str, Tensor]]
#: Origin of a model: a name or a file, or two of them for a pair.
ModelSource = str | Path | tuple[str | Path, str | Path]


class Model:
    """A super-resolution model: a card, one or two weight sets, and a network that is ready to run.

    A model is not changed: `with_alpha`, `with_mixing` and `with_upsampling` return new ones that share its weights. It
    may be used from several threads, and can be pickled.

    Parameters
    ----------
    card : Card
        The metadata of the model.
    endpoints : mapping of str to state dict
        One weight set, named "weights", or two by the names in `card.endpoints`; float32.
    alpha : float, optional
        Position between the two weight sets, from 0 to 1; by default that of the card, or else 0, the first weight set.
    source : str or Path, or two of them, optional
        Origin of the model, for messages and reports; for a pair of two files, both of them.

    Raises
    ------
    CheckpointError
        If weights or sizes are not those of the card.
    InputError
        If alpha is not between 0 and 1, or is given for a model with one weight set.

    Examples
    --------
    >>> import napari_sr as sr
    >>> model = sr.load_model("srcnn-x2")
    >>> model.name, model.scale, model.channels, model.receptive_radius
    ('srcnn-x2', 2, 1, 6)
    """

    def __init__(
        self,
        card: Card,
        endpoints: Endpoints,
        alpha: float | None = None,
        *,
        source: ModelSource | None = None,
    ) -> None:
        if alpha is not None and not card.endpoints:
            raise InputError(f"{card.name} does not have two weight sets to mix: leave alpha out.")
        if card.endpoints:
            alpha = check_alpha((card.default_alpha or 0.0) if alpha is None else alpha)
        check_endpoints(card, endpoints)
        self._card = card
        self._endpoints = MappingProxyType({name: MappingProxyType(dict(state)) for name, state in endpoints.items()})
        self._alpha = alpha
        self._source = source
        self._network: nn.Module | None = None
        self._ends = _Ends(card, self._endpoints)
        self._lock = Lock()

    def __repr__(self) -> str:
        position = f", alpha={self._alpha:g}" if self._alpha is not None else ""
        mixed = ", images mixed" if self.mixing == "images" else ""
        return f"Model({self.name!r}, {self._card.architecture.network} x{self.scale}{position}{mixed})"

    def __reduce__(self) -> tuple[object, ...]:
        endpoints = {name: dict(state) for name, state in self._endpoints.items()}
        return partial(Model, source=self._source), (self._card, endpoints, self._alpha)

    def __copy__(self) -> Model:
        # Unlike an unpickled model, a copy shares the weights and their networks, which are not checked again.
        copied = object.__new__(Model)
        copied.__dict__.update(self.__dict__)
        return copied

    @property
    def card(self) -> Card:
        """The metadata of the model."""
        return self._card

    @property
    def endpoints(self) -> Endpoints:
        """The weight sets by name, read-only."""
        return self._endpoints

    @property
    def alpha(self) -> float | None:
        """Position between the two weight sets, from 0 to 1; None for a model with one."""
        return self._alpha

    @property
    def mixing(self) -> Mixing | None:
        """What alpha mixes, "weights" or "images"; None for a model with one weight set."""
        return self._card.mixing if self._card.endpoints else None

    @property
    def source(self) -> ModelSource | None:
        """Name or file from which the model was loaded; two of them for a pair of two files."""
        return self._source

    @property
    def name(self) -> str:
        """Name of the model, from its card."""
        return self._card.name

    @property
    def scale(self) -> int:
        """Upsampling factor along Y and X."""
        return self._card.scale

    @property
    def channels(self) -> int:
        """Number of channels of the input."""
        return self._card.channels

    @property
    def receptive_radius(self) -> int:
        """Radius on which an output pixel depends, in pixels of the input."""
        return int(getattr(self.network, "receptive_radius"))  # noqa: B009 (nn.Module types it Tensor | Module)

    @property
    def network(self) -> nn.Module:
        """The network in evaluation mode, in float32, on the CPU, without gradients; built on first use.

        `CheckpointError` is raised if it does not fit into memory.

        It is shared. Copy it with ``copy.deepcopy`` to move, cast or train it.
        """
        with self._lock:
            if self._network is None:
                with memory_of(self.name):
                    self._network = self._build()
            return self._network

    def with_alpha(self, alpha: float) -> Model:
        """Return the model at another position between its two weight sets. No file is read.

        Parameters
        ----------
        alpha : float
            The position, from 0 to 1.

        Returns
        -------
        Model
            A model that shares the weights of this one.

        Raises
        ------
        InputError
            If the model has one weight set, or alpha is not between 0 and 1.
        """
        if not self._card.endpoints:
            raise InputError(f"{self.name} does not have two weight sets to mix: leave alpha out.")
        return self._changed(self._card, check_alpha(alpha))

    def with_mixing(self, mixing: Mixing) -> Model:
        """Return the model with the other way of mixing.

        Parameters
        ----------
        mixing : {"weights", "images"}
            What alpha mixes: the weights (network interpolation), or the results of both networks.

        Returns
        -------
        Model
            A model that shares the weights of this one.

        Raises
        ------
        InputError
            If the model has one weight set, or there is no such mixing.
        """
        if not self._card.endpoints:
            raise InputError(f"{self.name} does not have two weight sets to mix: leave mixing out.")
        read_choice(mixing, "mixing", MIXINGS)
        return self._changed(self._card.model_copy(update={"mixing": mixing}), self._alpha)

    def with_upsampling(self, kernel: Kernel) -> Model:
        """Return an SRCNN with another interpolation of its input.

        Parameters
        ----------
        kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
            The interpolation. SRCNN was trained with bicubic interpolation.

        Returns
        -------
        Model
            A model with the weights of this one.

        Raises
        ------
        InputError
            If the model is not an SRCNN, or there is no such interpolation.
        """
        architecture = self._card.architecture
        if architecture.network != "SRCNN":
            raise InputError(f"{self.name} does not interpolate its input, only SRCNN does: leave upsampling out.")
        check_kernel(kernel)
        settings = {**architecture.settings, "upsampling": kernel}
        card = self._card.model_copy(update={"architecture": Architecture(network="SRCNN", settings=settings)})
        return Model(card, self._endpoints, self._alpha, source=self._source)

    def _changed(self, card: Card, alpha: float | None) -> Model:
        """Return a model with the same weights and their networks."""
        changed = copy.copy(self)
        changed._card, changed._alpha = card, alpha
        changed._network, changed._lock = None, Lock()
        return changed

    @own_torch_state()
    def _build(self) -> nn.Module:
        if self._alpha is None:
            return self._ends.network(0)
        if self._alpha in (0, 1):
            return self._ends.network(int(self._alpha))
        if self.mixing == "images":
            return ImageMixture(self._ends.network(0), self._ends.network(1), self._alpha).eval()
        return build_with(self._card.architecture, mix(self._ends.states[0], self._ends.states[1], self._alpha))


class _Ends:
    """The networks of the weight sets, each built once for all models that share them."""

    def __init__(self, card: Card, endpoints: Endpoints) -> None:
        self.states = tuple(endpoints[name] for name in card.endpoints or endpoints)
        self._architecture = card.architecture
        self._networks: dict[int, nn.Module] = {}
        self._lock = Lock()

    @own_torch_state()
    def network(self, number: int) -> nn.Module:
        with self._lock:
            if number not in self._networks:
                self._networks[number] = build_with(self._architecture, self.states[number])
            return self._networks[number]
