"""The folder of the user's models."""

from napari_sr.zoo import model_folder


def test_the_user_folder_is_that_of_the_environment_variable(folder):
    assert model_folder() == folder


def test_without_the_variable_it_is_in_the_users_data(monkeypatch):
    monkeypatch.setenv("NAPARI_SR_MODELS", "")
    assert model_folder().parts[-2:] == ("napari-sr", "models")
