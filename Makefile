# Two commands: `make dashboard` and `make test`. Both set up .venv by themselves; second runs need no network.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 5006
# SHOW= (empty) starts the server without opening a browser
SHOW ?= --show
# two workers, whole files each: module fixtures such as the small dataset are built once
PYTEST_ARGS ?= -n 2 --dist loadfile
# two processes with two threads each would share two cores badly; the browser has the machine to itself
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
SPHINX := $(BIN)/python -m sphinx --keep-going -q
# real sample files, where a checkout has them beside it; CRANPM_REAL_DATA overrides
REAL_DATA := $(wildcard ../shared/data)
export CRANPM_REAL_DATA ?= $(if $(REAL_DATA),$(abspath $(REAL_DATA)))
# the first of these that runs and is new enough
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done; true)

.PHONY: help install dashboard lab test browser lint format notebooks docs linkcheck demo constraints clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

install: $(STAMP)  ## create .venv with everything, at the versions of constraints.txt

# Without build isolation nothing is fetched for the editable install itself, so a changed pyproject.toml
# whose requirements are already there needs no network either.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Expected Python 3.11 or newer, found none. Install it, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV) (some minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt setuptools
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

dashboard: $(STAMP)  ## serve the dashboard (PORT=5006, SHOW= for no browser)
	$(BIN)/cranpm dashboard --port $(PORT) $(if $(SHOW),--show,--no-show)

lab: $(STAMP)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_first_forecast.ipynb

test: $(STAMP) browser  ## run all tests, browser tests included
	$(ONE_THREAD) $(BIN)/python -m pytest $(PYTEST_ARGS) --ignore tests/browser
	$(ONE_THREAD) $(BIN)/python -m pytest tests/browser

browser:
	@if command -v chromium chromium-browser google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "NO CHROMIUM: the browser tests will be skipped (in CI they fail). Install one, e.g. as root: apt-get install chromium"; fi

lint: $(STAMP)  ## ruff, mypy and the import arrows
	$(BIN)/ruff check cranpm dashboard tests scripts
	$(BIN)/ruff format --check cranpm dashboard tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)  ## let ruff rewrite the code's layout
	$(BIN)/ruff check --fix cranpm dashboard tests scripts
	$(BIN)/ruff format cranpm dashboard tests scripts

notebooks: $(STAMP)  ## execute every notebook (results are thrown away)
	$(BIN)/jupyter execute notebooks/*.ipynb

docs: $(STAMP)  ## build the documentation into docs/_build/html (executes the notebooks; offline)
	$(SPHINX) -b html -W docs docs/_build/html

linkcheck: $(STAMP)  ## try every link of the documentation that leads outside (needs internet)
	$(SPHINX) -b linkcheck -D nb_execution_mode=off docs docs/_build/linkcheck

demo: $(STAMP)  ## train the demo checkpoint on the testbed again
	$(BIN)/python scripts/train_demo.py

constraints: $(STAMP)  ## rewrite constraints.txt from what is installed
	@{ head -n 2 constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' \
		| sed -E 's/(==[^+]*)\+.*/\1/' | LC_ALL=C sort -f; } > constraints.new && mv constraints.new constraints.txt

clean:  ## remove caches and build products (.venv and data/ stay)
	rm -rf build dist out docs/_build docs/reference/api docs/reference/generated docs/tutorials/*.ipynb ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis lightning_logs
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
