"""A whole training described as data: read from TOML, written to TOML, checked key by key.

Needs no torch, so that a window can show and change a recipe at once.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_sr.errors import InputError
from napari_sr.imaging.intensity import IntensitySpec
from napari_sr.old_keys import renamed_recipe
from napari_sr.zoo.card import Domain, Family, Setting

Preset = Literal["srcnn", "srgan", "esrgan", "quick", "standard", "thorough"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
"""The papers' own trainings, and three lengths of fine-tuning of any model."""

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Spread = NonNegative | tuple[NonNegative, NonNegative]
"""One number, or the two ends of a range from which numbers are drawn evenly."""


class RecipeTable(BaseModel):
    """A table of a recipe. Nothing unknown is let in, and nothing changes afterward."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse a range whose ends are in the wrong order."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name != "betas" and isinstance(value, tuple) and len(value) == 2 and _numbers(value):
                low, high = value
                if low > high:
                    raise ValueError(f"the range of {name} goes from {low:g} down to {high:g}")
        return self


def _numbers(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)


class ImageSet(RecipeTable):
    """Images in files, with what a card has to say of them.

    Parameters
    ----------
    path : str
        A file or a folder, from the data folder that is given to the training.
    low : str or None
        The low-resolution partners, in the same way and under the same names; None makes them by the degradation.
    name, license, source : str or None
        The field's name for the set, the terms of its images, where they come from.
    """

    path: str
    low: str | None = None
    name: str | None = None
    license: str | None = None
    source: str | None = None


class Data(RecipeTable):
    """What is learned from.

    Parameters
    ----------
    images : tuple of ImageSet
        Read when no images are handed to the training.
    color : {"auto", "luma", "rgb", "gray"}
        What becomes of RGB; "auto" is the model's own. Read for new networks; a fine-tuned one keeps its own.
    sizes : tuple of float
        Every high-resolution image is also shown at these sizes; not for pairs.
    intensity : "auto", "dtype", "percentile", "contrast" or (low, high)
        As `napari_sr.upscale` takes it.
    planes : int
        At most so many planes of one image, evenly spread.
    denoise : float or None
        High-resolution images are learned from, and validated against, without their own noise: 0.8 takes nearly all of
        it (`training.denoising`). For adversarial losses on noisy images, whose judge would ask for the noise; what the
        low-resolution twins have is then the degradation's alone.
    """

    images: tuple[ImageSet, ...] = ()
    color: Literal["auto", "luma", "rgb", "gray"] = "auto"
    sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    intensity: IntensitySpec = "auto"
    planes: int = Field(default=64, ge=1)
    denoise: Positive | None = None


class GaussianBlur(RecipeTable):
    """A point spread function by its standard deviation, in high-resolution pixels."""

    kind: Literal["gaussian"] = "gaussian"
    sigma: Spread


class OpticsBlur(RecipeTable):
    """A point spread function by the optics: the Gaussian nearest to a wide-field microscope's.

    Parameters
    ----------
    numerical_aperture : float
        Of the objective.
    wavelength : float
        Of the emitted light, in the unit of the pixel size.
    pixel_size : float or None
        Of a high-resolution pixel; None takes the layer's own.
    """

    kind: Literal["optics"]
    numerical_aperture: Positive
    wavelength: Positive
    pixel_size: Positive | None = None


class Noise(RecipeTable):
    """Poisson-Gaussian noise of a camera, in the image's own values.

    Parameters
    ----------
    gain : float, (float, float) or "estimate"
        Values per photon; 0 leaves the Poisson part out.
    read : float, (float, float) or "estimate"
        Standard deviation of the Gaussian part. Both are estimated, or neither.
    """

    gain: Spread | Literal["estimate"]
    read: Spread | Literal["estimate"]

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.gain == "estimate") != (self.read == "estimate"):
            raise ValueError("gain and read noise are estimated together: say estimate for both, or for neither")
        return self


class Degradation(RecipeTable):
    """How a low-resolution image comes from a high-resolution one: blur, fewer pixels, noise.

    Parameters
    ----------
    blur : GaussianBlur, OpticsBlur or None
        The point spread function.
    shrink : {"bicubic", "binning"}
        MATLAB's antialiased bicubic, or the mean over a camera's pixels.
    noise : Noise or None
        Drawn anew for every patch.
    offset : float or (float, float)
        The camera's dark level: only what lies above it is photons.
    variants : int
        A range of blurs is met by so many copies of an image, at evenly spread points of the range.
    """

    blur: Annotated[GaussianBlur | OpticsBlur, Field(discriminator="kind")] | None = None
    shrink: Literal["bicubic", "binning"] = "bicubic"
    noise: Noise | None = None
    offset: Spread = 0.0
    variants: int = Field(default=4, ge=1)


class PatchSettings(RecipeTable):
    """What one step sees.

    Parameters
    ----------
    size : int or "auto"
        Side in low-resolution pixels; "auto" is the largest of 48, 32, 24 and 16 that keeps a step within `work`.
    batch : int
        Patches a step, over all processes together; with an "auto" size it is halved while a step exceeds `work`.
    work : float
        For an "auto" size: multiplications of one step's forward pass, in 10^9.
    flips, turns : bool
        Show patches flipped and turned by quarters.
    empty : float
        A patch whose standard deviation is below this share of its image's is empty, and skipped.
    """

    size: int | Literal["auto"] = "auto"
    batch: int = Field(default=8, ge=1)
    work: Positive = 20.0
    flips: bool = True
    turns: bool = True
    empty: NonNegative = 0.1

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if self.size != "auto" and self.size < 4:
            raise ValueError(f"a patch of {self.size} pixels is too small: 4 or more")
        return self


class PixelLoss(RecipeTable):
    """The mean difference of pixels: absolute, squared, or Charbonnier's.

    Parameters
    ----------
    epsilon : float
        Charbonnier's.
    binned : int
        Squares of so many high-resolution pixels are compared by their means. With the factor of the network, the
        low-resolution image that the result would give is held to the truth's (brightness, places), and what is finer
        is left to the other losses.
    """

    kind: Literal["l1", "mse", "charbonnier"]
    weight: Positive = 1.0
    epsilon: Positive = 1e-3
    binned: int = Field(default=1, ge=1)


class PerceptualLoss(RecipeTable):
    """The difference of features that another network sees.

    Parameters
    ----------
    network : {"vgg19", "vgg16", "squeezenet"}
        Whose features; VGG16 is that of the materials (MINC) variant.
    layers : dict of str to float
        Weights by name: "conv5_4" for VGG, "conv1" and "fire2" to "fire9" for SqueezeNet.
    activation : {"before", "after"}
        Features before the ReLU (ESRGAN) or after it (SRGAN); a fire module's are always after.
    distance : {"l1", "mse"}
        How they are compared.
    rescale : float
        Features are multiplied by it first: SRGAN's 1/12.75.
    weights : str or None
        A file; None is torchvision's file for VGG19, from torch's cache or downloaded.
    """

    kind: Literal["perceptual"]
    weight: Positive = 1.0
    network: Literal["vgg19", "vgg16", "squeezenet"] = "vgg19"
    layers: dict[str, Positive] = Field(default={"conv5_4": 1.0}, min_length=1)
    activation: Literal["before", "after"] = "before"
    distance: Literal["l1", "mse"] = "l1"
    rescale: Positive = 1.0
    weights: str | None = None

    @model_validator(mode="after")
    def _files(self) -> Self:
        if self.network != "vgg19" and self.weights is None:
            raise ValueError(f"weights of {self.network} are given as a file: name it")
        return self


class AdversarialLoss(RecipeTable):
    """What the discriminator says: standard (SRGAN), relativistic average (ESRGAN) or least squares."""

    kind: Literal["adversarial"]
    weight: Positive = 1.0
    form: Literal["standard", "relativistic", "least_squares"] = "relativistic"


class EquivarianceLoss(RecipeTable):
    """The squared difference that half a turn makes: of a patch's result, and of the turned patch's, turned back.

    A network that moves what it sees moves it the other way then. Beside an adversarial loss, which looks at textures
    and not at places, this keeps things where they are. It needs no truth.

    Parameters
    ----------
    blurred : float
        Patches are blurred by a Gaussian of this standard deviation first, in low-resolution pixels, and stretched from
        black to white: images unlike those learned from, plain shapes without noise, are not moved either. 0 takes the
        patches as they are.
    """

    kind: Literal["equivariance"]
    weight: Positive = 1.0
    blurred: NonNegative = 0.0


Loss = Annotated[PixelLoss | PerceptualLoss | AdversarialLoss | EquivarianceLoss, Field(discriminator="kind")]


class Optimizer(RecipeTable):
    """Adam, or SGD with momentum.

    Parameters
    ----------
    kind, learning_rate, betas, momentum, weight_decay
        As torch has them.
    last_layer_rate : float
        Rate of the last layer as a share of the others' (SRCNN: 0.1).
    whiten : bool
        The generator's first layer learns in the basis in which its patches are white (`training.whitening`).
    """

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 0.0
    last_layer_rate: Positive = 1.0
    whiten: bool = False


class Schedule(RecipeTable):
    """How the rate goes along.

    Parameters
    ----------
    kind : {"constant", "cosine", "milestones"}
        "cosine" falls to zero, once or in every one of `cycles`; "milestones" multiplies by `factor` at each.
    warm_up : int
        Steps over which the rate rises first, in every cycle.
    cycles : tuple of int
        Lengths of the cosine's cycles; they add up to the stage's steps. None is one cycle.
    cycle_rates : tuple of float
        The highest rate of each cycle, as a share of the optimizer's.
    milestones : tuple of int
        Steps.
    factor : float
        At each milestone.
    """

    kind: Literal["constant", "cosine", "milestones"] = "constant"
    warm_up: int = Field(default=0, ge=0)
    cycles: tuple[Annotated[int, Field(ge=1)], ...] = ()
    cycle_rates: tuple[Positive, ...] = ()
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = ()
    factor: Positive = 0.5

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.cycle_rates and len(self.cycle_rates) != len(self.cycles):
            raise ValueError("cycle_rates has one share for each of the cycles")
        if self.cycles and self.kind != "cosine":
            raise ValueError("only a cosine has cycles")
        if self.milestones and self.kind != "milestones":
            raise ValueError("milestones belong to the kind milestones")
        return self


class Discriminator(RecipeTable):
    """The judge of an adversarial loss.

    Parameters
    ----------
    kind : {"srgan", "esrgan", "unet"}
        The papers' own, or Real-ESRGAN's U-Net with spectral norm.
    features : int
        Of its first layer; 64 in the papers.
    synchronize : bool
        Batch normalization over all processes (on GPUs); without it each process normalizes by its own patches.
    optimizer : Optimizer
        Its own; it follows the stage's schedule.
    """

    kind: Literal["srgan", "esrgan", "unet"] = "esrgan"
    features: int = Field(default=64, ge=1)
    synchronize: bool = False
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.optimizer.whiten:
            raise ValueError("white is for the generator's optimizer: leave it out of the discriminator's")
        return self


class Stage(RecipeTable):
    """A part of the training with losses of its own.

    Parameters
    ----------
    name : str
        For logs.
    steps : int
        How many. A stage of 0 only hands on the weights that it finds: those of `Recipe.start` as one of the endpoints.
    losses : tuple
        Added with their weights.
    optimizer, schedule
        Of the generator.
    discriminator : Discriminator or None
        Given exactly when there is an adversarial loss.
    ema : float
        Decay of the running average of the weights; 0 for none.
    clip : float or None
        Longest gradient.
    accumulate : int
        A step's batch goes through in so many parts.
    batch_norm : {"batch", "kept"}
        What the network's batch normalizations divide by: the statistics of each batch, whose running means are kept
        for images; or those that the network has, unchanged (0 and 1 in a new one), so that patches go through it as
        images do.
    keep : {"auto", "best", "last"}
        Which weights it hands on: those with the best validation PSNR, or the last; "auto" is "last" with an
        adversarial loss, which lowers PSNR on purpose, and "best" without.
    endpoint : str or None
        Name under which they are stored as one of the two that alpha mixes.
    """

    name: str = Field(default="training", min_length=1)
    steps: int = Field(ge=0)
    losses: tuple[Loss, ...] = Field(min_length=1)
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    discriminator: Discriminator | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip: Positive | None = None
    accumulate: int = Field(default=1, ge=1)
    batch_norm: Literal["batch", "kept"] = "batch"
    keep: Literal["auto", "best", "last"] = "auto"
    endpoint: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        adversarial = sum(loss.kind == "adversarial" for loss in self.losses)
        if adversarial > 1:
            raise ValueError("a stage has at most one adversarial loss")
        if bool(adversarial) != (self.discriminator is not None):
            raise ValueError("a stage has a discriminator exactly when it has an adversarial loss")
        if self.schedule.cycles and sum(self.schedule.cycles) != self.steps:
            raise ValueError(f"the cycles add up to {sum(self.schedule.cycles)}, and there are {self.steps} steps")
        return self

    @property
    def adversarial(self) -> AdversarialLoss | None:
        """The adversarial loss, where there is one."""
        return next((loss for loss in self.losses if isinstance(loss, AdversarialLoss)), None)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """A name for each loss, by which it is told: its kind, with its number where a kind comes again."""
        names: list[str] = []
        for number, loss in enumerate(self.losses, start=1):
            names.append(loss.kind if loss.kind not in names else f"{loss.kind}_{number}")
        return tuple(names)

    @property
    def keeps_best(self) -> bool:
        """Whether the best weights are handed on, and not the last."""
        return self.adversarial is None if self.keep == "auto" else self.keep == "best"


class Validation(RecipeTable):
    """What is measured on the way, on pixels that nothing is learned from.

    Parameters
    ----------
    every : int
        Steps between two measurements; checkpoints are written then.
    share : float
        Share of the blocks of each image that are kept for it.
    block : int
        Side of a block, in low-resolution pixels.
    gap : int
        Low-resolution pixels between a block and the nearest patch that is learned from.
    most : int
        At most so many blocks.
    images : tuple of ImageSet
        Whole images instead of blocks.
    """

    every: int = Field(default=500, ge=1)
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    block: int = Field(default=48, ge=12)
    gap: int = Field(default=8, ge=0)
    most: int = Field(default=16, ge=1)
    images: tuple[ImageSet, ...] = ()


class Network(RecipeTable):
    """A new network.

    Parameters
    ----------
    name, settings
        Class and keyword arguments, as on a model's card.
    deviation : float or None
        Draw the convolutions from a normal distribution of this width with biases of 0 (SRCNN: 0.001); None leaves each
        network its own.
    start_as_interpolation : bool
        Begin as an interpolation, which is then changed (SRCNN, SRResNet); without it, as noise.
    """

    name: str
    settings: dict[str, Setting] = Field(default_factory=dict)
    deviation: Positive | None = None
    start_as_interpolation: bool = False


class Recipe(RecipeTable):
    """A whole training.

    Parameters
    ----------
    name : str
        Of the recipe, and of the model it makes.
    description, license : str
        For the card.
    family
        For the card of a new network; a fine-tuned one keeps its own.
    domain
        Kind of the images, for the card.
    seed : int
        Everything drawn follows from it.
    network : Network or None
        None fine-tunes the model that is given.
    start : str or None
        Name or file of a model whose weights are begun with.
    precision : {"auto", "float32", "bfloat16", "float16"}
        What the networks compute in; losses and means are in float32. "auto" is bfloat16 where the processor computes
        it fast, and float32 elsewhere.
    data, degradation, patches, stages, validation
        The parts.
    """

    name: str = Field(default="model", pattern=r"^[^/\\]+$")
    description: str = ""
    family: Family | None = None
    domain: Domain | None = None
    license: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    network: Network | None = None
    start: str | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    data: Data = Data()
    degradation: Degradation = Degradation()
    patches: PatchSettings = PatchSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _endpoints(self) -> Self:
        names = [stage.endpoint for stage in self.stages if stage.endpoint is not None]
        if len(names) not in (0, 2) or len(set(names)) != len(names):
            raise ValueError("two stages are stored as the endpoints of a pair, under two names, or none is")
        if names and self.stages[-1].endpoint is None:
            raise ValueError("the last stage is one of the two endpoints")
        if self.network is not None and self.family is None:
            raise ValueError("a new network needs the family that it belongs to")
        if not self.steps:
            raise ValueError("no stage has any steps")
        return self

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def at_length(self, share: float) -> Self:
        """Shorten (or lengthen) every stage, with its schedule, and measure as often or, in a short run, ten times.

        Parameters
        ----------
        share : float
            Of the steps; a stage that has any keeps at least one.
        """
        if not 0 < share <= 1000:
            raise InputError(f"A training cannot be {share:g} of its length: give a number more than 0.")

        def scaled(steps: int) -> int:
            return max(1, round(steps * share))

        stages = []
        for stage in self.stages:
            cycles = tuple(scaled(n) for n in stage.schedule.cycles)
            schedule = stage.schedule.model_copy(
                update={
                    "cycles": cycles,
                    "warm_up": round(stage.schedule.warm_up * share),
                    "milestones": tuple(scaled(n) for n in stage.schedule.milestones),
                }
            )
            steps = sum(cycles) or (scaled(stage.steps) if stage.steps else 0)
            stages.append(stage.model_copy(update={"steps": steps, "schedule": schedule}))
        every = scaled(self.validation.every)
        if share < 1:
            # Ten measurements tell the course of a short run; measuring must not be most of its work.
            every = max(every, min(sum(stage.steps for stage in stages) // 10, self.validation.every))
        validation = self.validation.model_copy(update={"every": every})
        return self.model_copy(update={"stages": tuple(stages), "validation": validation})

    def to_toml(self) -> str:
        """Write the recipe as TOML, which `from_toml` reads back to an equal one; defaults are left out."""
        return tomli_w.dumps(_explicit(self))

    @classmethod
    def from_toml(cls, text: str, source: str = "The recipe") -> Self:
        """Read a recipe from TOML text.

        Parameters
        ----------
        text : str
            The TOML.
        source : str
            What to call it in a sentence.

        Raises
        ------
        InputError
            If it is no TOML, or a key is unknown, missing or has a value that does not fit; the sentence names it.
        """
        try:
            return cls.model_validate(renamed_recipe(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{source} is no TOML: {str(error).rstrip('.')}; correct it there.") from error
        except ValidationError as error:
            raise InputError(f"{source} cannot be used: {_first_fault(error)}.") from error


def load_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Give a recipe: as it is, a preset by its name, or a TOML file.

    Raises
    ------
    InputError
        If there is no such preset or file, or the file is no recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe in PRESETS:
        text = files("napari_sr.training").joinpath("presets", f"{recipe}.toml").read_text(encoding="utf-8")
        return Recipe.from_toml(text, f"The preset {recipe}")
    path = Path(recipe)
    if not path.is_file():
        raise InputError(f"There is no recipe {recipe}: give a TOML file, or one of {', '.join(PRESETS)}.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no TOML file: give a recipe in UTF-8 text.") from error
    return Recipe.from_toml(text, path.name)


def _explicit(part: RecipeTable) -> dict[str, Any]:
    """What differs from the defaults, as TOML knows it: a table's kind stays, None is left out."""
    table = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if value is None or (value == field.get_default(call_default_factory=True) and name != "kind"):
            continue
        table[name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, RecipeTable):
        return _explicit(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


#: What a union puts into the place of a fault, and no file has as a key.
_TAGS = {"l1", "mse", "charbonnier", "perceptual", "adversarial", "equivariance", "gaussian", "optics"}


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    # A union adds its members' names to the place: only the keys that stand in the file are told.
    where = ".".join(str(part) for part in fault["loc"] if str(part) not in _TAGS and "[" not in str(part))
    if fault["type"] == "extra_forbidden":
        return f"it has an unknown key {where}"
    if fault["type"] == "missing":
        return f"the key {where} is missing"
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}" if where else message
