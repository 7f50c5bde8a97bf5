# Two commands: `make demo` shows the product, `make test` proves it. Both do all the set-up.

VENV    := .venv
BIN     := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV     := $(VENV)/.dev
PYTHON  ?= $(shell command -v python3.11 || command -v python3)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check bench audit lock clean

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(RUNTIME) ## Start the demonstration: simulated communes, recorder, console on http://localhost:8080
	@exec $(BIN)/vms demo

test: $(DEV) ## Install what is missing, then run every check and every test of CI
	@tests/requirements.sh
	@$(MAKE) --no-print-directory check
	$(BIN)/pytest -q -m "not long"

test-long: $(DEV) ## Faults, fuzzing and soak: minutes to an hour
	@tests/requirements.sh
	$(BIN)/pytest -q -m long --timeout 3600

check: $(DEV) ## Lint, types, known holes in dependencies (import contracts are among the tests)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/known_holes.py requirements.lock requirements-dev.lock

bench: $(DEV) ## Measure, as JSON on standard output
	@tests/requirements.sh >&2
	@$(BIN)/vms bench all --json

lock: $(DEV) ## Resolve the dependencies anew, with hashes
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra build --universal --generate-hashes -p 3.11 -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra build --extra dev -c requirements.lock --universal --generate-hashes -p 3.11 -o requirements-dev.lock

clean: ## Remove the virtual environment and the demonstration's data
	rm -rf $(VENV) var/demo

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
		rm -rf $(VENV); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing python3-venv"; apt-get update -q >/dev/null && apt-get install -y -q python3-venv >/dev/null; \
		else \
			echo "The package python3-venv is missing. Install it as root: apt-get install python3-venv"; exit 1; \
		fi; \
		$(PYTHON) -m venv $(VENV); }

$(RUNTIME): requirements.lock pyproject.toml $(VENV)/bin/pip
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
