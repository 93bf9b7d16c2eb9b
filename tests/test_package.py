"""The package from outside: what is installed, what an import needs, what symbols document."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import optzoo
import optzoo.plots
import optzoo.problems
import theory_checks

ROOT = Path(__file__).parent.parent
PACKAGES = (optzoo, optzoo.problems, optzoo.plots, theory_checks)


def modules():
    """Every module of the four folders, by its import name."""
    found = {}
    for package in PACKAGES:
        found[package.__name__] = package
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not info.name.endswith("__main__"):
                found[info.name] = importlib.import_module(info.name)
    return [found[name] for name in sorted(found)]


every_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)


@every_module
def test_doctests(module):
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@every_module
def test_every_module_says_what_it_is(module):
    assert module.__doc__, module.__name__
    assert hasattr(module, "__all__"), module.__name__


def public_symbols():
    """What users import: the names that the packages export, and the members of public sets."""
    for package in (optzoo, optzoo.problems, optzoo.plots, optzoo.lmo, optzoo.compressors):
        for name in package.__all__:
            symbol = getattr(package, name)
            if inspect.isclass(symbol) or inspect.isfunction(symbol):
                yield pytest.param(symbol, id=f"{package.__name__}.{name}")


def is_plain_record(symbol):
    """States, protocols and exceptions: their fields are documented where they stand."""
    return inspect.isclass(symbol) and (
        hasattr(symbol, "_fields")
        or issubclass(symbol, Exception)
        or getattr(symbol, "_is_protocol", False)
        or inspect.isabstract(symbol)
    )


@pytest.mark.parametrize("symbol", list(public_symbols()))
def test_public_symbols_are_documented(symbol):
    text = inspect.getdoc(symbol)
    assert text, "no docstring"
    first = text.splitlines()[0]
    assert first.rstrip().endswith((".", ":")), first
    if is_plain_record(symbol):
        return
    assert ">>>" in text, "no example"
    if inspect.isfunction(symbol):
        parameters = [
            name for name in inspect.signature(symbol).parameters if name not in ("args", "kwargs")
        ]
        if parameters:
            assert "Args:" in text
        assert "Returns:" in text or inspect.signature(symbol).return_annotation is None
        for name in parameters:
            assert f"{name}" in text.split("Args:")[1], f"{name} is not documented"
        assert inspect.signature(symbol).return_annotation is not inspect.Signature.empty


ALLOWED = {
    "optzoo": {"jax", "optax"},
    "problems": {"jax", "numpy", "ot", "scipy", "sklearn"},
    "plots": {"matplotlib", "numpy"},
    "theory_checks": {
        *("jax", "optax", "numpy", "scipy", "matplotlib"),
        *("optzoo", "tqdm", "jinja2", "markupsafe", "latex2mathml"),
    },
}


@pytest.mark.parametrize("folder", ALLOWED)
def test_folders_import_only_what_they_may(folder):
    """The ground-floor packages do not know each other."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            for name in names:
                top = name.split(".")[0]
                assert top in ALLOWED[folder] or top in sys.stdlib_module_names, (path, name)


def test_optimizer_files_keep_their_annotations():
    """optax.inject_hyperparams reads them, so they must not be strings."""
    for path in (ROOT / "optzoo").glob("*.py"):
        assert "from __future__ import annotations" not in path.read_text(), path


def test_files_are_of_readable_size():
    for folder in ALLOWED:
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 600, path


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """An empty folder with the built wheel installed in it, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--no-build-isolation"),
            *("--target", str(folder), str(ROOT)),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def test_installation_holds_the_two_packages_and_nothing_else(site):
    tops = {path.name for path in site.iterdir() if path.suffix != ".dist-info"}
    assert tops - {"bin"} == {"optzoo", "theory_checks"}
    for needed in (
        "optzoo/py.typed",
        "optzoo/problems/__init__.py",
        "optzoo/plots/__init__.py",
        "theory_checks/templates/report.html",
        "theory_checks/claims/frank_wolfe/__init__.py",
        "bin/theory-checks",
    ):
        assert (site / needed).is_file(), needed


def test_import_needs_jax_and_optax_alone(site, tmp_path):
    """Every other requirement of the extras is made unimportable."""
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sklearn", "matplotlib", "tqdm", "jinja2", "latex2mathml", "ot"}:
            raise ImportError(f"{name} must not be needed")
sys.meta_path.insert(0, Refuse())
sys.path = [p for p in sys.path if "__editable__" not in p]
sys.meta_path = [f for f in sys.meta_path if "editable" not in type(f).__module__ + str(f)]
sys.path.insert(0, sys.argv[1])
import optzoo
assert optzoo.__file__.startswith(sys.argv[1]), optzoo.__file__
assert not [m for m in sys.modules if m.startswith(("optzoo.problems", "optzoo.plots"))]
import jax
assert not jax.config.jax_enable_x64
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "fine", done.stderr
