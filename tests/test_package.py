"""The package from outside: what is installed, what an import needs, what symbols document."""

import ast
import doctest
import importlib
import importlib.metadata
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import optzoo
import optzoo.plots
import optzoo.problems
import theory_checks
from theory_checks import cli, requirements

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


@pytest.mark.parametrize("symbol", list(public_symbols()))
def test_help_opens_with_a_signature_that_can_be_read(symbol):
    """Evaluated, the types of an array and of a tree are written out: a screen of them."""
    if inspect.isfunction(symbol):
        assert len(str(inspect.signature(symbol))) < 900


ALLOWED = {
    "optzoo": {"jax", "optax"},
    "problems": {"jax", "numpy", "ot", "scipy", "sklearn"},
    "plots": {"matplotlib", "numpy"},
    "theory_checks": {
        *("jax", "optax", "numpy", "scipy", "matplotlib"),
        *("optzoo", "tqdm", "jinja2", "markupsafe", "latex2mathml", "cmaes"),
        *("PEPit", "cvxpy"),  # of the extra `pep`, inside functions
        *("dask", "distributed"),  # of the extra `cluster`, in the room of that name
    },
}


@pytest.mark.parametrize("folder", ALLOWED)
def test_folders_import_only_what_they_may(folder):
    """The ground-floor packages do not know each other; formulas and properties have NumPy."""
    for path in (ROOT / folder).rglob("*.py"):
        numeric = path.parent.name in ("theorems", "conformance")
        allowed = ALLOWED[folder] | ({"numpy"} if numeric else set())
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            for name in names:
                top = name.split(".")[0]
                assert top in allowed or top in sys.stdlib_module_names, (path, name)
                assert top not in ("dask", "distributed") or "cluster" in path.parts, (path, name)


def test_the_worst_case_is_imported_without_its_extra(bare):
    """What needs PEPit says so when it is called."""
    done = bare("""
sys.modules.update(dict.fromkeys(("PEPit", "cvxpy", "clarabel")))
import optax
from theory_checks.worst_case import pep
try:
    pep.worst_case(optax.sgd(1.0), pep.SmoothConvex(1.0), steps=1)
except ImportError as error:
    print(error)
""")
    assert done.returncode == 0, done.stderr
    needed = "theory_checks.worst_case.pep needs PEPit and CVXPY and Clarabel"
    assert done.stdout == f'{needed}: pip install "optzoo[pep]".\n'


def test_problems_do_not_know_what_is_computed_of_methods_on_them():
    for path in (ROOT / "problems").glob("*/*.py"):
        if path.parent.name != "expectations":
            assert "from ..expectations" not in path.read_text(encoding="utf-8"), path


def test_files_are_of_readable_size():
    """A paper's page of theorems is read from top to bottom, statement by statement, as it is."""
    for folder in ALLOWED:
        for path in (ROOT / folder).rglob("*.py"):
            most = 750 if path.parent.name == "theorems" else 600
            assert len(path.read_text().splitlines()[1:]) <= most, path  # beside the licence


def test_every_file_says_its_licence():
    """As the metadata do, so that a copied file says it, too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    line = f"# SPDX-License-Identifier: {project['license']}"
    for folder in ALLOWED:
        for path in (ROOT / folder).rglob("*.py"):
            assert path.read_text(encoding="utf-8").splitlines()[0] == line, path


def test_no_function_of_the_problems_is_there_for_its_tests_alone():
    """By a claim, a lesson, a benchmark or another module, or docs/methods.md names it."""
    folders = ("problems", "theory_checks", "notebooks", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    words = {
        path: set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        for path in (ROOT / "docs" / "methods.md", *files)
        if path != ROOT / "problems" / "__init__.py"
    }
    for name in optzoo.problems.__all__:
        symbol = getattr(optzoo.problems, name)
        if inspect.isfunction(symbol):
            home = Path(inspect.getfile(symbol))
            assert any(name in found for path, found in words.items() if path != home), name


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
    modules = {
        Path(*((folder,) if folder in ("optzoo", "theory_checks") else ("optzoo", folder)))
        / path.relative_to(ROOT / folder)
        for folder in ALLOWED
        for path in (ROOT / folder).rglob("*.py")
    }
    others = ("optzoo/py.typed", "theory_checks/report/templates/report.html", "bin/theory-checks")
    for needed in (*modules, *others):
        assert (site / needed).is_file(), needed


@pytest.fixture(scope="session")
def bare(site, tmp_path_factory):
    """Runs a program where the wheel, jax and optax are installed and nothing of the extras is."""
    extras = sorted(set(requirements.PACKAGES) - {"numpy", "scipy"})  # these two come with jax
    prelude = f"""
import sys
sys.modules.update(dict.fromkeys({extras}))  # None: an import of it fails
sys.meta_path = [f for f in sys.meta_path if "editable" not in type(f).__module__ + str(f)]
sys.path = [{str(site)!r}, *(p for p in sys.path if "__editable__" not in p)]
"""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(program):
        return subprocess.run(
            [sys.executable, "-c", prelude + program],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"XLA_FLAGS": ""},
        )

    return run


def test_import_needs_jax_and_optax_alone(bare, site):
    """What needs more says in a sentence which extra brings it, and help does not stumble."""
    program = """
import pydoc
import optzoo
lazy = ("optzoo.conformance", "optzoo.plots", "optzoo.problems")
assert not [m for m in sys.modules if m.startswith(lazy)]
import jax
assert not jax.config.jax_enable_x64
print(optzoo.__file__)
assert "soap" in pydoc.render_doc(optzoo)
assert not {"problems", "plots"} & set(dir(optzoo))
for statement in ("import optzoo.problems", "from optzoo import plots", "optzoo.plots"):
    try:
        exec(statement)
    except ImportError as error:
        print(error)
"""
    done = bare(program)
    assert done.returncode == 0, done.stderr
    plots = 'optzoo.plots needs Matplotlib: pip install "optzoo[checks]".'
    assert done.stdout.splitlines() == [
        str(site / "optzoo" / "__init__.py"),
        'optzoo.problems needs SciPy and scikit-learn: pip install "optzoo[data]".',
        plots,
        plots,
    ]


@pytest.mark.parametrize("name", ["conformance", "problems", "plots"])
def test_subpackages_are_attributes(name, monkeypatch):
    monkeypatch.delattr(optzoo, name)  # as before its first import
    assert name in dir(optzoo)
    assert getattr(optzoo, name) is sys.modules[f"optzoo.{name}"]
    with pytest.raises(AttributeError, match="module 'optzoo' has no attribute 'problem'"):
        optzoo.problem  # noqa: B018


def test_the_command_line_without_its_extra_names_it(bare):
    done = bare("import runpy; runpy.run_module('theory_checks', run_name='__main__')")
    assert done.returncode == 2
    assert "usage: theory-checks" in done.stderr  # no command was given
    done = bare("sys.argv[1:] = ['list']\nfrom theory_checks.cli import main; exit(main())")
    assert done.returncode == 2
    assert done.stderr == (
        "theory-checks: not installed: cmaes, scikit-learn, matplotlib, tqdm, jinja2, "
        "latex2mathml, pot; "
        'the command line needs the extra `checks`: pip install "optzoo[checks]"\n'
    )


@pytest.mark.parametrize("page", ["README.md", "docs/methods.md"])
def test_the_first_example_prints_what_it_says(bare, page):
    """Numbers may differ in their last digits, on another processor or with another jax."""
    text = (ROOT / page).read_text(encoding="utf-8")
    ((example, output),) = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", text, re.DOTALL)
    done = bare(example)
    assert done.returncode == 0, done.stderr
    number = r"\d+(?:\.\d+)?"
    assert re.sub(number, "#", done.stdout) == re.sub(number, "#", output)
    np.testing.assert_allclose(
        [float(one) for one in re.findall(number, done.stdout)],
        [float(one) for one in re.findall(number, output)],
        rtol=0.05,
    )


def test_extras_hold_what_the_command_line_asks_for():
    """And the base what the algorithms import: the extras differ from it by what is theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {re.split("[><=]", one)[0] for one in (*extras["data"], *extras["checks"])}
    assert asked - {"optzoo[data]"} == set(requirements.PACKAGES.values())
    solved = {re.split("[><=]", one)[0] for one in extras["pep"]}
    assert solved == {"optzoo[checks]", "pepit", "cvxpy", "clarabel"}
    base = {re.split("[><=]", one)[0] for one in project["dependencies"]}
    assert base == ALLOWED["optzoo"]


@pytest.mark.parametrize("module", requirements.PACKAGES)
@pytest.mark.parametrize(
    "command",
    [["list"], ["run", "x"], ["report", "x"], ["compare", "x", "y"], ["conformance", "x"]],
    ids=lambda command: command[0],
)
def test_every_command_asks_for_every_package_first(command, module, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(command) == 2
    assert f"not installed: {requirements.PACKAGES[module]};" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_version_stands_in_one_place(capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"] == {"version": {"attr": "optzoo.__version__"}}
    assert importlib.metadata.version("optzoo") == optzoo.__version__
    with pytest.raises(SystemExit) as done:
        cli.main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"theory-checks {optzoo.__version__}\n"
