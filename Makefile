# What a person types. `make run` and `make test` need Python 3.11 or newer (with venv) and make, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
STAMP := .venv/installed-from
ROOMS := market eventlog services stack

# The first Python that is new enough.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

.PHONY: run
run: setup  ## start everything here and stay in front; Ctrl-C stops it
	@$(BIN)/kwartier up

.PHONY: stop
stop: setup  ## stop what runs here
	@$(BIN)/kwartier down

.PHONY: setup
setup:  ## set up .venv; again only when requirements.lock or pyproject.toml changed
	@if ! cat requirements.lock pyproject.toml | cmp -s - $(STAMP) || ! $(BIN)/python -c '' 2>/dev/null; then \
	  $(MAKE) install; fi

.PHONY: install
install:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed: install it, then type make again" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$(PYTHON) has no venv: install it (Debian: apt install python3-venv), then type make again" >&2; exit 1; fi
	@if ! $(BIN)/python -c '' 2>/dev/null; then rm -rf .venv; $(PYTHON) -m venv .venv; fi
	@$(BIN)/python -I -B stack/install.py
	@cat requirements.lock pyproject.toml > $(STAMP)

.PHONY: test
test: lint types  ## every check and test that can run here
	@$(BIN)/python -m stack.apicurio  # 158 MB, once; here, where progress is seen
	@$(BIN)/pytest -n 3 --dist loadfile tests/faults tests/integration tests/contract tests/unit
	@$(BIN)/pytest tests/browser

.PHONY: lint
lint: setup  ## style, format and the import rules
	@echo "style" && $(BIN)/ruff check --quiet
	@echo "format" && $(BIN)/ruff format --check --quiet
	@echo "import rules" && $(BIN)/lint-imports --no-cache >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }

.PHONY: types
types: setup  ## mypy, strict
	@echo "types" && $(BIN)/mypy --no-error-summary

.PHONY: contract
contract: setup  ## the tests of schemas and other contracts
	@$(BIN)/pytest tests/contract

.PHONY: integration
integration: setup  ## the tests on a real Kafka and PostgreSQL
	@$(BIN)/python -m stack.apicurio  # 158 MB, once; here, where progress is seen
	@$(BIN)/pytest tests/integration tests/faults

.PHONY: nightly
nightly: setup  ## what takes too long for each change: a million damaged payloads
	@DAMAGED_PAYLOADS=1000000 $(BIN)/pytest --timeout 3600 tests/unit/test_decoding_damage.py

.PHONY: browser
browser: setup  ## the portal in a real browser
	@$(BIN)/pytest tests/browser

.PHONY: faults
faults: setup  ## ten minutes of kills, freezes and outages on real servers; SEED=N for the same faults again
	@$(BIN)/python -m tests.faults.drill $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: setup  ## the benchmarks in their short forms; each prints a table; the first time their peers are fetched
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --only-binary :all: -r requirements-bench.lock \
	  || echo "not all peers could be fetched: the tables say who is missing"
	@for each in bench/*.py; do $(BIN)/python "$$each" --short; done
