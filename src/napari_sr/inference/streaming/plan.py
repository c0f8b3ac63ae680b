"""From a network to the steps of a stream: the network is traced, and each of its layers becomes a step.

The layers are read from the network itself with torch.fx, so that no architecture is written twice. A layer that cannot
be streamed is named, and the caller goes by overlap tiles instead.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from napari_sr.inference.streaming.steps import (
    Apply,
    Convolve,
    CropStep,
    EnlargeStep,
    Pad,
    Shuffle,
    Step,
    Sum,
    UnshuffleStep,
    relu,
)
from napari_sr.networks.unshuffle import CropTo, PadUnshuffle
from napari_sr.networks.upsample import Upsample


class NotStreamable(Exception):
    """A layer keeps the network from being streamed; the message names it."""


@dataclass(frozen=True)
class StreamPlan:
    """The steps of a stream, in the order in which rows go through.

    Parameters
    ----------
    steps : tuple of Step
        The steps.
    rates : tuple of Fraction
        Rows of each tensor per row of the image; tensor 0 is the image.
    output : int
        Number of the tensor that is the result.
    peaks : dict
        What `peak_per_column` has found out for this plan, so that it is found out once.
    """

    steps: tuple[Step, ...]
    rates: tuple[Fraction, ...]
    output: int
    peaks: dict[tuple[int, int, int], float] = field(default_factory=dict, compare=False, repr=False)

    def channels(self, image: int) -> tuple[int, ...]:
        """Channels of each tensor, for an image of so many."""
        counts = [image] + [0] * (len(self.rates) - 1)
        for step in self.steps:
            counts[step.output] = step.channels([counts[tensor] for tensor in step.inputs])
        return tuple(counts)


# torch.fx puts itself in the place of every module's call while it traces: of two traces at once, one would undo the
# other's.
_TRACING = Lock()


class _Tracer(fx.Tracer):
    """Takes the interpolating and gathering layers of `napari_sr.networks` as they are, like torch's own.

    Calls on other threads, which compute while this one traces, go on as they are.
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
        return isinstance(m, Upsample | PadUnshuffle | CropTo) or super().is_leaf_module(m, module_qualified_name)


@dataclass(frozen=True)
class _Value:
    """What a node of the traced network stands for: tensors side by side in the channels, times a number."""

    tensors: tuple[int, ...]
    factor: float = 1.0


def plan_stream(network: nn.Module) -> StreamPlan:
    """Work out the steps by which a network can be streamed.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, from one image (N, C, H, W) to another.

    Returns
    -------
    Plan

    Raises
    ------
    NotStreamable
        With the name and kind of the layer that stopped it.
    """
    try:
        with _TRACING:
            graph = _Tracer().trace(network)
    except Exception as error:
        # What fx cannot follow (a branch on values, say) it refuses with errors of many types.
        raise NotStreamable(f"the network {type(network).__name__} cannot be followed: {error}") from error
    planner = _Planner(network, graph)
    # What leads nowhere is neither computed nor kept.
    graph.eliminate_dead_code(planner.matters)
    return planner.plan()


class _Planner:
    """Walks through the traced network once."""

    def __init__(self, network: nn.Module, graph: fx.Graph) -> None:
        self.modules = dict(network.named_modules())
        self.graph = graph
        self.steps: list[Step] = []
        self.rates: list[Fraction] = [Fraction(1)]
        self.values: dict[fx.Node, _Value] = {}

    def matters(self, node: fx.Node) -> bool:
        """Whether a node does something even if nobody reads it: what writes over its input does."""
        if node.op == "call_module":
            return bool(getattr(self.modules[str(node.target)], "inplace", False))
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        return node.op in ("placeholder", "output") or name.endswith("_") or bool(node.kwargs.get("inplace"))

    def plan(self) -> StreamPlan:
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
            raise NotStreamable("the network does not enlarge by a whole factor")
        return StreamPlan(_late(self.steps), tuple(self.rates), output)

    def _module(self, node: fx.Node, module: nn.Module) -> _Value:
        if node.kwargs or (getattr(module, "inplace", False) and not self._alone(node.args[0])):
            raise self._refusal(node)
        source = node.args[0]
        name = str(node.target)
        match module:
            case nn.Conv2d():
                self._check_convolution(node, module)
                return self._step(node, lambda inputs, out: Convolve(name, inputs, out, module=module))
            case Upsample() if module.factor == 1:
                return self._value(source, node)
            case Upsample():
                factor = Fraction(module.factor)
                return self._step(node, lambda inputs, out: EnlargeStep(name, inputs, out, module=module), factor)
            case nn.Upsample():
                return self._torch_upsample(node, module)
            case nn.PixelShuffle():
                shuffle = module.upscale_factor
                rate = Fraction(shuffle)
                return self._step(node, lambda inputs, out: Shuffle(name, inputs, out, factor=shuffle), rate)
            case PadUnshuffle() | nn.PixelUnshuffle():
                gathered = module.factor if isinstance(module, PadUnshuffle) else module.downscale_factor
                rate = Fraction(1, gathered)
                return self._step(node, lambda inputs, out: UnshuffleStep(name, inputs, out, factor=gathered), rate)
            case CropTo():
                if self._single(node.args[1], node) != 0:
                    raise self._refusal(node)
                return self._step(
                    node, lambda inputs, out: CropStep(name, inputs, out, scale=module.scale, group=module.group)
                )
            case nn.ReplicationPad2d() | nn.ReflectionPad2d() | nn.ZeroPad2d():
                mode = {nn.ReplicationPad2d: "replicate", nn.ReflectionPad2d: "reflect", nn.ZeroPad2d: "zeros"}
                left, right, top, bottom = module.padding
                kind = mode[type(module)]
                return self._step(
                    node,
                    lambda inputs, out: Pad(
                        name, inputs, out, left=left, right=right, top=top, bottom=bottom, mode=kind
                    ),
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
        # torch.fx writes down inplace=False where nothing was said.
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
        tensors = [value.tensors if value.factor == 1 else (self._whole(value, node),) for value in values]
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
        inputs = [v.tensors[0] if len(v.tensors) == 1 else self._whole(_Value(v.tensors), node) for v in (a, b)]
        if self.rates[inputs[0]] != self.rates[inputs[1]]:
            raise self._refusal(node)
        factors = (a.factor, sign * b.factor)
        out = self._tensor(self.rates[inputs[0]])
        self.steps.append(Sum(str(node), inputs, out, factors=factors))
        return _Value((out,))

    def _pointwise(self, node: fx.Node, source: Any, function: Callable[[Tensor], Tensor]) -> _Value:
        """Let the step before take the layer along when nobody else reads what it makes; else make a step of it."""
        value = self._value(source, node)
        assert isinstance(source, fx.Node)
        last = self.steps[-1] if self.steps else None
        alone = len(value.tensors) == 1 and self._alone(source)
        functions = [function] if value.factor == 1 else [_times(value.factor), function]
        if alone and last is not None and last.output == value.tensors[0] and not isinstance(last, Pad):
            last.after.extend(functions)
            return _Value(value.tensors)
        out = self._tensor(self.rates[value.tensors[0]])
        self.steps.append(Apply(str(node), list(value.tensors), out, functions))
        return _Value((out,))

    def _alone(self, source: Any) -> bool:
        """Whether nobody else reads the tensor of a node, under this name or another (times a number, say)."""
        tensors = set(self._value(source, source).tensors)
        holders = (node for node, value in self.values.items() if tensors & set(value.tensors))
        return all(len(node.users) == 1 for node in holders)

    def _step(self, node: fx.Node, make: Callable[[list[int], int], Step], rate: Fraction = Fraction(1)) -> _Value:
        value = self._value(node.args[0], node)
        inputs = list(value.tensors) if value.factor == 1 else [self._whole(value, node)]
        out = self._tensor(self.rates[inputs[0]] * rate)
        self.steps.append(make(inputs, out))
        return _Value((out,))

    def _torch_upsample(self, node: fx.Node, module: nn.Upsample) -> _Value:
        given = module.scale_factor
        factor = int(given) if isinstance(given, int | float) and float(given).is_integer() else 0
        # torch's cubic is another one than MATLAB's (a = -0.75), so its bicubic layer is not ours.
        if module.mode not in ("nearest", "bilinear") or module.align_corners or factor < 1:
            raise self._refusal(node)
        ours = Upsample(factor, "nearest" if module.mode == "nearest" else "bilinear")
        name = str(node.target)
        return self._step(node, lambda inputs, out: EnlargeStep(name, inputs, out, module=ours), Fraction(factor))

    def _whole(self, value: _Value, node: fx.Node) -> int:
        """Make one tensor of a value that is several, or is multiplied."""
        functions = [] if value.factor == 1 else [_times(value.factor)]
        if len(value.tensors) == 1 and not functions:
            return value.tensors[0]
        out = self._tensor(self.rates[value.tensors[0]])
        self.steps.append(Apply(str(node), list(value.tensors), out, functions))
        return out

    def _single(self, source: Any, node: fx.Node) -> int:
        return self._whole(self._value(source, node), node)

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
        # Rows made of nothing but border: no network has them, and a step would have to keep rows for them.
        if any(2 * padding > (size - 1) * dilation for padding, size, dilation in sizes):
            raise self._refusal(node)

    def _refusal(self, node: fx.Node) -> NotStreamable:
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            return NotStreamable(f"the layer {node.target} ({module}) cannot be streamed")
        return NotStreamable(f"the operation {node} ({node.target}) cannot be streamed")


def _late(steps: list[Step]) -> tuple[Step, ...]:
    """Put an interpolation that one step alone reads just before it: beside a deep network it would run far ahead."""
    ordered = list(steps)
    for step in steps:
        readers = [other for other in ordered if step.output in other.inputs]
        if isinstance(step, EnlargeStep) and len(readers) == 1:
            ordered.remove(step)
            ordered.insert(ordered.index(readers[0]), step)
    return tuple(ordered)


def _times(factor: float) -> Callable[[Tensor], Tensor]:
    return lambda x: x.mul_(factor)


def _pointwise_module(module: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """A function for a layer that looks at one pixel at a time, writing in place where torch can."""
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
        case nn.PReLU() | nn.GELU() | nn.SiLU() | nn.ELU() | nn.Mish():
            return module
        case nn.BatchNorm2d() if module.track_running_stats:
            return module
        case _:
            return None
