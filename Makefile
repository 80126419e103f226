# Personalize. `make` alone says what there is.
# Only Python 3.11 to 3.13 and make are assumed: everything else goes into .venv.

PYTHON ?= $(firstword $(foreach v,python3.13 python3.12 python3.11 python3,$(if $(shell $(v) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo yes),$(v))))
BIN := .venv/bin
ARGS ?=
# Tests run beside each other, three processes on two cores, for many wait; those that judge by time come last.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) '*' 3 / 2)
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run test coverage soak check bench lock snippet format clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: .venv/run.stamp ## Run the service on http://127.0.0.1:8000 against the sandbox
	@$(BIN)/personalize serve --sandbox $(ARGS)

test: .venv/dev.stamp ## Run every test that this machine can run; what is skipped is listed with its reason
	@$(PYTEST) $(ARGS)

coverage: .venv/dev.stamp ## Measure which lines and branches tests of units and recipes reach; less than 95 % is an error
	@$(PYTEST) --cov --cov-report= tests/unit tests/recipes $(ARGS)
	@$(BIN)/python -m coverage report

soak: .venv/dev.stamp ## Watch the service for ten minutes under load and random faults; ARGS="--minutes 2" for less
	@$(BIN)/python -m tests.faults.soak $(ARGS)

check: .venv/dev.stamp ## Check format, lint, types, layers, dependencies and dead code
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/layers.txt || { cat .venv/layers.txt; exit 1; }
	@$(BIN)/deptry personalize > .venv/deptry.txt 2>&1 || { cat .venv/deptry.txt; exit 1; }
	@$(BIN)/vulture
	@$(BIN)/python -m tests.audit
	@echo "make check: all is well"

bench: .venv/dev.stamp ## Measure the service beside its limit and its alternatives, some ten minutes; ARGS=--quick to try, JSON in artefacts/
	@command -v wrk >/dev/null || { echo "The load comes from wrk: install it (the package wrk on Debian)."; exit 1; }
	@$(BIN)/python -m tests.bench $(ARGS)

lock: .venv/dev.stamp ## Renew deploy/*requirements.txt, by which the image is made: versions and their hashes
	@$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--quiet --output-file deploy/requirements.txt
	@printf 'hatchling>=1.27\nuv>=0.8\n' | $(BIN)/uv pip compile - --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--quiet --output-file deploy/build-requirements.txt

snippet: tests/browser/node_modules ## Make personalize.js, which browsers get, of snippet.js (with npm)
	@tests/browser/node_modules/.bin/terser personalize/static/snippet.js --config-file tests/browser/terser.json --output personalize/static/personalize.js

format: .venv/dev.stamp ## Format the code and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

clean: ## Remove what make and the tools have made
	@rm -rf .venv build dist artefacts tests/browser/node_modules .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

tests/browser/node_modules: tests/browser/package.json tests/browser/package-lock.json
	@npm ci --silent --prefix tests/browser
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Personalize needs Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: name another with make PYTHON=..."; exit 1; }
	@echo "Making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv || { echo "This Python cannot make a virtual environment: install its venv package (python3-venv on Debian)."; rm -rf .venv; exit 1; }

.venv/run.stamp: pyproject.toml | .venv/bin/python
	@echo "Installing what the service needs (once; a minute at most)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	@echo "Installing what the service and its tests need (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/run.stamp
