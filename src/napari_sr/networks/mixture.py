"""A network whose result is the weighted average of the results of two networks."""

from __future__ import annotations

from torch import Tensor, nn

from napari_sr.networks.conditioning import folded


class ImageMixture(nn.Module):
    """The average of the results of two networks, pixel by pixel.

    Parameters
    ----------
    first, second : nn.Module
        Two networks of one kind; they are shared, not copied.
    alpha : float
        Weight of the second result, from 0 to 1.

    Notes
    -----
    The result is ``(1 - alpha) first(x) + alpha second(x)``. Wang et al. compare network interpolation with it: it
    keeps the artifacts of the second network, only fainter, and both networks have to be computed.

    References
    ----------
    X. Wang et al., "ESRGAN", arXiv:1809.00219, section 4.4 (figure 10).
    """

    def __init__(self, first: nn.Module, second: nn.Module, alpha: float) -> None:
        super().__init__()
        self.first, self.second, self.alpha = first, second, alpha
        self.scale: int = first.scale  # type: ignore[assignment]
        self.in_channels: int = first.in_channels  # type: ignore[assignment]
        self.out_channels: int = first.out_channels  # type: ignore[assignment]
        self.alignment: int = first.alignment  # type: ignore[assignment]
        self.receptive_radius: int = first.receptive_radius  # type: ignore[assignment]

        self.noise_plane = bool(getattr(first, "noise_plane", False))

    def folded(self, blur: float = 0.0) -> ImageMixture:
        """Return the mixture of both networks for one blur (`napari_sr.networks.conditioning.folded`)."""
        return ImageMixture(folded(self.first, blur), folded(self.second, blur), self.alpha).eval()

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, scale H, scale W); `noise` is for networks with a plane."""
        both = (x, noise) if self.noise_plane else (x,)
        out: Tensor = (1 - self.alpha) * self.first(*both) + self.alpha * self.second(*both)
        return out
