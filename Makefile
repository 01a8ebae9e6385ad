# The interface for contributors. Every target does its own set-up, in .build/venv.
.DEFAULT_GOAL := help
.PHONY: help demo test lint fuzz bench golden lockfiles docs clean

VENV := .build/venv
BIN := $(VENV)/bin
# The interpreter for the virtual environment: make test PYTHON=python3.12
PYTHON ?=
# Options for pytest: make test ARGS='-k archive'
ARGS ?=
# Options for the fuzzer: make fuzz FUZZ='metadata --seconds 600'
FUZZ ?=
# Options for the benchmarks: make bench BENCH='--runs 3 --only registry'
BENCH ?=

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/ready-test ## Pull, create and diff for real, in demo/, whose files stay
	@$(BIN)/python -m tests.imagekit.tour demo

test: $(VENV)/ready-test ## All tests; those that need an engine or an index say so where there is none
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: $(VENV)/ready-lint ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(VENV)/ready-fuzz ## Feed the parsers with damaged input, a minute each (Linux on x86-64)
	@$(BIN)/python -m tests.fuzz $(FUZZ)

bench: $(VENV)/ready-bench ## Measure side by side with syft, uv, pip and rattler; writes bench/results.md
	@$(BIN)/python -m bench $(BENCH)

golden: docs ## Write anew what tests compare with, and show what changed
	ENVSYNC_UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/report
	@git --no-pager diff --stat

docs: $(VENV)/ready-test ## Write the JSON Schemas, the CLI reference and the published locks
	$(BIN)/python docs/generate.py

lockfiles: $(VENV)/ready-test ## Pull every official image that is not gone (needs Docker Hub)
	$(BIN)/envsync pull --all --lockfiles lockfiles

clean: ## Remove what the other targets made here (.build, demo)
	rm -rf .build demo

# One stamp a dependency group; made anew when the dependencies may have changed.
$(VENV)/ready-test $(VENV)/ready-lint $(VENV)/ready-fuzz $(VENV)/ready-bench: $(VENV)/ready-%: pyproject.toml .ci/setup
	@PYTHON='$(PYTHON)' sh .ci/setup $(VENV) $*
	@touch $@
