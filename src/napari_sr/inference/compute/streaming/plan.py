"""Conversion of a network to the steps of a stream.

The network is traced with torch.fx and each layer becomes a step, so no architecture is described a second time. A
layer that cannot be streamed is named in the exception, and the caller uses overlapping tiles instead.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from napari_sr.inference.compute.streaming.scaling import CropStep, ShuffleStep, UnshuffleStep, UpsampleStep
from napari_sr.inference.compute.streaming.step import Pointwise, Step, relu
from napari_sr.inference.compute.streaming.steps import ConvolveStep, PadStep, PointwiseStep, SumStep
from napari_sr.networks.conditioning import NoiseDeviation
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample


class NotStreamable(Exception):
    """A network cannot be streamed; the message names the layer."""


# Compared by identity, so that a plan can be the key of a dictionary.
@dataclass(frozen=True, eq=False)
class StreamPlan:
    """The steps of a stream, in the order of their execution.

    Parameters
    ----------
    steps : tuple of Step
        The steps.
    rates : tuple of Fraction
        Rows of each tensor per row of the image; tensor 0 is the image.
    output : int
        Number of the tensor that is the result.
    """

    steps: tuple[Step, ...]
    rates: tuple[Fraction, ...]
    output: int

    def channels(self, image: int) -> tuple[int, ...]:
        """Compute the channels of each tensor."""
        counts = [image] + [0] * (len(self.rates) - 1)
        for step in self.steps:
            counts[step.output] = step.channels([counts[tensor] for tensor in step.inputs])
        return tuple(counts)


# torch.fx replaces the __call__ of nn.Module while it traces. Two traces at once would undo each other's replacement.
_TRACING = Lock()


class _Tracer(fx.Tracer):
    """A tracer that treats the interpolation and unshuffle layers of `napari_sr.networks` as leaves, as torch's own.

    Calls on other threads, which may compute at the same time, are passed through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return super().call_module(m, forward, args, kwargs) if self._is_mine() else forward(*args, **kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return super().getattr(attr, attr_val, parameter_proxy_cache) if self._is_mine() else attr_val

    def _is_mine(self) -> bool:
        return get_ident() == self._thread

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = isinstance(m, Upsample | PadUnshuffle | CropTo | NoiseDeviation)
        return ours or super().is_leaf_module(m, module_qualified_name)


Tensors = tuple[int, ...]


@dataclass(frozen=True)
class _Value:
    """The value of a node of the traced network: tensors, concatenated in the channels, times a number."""

    tensors: Tensors
    factor: float = 1.0


def plan_stream(network: nn.Module) -> StreamPlan:
    """Plan the streaming of a network.

    Parameters
    ----------
    network : nn.Module
        A network in evaluation mode that maps one image (N, C, H, W) to another.

    Raises
    ------
    NotStreamable
        If a layer cannot be streamed; the message has its name and type.
    """
    try:
        with _TRACING:
            graph = _Tracer().trace(network)
    except Exception as error:
        # fx raises exceptions of many types, for a branch on values for example.
        raise NotStreamable(f"the network {type(network).__name__} cannot be traced: {error}") from error
    planner = _Planner(network, graph)
    graph.eliminate_dead_code(planner.has_effect)
    return planner.plan()


class _Planner:
    """Converts a traced network to steps, in one pass."""

    def __init__(self, network: nn.Module, graph: fx.Graph) -> None:
        self.modules = dict(network.named_modules())
        self.graph = graph
        self.steps: list[Step] = []
        self.rates: list[Fraction] = [Fraction(1)]
        self.values: dict[fx.Node, _Value] = {}

    def has_effect(self, node: fx.Node) -> bool:
        """Whether a node has an effect even without readers: an operation in place has."""
        if node.op == "call_module":
            return bool(getattr(self.modules[str(node.target)], "inplace", False))
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        return node.op in ("placeholder", "output") or name.endswith("_") or bool(node.kwargs.get("inplace"))

    def plan(self) -> StreamPlan:
        """Convert all nodes."""
        output: int | None = None
        for node in self.graph.nodes:
            if node.op == "placeholder":
                if self.values and node.users:
                    raise self._refusal(node)
                self.values[node] = _Value((0,))
            elif node.op == "call_module":
                self.values[node] = self._module(node, self.modules[str(node.target)])
            elif node.op in ("call_function", "call_method"):
                self.values[node] = self._function(node)
            elif node.op == "output":
                output = self._single(node.args[0], node)
            else:
                raise self._refusal(node)
        assert output is not None
        if output == 0 or self.rates[output].denominator != 1:
            raise NotStreamable("the network does not upsample by a whole factor")
        return StreamPlan(_late(self.steps), tuple(self.rates), output)

    def _module(self, node: fx.Node, module: nn.Module) -> _Value:
        if node.kwargs or (getattr(module, "inplace", False) and not self._alone(node.args[0])):
            raise self._refusal(node)
        source = node.args[0]
        match module:
            case nn.Conv2d():
                self._check_convolution(node, module)
                return self._step(node, ConvolveStep, module=module)
            case Upsample() if module.factor == 1:
                return self._value(source, node)
            case Upsample():
                return self._step(node, UpsampleStep, Fraction(module.factor), module=module)
            case nn.Upsample():
                return self._torch_upsample(node, module)
            case nn.PixelShuffle():
                return self._step(node, ShuffleStep, Fraction(module.upscale_factor), factor=module.upscale_factor)
            case PadUnshuffle() | nn.PixelUnshuffle():
                group = module.factor if isinstance(module, PadUnshuffle) else module.downscale_factor
                return self._step(node, UnshuffleStep, Fraction(1, group), factor=group)
            case CropTo():
                # The step takes the size of the image, which pointwise layers of the image have as well.
                sized = {0, *(s.output for s in self.steps if isinstance(s, PointwiseStep) and s.inputs == (0,))}
                if self._single(node.args[1], node) not in sized:
                    raise self._refusal(node)
                return self._step(node, CropStep, scale=module.scale, group=module.group)
            case nn.ReplicationPad2d() | nn.ReflectionPad2d() | nn.ZeroPad2d():
                mode = {nn.ReplicationPad2d: "replicate", nn.ReflectionPad2d: "reflect", nn.ZeroPad2d: "zeros"}
                left, right, top, bottom = module.padding
                return self._step(
                    node, PadStep, left=left, right=right, top=top, bottom=bottom, mode=mode[type(module)]
                )
            case _:
                function = _pointwise_module(module)
                if function is None:
                    raise self._refusal(node)
                return self._pointwise(node, source, function)

    def _function(self, node: fx.Node) -> _Value:
        target = node.target
        if target is torch.cat and node.args and node.kwargs.keys() <= {"dim"}:
            return self._cat(node)
        # torch.fx adds inplace=False to calls without the argument.
        if any(item != ("inplace", False) for item in node.kwargs.items()):
            raise self._refusal(node)
        if target in (operator.add, torch.add, "add"):
            return self._add(node, node.args[0], node.args[1], 1.0)
        if target in (operator.sub, torch.sub, "sub"):
            return self._add(node, node.args[0], node.args[1], -1.0)
        if target in (operator.mul, torch.mul, "mul"):
            first, second = node.args
            if isinstance(first, int | float):
                first, second = second, first
            if isinstance(second, int | float):
                value = self._value(first, node)
                return _Value(value.tensors, value.factor * float(second))
        if target is operator.truediv and isinstance(node.args[1], int | float):
            value = self._value(node.args[0], node)
            return _Value(value.tensors, value.factor / float(node.args[1]))
        if target in (functional.relu, torch.relu, "relu") and len(node.args) == 1:
            return self._pointwise(node, node.args[0], relu)
        if target in (torch.tanh, functional.tanh, "tanh"):
            return self._pointwise(node, node.args[0], Tensor.tanh_)
        raise self._refusal(node)

    def _cat(self, node: fx.Node) -> _Value:
        parts, dimension = node.args[0], node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        if dimension != 1 or not isinstance(parts, list | tuple):
            raise self._refusal(node)
        values = [self._value(part, node) for part in parts]
        tensors = [value.tensors if value.factor == 1 else (self._single_of(value, node),) for value in values]
        if len({self.rates[t] for group in tensors for t in group}) > 1:
            raise self._refusal(node)
        return _Value(tuple(t for group in tensors for t in group))

    def _add(self, node: fx.Node, first: Any, second: Any, sign: float) -> _Value:
        if isinstance(first, int | float) and sign == 1.0:
            first, second = second, first
        if isinstance(second, int | float):
            shift = sign * float(second)
            return self._pointwise(node, first, lambda x: x.add_(shift))
        a, b = self._value(first, node), self._value(second, node)
        inputs = tuple(
            v.tensors[0] if len(v.tensors) == 1 else self._single_of(_Value(v.tensors), node) for v in (a, b)
        )
        if self.rates[inputs[0]] != self.rates[inputs[1]]:
            raise self._refusal(node)
        factors = (a.factor, sign * b.factor)
        out = self._tensor(self.rates[inputs[0]])
        self.steps.append(SumStep(name=str(node), inputs=inputs, output=out, factors=factors))
        return _Value((out,))

    def _pointwise(self, node: fx.Node, source: Any, function: Pointwise) -> _Value:
        """Append a pointwise layer to the step before it, or make a step of it if that step has other readers."""
        value = self._value(source, node)
        assert isinstance(source, fx.Node)
        last = self.steps[-1] if self.steps else None
        alone = len(value.tensors) == 1 and self._alone(source)
        functions = (function,) if value.factor == 1 else (_times(value.factor), function)
        if alone and last is not None and last.output == value.tensors[0] and not isinstance(last, PadStep):
            last.after += functions
            return _Value(value.tensors)
        return _Value((self._pointwise_step(node, value, functions),))

    def _alone(self, source: Any) -> bool:
        """Whether the tensors of a node have one reader, other values of the same tensors included."""
        tensors = set(self._value(source, source).tensors)
        holders = (node for node, value in self.values.items() if tensors & set(value.tensors))
        return all(len(node.users) == 1 for node in holders)

    def _step(self, node: fx.Node, kind: type[Step], rate: Fraction = Fraction(1), **settings: Any) -> _Value:
        """Add a step for a layer whose output has `rate` rows per row of its input."""
        value = self._value(node.args[0], node)
        inputs = value.tensors if value.factor == 1 else (self._single_of(value, node),)
        out = self._tensor(self.rates[inputs[0]] * rate)
        self.steps.append(kind(name=str(node.target), inputs=inputs, output=out, **settings))
        return _Value((out,))

    def _torch_upsample(self, node: fx.Node, module: nn.Upsample) -> _Value:
        given = module.scale_factor
        factor = int(given) if isinstance(given, int | float) and float(given).is_integer() else 0
        # torch's cubic kernel has a = -0.75 and MATLAB's has a = -0.5, so its bicubic layer is not `Upsample`.
        if module.mode not in ("nearest", "bilinear") or module.align_corners or factor < 1:
            raise self._refusal(node)
        equivalent = Upsample(factor, "nearest" if module.mode == "nearest" else "bilinear")
        return self._step(node, UpsampleStep, Fraction(factor), module=equivalent)

    def _single_of(self, value: _Value, node: fx.Node) -> int:
        """Return one tensor for a value, with a step that concatenates or multiplies if it needs one."""
        if len(value.tensors) == 1 and value.factor == 1:
            return value.tensors[0]
        return self._pointwise_step(node, value, () if value.factor == 1 else (_times(value.factor),))

    def _pointwise_step(self, node: fx.Node, value: _Value, functions: tuple[Pointwise, ...]) -> int:
        """Add a step that copies a value and applies pointwise layers; return the number of its output."""
        out = self._tensor(self.rates[value.tensors[0]])
        self.steps.append(PointwiseStep(name=str(node), inputs=value.tensors, output=out, after=functions))
        return out

    def _single(self, source: Any, node: fx.Node) -> int:
        return self._single_of(self._value(source, node), node)

    def _value(self, source: Any, node: fx.Node) -> _Value:
        if not isinstance(source, fx.Node) or source not in self.values:
            raise self._refusal(node)
        return self.values[source]

    def _tensor(self, rate: Fraction) -> int:
        self.rates.append(rate)
        return len(self.rates) - 1

    def _check_convolution(self, node: fx.Node, module: nn.Conv2d) -> None:
        odd = all(size % 2 for size in module.kernel_size)
        plain = module.stride == (1, 1) and not isinstance(module.padding, str)
        if not odd or not plain or module.padding_mode not in ("zeros", "replicate", "reflect"):
            raise self._refusal(node)
        paddings = (0, 0) if isinstance(module.padding, str) else module.padding
        sizes = zip(paddings, module.kernel_size, module.dilation, strict=True)
        # Output rows that depend on the border alone: no known network has them, and input rows would be held for them.
        if any(2 * padding > (size - 1) * dilation for padding, size, dilation in sizes):
            raise self._refusal(node)

    def _refusal(self, node: fx.Node) -> NotStreamable:
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            return NotStreamable(f"the layer {node.target} ({module}) cannot be streamed")
        name = getattr(node.target, "__name__", node.target)
        return NotStreamable(f"the operation {node} ({name}) cannot be streamed")


def _late(steps: list[Step]) -> tuple[Step, ...]:
    """Move an interpolation with one reader to just before it: parallel to a deep network it would run far ahead."""
    ordered = list(steps)
    for step in steps:
        readers = [other for other in ordered if step.output in other.inputs]
        if isinstance(step, UpsampleStep) and len(readers) == 1:
            ordered.remove(step)
            ordered.insert(ordered.index(readers[0]), step)
    return tuple(ordered)


def _times(factor: float) -> Pointwise:
    """A multiplication in place."""
    return lambda x: x.mul_(factor)


def _pointwise_module(module: nn.Module) -> Pointwise | None:
    """The function of a pointwise layer, in place where torch offers it; None for other layers."""
    match module:
        case nn.ReLU():
            return relu
        case nn.LeakyReLU():
            slope = module.negative_slope
            return lambda x: functional.leaky_relu_(x, slope)
        case nn.Tanh():
            return Tensor.tanh_
        case nn.Sigmoid():
            return Tensor.sigmoid_
        case nn.Identity() | nn.Dropout() | nn.Dropout2d():
            return lambda x: x
        case nn.PReLU() | nn.GELU() | nn.SiLU() | nn.ELU() | nn.Mish() | nn.Hardtanh() | NoiseDeviation():
            return module
        case nn.BatchNorm2d() if module.track_running_stats:
            return module
        case _:
            return None
