"""Tables of a recipe: optimizer, learning-rate schedule and discriminator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from napari_sr.training.recipe.table import NonNegative, Positive, RecipeTable


class Optimizer(RecipeTable):
    """Adam, or stochastic gradient descent with momentum.

    Parameters
    ----------
    kind : {"adam", "sgd"}, default "adam"
        `torch.optim.Adam` or `torch.optim.SGD`.
    learning_rate : float, default 1e-4
        Learning rate, above 0; the schedule multiplies it.
    betas : (float, float), default (0.9, 0.999)
        Adam's decay rates of the means of gradient and squared gradient, each at least 0 and below 1.
    momentum : float, default 0.9
        Momentum of SGD, at least 0 and below 1.
    weight_decay : float, default 0.0
        L2 penalty on the weights, 0 or more.
    last_layer_rate : float, default 1.0
        Learning rate of the last layer as a fraction of `learning_rate`, above 0 (SRCNN: 0.1).
    whiten : bool, default False
        Train the first layer of the generator in a basis where its input patches have identity covariance
        (input-whitened optimizer basis).

    References
    ----------
    Whitening: Y. LeCun et al., "Efficient BackProp", 1998, section 4.3; G. Desjardins et al., arXiv:1507.00210.
    """

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 0.0
    last_layer_rate: Positive = 1.0
    whiten: bool = False


class Schedule(RecipeTable):
    """Learning rate as a function of the step.

    Parameters
    ----------
    kind : {"constant", "cosine", "milestones"}, default "constant"
        "cosine" falls to `final`, once or in each of `cycles`; "milestones" multiplies the rate by `factor` at each of
        `milestones`.
    warm_up : int, default 0
        Number of steps, 0 or more, over which the learning rate first rises linearly, in each cycle.
    cycles : tuple of int, default ()
        Lengths of the cycles of "cosine" in steps; they add up to the steps of the stage. By default one cycle.
    cycle_rates : tuple of float, default ()
        Highest learning rate of each cycle as a fraction of the optimizer's, above 0; by default 1 for each.
    milestones : tuple of int, default ()
        Numbers of completed steps of the stage, from 1, after which the learning rate changes.
    factor : float, default 0.5
        Factor of the learning rate at each milestone, above 0.
    final : float, default 0.0
        Learning rate at the end of "cosine" as a fraction of the highest one, at least 0 and below 1.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv:1608.03983 ("cosine").
    """

    kind: Literal["constant", "cosine", "milestones"] = "constant"
    warm_up: int = Field(default=0, ge=0)
    cycles: tuple[Annotated[int, Field(ge=1)], ...] = ()
    cycle_rates: tuple[Positive, ...] = ()
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = ()
    factor: Positive = 0.5
    final: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.cycle_rates and len(self.cycle_rates) != len(self.cycles):
            raise ValueError(
                f"there are {len(self.cycle_rates)} cycle_rates for {len(self.cycles)} cycles: give one for each cycle"
            )
        if self.cycles and self.kind != "cosine":
            raise ValueError(f"the kind {self.kind} has no cycles: leave them out, or choose the kind cosine")
        if self.milestones and self.kind != "milestones":
            raise ValueError(f"the kind {self.kind} has no milestones: leave them out, or choose the kind milestones")
        if self.final and self.kind != "cosine":
            raise ValueError(f"the kind {self.kind} has no final rate: leave final out, or choose the kind cosine")
        return self


class Discriminator(RecipeTable):
    """The network of an adversarial loss, which is trained to tell results from true images.

    Parameters
    ----------
    kind : {"srgan", "esrgan", "unet", "projected"}, default "esrgan"
        Discriminator of the SRGAN or ESRGAN paper, Real-ESRGAN's U-Net with spectral normalization, or small networks
        with spectral normalization on the features of `network`, which is trained already and stays as it is.
    features : int, default 64
        Number of features of the first layer, 1 or more; 64 in the papers.
    network : {"vgg19", "vgg16", "squeezenet"}, default "vgg19"
        Network of "projected", as for `PerceptualLoss`.
    layers : tuple of str, default ()
        Layers of `network`, whose features are classified one by one, before their activation; at least one for
        "projected", none otherwise.
    weights : str, optional
        File of the weights of `network`, as for `PerceptualLoss`.
    gradient_penalty : float, default 0.0
        Factor, 0 or more, of half the squared length of the gradient of the output (the mean over its positions) with
        respect to true images, which is added to the loss of the discriminator (R1). The images are those that
        the discriminator is given: black at 0 and white at 1, or in the contrast of their patch for a network that
        takes the noise.
    conditional : bool, default False
        Show the discriminator the bicubic interpolation of the low-resolution patch beside the image, and the noise
        and the blur of a network that takes them, so that it can compare the image with them.
    synchronize : bool, default False
        Normalize batches over all processes, which needs NVIDIA GPUs. By default each process normalizes its own part
        of the batch.
    optimizer : Optimizer, default Optimizer()
        Optimizer of the discriminator, without `whiten`; it follows the schedule of the stage.

    References
    ----------
    Ledig et al., arXiv:1609.04802, figure 4; Wang et al., arXiv:1809.00219; X. Wang et al., "Real-ESRGAN",
    arXiv:2107.10833; projected: A. Sauer et al., "Projected GANs converge faster", arXiv:2111.01007, equation 2;
    conditional: P. Isola et al., arXiv:1611.07004, equation 1; gradient penalty: L. Mescheder et al., "Which training
    methods for GANs do actually converge?", arXiv:1801.04406, equation 9.
    """

    kind: Literal["srgan", "esrgan", "unet", "projected"] = "esrgan"
    features: int = Field(default=64, ge=1)
    network: Literal["vgg19", "vgg16", "squeezenet"] = "vgg19"
    layers: tuple[str, ...] = ()
    weights: str | None = None
    gradient_penalty: NonNegative = 0.0
    conditional: bool = False
    synchronize: bool = False
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _not_whitened(self) -> Self:
        if self.optimizer.whiten:
            raise ValueError("whiten is for the generator's optimizer: leave it out of the discriminator's")
        return self

    @model_validator(mode="after")
    def _layers_of_projected(self) -> Self:
        if (self.kind == "projected") != bool(self.layers):
            raise ValueError(
                "the kind projected needs the key layers, and the others have none: "
                f"{'leave layers out' if self.layers else 'name layers of the network'}"
            )
        return self
