"""The log of a run: rows of curves, and sentences."""

import pytest

from napari_sr import InputError
from napari_sr.training.events import LearningRateLowered, Prepared, StepDone, Validated
from napari_sr.training.loop.log import Log, read_curves
from napari_sr.training.recipe import PixelLoss, Stage


def step(number, loss):
    return StepDone(number, 6, "training", {"l1": loss, "total": 2 * loss}, 1e-3, 10.0)


def validated(number):
    return Validated(number, "training", 30.0, 0.9, 29.0, 0.8, True)


def test_a_row_has_the_means_of_its_steps(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.resume_at(0, None)
    for number in range(1, 4):
        log(step(number, float(number)))
    log(validated(3))
    first, second = read_curves(tmp_path / "curves.csv")
    assert (first["step"], float(first["l1"]), float(first["total"]), first["psnr"]) == ("3", 2.0, 4.0, "")
    assert (float(second["psnr"]), float(second["bicubic_psnr"]), second["l1"]) == (30.0, 29.0, "")
    text = (tmp_path / "train.log").read_text()
    assert "PSNR 30.00 dB" in text
    # A later stage begins with a best measurement of its own, which may be below that of an earlier one.
    assert "(the best of its stage so far)" in text


def test_resuming_removes_later_rows_and_incomplete_ones(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.resume_at(0, None)
    for number in range(1, 5):
        log(step(number, 1.0))
    log(validated(3))
    state = log.state()
    assert state["count"] == 1
    log(step(5, 1.0))
    log(step(6, 1.0))
    with (tmp_path / "curves.csv").open("a") as file:
        file.write("7,trai")
    again = Log(tmp_path, tiny)
    again.resume_at(4, state)
    assert [row["step"] for row in read_curves(tmp_path / "curves.csv")] == ["3", "3"]
    again(step(5, 1.0))
    again(step(6, 4.0))
    assert float(read_curves(tmp_path / "curves.csv")[-1]["l1"]) == pytest.approx(2.0)


def test_a_row_has_the_steps_of_one_stage_and_ends_at_its_validations(tmp_path, tiny):
    one = Stage(name="one", steps=6, losses=(PixelLoss(kind="l1"),))
    two = Stage(name="two", steps=6, losses=(PixelLoss(kind="mse"),))
    none = Stage(name="none", steps=0, losses=(PixelLoss(kind="l1"),))
    validation = tiny.validation.model_copy(update={"every": 4})
    recipe = tiny.model_copy(update={"stages": (none, one, two), "validation": validation})
    log = Log(tmp_path, recipe)
    log.resume_at(0, None)
    for number in range(1, 13):
        stage, loss = ("one", "l1") if number <= 6 else ("two", "mse")
        log(StepDone(number, 12, stage, {loss: float(number), "total": float(number)}, 1e-3, 10.0))
    rows = [(row["step"], row["stage"], row["l1"], row["mse"], row["total"]) for row in read_curves(log._curves)]
    assert rows == [
        ("4", "one", "2.5", "", "2.5"),
        ("6", "one", "5.5", "", "5.5"),
        ("10", "two", "", "8.5", "8.5"),
        ("12", "two", "", "11.5", "11.5"),
    ]


@pytest.mark.parametrize("name", ["a\u2028b", "a\x0bb", 'a, "b"', "a\nb"])
def test_a_stage_has_any_name(tmp_path, tiny, name):
    log = Log(tmp_path, tiny)
    log.resume_at(0, None)
    log(StepDone(6, 6, name, {"l1": 1.0, "total": 1.0}, 1e-3, 10.0))
    assert [(row["step"], row["stage"]) for row in read_curves(log._curves)] == [("6", name)]


@pytest.mark.parametrize(
    "content",
    [
        b"step;stage;learning_rate\n4;one;0.001\n",
        "step,stage\n4,one\n".encode("utf-16"),
        b"step,stage\nfour,one\n",
        b"step,stage\n4,one\x00\r\n\xff\n",
    ],
)
def test_curves_that_another_program_has_saved_are_refused_in_a_sentence(tmp_path, tiny, content):
    (tmp_path / "curves.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"curves\.csv was changed by another program: move it elsewhere"):
        Log(tmp_path, tiny).resume_at(4, {"sums": {}, "count": 0})


def test_events_are_written_as_sentences(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.resume_at(0, None)
    log(Prepared(100, 3, 8, 4, 6, resumed_at=2, warnings=("Beware.",), notes=("It was shifted.",)))
    log(LearningRateLowered(5, 3))
    text = (tmp_path / "train.log").read_text()
    for sentence in (
        "100 positions",
        "continued from step 2",
        "Beware.",
        "It was shifted.",
        "continued from step 3 with half the learning rate",
    ):
        assert sentence in text


def test_a_file_that_cannot_be_written_is_an_input_error(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.resume_at(0, None)
    (tmp_path / "curves.csv").unlink()
    (tmp_path / "curves.csv").mkdir()
    with pytest.raises(
        InputError, match=r"curves\.csv could not be written .* check the disk and its permissions and start"
    ):
        log(validated(3))


def test_the_curves_are_also_written_for_tensorboard(tmp_path, tiny):
    pytest.importorskip("tensorboard")
    log = Log(tmp_path, tiny, tensorboard=True)
    log.resume_at(0, None)
    for number in range(1, 4):
        log(step(number, 1.0))
    log._board.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("l1")] == [(3, 1.0)]
