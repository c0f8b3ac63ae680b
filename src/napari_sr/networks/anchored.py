"""Adjusted anchored neighborhood regression (A+), the sparse coding method that SRCNN was measured against."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from napari_sr.networks.upsample import Upsample

#: Side of a patch in pixels of the input, and side of the window of the input on which its features depend: the patch,
#: one pixel on each side for the derivatives, and two for bicubic interpolation.
PATCH, WINDOW = 3, 9


class AnchoredRegression(nn.Module):
    """Sparse coding by anchored regression: A+.

    Around each pixel of the input the features of a patch of 3 x 3 pixels are computed: the first and second
    derivatives of its bicubic interpolation, projected onto their principal components. They are linear in the input,
    so that they are one convolution. The atom of a dictionary that correlates most with them, in magnitude, chooses one
    of the regressions that were fitted to the neighborhoods of the atoms. It gives what is missing to the patch in the
    bicubic interpolation. Patches that overlap are averaged.

    The weights are not trained by gradients; ``recipes/sparse_coding.py`` makes them.

    Parameters
    ----------
    scale : int, default 3
        Factor along Y and X.
    atoms : int, default 256
        Atoms of the dictionary (1,024 in the paper).
    features : int, default 24
        Principal components of the features of a patch.

    Attributes
    ----------
    analysis : nn.Conv2d
        From the input to the features, 9 x 9 pixels.
    dictionary : Parameter, shape (atoms, features)
        The atoms.
    regressions : Parameter, shape (atoms, 9 scale^2, features)
        The regressions, for each atom.

    References
    ----------
    R. Timofte, V. De Smet, L. Van Gool, "A+: Adjusted Anchored Neighborhood Regression for Fast Super-Resolution",
    ACCV 2014. Patches and features: R. Zeyde, M. Elad, M. Protter, "On Single Image Scale-Up Using
    Sparse-Representations", 2010. Here patches beyond the border of the image are part of the averages, of the image
    with repeated border pixels.
    """

    #: A pixel of the result depends on the pixels within `receptive_radius` alone, in any block that has them.
    is_local = True

    def __init__(self, *, scale: int = 3, atoms: int = 256, features: int = 24) -> None:
        super().__init__()
        self.scale = scale
        self.in_channels = self.out_channels = 1
        self.alignment = 1
        self.upsample = Upsample(scale, "bicubic")
        self.analysis = nn.Conv2d(1, features, WINDOW, bias=False)
        self.dictionary = nn.Parameter(torch.randn(atoms, features))
        self.regressions = nn.Parameter(torch.empty(atoms, (PATCH * scale) ** 2, features).normal_(std=1 / features))
        self.receptive_radius = WINDOW // 2 + PATCH // 2

    def forward(self, x: Tensor) -> Tensor:
        """Upscale.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W)
            Images.

        Returns
        -------
        Tensor, shape (N, 1, scale H, scale W)
            The results.
        """
        # With the patches of the pixels around the image, so that each pixel is the average of nine patches.
        padded = functional.pad(x, (WINDOW // 2 + PATCH // 2,) * 4, mode="replicate")
        patches = regressed(self.analysis(padded), self.dictionary, self.regressions)
        size = tuple((x.shape[axis] + PATCH + 1) * self.scale for axis in (2, 3))
        added = functional.fold(patches, size, PATCH * self.scale, stride=self.scale) / PATCH**2
        border = (PATCH - 1) * self.scale
        detail = added[..., border:-border, border:-border]
        out: Tensor = self.upsample(x) + detail
        return out


@fx.wrap
def regressed(features: Tensor, dictionary: Tensor, regressions: Tensor) -> Tensor:
    """Apply to the features of each patch the regression of their atom.

    Parameters
    ----------
    features : Tensor, shape (N, features, H, W)
        The features.
    dictionary : Tensor, shape (atoms, features)
        The atoms.
    regressions : Tensor, shape (atoms, values, features)
        The regressions.

    Returns
    -------
    Tensor, shape (N, values, H W)
        The values of each patch.
    """
    rows = features.movedim(1, -1).reshape(-1, features.shape[1])
    chosen = (rows @ dictionary.T).abs().argmax(1)
    order = chosen.argsort()
    counts = torch.bincount(chosen, minlength=dictionary.shape[0]).tolist()
    parts = [part @ each.T for part, each in zip(rows[order].split(counts), regressions, strict=True)]
    values = torch.empty(len(rows), regressions.shape[1], dtype=rows.dtype, device=rows.device)
    values = values.index_copy(0, order, torch.cat(parts))
    return values.view(features.shape[0], -1, regressions.shape[1]).transpose(1, 2)
