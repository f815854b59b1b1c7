# Two commands for a fresh machine: `make demo` shows the main job, `make test` runs everything.
# Both make what they need (.venv, .tools) and are quick when it is there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
WHEEL_VENV := .venv-wheel
WORKERS ?= 2
PIP := -m pip --disable-pip-version-check -qq

# The promptfoo programs the tests run: the last for Node 20, and a newer one with its own Node 22.
PROMPTFOO_OLD := 0.121.20
PROMPTFOO_NEW := 0.123.1
NODE := 22.23.3
LIBSQL := 0.5.29
PLATFORM := $(shell uname -s | tr '[:upper:]' '[:lower:]')-$(subst aarch64,arm64,$(subst x86_64,x64,$(shell uname -m)))
LIBSQL_BINDING := @libsql/$(PLATFORM)$(if $(findstring linux,$(PLATFORM)),-gnu)@$(LIBSQL)
NPM := npm install --no-audit --no-fund --no-package-lock --loglevel=error
LEAN := --omit=optional --omit=peer --ignore-scripts

SOURCES = $(shell find core plugins shims -name '*.py' -not -path '*/__pycache__/*') pyproject.toml README.md LICENSE

.PHONY: help demo test lint format unit wheel tools venv bench study clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: $(VENV)/.demo ## set up and run the main job on the example logs
	@$(BIN)/panopt demo

test: lint unit wheel ## set up and run everything: lint, tests, the wheel's minimal install

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: $(VENV)/.dev tools ## the tests, with the real inspect and promptfoo
	$(BIN)/python -m pytest -n $(WORKERS)

wheel: $(WHEEL_VENV)/.ready ## build the wheel and try it in an environment of its own
	$(WHEEL_VENV)/bin/python tests/wheel/minimal_install.py

tools: .tools/.promptfoo-$(PROMPTFOO_OLD) .tools/.promptfoo-$(PROMPTFOO_NEW)-node-$(NODE) ## install both promptfoo programs under .tools

venv: $(VENV)/.dev ## the environment for development

bench: $(VENV)/.dev ## compare with the peers (minutes; not part of test)
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench; done

study: $(VENV)/.dev ## make the numbers of examples/trust_or_escalate and the README again (minutes)
	$(BIN)/python examples/trust_or_escalate/study.py --readme

clean: ## remove what these targets made
	rm -rf $(VENV) $(WHEEL_VENV) .tools build dist panopt-out *.egg-info core/*.egg-info \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis

# An environment: the first Python that is 3.11 or newer makes it (PYTHON=... names another).
define make_venv
	python=; \
	for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "panopt needs Python 3.11 or newer; found $$(python3 --version 2>&1 || true). Name one: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	"$$python" -m venv $(1); \
	$(1)/bin/python $(PIP) install --upgrade 'pip>=25.1'
endef

$(BIN)/python:
	@echo "making $(VENV)"
	@$(call make_venv,$(VENV))

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "installing panopt into $(VENV)"
	@$(BIN)/python $(PIP) install --editable '.[inspect]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing panopt and its development groups into $(VENV)"
	@$(BIN)/python $(PIP) install --editable '.[inspect]' --group dev
	@touch $@ $(VENV)/.demo

# The wheel, installed alone: what a user gets from `pip install panopt`, without Inspect.
dist/.built: $(SOURCES) | $(BIN)/python
	@rm -rf build dist
	@$(BIN)/python $(PIP) wheel --no-deps --wheel-dir dist .
	@rm -rf build
	@touch $@

$(WHEEL_VENV)/bin/python:
	@echo "making $(WHEEL_VENV)"
	@$(call make_venv,$(WHEEL_VENV))

$(WHEEL_VENV)/.ready: dist/.built | $(WHEEL_VENV)/bin/python
	@$(WHEEL_VENV)/bin/python $(PIP) install dist/*.whl
	@$(WHEEL_VENV)/bin/python $(PIP) install --force-reinstall --no-deps dist/*.whl
	@touch $@

.tools/.node-checked:
	@if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then \
	  echo "the tests need Node 20 or newer and npm; found $$(node --version 2>&1 || true)" >&2; exit 1; \
	fi
	@mkdir -p .tools && touch $@

.tools/.promptfoo-$(PROMPTFOO_OLD): | .tools/.node-checked
	@echo "installing promptfoo $(PROMPTFOO_OLD)"
	@rm -rf .tools/promptfoo-0.121 .tools/.promptfoo-0.121* && mkdir -p .tools/promptfoo-0.121
	@cd .tools/promptfoo-0.121 && echo '{"private": true}' > package.json && \
	  $(NPM) $(LEAN) promptfoo@$(PROMPTFOO_OLD) $(LIBSQL_BINDING)
	@touch $@

.tools/.promptfoo-$(PROMPTFOO_NEW)-node-$(NODE): | .tools/.node-checked
	@echo "installing promptfoo $(PROMPTFOO_NEW) and Node $(NODE)"
	@rm -rf .tools/promptfoo-0.123 .tools/.promptfoo-0.123* && mkdir -p .tools/promptfoo-0.123
	@cd .tools/promptfoo-0.123 && echo '{"private": true}' > package.json && \
	  $(NPM) node@$(NODE) && $(NPM) $(LEAN) promptfoo@$(PROMPTFOO_NEW) $(LIBSQL_BINDING)
	@touch $@
