# Each target works on a fresh clone: the environment is made when it is missing.
WINDOWS := $(filter Windows_NT,$(OS))
PYTHON ?= $(if $(WINDOWS),python,python3)
VENV := .venv
BIN := $(VENV)/$(if $(WINDOWS),Scripts,bin)

.PHONY: help demo test test-slow test-all test-oldest test-python test-wheel lint docs \
	dist reproduce bench fuzz format clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "skart needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(VENV)/installed  ## Draw paintings, train on them, show what comes out
	$(BIN)/skart demo $(ARGS)

test: lint  ## Lint, format check, doctests and the fast tests
	$(BIN)/python -m pytest $(ARGS)

$(VENV)/test-slow: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test-slow]'
	@touch $@

test-slow: $(VENV)/test-slow  ## The slow tests alone
	$(BIN)/python -m pytest -m slow $(ARGS)

test-all: lint $(VENV)/test-slow  ## Lint, format check, doctests and all tests
	$(BIN)/python -m pytest -m "" $(ARGS)

$(VENV)/release: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@touch $@

test-oldest: $(VENV)/release  ## The fast tests with the lowest versions that are allowed
	$(BIN)/python .ci/check_versions.py --lowest $(ARGS)

test-python: $(VENV)/release  ## The fast tests with another Python: make test-python WITH=python3.13
	$(BIN)/python .ci/check_versions.py --python $(or $(WITH),$(PYTHON)) $(ARGS)

dist: $(VENV)/release  ## Build and check the sdist and the wheel
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
		.github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml

test-wheel: dist  ## Try the wheel in an empty environment, and the sdist
	$(BIN)/python .ci/check_dist.py

lint: $(VENV)/installed  ## Lint and format check alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(VENV)/docs  ## Build the documentation, its gallery too; warnings are errors
	$(BIN)/python -m sphinx --fail-on-warning --keep-going $(ARGS) docs docs/_build/html

reproduce: $(VENV)/installed  ## Run the report's experiments on drawn paintings
	$(BIN)/skart reproduce --quick $(ARGS)

bench: $(VENV)/installed  ## Run the benchmarks, a short version of each: eight minutes
	$(BIN)/python benchmarks/start.py --rounds 3
	$(BIN)/python benchmarks/forward_pass.py --sizes 299 --images 22 --rounds 3
	$(BIN)/python benchmarks/engine.py --networks InceptionV3 MobileNetV2 --rounds 3
	$(BIN)/python benchmarks/backbones.py --networks EfficientNetLite0 ResNet50 --rounds 3
	$(BIN)/python benchmarks/real_art.py --drawn-artists 4 --drawn-per-artist 2 --folds 4 --seeds 1
	$(BIN)/python benchmarks/style_features.py --drawn-artists 4 --drawn-per-artist 2 --folds 4 \
		--seeds 1 --parts statistics handcrafted
	$(BIN)/python benchmarks/decoding.py --sizes 299 --megapixels 24 --rounds 3 --images 66
	$(BIN)/python benchmarks/remote.py --images 40 --rounds 3
	$(BIN)/python benchmarks/store.py --search-paintings 1000 --candidates 3 --rounds 3
	$(BIN)/python benchmarks/head_search.py --candidates 1 --samples 1500 --epochs 10
	$(BIN)/python benchmarks/training_step.py --sizes 128 --megapixels 0.8 --epochs 0
	$(BIN)/python benchmarks/fine_tuning.py --paintings 32 --cuts mixed9
	$(BIN)/python benchmarks/memory.py --paintings 300
	$(BIN)/python benchmarks/growth.py --paintings 500 1000 2000
	$(BIN)/python benchmarks/neighbors.py --shapes 18000x512 --rounds 3 --drawn-artists 4 \
		--drawn-per-artist 2
	$(BIN)/python benchmarks/audit.py --artists 2 --per-artist 6 --sizes 250 500
	$(BIN)/python benchmarks/label_issues.py --drawn-artists 3 --drawn-per-artist 3 --folds 4 --seeds 1 \
		--shares 0.1
	$(BIN)/python benchmarks/suggestions.py --drawn-artists 4 --drawn-per-artist 3 --seeds 2 --rounds 3 \
		--per-round 10
	$(BIN)/python benchmarks/unknown.py --drawn-artists 4 --drawn-per-artist 3 --folds 4 --seeds 1
	$(BIN)/python benchmarks/collection_map.py --sizes 1000 --layouts pca tsne --pages
	$(BIN)/python benchmarks/scale_out.py --images 64 --workers 2 --shards 500 --simulated 50
	$(BIN)/python benchmarks/reproduction.py skart-reproduction/drawn --n-paintings 540 \
		--no-cited --backbone EfficientNetLite0 --size 32 --pretrained-size 96 --epochs 2 \
		--n-networks 1 --n-heads 2 --head-epochs 10
	$(BIN)/python benchmarks/serving.py --rounds 20 --requests 160 --memory-requests 160

fuzz: $(VENV)/installed  ## Decode damaged image files for five minutes
	$(BIN)/python tests/fuzz_decoder.py --seconds 300 $(ARGS)

format: $(VENV)/installed  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Delete the environment and all that was made
	rm -rf $(VENV) .venv-* dist skart-demo skart-reproduction skart-gallery fuzz-findings \
		.pytest_cache .ruff_cache
	rm -rf docs/_build docs/gallery docs/api/generated examples/skart-gallery \
		docs/sg_execution_times.rst
