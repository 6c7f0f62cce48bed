# Each target works on a fresh clone: the environment is made when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint docs reproduce fuzz format clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "skart needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(VENV)/installed  ## Draw paintings, train on them, show what comes out
	$(BIN)/skart demo $(ARGS)

test: lint  ## Lint, format check, tests and doctests
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/installed  ## Lint and format check alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/docs: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(VENV)/docs  ## Build the documentation, its gallery too; warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going $(ARGS) docs docs/_build/html

reproduce: $(VENV)/installed  ## Run the report's experiments on drawn paintings
	$(BIN)/skart reproduce --quick $(ARGS)

fuzz: $(VENV)/installed  ## Decode damaged image files for five minutes
	$(BIN)/python tests/fuzz_decoder.py --seconds 300 $(ARGS)

format: $(VENV)/installed  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Delete the environment and all that was made
	rm -rf $(VENV) skart-demo skart-reproduction skart-gallery fuzz-findings \
		.pytest_cache .ruff_cache
	rm -rf docs/_build docs/gallery docs/api/generated examples/skart-gallery \
		docs/sg_execution_times.rst
