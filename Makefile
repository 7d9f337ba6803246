# make demo | make test | make bench; each installs what it needs into .venv first. GNU make, Python 3.11+, git.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# the first interpreter that is new enough and can make virtual environments
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
DISTRICT := examples/district
DEMO_OUT := demo-out

.PHONY: help demo test lint types unit kernels bench install clean

help:  ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11+ with venv found: install it (Debian: apt-get install python3-venv) or give PYTHON=path"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.run: pyproject.toml | .venv/bin/python
	@echo 'installing into .venv (a minute or two, once)'
	$(PIP) install --quiet --editable .
	@touch $@

# sumo-rl only for the road networks inside it: without its dependencies (deep learning)
.venv/.dev: .venv/.run
	$(PIP) install --quiet --editable '.[dev]'
	$(PIP) install --quiet --no-deps sumo-rl
	@touch $@

install: .venv/.dev  ## everything for working on the engine, into .venv

demo: .venv/.run  ## the main job on the bundled example; results in demo-out/
	$(BIN)/its optimize $(DISTRICT)/network.net.xml.gz --detectors $(DISTRICT)/detectors.csv \
		--counts $(DISTRICT)/counts.parquet --begin 07:30 --end 08:30 --out $(DEMO_OUT)

test: lint types kernels unit  ## lint, types and all tests

lint: .venv/.dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev  ## mypy, strict
	$(BIN)/mypy

# small networks: as plain Python, then compiled with every index checked (its own cache: compiled code differs)
kernels: .venv/.dev  ## kernel tests without compilation and with bounds checks
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -m kernel
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=build/numba-boundscheck $(BIN)/python -m pytest -q -m kernel

unit: .venv/.dev  ## all tests, two at a time
	$(BIN)/python -m pytest -q -n 2 --durations=10

bench: .venv/.dev  ## every benchmark in its quick form
	$(BIN)/python -m benchmarks all --quick

clean:  ## remove what make made
	rm -rf .venv build demo-out
