"""A model at hand: card, weights, and the network they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from torch import Tensor, nn

from napari_sr.errors import InputError
from napari_sr.imaging.resize import Kernel, check_kernel
from napari_sr.networks.mixture import ImageMixture
from napari_sr.zoo.architectures import build_with
from napari_sr.zoo.card import Architecture, Card, Mixing, check_mixing
from napari_sr.zoo.mixing import check_alpha, check_same, mix
from napari_sr.zoo.modelfile import check_endpoints

Endpoints = Mapping[str, Mapping[str, Tensor]]
#: Where a model came from: a name or a file, or the two of a pair.
ModelSource = str | Path | tuple[str | Path, str | Path]


class Model:
    """A super-resolution model: what its card says, and a network ready to run.

    A model does not change: `with_alpha`, `with_mixing` and `with_upsampling` give a new one that shares the weights.
    It may be used from several threads, and goes through pickle (to a cluster, say).

    Parameters
    ----------
    card : Card
        What the model says of itself.
    endpoints : mapping of str to state dict
        One weight set, under "weights", or two under the names in `card.endpoints`; float32.
    alpha : float, optional
        Where between the two endpoints, 0 to 1; by default the card's, or else 0, the first endpoint.
    source : str or Path, or two of them, optional
        The file or name it came from, for messages and reports; of a pair made of two files, both.

    Raises
    ------
    CheckpointError
        If the weights or sizes are not those that the card promises.
    InputError
        If alpha is not in [0, 1], or is given for a model without two endpoints.
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
            raise InputError(f"{card.name} has one weight set and nothing to mix: leave alpha out.")
        if card.endpoints:
            alpha = (card.default_alpha or 0.0) if alpha is None else alpha
            check_alpha(alpha)
        check_endpoints(card, endpoints)
        if card.endpoints:
            check_same(*(endpoints[name] for name in card.endpoints))
        self._card = card
        self._endpoints = MappingProxyType({name: MappingProxyType(dict(state)) for name, state in endpoints.items()})
        self._alpha = alpha
        self._source = source
        self._network: nn.Module | None = None
        self._ends = _Ends(card, self._endpoints)
        self._lock = Lock()

    def __repr__(self) -> str:
        at = f", alpha={self._alpha:g}" if self._alpha is not None else ""
        at += ", images mixed" if self.mixing == "images" else ""
        return f"Model({self.name!r}, {self._card.architecture.network} x{self.scale}{at})"

    def __reduce__(self) -> tuple[object, ...]:
        endpoints = {name: dict(state) for name, state in self._endpoints.items()}
        return _restored, (self._card, endpoints, self._alpha, self._source)

    @property
    def card(self) -> Card:
        """What the model says of itself."""
        return self._card

    @property
    def endpoints(self) -> Endpoints:
        """The weight sets by name, read-only."""
        return self._endpoints

    @property
    def alpha(self) -> float | None:
        """Where between the two endpoints; None for one weight set."""
        return self._alpha

    @property
    def mixing(self) -> Mixing | None:
        """What alpha mixes; None for one weight set."""
        return self._card.mixing if self._card.endpoints else None

    @property
    def source(self) -> ModelSource | None:
        """The file or name it came from, both of them for a pair of two files."""
        return self._source

    @property
    def name(self) -> str:
        """The card's name."""
        return self._card.name

    @property
    def scale(self) -> int:
        """Factor in Y and X."""
        return self._card.scale

    @property
    def channels(self) -> int:
        """Channels of the image that goes in."""
        return self._card.channels

    @property
    def receptive_radius(self) -> int:
        """How far one output pixel sees, in pixels of the input."""
        return int(getattr(self.network, "receptive_radius"))  # noqa: B009 (nn.Module types it Tensor | Module)

    @property
    def network(self) -> nn.Module:
        """The network, built on first use: evaluation mode, float32, on the CPU, without gradients.

        It is shared by all who ask: to move, cast or train it, take a copy (`copy.deepcopy`).
        """
        with self._lock:
            if self._network is None:
                self._network = self._build()
            return self._network

    def with_alpha(self, alpha: float) -> Model:
        """Give the model at another point between its endpoints; no file is read, and nothing is checked again.

        Raises
        ------
        InputError
            If there are no two endpoints, or alpha is not in [0, 1].
        """
        if not self._card.endpoints:
            raise InputError(f"{self.name} has one weight set and nothing to mix: leave alpha out.")
        check_alpha(alpha)
        return self._changed(self._card, alpha)

    def with_mixing(self, mixing: Mixing) -> Model:
        """Give the model with the weights of its endpoints mixed, or the images that they make.

        Raises
        ------
        InputError
            If there are no two endpoints, or there is no such mixing.
        """
        if not self._card.endpoints:
            raise InputError(f"{self.name} has one weight set and nothing to mix: leave mixing out.")
        check_mixing(mixing)
        return self._changed(self._card.model_copy(update={"mixing": mixing}), self._alpha)

    def with_upsampling(self, kernel: Kernel) -> Model:
        """Give the SRCNN that interpolates with another kernel on its way in.

        Parameters
        ----------
        kernel : {"nearest", "bilinear", "bicubic", "lanczos3"}
            SRCNN's own is bicubic: with another, it runs on what it was not trained for.

        Raises
        ------
        InputError
            If the model is not an SRCNN, or there is no such kernel.
        """
        architecture = self._card.architecture
        if architecture.network != "SRCNN":
            raise InputError(f"{self.name} does not interpolate its input, only SRCNN does: leave upsampling out.")
        check_kernel(kernel)
        settings = {**architecture.settings, "upsampling": kernel}
        card = self._card.model_copy(update={"architecture": Architecture(network="SRCNN", settings=settings)})
        return Model(card, self._endpoints, self._alpha, source=self._source)

    def _changed(self, card: Card, alpha: float | None) -> Model:
        """Give a model of the same weights, which were checked when this one was made."""
        # Not `copy`, which would go through __reduce__ and check everything again.
        other = object.__new__(Model)
        other.__dict__.update(self.__dict__)
        other._card, other._alpha = card, alpha
        other._network, other._lock = None, Lock()
        return other

    def _build(self) -> nn.Module:
        if self._alpha is None:
            return self._ends.network(0)
        if self._alpha in (0, 1):
            return self._ends.network(int(self._alpha))
        if self.mixing == "images":
            return ImageMixture(self._ends.network(0), self._ends.network(1), self._alpha).eval()
        return build_with(
            self._card.architecture, mix(self._ends.states[0], self._ends.states[1], self._alpha), checked=True
        )


class _Ends:
    """The networks of the weight sets, each built once for all models that share them."""

    def __init__(self, card: Card, endpoints: Endpoints) -> None:
        self.states = tuple(endpoints[name] for name in card.endpoints or endpoints)
        self._architecture = card.architecture
        self._networks: dict[int, nn.Module] = {}
        self._lock = Lock()

    def network(self, number: int) -> nn.Module:
        with self._lock:
            if number not in self._networks:
                self._networks[number] = build_with(self._architecture, self.states[number], checked=True)
            return self._networks[number]


def _restored(card: Card, endpoints: Endpoints, alpha: float | None, source: ModelSource | None) -> Model:
    return Model(card, endpoints, alpha, source=source)
