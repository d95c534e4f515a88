# Everything starts here. `make demo` and `make test` do all set-up themselves.
PYTHON ?= python3
VENV ?= .venv

STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest
# Folders of tests that wait for what they started: one Ray for all of them, servers, processes.
# `submission`, which has a cluster of its own, is not among them: so both halves take about as long.
WAITING := docs faults ray s3

# Ray reports usage to its makers and draws progress bars unless told otherwise.
export RAY_USAGE_STATS_ENABLED := 0
export RAY_DATA_DISABLE_PROGRESS_BARS := 1
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-that-wait test-that-compute test-unit test-ray test-s3 test-slow faults check format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv (the others do it themselves)

# Made anew whenever a pin changes; the stamp comes last, so half an installation never counts.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
	    { echo "$(PYTHON) is not there; name another: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "Python 3.11 or later is needed, and $(PYTHON) is %d.%d; name another: make PYTHON=python3.11 ..." \
	    % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Score a small set of images from end to end, offline
	$(RUN) jobs/demo.py

test: $(STAMP) ## Run the tests, all but the slow ones
	@$(MAKE) --no-print-directory -j2 test-that-wait test-that-compute

# Side by side: the ones wait for Ray, servers and processes most of the time, and take longer. So
# the others, whose words come in one piece at the end, stand back, as Ray's workers do (nice 15).
test-that-wait: $(STAMP)
	$(PYTEST) $(addprefix tests/,$(WAITING))

# What was said so far is printed when the tests are ended from outside, too.
test-that-compute: $(STAMP)
	@said=$$(mktemp) && trap 'cat "$$said"; rm -f "$$said"' EXIT && trap 'exit 130' INT && trap 'exit 143' TERM; \
	    PYTHONUNBUFFERED=1 nice -n 10 $(PYTEST) -p no:cacheprovider \
	    $(addprefix --ignore=tests/,$(WAITING)) >"$$said" 2>&1

test-unit: $(STAMP) ## Run the tests that need neither Ray nor a server
	$(PYTEST) tests/unit

test-ray: $(STAMP) ## Run the tests on a local Ray
	$(PYTEST) tests/ray

test-s3: $(STAMP) ## Run the tests against a real S3 server (Ceph's where installed, else moto)
	$(PYTEST) tests/s3

test-slow: $(STAMP) ## Run every test, the slow ones as well
	@$(MAKE) --no-print-directory -j2 test-that-wait test-that-compute PYTEST='$(PYTEST) --run-slow'

check: $(STAMP) ## Check format, lint, types, the direction of imports and the files in cluster/
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m tests.cluster.check

format: $(STAMP) ## Format the code and mend what the linter can mend
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

faults: $(STAMP) ## Do to runs all that docs/faults.md tells of, and print its table (half an hour)
	$(PYTEST) --run-slow tests/faults

clean: ## Remove caches and the demo's output; .venv stays
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache demo-output *.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
