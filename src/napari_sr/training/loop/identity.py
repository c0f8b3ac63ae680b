"""The identity of a run: what a checkpoint must have in common with the training that continues it."""

from __future__ import annotations

import hashlib
import json

from napari_sr.training.data.fingerprint import add_array
from napari_sr.zoo.architectures import complete
from napari_sr.zoo.card import Architecture
from napari_sr.zoo.model import Model


def model_hash(model: Model) -> str:
    """Return a hash of the network and the weights with which a training starts.

    Parameters
    ----------
    model : Model
        The model to fine-tune or to start with; of two weight sets, those that count at its alpha.

    Returns
    -------
    str
        SHA-256, as 64 hexadecimal digits. Names and other facts of the card are not part of it, so that a model may be
        renamed or moved while its training is interrupted.
    """
    digest = hashlib.sha256()
    digest.update(_architecture(model.card.architecture).encode())
    states = [model.endpoints[name] for name in model.card.endpoints or model.endpoints]
    if model.alpha in (0, 1):
        states = [states[int(model.alpha)]]
    elif model.alpha is not None:
        # The sets and not the mixed weights, whose last bit can be another one on another processor.
        digest.update(f"{model.mixing}{model.alpha!r}".encode())
    for state in states:
        for key in sorted(state):
            digest.update(key.encode())
            add_array(digest, state[key].detach().cpu().numpy())
    return digest.hexdigest()


def _architecture(architecture: Architecture) -> str:
    """Return a text of an architecture that does not change when a setting with a default is added to its network."""
    defaults = complete(Architecture(network=architecture.network)).settings
    settings = {key: value for key, value in architecture.settings.items() if value != defaults.get(key)}
    return json.dumps([architecture.network, settings], sort_keys=True)
