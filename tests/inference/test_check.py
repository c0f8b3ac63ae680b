"""The check of this computer: each line is ok or says what to do, and a failed check does not end the others."""

import json

import pytest
from typer.testing import CliRunner

from napari_sr import Cancelled
from napari_sr.cli import app
from napari_sr.inference import check as checks
from napari_sr.inference.compute.tunings import Tuning
from napari_sr.samples import sample_crop


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "models"))


def test_every_line_is_ok_here_and_nothing_is_left(tmp_path):
    result = CliRunner().invoke(app, ["check"])
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.stdout
    assert all(line.startswith("ok  ") for line in lines)
    for name in ("versions", "memory", "model folder", "image file", "cpu, streamed", "cpu, float16", "cpu, speed"):
        assert any(f"  {name}" in line for line in lines), name
    assert not list(tmp_path.iterdir())


def test_a_failed_check_gives_the_remedy_and_exit_status_1_and_the_others_go_on(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_SR_MODELS", str(tmp_path / "file" / "models"))
    monkeypatch.setattr(checks, "available_devices", lambda: ())
    monkeypatch.setitem(checks._AGREEMENT, "float16", 1e9)
    result = CliRunner().invoke(app, ["check", "--json"])
    lines = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [line["name"] for line in lines if not line["ok"]] == ["model folder"]
    assert "check its permissions" in next(line["text"] for line in lines if not line["ok"])


def test_a_number_format_that_is_too_inexact_on_a_device_fails(monkeypatch):
    image = sample_crop("fluorescence", 16)
    monkeypatch.setattr(checks, "_result", lambda device, precision="float32": image * (1 + (precision != "float32")))
    with pytest.raises(checks._Failed, match="use --precision float32"):
        checks._agreement("cpu", "float16")


def test_an_error_of_a_library_is_a_failed_line(monkeypatch):
    def broken():
        raise RuntimeError("no kernel\nimage is available")

    monkeypatch.setattr(checks, "_checks", lambda: iter([("first", broken), ("second", lambda: "fine")]))
    first, second = checks.check_computer()
    assert first.line() == "FAIL  first: RuntimeError: no kernel image is available"
    assert second.line() == "ok    second: fine"


def test_it_can_be_stopped():
    with pytest.raises(Cancelled):
        list(checks.check_computer(cancel=lambda: True))


@pytest.fixture
def one_vulkan_card(monkeypatch, tmp_path):
    """A graphics card for Vulkan that computes as the CPU does, in half the time."""
    found = {"difference": 0.0, "stored": None}
    image = sample_crop("fluorescence", 16)
    monkeypatch.setattr(checks, "available_devices", lambda: ("auto", "cpu", "vulkan"))
    monkeypatch.setattr(checks, "is_software", lambda device: False)
    monkeypatch.setattr(checks, "_result", lambda device, *_, **__: image + found["difference"] * (device == "vulkan"))
    monkeypatch.setattr(checks, "_seconds", lambda device: 1.0 if device == "vulkan" else 2.0)
    tuning = Tuning({"float32": "channels last"}, whole_planes=False)
    monkeypatch.setattr(checks, "measure_tuning", lambda network, device: tuning)
    monkeypatch.setattr(checks, "store_tuning", lambda device, tuning: found.update(tuning=(device, tuning)))
    monkeypatch.setattr(checks, "_device", lambda device: device)
    monkeypatch.setattr(checks, "store_verdict", lambda device, verdict: found.update(stored=(device, verdict)))
    return found


def test_an_experimental_card_is_compared_with_the_cpu_and_the_result_is_stored(one_vulkan_card):
    lines = {check.name: check for check in checks.check_computer()}
    assert lines["vulkan, against the CPU"].ok
    assert lines["vulkan, against the CPU"].text.endswith("2 times as fast; auto uses it")
    assert one_vulkan_card["stored"] == (checks.torch.device("vulkan", 0), checks.Verdict(0.0, 2.0))


def test_the_fastest_way_of_a_card_is_measured_and_stored(one_vulkan_card):
    lines = {check.name: check for check in checks.check_computer()}
    assert lines["vulkan, fastest way"].text == "channels last memory for float32, planes in strips"
    assert "cpu, fastest way" not in lines
    device, tuning = one_vulkan_card["tuning"]
    assert device == checks.torch.device("vulkan", 0)
    assert tuning == Tuning({"float32": "channels last"}, whole_planes=False)


def test_an_experimental_card_with_other_results_fails(one_vulkan_card):
    one_vulkan_card["difference"] = 0.01
    lines = {check.name: check for check in checks.check_computer()}
    assert not lines["vulkan, against the CPU"].ok
    assert "auto does not use this device" in lines["vulkan, against the CPU"].text


def test_vulkan_by_software_is_named_and_not_timed(one_vulkan_card, monkeypatch):
    monkeypatch.setattr(checks, "is_software", lambda device: device.type == "vulkan")
    names = [check.name for check in checks.check_computer()]
    assert "vulkan" in names
    assert not any(name.startswith("vulkan,") for name in names)
    assert one_vulkan_card["stored"] is None


def test_kinds_that_cannot_be_used_are_listed_with_the_reason(monkeypatch):
    monkeypatch.setattr(checks, "available_devices", lambda: ())
    monkeypatch.setattr(checks, "unavailable", lambda kind: "no driver was found" if kind == "xpu" else None)
    lines = [check.line() for check in checks.check_computer()]
    assert lines[-1] == "ok    xpu: not used, since no driver was found"
