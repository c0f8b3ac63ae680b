"""Tables of a recipe: the losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable


class PixelLoss(RecipeTable):
    """Mean difference of the pixels of result and truth: absolute, squared, or Charbonnier's.

    Parameters
    ----------
    kind : {"l1", "mse", "charbonnier"}
        Mean absolute difference, mean squared difference, or ``sqrt(difference**2 + epsilon**2)``.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    epsilon : float, default 1e-3
        Width of Charbonnier's rounded minimum in the network's range of 0 to 1, above 0.
    binned : int, default 1
        Side, in high-resolution pixels, of the squares whose means are compared; 1 or more. With the factor of the
        network, the loss keeps brightness and positions of the low-resolution image and leaves finer detail to the
        other losses.

    References
    ----------
    Absolute difference: X. Wang et al., arXiv:1809.00219, equation 3 (the content loss). Squared difference: C. Dong et
    al., arXiv:1501.00092, equation 4; C. Ledig et al., arXiv:1609.04802, equation 4. Charbonnier's loss: W.-S. Lai et
    al., "Deep Laplacian pyramid networks", arXiv:1704.03915, section 3.3.
    """

    kind: Literal["l1", "mse", "charbonnier"]
    weight: Positive = 1.0
    epsilon: Positive = 1e-3
    binned: int = Field(default=1, ge=1)


class PerceptualLoss(RecipeTable):
    """Difference of result and truth in the features of a network that was trained to classify images.

    Parameters
    ----------
    kind : {"perceptual"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    network : {"vgg19", "vgg16", "squeezenet"}, default "vgg19"
        Network of the features: VGG19, VGG16 or SqueezeNet 1.1, trained on ImageNet; VGG16 also on materials (MINC).
    layers : dict of str to float, default {"conv5_4": 1.0}
        Weights of the layers, above 0, by their names: "conv1_1" to "conv5_4" for VGG19, "conv1_1" to "conv5_3" for
        VGG16, "conv1" and "fire2" to "fire9" for SqueezeNet.
    activation : {"before", "after"}, default "before"
        Features before the activation (ESRGAN) or after it (SRGAN). Those of a fire module are always after it.
    distance : {"l1", "mse"}, default "l1"
        Mean absolute or mean squared difference of the features.
    rescale : float, default 1.0
        Factor of the features, above 0; SRGAN's is 1 / 12.75.
    normalized : bool, default False
        Whether the features of each pixel are divided by their length over the channels first (Zhang et al., equation
        1, without its trained weights), so that faint structures count as much as strong ones.
    relative : bool, default False
        Whether the distance of each patch is divided by that of its bicubic interpolation, or of the result of
        `Stage.reference`, so that patches with little noise count as much as those with much noise, as in
        `RelativeLoss`.
    weights : str, optional
        File of the network's weights. By default torchvision's file is taken from torch's cache, or downloaded into
        it.

    References
    ----------
    J. Johnson et al., arXiv:1603.08155, equation 2; Ledig et al., arXiv:1609.04802, equation 5; Wang et al.,
    arXiv:1809.00219, section 3.3; R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual
    metric", arXiv:1801.03924.
    """

    kind: Literal["perceptual"]
    weight: Positive = 1.0
    network: Literal["vgg19", "vgg16", "squeezenet"] = "vgg19"
    layers: dict[str, Positive] = Field(default={"conv5_4": 1.0}, min_length=1)
    activation: Literal["before", "after"] = "before"
    distance: Literal["l1", "mse"] = "l1"
    rescale: Positive = 1.0
    normalized: bool = False
    relative: bool = False
    weights: str | None = None


class AdversarialLoss(RecipeTable):
    """Loss of the generator by the discriminator's output; the stage then needs a `Discriminator`.

    Parameters
    ----------
    kind : {"adversarial"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    form : {"standard", "relativistic", "least_squares"}, default "relativistic"
        Standard (SRGAN), relativistic average (ESRGAN) or least squares.
    evenness : float, default 0.0
        If above 0, the gradient of each patch is divided by ``error + evenness``, where the error is the root mean
        square error of the result of `Stage.reference`, divided by the standard deviation of the low-resolution patch.
        Detail is then added in proportion to that which can be restored: less where noise hides most of it, and more
        where little is missing. 0 leaves the gradients as they are; the smaller, the more they differ.
    noise : float, optional
        With `evenness`, the gradient of each patch is also divided by ``1 + (s / noise)**2``, with the mean standard
        deviation s of its noise, divided by the standard deviation of the low-resolution patch; above 0. For networks
        that take noise as an input.

    References
    ----------
    Ledig et al., arXiv:1609.04802, equation 6 (standard); Wang et al., arXiv:1809.00219, equation 2 (relativistic);
    X. Mao et al., arXiv:1611.04076, equation 9 (least squares).
    """

    kind: Literal["adversarial"]
    weight: Positive = 1.0
    form: Literal["standard", "relativistic", "least_squares"] = "relativistic"
    evenness: NonNegative = 0.0
    noise: Positive | None = None


class MatchingLoss(RecipeTable):
    """Mean absolute difference of result and truth in the features of the discriminator (feature matching).

    The stage needs an `AdversarialLoss`. The mean is over the features of all layers, each divided by the mean absolute
    value of the truth's features in that layer.

    Parameters
    ----------
    kind : {"matching"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.

    References
    ----------
    T.-C. Wang et al., "High-resolution image synthesis and semantic manipulation with conditional GANs",
    arXiv:1711.11585, equation 4.
    """

    kind: Literal["matching"]
    weight: Positive = 1.0


class PeriodicLoss(RecipeTable):
    """Mean squared part of the difference between result and truth that repeats with the factor: its lattice.

    A low-resolution pixel has `scale` x `scale` positions in the result. The loss compares, for each position, the mean
    over the same position in 4 x 4 low-resolution pixels with that over all positions. It is about 0 for a difference
    without a pattern that repeats with the factor, and does not penalize other detail.

    Parameters
    ----------
    kind : {"periodic"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    """

    kind: Literal["periodic"]
    weight: Positive = 1.0


class PatternLoss(RecipeTable):
    """Differences between result and truth in the directions of fine detail: its regular patterns.

    Networks with few layers after their upsampling steps concentrate the detail that an adversarial loss rewards on few
    frequencies, which is seen as rows of dots. The loss is the variance of log(power of result / power of truth) over
    the frequencies at one distance from 0, as the mean over the distances of 1/4 cycle per pixel and more. It is about
    0 if the powers are proportional at each distance, so that it rewards neither more nor less detail. Frequencies at
    which the truth has less than a tenth of its mean power there have little weight.

    Parameters
    ----------
    kind : {"pattern"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    """

    kind: Literal["pattern"]
    weight: Positive = 1.0


class EquivarianceLoss(RecipeTable):
    """Mean squared difference between f(x) and rot180(f(rot180(x))), where f is the network and x a patch.

    It penalizes spatial shifts, since a shift of the result changes its direction with the rotation. It needs no ground
    truth. In combination with an adversarial loss, which rewards textures wherever they are, it keeps structures in
    place.

    Parameters
    ----------
    kind : {"equivariance"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    blurred : float, default 0.0
        Standard deviation in low-resolution pixels, 0 or more, of a Gaussian blur of the patches. If it is above 0, the
        blurred patches are also stretched from black to white, so that the loss holds for plain shapes without noise,
        which differ from the training images.
    """

    kind: Literal["equivariance"]
    weight: Positive = 1.0
    blurred: NonNegative = 0.0


class RelativeLoss(RecipeTable):
    """Squared error of each patch, divided by that of bicubic interpolation on the same patch.

    Patches with little noise then count as much as those with much noise, and a loss below 1 means less error than
    bicubic interpolation. With `Stage.reference`, the results of an endpoint take its place. It is the mean over the
    patches of

    ``error / (bicubic + (floor / 255)**2) + absolute error / variance + flat shift**2 / noise**2``

    with the mean squared errors of the result and of bicubic interpolation, the variance of the low-resolution patch,
    and, for the artificial patches of `Conditions.flats` only, the difference between the means of result and bicubic
    interpolation and the standard deviation of the noise. The last quotient is limited to 1.

    Parameters
    ----------
    kind : {"relative"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    floor : float, default 0.25
        Error that is added to that of bicubic interpolation, in gray levels of 1/255 of the range from black to white,
        above 0. It limits the weight of patches that bicubic interpolation reproduces.
    absolute : float, default 0.0
        Weight of the squared error of the patch at unit variance, 0 or more.
    flat : float, default 0.0
        Weight of the shift of the mean of artificial patches, 0 or more.
    binned : int, default 1
        Side, in high-resolution pixels, of the squares whose means are compared; 1 or more. With the factor of the
        network, the loss keeps brightness and positions of the low-resolution image and leaves finer detail to the
        other losses.
    """

    kind: Literal["relative"]
    weight: Positive = 1.0
    floor: Positive = 0.25
    absolute: NonNegative = 0.0
    flat: NonNegative = 0.0
    binned: int = Field(default=1, ge=1)


class BandsLoss(RecipeTable):
    """Squared difference between the result and a mixture of two others by frequency band.

    The two are the results of `Stage.reference` and of the weights at the start of the stage. With their difference d
    and its Gaussian blur g(d), the loss moves the results to

    ``reference + coarse g(d) + fine (d - g(d))``

    An adversarial loss adds detail of all sizes. That near the resolution of the low-resolution image is largely known
    already, so that changes of it cost accuracy and are hardly seen; the finest detail can only be added. A last stage
    with `coarse` below 1 and `fine` above 1 takes back part of the former and adds the latter. The error is measured in
    both bands, for each patch relative to d in that band.

    Parameters
    ----------
    kind : {"bands"}
        Kind of the loss.
    weight : float, default 1.0
        Factor of the loss in the sum of the stage's losses, above 0.
    sigma : float, default 1.0
        Standard deviation of the Gaussian in high-resolution pixels, above 0.
    coarse : float, default 0.5
        Part of the coarse difference that is left, 0 or more.
    fine : float, default 1.2
        Factor of the fine difference, 0 or more.
    """

    kind: Literal["bands"]
    weight: Positive = 1.0
    sigma: Positive = 1.0
    coarse: NonNegative = 0.5
    fine: NonNegative = 1.2


Loss = Annotated[
    PixelLoss
    | PerceptualLoss
    | AdversarialLoss
    | MatchingLoss
    | PeriodicLoss
    | PatternLoss
    | EquivarianceLoss
    | RelativeLoss
    | BandsLoss,
    Field(discriminator="kind"),
]
