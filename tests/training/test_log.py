"""The log: rows for curves, sentences for people."""

import pytest

from napari_sr import InputError
from napari_sr.training.events import LearningRateLowered, Prepared, StepDone, Validated
from napari_sr.training.log import Log, read_curves


def step(number, loss):
    return StepDone(number, 6, "training", {"l1": loss, "total": 2 * loss}, 1e-3, 10.0)


def validated(number):
    return Validated(number, "training", 30.0, 0.9, 29.0, 0.8, True)


def test_a_row_holds_the_mean_of_its_steps(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.go_on(0, None)
    for number in range(1, 4):
        log(step(number, float(number)))
    log(validated(3))
    first, second = read_curves(tmp_path / "curves.csv")
    assert (first["step"], float(first["l1"]), float(first["total"]), first["psnr"]) == ("3", 2.0, 4.0, "")
    assert (float(second["psnr"]), float(second["bicubic_psnr"]), second["l1"]) == (30.0, 29.0, "")
    assert "PSNR 30.00 dB" in (tmp_path / "train.log").read_text()


def test_going_on_drops_what_lies_beyond_and_a_row_cut_in_the_middle(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.go_on(0, None)
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
    again.go_on(4, state)
    assert [row["step"] for row in read_curves(tmp_path / "curves.csv")] == ["3", "3"]
    again(step(5, 1.0))
    again(step(6, 4.0))
    assert float(read_curves(tmp_path / "curves.csv")[-1]["l1"]) == pytest.approx(2.0)


def test_people_read_what_happened(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.go_on(0, None)
    log(Prepared(100, 3, 8, 4, 6, resumed_at=2, warnings=("Beware.",), notes=("It lay beside.",)))
    log(LearningRateLowered(5, 3))
    text = (tmp_path / "train.log").read_text()
    for words in (
        "100 places",
        "going on from step 2",
        "Beware.",
        "It lay beside.",
        "back to step 3 at half the rate",
    ):
        assert words in text


def test_a_full_disk_is_a_sentence(tmp_path, tiny):
    log = Log(tmp_path, tiny)
    log.go_on(0, None)
    (tmp_path / "curves.csv").unlink()
    (tmp_path / "curves.csv").mkdir()
    with pytest.raises(InputError, match=r"curves\.csv could not be written"):
        log(validated(3))


def test_tensorboard_gets_the_same_curves(tmp_path, tiny):
    pytest.importorskip("tensorboard")
    log = Log(tmp_path, tiny, tensorboard=True)
    log.go_on(0, None)
    for number in range(1, 4):
        log(step(number, 1.0))
    log._board.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("l1")] == [(3, 1.0)]
