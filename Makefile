# Two commands matter: `make verify` checks the theorems, `make test` checks the code; `make demo`
# checks six theorems, for a first look.
# They work from a clean clone with nothing but python3 (>= 3.11) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
REPORT := results/quick

.PHONY: verify demo test test-long honesty mutation test-browser screenshot browser setup lint types notebooks course docs test-newest bench attack-bench clean help

help:  ## what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Minutes together, and what they find is seldom new: before a release, or a change of theirs.
LONG = tests/optzoo/lmo/test_every_context.py tests/optzoo/test_wrappers.py tests/benchmarks \
	tests/optzoo/lmo/test_spectral.py tests/optzoo/lmo/test_polytopes.py \
	tests/optzoo/test_soap_training.py tests/optzoo/test_soap_optax_suite.py \
	tests/optzoo/test_soap_sharded_layouts.py \
	tests/optzoo/test_three_pillars_communication.py \
	tests/optzoo/test_distributed_communication.py \
	tests/optzoo/conformance/test_long_loops.py tests/optzoo/test_active_set_long_runs.py \
	tests/problems/finite_sums/test_optimum.py tests/theory_checks/test_honesty.py \
	tests/theory_checks/worst_case/pep/test_attained.py \
	tests/theory_checks/cluster/test_processes_at_length.py

verify: setup  ## check every theorem (quick preset) and write the report
	$(BIN)/python -m theory_checks run --preset quick --out $(REPORT) --overwrite

# A theorem of each paper, on claims that are quick and have a picture worth looking at.
DEMO = frank_wolfe/sarah/convex/noise-tight markovian_noise/accelerated/potential \
	ito_chains/gaussian/bound soap/shampoo/regret three_pillars/hard/upper \
	distributed_methods/sliding/one-step projection_free_methods/pairwise/linear

demo: setup  ## check one theorem of each paper, with its page and picture, within a minute
	$(BIN)/python -m theory_checks run $(DEMO) --preset quick --out results/demo --overwrite

test: setup  ## run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore=tests/browser $(LONG:%=--ignore=%)

test-long: setup  ## run the tests that take longest: before a release, or a change of what they test
	$(BIN)/python -m pytest -n 2 --dist worksteal $(LONG)

test-browser: browser  ## run the tests of the report's page in a headless Chromium
	$(BIN)/python -m pytest tests/browser

screenshot: browser  ## draw docs/report.png from the report of `make verify`
	$(BIN)/python docs/screenshot.py $(REPORT)/report.html docs/report.png

browser: $(VENV)/.browser
	@command -v chromium >/dev/null || \
		{ echo "this needs Chromium: install the Debian package 'chromium'"; exit 1; }

$(VENV)/.browser: $(VENV)/.installed
	$(PIP) --no-build-isolation --editable '.[browser]'
	@touch $@

setup: $(VENV)/.installed  ## create .venv at the versions of constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "optzoo needs Python >= 3.11; set PYTHON=... (found: $$($(PYTHON) --version 2>&1))"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools
	$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy on a built tree, where the import names are the real ones
	rm -rf build/check build/lib build/bdist*  # what was built of files that have gone
	$(PIP) --no-deps --no-build-isolation --target build/check .
	$(BIN)/mypy

LESSONS = $(wildcard notebooks/*.py)

# A notebook runs in a Jupyter kernel here and as a plain script in the tests.
notebooks: setup  ## run the notebooks (or LESSONS="notebooks/a.py ..."), write notebooks/rendered
	$(PIP) --no-build-isolation --editable '.[notebooks]'
	rm -rf build/notebooks
	mkdir -p build/notebooks
	@set -e; for source in $(LESSONS); do \
		name=$$(basename $$source .py); \
		rm -rf notebooks/rendered/$$name.md notebooks/rendered/$${name}_files; \
		$(BIN)/python -m jupytext --quiet --to ipynb --output build/notebooks/$$name.ipynb $$source; \
		TF_CPP_MIN_LOG_LEVEL=3 JAX_PLATFORMS=cpu $(BIN)/python -m nbconvert --log-level WARN \
			--execute --to markdown --output-dir notebooks/rendered build/notebooks/$$name.ipynb; \
		$(BIN)/python docs/_extensions/course.py fold notebooks/rendered/$$name.md; \
		echo "notebooks/rendered/$$name.md"; \
	done

course: $(VENV)/.docs  ## each lesson as ipynb with outputs, slides, student's ipynb: build/course
	rm -rf build/course
	$(BIN)/python docs/_extensions/course.py write build/course

docs: $(VENV)/.docs  ## build the documentation site, build/site/index.html, and check it
	rm -rf build/site build/doctrees
	$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs -d build/doctrees . build/site
	$(BIN)/python docs/check_site.py build/site

$(VENV)/.docs: $(VENV)/.installed
	$(PIP) --no-build-isolation --editable '.[docs]'
	@touch $@

test-newest:  ## conformance and packaging on the newest jax and a newer Python, where one is installed
	@sh tests/newest_jax.sh

honesty: setup  ## how often each kind of check errs, as in docs/error_rates.md
	$(BIN)/python -m theory_checks.statistics.honesty

mutation: setup  ## plant known faults in a copy; the cheap tests must notice 95% of them
	$(BIN)/python tests/mutation/run.py

bench: setup  ## every benchmark, side by side in one run
	$(PIP) --no-build-isolation --editable '.[bench]'
	$(BIN)/python -m benchmarks

attack-bench: setup  ## wrong theorems and true ones attacked, two minutes each (an hour and more)
	$(BIN)/python -m benchmarks attack

clean:  ## remove what the commands above made
	rm -rf .venv .venv-newest build results
