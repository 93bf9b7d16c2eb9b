#!/bin/sh
# The conformance suite and the package from outside on the newest jax that a newer Python can
# install: what a new release of jax or optax breaks first. With arguments, which are those of
# pytest, other tests; with `packages` none, but their packages are installed. Where no such Python
# is installed, this says so and passes: the lane is an addition to `make test`, not a condition of
# it.
set -eu
cd "$(dirname "$0")/.."
for name in python3.14 python3.13 python3.12; do
    if command -v "$name" >/dev/null && "$name" -c 'import venv, ensurepip' 2>/dev/null; then
        python=$name
        break
    fi
    # pyenv keeps versions beside each other without putting them on the path
    for found in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${name#python}".*/bin/python; do
        if [ -x "$found" ] && "$found" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$found
            break 2
        fi
    done
done
if [ -z "${python:-}" ]; then
    echo "newest jax: not run, no Python 3.12 or newer with venv is installed"
    exit 0
fi
venv=.venv-newest
pip="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
packages=$venv/.packages
if [ ! -e "$packages" ] || [ constraints-newest.txt -nt "$packages" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    # All that is needed but this tree, so that `make setup`, which builds it, may run beside.
    $pip --no-deps --requirement constraints-newest.txt
    touch "$packages"
fi
[ "${1:-}" != packages ] || exit 0
stamp=$venv/.installed
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ "$packages" -nt "$stamp" ]; then
    $pip --constraint constraints-newest.txt --no-build-isolation --editable '.[dev]'
    touch "$stamp"
fi
"$venv/bin/python" -c 'import sys, jax; print("newest jax:", jax.__version__, "on Python", sys.version.split()[0])'
[ $# -gt 0 ] || set -- tests/optzoo/conformance tests/test_package.py
exec "$venv/bin/python" -m pytest -n 2 --dist worksteal "$@"
