"""Where compiled programs are kept, and that it is never a reason to fail."""

import types
import warnings
from pathlib import Path

import jax
import pytest

from theory_checks import programs


@pytest.fixture
def told(monkeypatch):
    """What jax is told, where the user has told it nothing."""
    said = {"jax_compilation_cache_dir": None, "jax_enable_compilation_cache": True}
    config = types.SimpleNamespace(values=said, update=said.__setitem__)
    monkeypatch.setattr(jax, "config", config)
    with warnings.catch_warnings():
        yield said


def test_the_usual_place_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert programs.usual_place() == tmp_path / "optzoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    assert programs.usual_place() == tmp_path / ".cache" / "optzoo"

    def homeless():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    assert programs.usual_place() is None


def test_every_program_is_kept_in_the_processors_own_folder(told, tmp_path, monkeypatch):
    here = programs.keep(tmp_path / "new")
    assert here.is_dir()
    assert here.parent == tmp_path / "new"
    assert told["jax_compilation_cache_dir"] == str(here)
    assert told["jax_persistent_cache_min_compile_time_secs"] == 0
    monkeypatch.setattr("platform.machine", lambda: "another")
    assert programs.keep(tmp_path / "new") != here


def test_what_cannot_be_kept_is_not(told, tmp_path):
    (tmp_path / "file").touch()
    assert programs.keep(tmp_path / "file") is None
    assert programs.keep(None) is None
    assert told["jax_compilation_cache_dir"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("jax_compilation_cache_dir", "/mine"), ("jax_enable_compilation_cache", False)],
)
def test_what_the_user_told_jax_comes_first(told, tmp_path, name, value):
    told[name] = value
    before = dict(told)
    assert programs.keep(tmp_path) is None
    assert told == before


def test_an_entry_that_cannot_be_read_is_no_news(told, tmp_path, recwarn):
    programs.keep(tmp_path)
    warnings.warn("Error reading persistent compilation cache entry for 'f'", stacklevel=1)
    assert not recwarn.list
    warnings.warn("anything else", stacklevel=1)
    assert len(recwarn.list) == 1
