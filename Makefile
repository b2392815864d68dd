# One door: everything a developer or CI does is a target here. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
LAYER := layers/auth_jwt
export AWS_DEFAULT_REGION ?= eu-central-1
export SAM_CLI_TELEMETRY := 0

# The newest of 3.13, 3.12, 3.11 that runs and can make environments (a name on PATH may be a shim that fails).
# PYTHON=/path/to/python overrides the search.
define find_python
for minor in 13 12 11; do \
  for p in $(or $(PYTHON),python3.$$minor "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor.*/bin/python3 python3); do \
    "$$p" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, $$minor))" >/dev/null 2>&1 && { echo "$$p"; break 2; }; \
  done; \
done
endef

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements-dev.txt $(LAYER)/requirements.txt
	@python=$$($(find_python)); \
	if [ -z "$$python" ]; then echo "No Python 3.11, 3.12 or 3.13 found. Install one, or call: make $(MAKECMDGOALS) PYTHON=/path/to/python3.13" >&2; exit 1; fi; \
	echo "Installing into $(VENV) with $$("$$python" --version) ..."; \
	"$$python" -m venv --clear $(VENV) && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Make .venv with everything pinned

.PHONY: demo
demo: install ## Run every file of events/ through the real handlers against DynamoDB in memory
	@$(PY) -m events.demo

.PHONY: test
test: install ## Run the tests (ARGS="-k window" and the like are passed on)
	@$(PY) -m pytest $(ARGS)

.PHONY: conformance
conformance: install ## Run the recorded OpenSIPS cases and print their count
	@$(PY) -m pytest -q tests/conformance

.PHONY: format
format: install ## Put the code into its format
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

.PHONY: lint
lint: install ## Format and lint, changing nothing
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .

.PHONY: types
types: install ## Strict types
	@$(PY) -m mypy

.venv-sam/.installed: requirements-sam.txt
	@python=$$($(find_python)); echo "Installing the SAM CLI into .venv-sam ..."; \
	"$$python" -m venv --clear .venv-sam && \
	.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sam.txt
	@touch $@

.PHONY: template
template: .venv-sam/.installed ## sam validate --lint
	@.venv-sam/bin/sam validate --lint

.PHONY: check
check: lint types template ## Everything CI checks: format, lint, types, template, and all tests with their coverage
	@$(MAKE) --no-print-directory test ARGS="-q --cov --cov-report=term --cov-fail-under=95"

.PHONY: bench
bench: install ## Measure the handler, cold and warm, as ratios within one run
	@$(PY) -m tests.benchmarks.handler $(ARGS)

.PHONY: lock
lock: install ## Write the pinned requirements anew from pyproject.toml
	@$(PY) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv==0.13.9
	@compile="env -u PIP_FIND_LINKS .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --upgrade"; \
	$$compile pyproject.toml -o $(LAYER)/requirements.txt && \
	$$compile pyproject.toml --group dev -c $(LAYER)/requirements.txt -o requirements-dev.txt && \
	$$compile --group sam -o requirements-sam.txt && \
	$$compile --group mutation -o requirements-mutation.txt
	@rm -rf .venv-lock

.PHONY: clean
clean: ## Remove what was made here
	@rm -rf .venv .venv-* .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build
