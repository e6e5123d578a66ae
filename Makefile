# Everything happens in .venv; uv (from PyPI) installs exactly what uv.lock names.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
export UV_PROJECT_ENVIRONMENT := .venv
# the terminal extra has no wheel for musl or Windows; everything else works without it
SYNC := $(UV) sync --quiet --frozen --inexact

.DEFAULT_GOAL := help
.PHONY: help demo install test lint types contracts format docker-test agents backends bench soak picture wheel clean

help:  ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cabtrace needs Python 3.11 or later; try make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/.installed: pyproject.toml uv.lock | $(BIN)/python
	$(SYNC) --no-dev --extra terminal || $(SYNC) --no-dev
	@touch $@

.venv/.dev: pyproject.toml uv.lock | $(BIN)/python
	$(SYNC) --group dev --extra terminal || $(SYNC) --group dev
	@touch $@ .venv/.installed

install: .venv/.installed  ## install cabtrace into .venv

demo: .venv/.installed  ## run two cells for real, one passes and one fails, and replay the failing one
	$(BIN)/cabtrace demo

test: .venv/.dev  ## run the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

docker-test: .venv/.dev  ## run the tests that need a Docker engine
	CABTRACE_REQUIRE_DOCKER=1 $(BIN)/python -m pytest -m docker

agents:  ## install the agents' real CLIs at pinned versions, once; prints the folder that the tests want on PATH
	@bash .ci/agents.sh

backends:  ## build real Jaeger, Tempo and Collector from their Go modules, once; prints the folder that the tests want on PATH
	@bash .ci/backends.sh

lint: .venv/.dev types contracts  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

contracts: .venv/.dev
	$(BIN)/lint-imports

format: .venv/.dev  ## format the code
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/.dev  ## measure, beside peers in the same run
	$(BIN)/python -m benchmarks

soak: .venv/.dev  ## the long versions of the crash, fault and fuzz tests
	CABTRACE_SOAK=1 $(BIN)/python -m pytest tests/crash tests/property tests/security -n auto --timeout 3600

picture: .venv/.installed  ## make the picture of the README anew
	$(BIN)/python docs/picture.py

wheel: .venv/.dev  ## build the wheel
	$(UV) build --quiet --wheel --out-dir dist

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
