# Three commands: `make demo` shows what the package does, `make test` checks it,
# `make docs` builds the site. They need Python >= 3.11 and make, and set up .venv by
# themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE := docs/_build/html
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test docs test-oldest benchmark quality format clean

help:
	@echo "make demo         distil ten networks, print a table, save a figure"
	@echo "make test         ruff, mypy, tests and doctests"
	@echo "make docs         the site, in $(SITE); its examples are run"
	@echo "make test-oldest  the tests on the oldest supported versions"
	@echo "make benchmark    the speed table"
	@echo "make quality      what distilling keeps, on the tables of a folder DATA=..."
	@echo "make format       let ruff rewrite the code"
	@echo "make clean        remove .venv and what tools left behind"

demo: $(VENV)/.ready-demo
	@$(BIN)/python examples/plot_quickstart.py

test: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

docs: $(VENV)/.ready-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs $(SITE)
	@echo "The site's first page is $(SITE)/index.html"

test-oldest: $(VENV)-oldest/.ready
	$(VENV)-oldest/bin/python -m pytest -W default

benchmark: $(VENV)/.ready-demo
	$(BIN)/python benchmarks/speed.py

quality: $(VENV)/.ready-dev
	@test -n "$(DATA)" || { echo "Say where the tables are: make quality DATA=folder" >&2; exit 1; }
	$(BIN)/python benchmarks/quality.py --data "$(DATA)"

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-oldest .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	  docs/_build docs/auto_examples docs/generated docs/sg_execution_times.rst

# Each stamp is newer than the files that decide what is installed: a second run
# installs nothing.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "sk_distill needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) --version)." \
	       "Say which one to use: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready-demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing sk_distill and what it needs (once) ..."
	@$(PIP) --constraint constraints.txt --editable '.[plot]'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready-demo
	@echo "Installing the tools for development (once) ..."
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.ready-docs: $(VENV)/.ready-demo
	@echo "Installing the tools for the site (once) ..."
	@$(PIP) --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(VENV)-oldest/.ready: $(VENV)/.python pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip --disable-pip-version-check install --quiet \
	  --constraint constraints-oldest.txt --editable '.[test]'
	@touch $@
