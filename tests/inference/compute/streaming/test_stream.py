"""Streams equal the whole image, compute every row once, use bounded memory and can be stopped."""

from __future__ import annotations

import gc
import weakref
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from napari_sr.inference.compute.streaming import stream as stream_module
from napari_sr.inference.compute.streaming.dihedral import DIHEDRALS, Dihedral, transformed_plan
from napari_sr.inference.compute.streaming.plan import NotStreamable, plan_stream
from napari_sr.inference.compute.streaming.rows import Rows
from napari_sr.inference.compute.streaming.step import Step
from napari_sr.inference.compute.streaming.stream import Stream, stream
from napari_sr.networks import RRDBNet
from napari_sr.networks.upsample import Upsample
from tests.inference.compute.streaming.drawn import (
    SMALL,
    Written,
    networks,
    small,
    smallest,
    streamed,
    whole,
    with_drawn_weights,
)

#: A few that have everything between them, for what is slow or does not depend on the layers.
FEW = [
    "srcnn x2",
    "srresnet prelu tanh",
    "msrresnet x3",
    "rrdbnet x2 unshuffled",
    "rrdbnet x4 bilinear skip",
    "rrdbnet x2 with noise",
]

Runs = list[tuple[Step, int, int, Tensor]]


def image_for(network: nn.Module, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(1, network.in_channels, height, width, dtype=dtype, generator=generator)


def assert_same(result: Tensor, expected: Tensor) -> None:
    assert result.shape == expected.shape
    error = float((result - expected).abs().max()) / max(float(expected.abs().max()), 1e-3)
    assert error <= 1e-10


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Every run of a step: which, from which row to which, and what it made."""
    seen: Runs = []
    run = Step.run

    def watched(self: Step, inputs: Sequence[Rows], start: int, stop: int, rows: int, *watch: Any) -> Tensor:
        out = run(self, inputs, start, stop, rows, *watch)
        seen.append((self, start, stop, out))
        return out

    monkeypatch.setattr(Step, "run", watched)
    return seen


# The same result as from the whole image


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(networks(), st.integers(0, 9), st.integers(0, 7), st.data())
def test_any_network_streamed_equals_the_whole_image(
    drawn: tuple[nn.Module, int], more_rows: int, more_columns: int, data: st.DataObject
) -> None:
    network, _ = drawn
    height, width = smallest(network, 2) + more_rows, smallest(network, 3) + more_columns
    strip = data.draw(st.one_of(st.integers(1, 4), st.integers(1, height + 3)), label="strip")
    event("one strip" if strip >= height else "several strips")
    image = torch.rand(1, 1, height, width, dtype=torch.float64) - 0.3
    assert_same(streamed(network, image, strip), whole(network, image))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(networks(), st.sampled_from(DIHEDRALS), st.integers(0, 5), st.integers(0, 5), st.integers(1, 9))
def test_any_transformed_network_streamed_gives_the_transformed_result(
    drawn: tuple[nn.Module, int], dihedral: Dihedral, more_rows: int, more_columns: int, strip: int
) -> None:
    network, _ = drawn
    size = smallest(network, 2) + more_rows, smallest(network, 3) + more_columns
    image = torch.rand(1, 1, *size, dtype=torch.float64) - 0.3
    expected, image = whole(network, image), dihedral.apply(image)
    with torch.inference_mode():
        plan = transformed_plan(plan_stream(network), dihedral)
        out = torch.cat(list(stream(plan, lambda a, b: image[:, :, a:b], *image.shape[-2:], strip)), 2)
    assert_same(dihedral.undo(out), expected)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("size", "strip"), [((13, 11), 1), ((29, 7), 5), ((1, 3), 1), ((7, 2), 50)], ids=str)
def test_our_networks_streamed_equal_the_whole_image(name: str, size: tuple[int, int], strip: int) -> None:
    network = small(name).double()
    image = image_for(network, *size)
    assert_same(streamed(network, image, strip), whole(network, image))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("size", "strip"), [((13, 11), 1), ((29, 7), 5), ((29, 7), 29), ((7, 2), 50)], ids=str)
@pytest.mark.parametrize("pieces", [False, True])
def test_strips_can_be_yielded_whole_and_computed_in_one_piece(
    name: str, size: tuple[int, int], strip: int, pieces: bool
) -> None:
    network = small(name).double()
    image = image_for(network, *size)
    with torch.inference_mode():
        plan = plan_stream(network)
        parts = list(stream(plan, lambda a, b: image[:, :, a:b], *size, strip, whole_strips=True, pieces=pieces))
    assert_same(torch.cat(parts, 2), whole(network, image))
    if strip >= size[0] and not pieces:
        assert len(parts) == 1


def test_several_images_are_streamed_together() -> None:
    network = small("rrdbnet x2 unshuffled").double()
    images = torch.rand(3, network.in_channels, 15, 9, dtype=torch.float64)
    assert_same(streamed(network, images, 4), whole(network, images))


@pytest.mark.parametrize("mode", [nn.ZeroPad2d, nn.ReplicationPad2d, nn.ReflectionPad2d], ids=lambda m: m.__name__)
@pytest.mark.parametrize("strip", [1, 2, 9])
def test_a_border_wider_than_a_strip_is_computed_in_strips(mode: type[nn.Module], strip: int) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), mode((3, 1, 5, 4)), nn.Conv2d(2, 1, 3)).double()
    image = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    assert_same(streamed(network, image, strip), whole(network, image))


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_upsampling_layers_of_torch_are_exact(mode: str, factor: int) -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Upsample(scale_factor=factor, mode=mode)).double()
    image = torch.rand(1, 1, 7, 5, dtype=torch.float64)
    assert_same(streamed(network, image, 2), whole(network, image))


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 1), (8, 4)], ids=str)
def test_upsampling_is_exact_where_the_image_is_smaller_than_the_kernel(kernel: str, size: tuple[int, int]) -> None:
    network = nn.Sequential(nn.Identity(), Upsample(3, kernel)).double()
    image = torch.rand(1, 2, *size, dtype=torch.float64)
    for strip in (1, 2, 8):
        assert_same(streamed(network, image, strip), whole(network, image))


@pytest.mark.parametrize("conv", [{"kernel_size": 1, "padding": 1}, {"kernel_size": 3, "padding": 3}], ids=str)
@pytest.mark.parametrize("mode", ["zeros", "replicate", "reflect"])
def test_padding_beyond_the_kernels_reach_is_exact_or_refused_by_name(conv: dict[str, int], mode: str) -> None:
    network = with_drawn_weights(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, padding_mode=mode, **conv))).double()
    image = torch.rand(1, 1, 9, 8, dtype=torch.float64)
    try:
        plan_stream(network)
    except NotStreamable as refusal:
        assert "the layer 1 (Conv2d" in str(refusal)
        return
    for strip in (1, 2, 9):
        assert_same(streamed(network, image, strip), whole(network, image))


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Identity(), nn.ReflectionPad2d((0, 0, 2, 0))),
        nn.Sequential(nn.Identity(), nn.ReflectionPad2d((0, 0, 0, 2))),
        nn.Conv2d(1, 1, (5, 1), padding=(2, 0), padding_mode="reflect"),
    ],
    ids=["above", "below", "convolution"],
)
@pytest.mark.parametrize("strip", [1, 2])
def test_an_image_that_torch_refuses_is_refused(network: nn.Module, strip: int) -> None:
    image = torch.rand(1, 1, 2, 4)
    network = nn.Sequential(network)
    with pytest.raises(RuntimeError):
        whole(network, image)
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        streamed(network, image, strip)


class Impatient(Stream):
    """A stream that does not wait for ever for rows that will never come."""

    patience = 1000

    def _feed(self) -> None:
        self.patience -= 1
        assert self.patience, "the stream waits for rows that never come"
        super()._feed()


@pytest.mark.parametrize(
    "forward",
    [
        lambda n, x: n.padded(x) + n.unpadded(x),
        lambda n, x: n.unpadded(x) + n.padded(x),
        lambda n, x: n.last(torch.cat((n.padded(x), n.unpadded(x)), 1)),
        lambda n, x: n.last(torch.cat((n.unpadded(x), n.padded(x)), 1)),
        lambda n, x: n.shuffle(n.unshuffle(n.padded(x))) + n.padded(x),
    ],
    ids=["longer + shorter", "shorter + longer", "longer | shorter", "shorter | longer", "filled up"],
)
def test_branches_of_different_heights_are_refused(
    forward: Callable[[Any, Tensor], Tensor],
) -> None:
    network = Written(
        forward,
        padded=nn.Conv2d(1, 1, 3, padding=1),
        unpadded=nn.Conv2d(1, 1, (3, 1), padding=0),
        last=nn.Conv2d(2, 1, 1),
        unshuffle=nn.PixelUnshuffle(2),
        shuffle=nn.PixelShuffle(2),
    )
    image = torch.rand(1, 1, 9, 8)
    with pytest.raises(RuntimeError):
        whole(network, image)
    with torch.inference_mode(), pytest.raises((NotStreamable, ValueError)):
        list(Impatient(plan_stream(network), lambda a, b: image[:, :, a:b], 9, 8, 2, lambda: None).run())


# Rounding


def errors(result: Tensor, expected: Tensor) -> tuple[float, float]:
    difference = (result.double() - expected.double()).abs()
    return float(difference.square().mean().sqrt()), float(difference.max())


@pytest.mark.parametrize("name", SMALL)
def test_rounding_in_float32_is_that_of_the_whole_image(name: str) -> None:
    network = small(name)
    image = image_for(network, 37, 29)
    exact = whole(network.double(), image)
    network = network.float().to(memory_format=torch.channels_last)
    rounded = image.float().contiguous(memory_format=torch.channels_last)
    # What the rounding of the image and of the weights makes is in neither: both are the float32 ones in float64.
    floor = 1e-7 * float(exact.abs().max())
    reference = errors(whole(network, rounded), exact)
    for strip in (3, 16):
        found = errors(streamed(network, rounded, strip), exact)
        assert found[0] <= 2 * reference[0] + floor
        assert found[1] <= 2 * reference[1] + 2 * floor


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_as_close_to_float32_as_with_the_whole_image(name: str, dtype: torch.dtype) -> None:
    network = small(name)
    image = image_for(network, 53, 39).to(dtype).contiguous(memory_format=torch.channels_last)
    network = network.to(dtype).to(memory_format=torch.channels_last)
    half = {key: value.clone() for key, value in network.state_dict().items()}
    found = errors(streamed(network, image, 7), whole(_float32(name, half), image.float()))
    reference = errors(whole(network, image), whole(_float32(name, half), image.float()))
    assert found[0] <= 1.05 * reference[0]
    # The largest of some thousand errors is itself a matter of chance: it moves by a tenth with the memory layout.
    assert found[1] <= 1.25 * reference[1]


def _float32(name: str, state: dict[str, Tensor]) -> nn.Module:
    """The same network, its weights those that half precision holds."""
    network = small(name)
    network.load_state_dict(state)
    return network


# Rows in, rows out


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("strip", [1, 4, 7, 40])
def test_every_row_of_the_image_is_requested_once_from_the_top(name: str, strip: int) -> None:
    network, height, width = small(name), 23, 6
    image = image_for(network, height, width, torch.float32)
    requested: list[tuple[int, int]] = []

    def source(start: int, stop: int) -> Tensor:
        requested.append((start, stop))
        return image[:, :, start:stop]

    with torch.inference_mode():
        list(stream(plan_stream(network), source, height, width, strip))
    assert [row for start, stop in requested for row in range(start, stop)] == list(range(height))
    assert all(0 < stop - start <= strip for start, stop in requested)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("strip", [1, 3, 8])
def test_no_step_computes_more_than_a_strip_not_even_at_the_end(name: str, strip: int, runs: Runs) -> None:
    network, height, width = small(name), 21, 5
    image = image_for(network, height, width, torch.float32)
    plan = plan_stream(network)
    with torch.inference_mode():
        chunks = list(stream(plan, lambda a, b: image[:, :, a:b], height, width, strip))
    assert max(chunk.shape[2] for chunk in chunks) <= strip * network.scale
    assert sum(chunk.shape[2] for chunk in chunks) == height * network.scale
    assert runs
    for step, start, stop, out in runs:
        assert out.shape[2] == stop - start <= ceil(strip * plan.rates[step.output])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("strip", [1, 6])
def test_no_pixel_is_computed_twice(name: str, strip: int, runs: Runs) -> None:
    network, height, width = small(name), 19, 5
    image = image_for(network, height, width, torch.float32)
    heights: dict[str, int] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, key=key: heights.update({key: out.shape[2]}))
        for key, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    whole(network, image)
    for hook in hooks:
        hook.remove()
    streamed(network, image, strip)
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    computed: dict[str, int] = defaultdict(int)
    for step, start, stop, _ in runs:
        spans[step.output].append((start, stop))
        computed[step.name] += stop - start
    for span in spans.values():
        assert span[0][0] == 0
        assert all(before[1] == after[0] for before, after in pairwise(span))
    for key, total in heights.items():
        # Rows that a crop cuts off need not be computed at all, but none may be computed again.
        cut = network.alignment * network.scale if network.alignment > 1 else 0
        assert total - cut <= computed[key] <= total


@pytest.mark.parametrize("name", SMALL)
def test_steps_predict_their_channels(name: str, runs: Runs) -> None:
    network = small(name)
    streamed(network, image_for(network, 9, 6, torch.float32), 4)
    made = {0: network.in_channels} | {step.output: out.shape[1] for step, _, _, out in runs}
    for step, _, _, out in runs:
        assert step.channels([made[tensor] for tensor in step.inputs]) == out.shape[1]


# Memory


class Watched(Rows):
    """Rows that a test can look into."""

    everyone: list[Rows] = []  # noqa: RUF012 (each test has a list of its own)

    def __init__(self) -> None:
        super().__init__()
        self.everyone.append(self)


def live(everyone: Sequence[Rows]) -> int:
    """Elements that are held in memory for all rows together."""
    held: dict[int, int] = {}
    for rows in everyone:
        for _, piece in rows.pieces(rows.start, rows.stop):
            storage = piece.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes() // piece.element_size()
    return sum(held.values())


def peak(network: nn.Module, height: int, strip: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The most elements held at any step."""
    everyone: list[Rows] = []
    monkeypatch.setattr(Watched, "everyone", everyone)
    monkeypatch.setattr(stream_module, "Rows", Watched)
    most = 0

    def before_step() -> None:
        nonlocal most
        most = max(most, live(everyone))

    source = lambda start, stop: torch.rand(1, channels, stop - start, 4)  # noqa: E731
    with torch.inference_mode():
        for _ in stream(plan_stream(network), source, height, 4, strip, before_step):
            pass
    return most


@pytest.mark.parametrize("name", FEW)
def test_memory_does_not_grow_with_the_height_of_the_image(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(name)
    peaks = [peak(network, height, 16, network.in_channels, monkeypatch) for height in (64, 256, 1024)]
    assert peaks[0] > 0
    assert len(set(peaks)) == 1, peaks


def test_outputs_without_readers_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(n: Any, x: Tensor) -> Tensor:
        y = n.first(x)
        n.unused(y)
        return n.last(y)

    network = Written(forward, **{key: nn.Conv2d(1, 1, 3, padding=1) for key in ("first", "unused", "last")})
    assert peak(network, 64, 8, 1, monkeypatch) == peak(network, 256, 8, 1, monkeypatch)


def test_an_unused_layer_that_reads_the_result_does_not_change_it() -> None:
    def forward(n: Any, x: Tensor) -> Tensor:
        y = n.first(x)
        n.unused(y)
        return y

    network = Written(forward, first=nn.Conv2d(1, 1, 3, padding=1), unused=nn.Conv2d(1, 1, 1)).double()
    image = torch.rand(1, 1, 11, 5, dtype=torch.float64)
    assert_same(streamed(network, image, 3), whole(network, image))


@pytest.mark.parametrize("name", FEW)
def test_strips_of_the_image_are_released(name: str) -> None:
    network = small(name)
    strips: list[weakref.ref[Tensor]] = []

    def source(start: int, stop: int) -> Tensor:
        strip = torch.rand(1, network.in_channels, stop - start, 4)
        strips.append(weakref.ref(strip))
        return strip

    alive = 0
    with torch.inference_mode():
        for _ in stream(plan_stream(network), source, 200, 4, 2):
            gc.collect(0)
            alive = max(alive, sum(strip() is not None for strip in strips))
    # The farthest that any of these waits for is its long skip; what is kept then is far from the image's height.
    assert len(strips) == 100
    assert alive <= 2 * network.receptive_radius // 2 + 4 < 60


@pytest.mark.parametrize("name", FEW)
def test_only_border_rows_are_held_after_the_last_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small(name)
    everyone: list[Rows] = []
    monkeypatch.setattr(Watched, "everyone", everyone)
    monkeypatch.setattr(stream_module, "Rows", Watched)
    image = image_for(network, 64, 4, torch.float32)
    streamed(network, image, 16)
    assert len(everyone) > 3
    # A convolution's own last rows, at most as many as its kernel is high.
    assert all(rows.stop - rows.start <= 9 for rows in everyone)


def test_the_result_is_not_held_after_it_was_yielded() -> None:
    network = small("srcnn x2")
    image = image_for(network, 40, 6, torch.float32)
    handed: list[weakref.ref[Tensor]] = []
    with torch.inference_mode():
        for chunk in stream(plan_stream(network), lambda a, b: image[:, :, a:b], 40, 6, 4):
            # This one, and the one before until the stream goes on.
            assert sum(earlier() is not None for earlier in handed) <= 1
            handed.append(weakref.ref(chunk))
    assert len(handed) >= 10


# Cancellation


class Enough(Exception):
    pass


@pytest.mark.parametrize("name", FEW)
def test_the_callback_is_called_before_every_step(name: str, runs: Runs) -> None:
    network = small(name)
    image = image_for(network, 17, 5, torch.float32)
    done_when_asked: list[int] = []
    streamed(network, image, 3, lambda: done_when_asked.append(len(runs)))
    assert done_when_asked == list(range(len(runs)))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FEW), strip=st.integers(1, 9), share=st.floats(0, 1, exclude_max=True))
def test_an_exception_of_the_callback_stops_the_stream_at_once(name: str, strip: int, share: float, runs: Runs) -> None:
    network = small(name)
    image = image_for(network, 11, 5, torch.float32)
    runs.clear()
    expected = streamed(network, image, strip)
    moment = int(share * len(runs))
    runs.clear()
    calls = 0

    def before_step() -> None:
        nonlocal calls
        calls += 1
        if calls > moment:
            raise Enough

    chunks = []
    with torch.inference_mode(), pytest.raises(Enough):
        for chunk in stream(plan_stream(network), lambda a, b: image[:, :, a:b], 11, 5, strip, before_step):
            chunks.append(chunk)
    assert len(runs) == moment
    assert calls == moment + 1
    # What came out before was right.
    if chunks:
        out = torch.cat(chunks, 2)
        assert torch.equal(out, expected[:, :, : out.shape[2]])


def test_a_plan_can_be_used_for_many_images() -> None:
    network = small("rrdbnet x2 unshuffled").double()
    plan = plan_stream(network)
    for height, width in ((9, 4), (14, 7), (9, 4)):
        image = image_for(network, height, width)
        with torch.inference_mode():
            out = torch.cat(list(stream(plan, lambda a, b: image[:, :, a:b], height, width, 4)), 2)  # noqa: B023
        assert_same(out, whole(network, image))


def test_the_image_is_not_changed() -> None:
    network = Written(lambda n, x: n.conv(torch.relu(x - 0.5)) + x, conv=nn.Conv2d(1, 1, 3, padding=1))
    image = torch.rand(1, 1, 12, 5)
    before = image.clone()
    streamed(network, image, 5)
    assert torch.equal(image, before)


def test_two_interleaved_streams_do_not_overwrite_each_other() -> None:
    torch.manual_seed(0)
    network = RRDBNet(scale=2, in_channels=1, out_channels=1, features=4, growth=4, blocks=1).eval()
    plan = plan_stream(network)
    images = torch.rand(2, 1, 1, 40, 9)
    with torch.inference_mode():
        streams = [stream(plan, lambda a, b, image=image: image[:, :, a:b], 40, 9, 8) for image in images]
        parts = list(zip(*streams, strict=True))
        for image, rows in zip(images, zip(*parts, strict=True), strict=True):
            assert torch.allclose(torch.cat(list(rows), 2), network(image), atol=1e-6)
