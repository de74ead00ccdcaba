# Each target makes its own virtual environment and needs nothing but Python 3.11+ with pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

STUDY ?= runs/study-1

.PHONY: study pictures test test-slow test-long test-fused test-browser test-tables test-services test-oldest test-newest lint types parity docs notebooks bench fuzz clean

study: $(READY)  ## mlp-flash, then the reference study: four networks, 1,100 updates each, pictures
	$(BIN)/handloom train --recipe mlp-flash
	$(BIN)/handloom reproduce --batch-size 6000

pictures: $(READY)  ## the pictures of the README, of the study in STUDY
	$(BIN)/python -m docs.pictures --study $(STUDY)

test: $(READY)  ## the default test suite; compiled first, once, is what its processes would each compile
	$(BIN)/handloom compile
	$(BIN)/python -m pytest -m "not slow and not long and not browser" $(PARALLEL)

test-slow: $(READY)  ## the tests that take some seconds each
	$(BIN)/python -m pytest -m "slow and not long and not browser" $(PARALLEL)

test-long: $(READY)  ## everything, the slow checks included
	$(BIN)/python -m pytest

test-fused: $(READY)  ## training tests on the fused backend, however short the training
	$(BIN)/python -m pytest -m "not long" --fused $(PARALLEL) tests/training tests/optimizers tests/test_model.py

test-oldest: $(READY)  ## wheel and sdist, with the oldest versions that pyproject.toml allows
	$(BIN)/python -m release oldest

test-newest: $(READY)  ## wheel and sdist, with the newest versions, on every Python there is
	$(BIN)/python -m release newest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

parity: $(READY)  ## the comparisons with PyTorch, which is installed for them alone
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pytest -m parity

test-browser: $(READY)  ## reports, and models in ONNX Runtime, in Chromium, which apt installs where it can; skipped, and said, without it
	@command -v chromium >/dev/null || (timeout 60 apt-get update -qq && timeout 240 apt-get install -y -qq chromium) >/dev/null 2>&1 || true
	@if command -v chromium >/dev/null; then \
	  $(BIN)/python -c "import pytest_playwright" 2>/dev/null || \
	    $(BIN)/python -m pip install --quiet --editable '.[browser]'; \
	  if command -v npm >/dev/null; then \
	    timeout 120 npm install --prefix build/npm --silent --no-audit --no-fund axe-core@4 typescript@5 onnxruntime-web@1 || \
	      echo "axe-core, tsc and onnxruntime-web cannot be installed: their tests are skipped"; \
	  else echo "node is not there: the tests with axe-core, tsc and onnxruntime-web are skipped"; fi; \
	  $(BIN)/python -m pytest -m "browser or not browser" tests/reporting tests/interop/test_in_a_browser.py; \
	else echo "test-browser is skipped: there is no chromium, and apt cannot install it"; fi

test-tables: $(READY)  ## data from polars and pyarrow, which are installed for these tests alone
	$(BIN)/python -c "import polars, pyarrow" 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[tables]'
	$(BIN)/python -m pytest -m "not long" tests/data tests/estimators/test_wrong_data.py tests/test_model.py

test-services: $(READY)  ## logs for TensorBoard and MLflow, a service, skops: installed for these tests alone
	$(BIN)/python -c "import tensorboardX, tensorboard, mlflow, sqlalchemy, alembic, fastapi, uvicorn, httpx, skops" 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --editable '.[services]'
	$(BIN)/python -m pytest tests/training/callbacks/test_tensorboard_log.py \
	  tests/training/callbacks/test_mlflow_log.py tests/cli/test_logs.py \
	  tests/interop/test_service.py
	$(BIN)/python -m pytest tests/test_documentation.py -k "leaving and examples"

docs: $(READY)  ## the site in build/docs: guides, derivations and the API reference; warnings are errors
	$(BIN)/python -c "import furo" 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going --nitpicky --quiet -b html docs build/docs
	@echo "build/docs/index.html"

notebooks: $(READY)  ## the notebooks in build/notebooks, executed, for Jupyter
	$(BIN)/python -c "import jupytext, ipykernel" 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[docs]'
	@mkdir -p build/notebooks
	cd docs/notebooks && for page in [a-z]*.md; do \
	  ../../$(BIN)/python -m jupytext --quiet --to ipynb --execute --output "../../build/notebooks/$${page%.md}.ipynb" "$$page" || exit 1; \
	done
	@echo "build/notebooks"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Handloom needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[all,dev]'
	@touch $@

bench: $(READY)  ## Handloom beside PyTorch, JAX and scikit-learn, in one run
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -c "import jax" 2>/dev/null || $(BIN)/python -m pip install --quiet jax
	$(BIN)/python -m benchmarks

fuzz: $(READY)  ## a hundred thousand hostile files for every reader, with atheris (Linux)
	$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m fuzz

clean:
	rm -rf $(VENV) dist build docs/reference/*.rst
