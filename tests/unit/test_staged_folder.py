"""A model folder appears whole or not at all."""

import pytest

from clearscene.errors import OutputError
from clearscene.training.export.folder import staged_folder


def names(path):
    return sorted(item.name for item in path.iterdir())


def test_it_appears_at_the_end_and_nothing_else_is_left(tmp_path):
    with staged_folder(tmp_path / "model") as folder:
        (folder / "model.toml").write_text("new")
        assert not (tmp_path / "model").exists()
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model" / "model.toml").read_text() == "new"


def interrupted(path, error):
    with staged_folder(path, overwrite=True) as folder:
        (folder / "model.toml").write_text("new")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_one_is_as_it_was(tmp_path, error):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.toml").write_text("old")
    with pytest.raises(error):
        interrupted(tmp_path / "model", error)
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model" / "model.toml").read_text() == "old"


def test_a_model_is_replaced_only_when_asked_for(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.toml").write_text("old")
    (tmp_path / "model" / "deepness.onnx").write_text("old")
    with pytest.raises(OutputError, match="holds a model already"), staged_folder(tmp_path / "model"):
        pass
    with staged_folder(tmp_path / "model", overwrite=True) as folder:
        (folder / "model.toml").write_text("new")
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["model.toml"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_model_is_never_replaced(tmp_path, overwrite):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    with (
        pytest.raises(OutputError, match="is no model folder"),
        staged_folder(tmp_path / "photos", overwrite=overwrite),
    ):
        pass
    assert names(tmp_path / "photos") == ["a.jpg"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "model").mkdir()
    with staged_folder(tmp_path / "model") as folder:
        (folder / "model.toml").write_text("new")
    assert names(tmp_path / "model") == ["model.toml"]


def test_if_the_last_step_fails_the_old_one_comes_back(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.toml").write_text("old")
    real = type(tmp_path).rename

    def rename(self, target):
        if self.name.endswith(".part"):
            raise OSError(28, "no space")
        return real(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", rename)
    with pytest.raises(OutputError, match="no space left"), staged_folder(tmp_path / "model", overwrite=True) as folder:
        (folder / "model.toml").write_text("new")
    assert (tmp_path / "model" / "model.toml").read_text() == "old"
    assert names(tmp_path) == ["model"]
