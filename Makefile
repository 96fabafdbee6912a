.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help report test test-slow check bench mutation schemas lock clean

help: ## List what there is to make.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "wetread needs Python 3.11 to 3.13, this is %d.%d. Try: make PYTHON=python3.12 report" % v[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@$(BIN)/python -m compileall -q agents tools prompts scenarios wetread  # so that the first command starts as fast as the next
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e '.[dev]'
	@touch $@

report: $(VENV)/.installed ## Install, then draft the report of a real radiograph offline, from a recorded scenario.
	$(BIN)/wetread run rg1-language-model --show --out wetread-out/rg1

test: $(VENV)/.installed-dev ## Install, then run the tests, all but the slow ones.
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow'

test-slow: $(VENV)/.installed-dev ## Run the slow tests: kills by the dozen, a real archive, whole terminals.
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

check: $(VENV)/.installed-dev ## Lint and type-check.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-dev ## Measure: prints a table, writes benchmarks/results/latest.json.
	$(BIN)/python -m benchmarks

mutation: $(VENV)/.installed-dev ## Plant errors in clean reports; print what the checks catch, per class.
	$(BIN)/python -m wetread.testing.mutation_proof tests/data/clean_reports.jsonl

schemas: $(VENV)/.installed-dev ## Write the published JSON Schemas anew.
	$(BIN)/python -m wetread.reports.schema

lock: $(VENV)/.installed-dev ## Pin all dependencies anew, for Python 3.11 to 3.13.
	$(PIP) uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate -q -o constraints.txt --upgrade

clean: ## Remove the virtual environment and what tools left behind.
	rm -rf $(VENV) build wetread.egg-info .pytest_cache .mypy_cache .ruff_cache wetread-out
