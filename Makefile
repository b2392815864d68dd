# One door: everything a developer or CI does is a target here. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
LAYER := layers/auth_jwt
export AWS_DEFAULT_REGION ?= eu-central-1
export SAM_CLI_TELEMETRY := 0

# The newest of 3.13, 3.12, 3.11 that runs and can make environments (a name on PATH may be a shim that fails).
# PYTHON=/path/to/python overrides the search. $(call find_python,13) takes no other than 3.13.
define find_python
for minor in $(or $(1),13 12 11); do \
  for p in $(or $(PYTHON),python3.$$minor "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor.*/bin/python3 python3); do \
    "$$p" -c "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, $$minor))" >/dev/null 2>&1 && { echo "$$p"; break 2; }; \
  done; \
done
endef

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements-dev.txt $(LAYER)/requirements.txt
	@python=$$($(find_python)); \
	if [ -z "$$python" ]; then echo "No Python 3.11, 3.12 or 3.13 found. Install one, or call: make $(MAKECMDGOALS) PYTHON=/path/to/python3.13" >&2; exit 1; fi; \
	echo "Installing into $(VENV) with $$("$$python" --version) ..."; \
	"$$python" -m venv --clear $(VENV) && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt && \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Make .venv with everything pinned, the command auth-jwt included

.PHONY: demo
demo: install ## Run every file of events/ through the real handlers against DynamoDB in memory
	@$(PY) -m events.demo

# PORT, WORKERS, LOG, API_KEY, ADMIN, DB_URL and every setting, on the command line or in the environment: docs/local.md.
.PHONY: serve
serve: install ## Serve the API on 127.0.0.1:8080, with DynamoDB in memory and sample users (PORT=8081, ARGS=--help)
	@exec $(PY) -m serve $(ARGS)

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

.venv-lint/.installed: requirements-lint.txt
	@python=$$($(find_python)); echo "Installing cfn-lint and checkov into .venv-lint ..."; \
	"$$python" -m venv --clear .venv-lint && \
	.venv-lint/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-lint.txt
	@touch $@

# Python as Lambda has it: `sam build` wants a `python3.13` on PATH, and the end-to-end tests run the functions on it.
.venv-e2e/.installed: requirements-e2e.txt
	@python=$$($(call find_python,13)); \
	if [ -z "$$python" ]; then echo "No Python 3.13 found, and the functions run on no other. Install it, or call: make $(MAKECMDGOALS) PYTHON=/path/to/python3.13" >&2; exit 1; fi; \
	echo "Installing Lambda's runtime client into .venv-e2e ..."; \
	"$$python" -m venv --clear .venv-e2e && \
	.venv-e2e/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-e2e.txt
	@touch $@

# Each is silent about the network, and gets two minutes where there is a `timeout` (they need seconds).
BOUNDED := $(if $(shell command -v timeout),timeout 120)
TEMPLATES := template.yaml $(wildcard frontends/aws/*.yaml)
# Access logs are a parameter, so ES2000, which asks for them, is not asked there.
TRANSLATED := build/translated
.PHONY: template
template: install .venv-sam/.installed .venv-lint/.installed ## What SAM, cfn-lint and checkov say of the templates: nothing
	@echo "sam validate --lint"; $(BOUNDED) .venv-sam/bin/sam validate --lint
	@echo "cfn-lint, serverless rules"; $(BOUNDED) .venv-lint/bin/cfn-lint -t $(TEMPLATES) -a cfn_lint_serverless.rules
	@echo "cfn-lint, on what SAM makes of template.yaml by each of its combinations of parameters"; \
	  $(BOUNDED) $(PY) -m tests.template.translated $(TRANSLATED) && \
	  $(BOUNDED) .venv-lint/bin/cfn-lint -t $(TRANSLATED)/*.json -a cfn_lint_serverless.rules -i ES2000
	@echo "checkov"; $(BOUNDED) .venv-lint/bin/checkov -f $(TEMPLATES) --framework cloudformation --skip-download \
	  --skip-results-upload --quiet --compact

# $(call byte-code,TEMPLATE) compiles what `sam build` wrote beside TEMPLATE, for the places where Lambda unpacks it and
# lets nobody write: docs/decisions/0016.
COMPILE := .venv-e2e/bin/python -m compileall -q --invalidation-mode unchecked-hash
byte-code = $(COMPILE) -d /opt/python $(dir $(1))*Layer/python && $(COMPILE) -d /var/task $(dir $(1))*Function

# Without SAM's cache: its key is what is in the folders, and Make knows that as well.
ARTIFACTS := $(foreach architecture,x86_64 arm64,build/$(architecture)/artifact/template.yaml)
$(ARTIFACTS): build/%/artifact/template.yaml: .venv-sam/.installed .venv-e2e/.installed template.yaml samconfig.toml \
  Makefile $(shell find functions layers -name __pycache__ -prune -o -print)
	@echo "sam build, $*"
	@PATH="$(CURDIR)/.venv-e2e/bin:$$PATH" $(BOUNDED) .venv-sam/bin/sam build --no-cached \
	  --parameter-overrides Architecture=$* --build-dir $(@D) > /dev/null # which is advice; errors and progress come by stderr
	@$(call byte-code,$@)

.PHONY: build
build: $(ARTIFACTS) ## Build layer and functions for both architectures, into build/

# It takes a minute; after ten it is told to end, and ends what it started. A busy machine has needed five.
.PHONY: e2e
e2e: install build ## Run the built artifact under AWS's runtime emulator and make serve for real (ARGS go to pytest)
	@$(if $(BOUNDED),timeout --foreground --kill-after=30 600) $(PY) -m pytest tests/e2e/artifact tests/e2e/serve $(ARGS)
	@$(MAKE) --no-print-directory e2e-api

.venv-api/.installed: requirements-api.txt
	@python=$$($(find_python)); echo "Installing schemathesis into .venv-api ..."; \
	"$$python" -m venv --clear .venv-api && \
	.venv-api/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-api.txt
	@touch $@

# It takes a minute.
.PHONY: e2e-api
e2e-api: install .venv-api/.installed ## Send make serve what schemathesis makes of openapi.yaml, and check every answer
	@$(if $(BOUNDED),timeout --foreground --kill-after=30 600) $(PY) -m tests.e2e.serve.described

# Containers of this machine's own architecture.
MACHINE := $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
.PHONY: docker-engine
docker-engine: install
	@$(PY) -m serve.sam_local check

.PHONY: sam-local-invoke
sam-local-invoke: docker-engine build/$(MACHINE)/artifact/template.yaml ## Give a file of events/ to the built function in a container (EVENT=events/...; needs Docker)
	@exec $(PY) -m serve.sam_local invoke $(EVENT)

.PHONY: sam-local-api
sam-local-api: docker-engine build/$(MACHINE)/artifact/template.yaml ## Serve the API by built functions in containers (PORT=3000; needs Docker)
	@exec $(PY) -m serve.sam_local api

# A published version keeps the code, layer and settings it was published with, and SAM sees no change of a setting. So
# each release bears its own mark, in the functions' descriptions: docs/decisions/0012.
BUILT := .aws-sam/build/template.yaml
CONFIG_ENV := default
RELEASE := $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
.PHONY: mark
mark:
	@grep -q '(unreleased)' $(BUILT) || { echo "No '(unreleased)' in $(BUILT)" >&2; exit 1; }
	@sed 's/(unreleased)/(release $(RELEASE))/' $(BUILT) > $(BUILT).marked && mv $(BUILT).marked $(BUILT)

# AWS_DEFAULT_REGION as set above is for tests; who deploys means the region of their profile, or their own variable.
.PHONY: deploy
deploy: .venv-sam/.installed .venv-e2e/.installed ## Build a release and deploy it; needs an AWS account (CONFIG_ENV=test: of samconfig.toml)
	@PATH="$(CURDIR)/.venv-e2e/bin:$$PATH" .venv-sam/bin/sam build --config-env $(CONFIG_ENV)
	@$(call byte-code,$(BUILT))
	@$(MAKE) --no-print-directory mark
	@$(if $(filter file,$(origin AWS_DEFAULT_REGION)),env -u AWS_DEFAULT_REGION) .venv-sam/bin/sam deploy \
	  --config-env $(CONFIG_ENV) $(ARGS)

.PHONY: check
check: lint types template ## Everything CI checks: format, lint, types, template, and all tests with their coverage
	@$(MAKE) --no-print-directory test ARGS="-q -n auto --dist loadfile --cov --cov-report=term --cov-fail-under=95"

.venv-mutants/.installed: requirements-mutation.txt
	@python=$$($(find_python)); echo "Installing cosmic-ray into .venv-mutants ..."; \
	"$$python" -m venv --clear .venv-mutants && \
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutation.txt
	@touch $@

# Real servers and a real browser, as Debian packages. Elsewhere, what is on PATH is used, and what is not is skipped.
DEBIAN := mariadb-server mariadb-client postgresql chromium kamailio kamailio-utils-modules kamailio-extra-modules \
  kamailio-websocket-modules kamailio-tls-modules mmdebstrap haproxy netcat-openbsd sip-tester iproute2 nginx systemd $(if $(shell command -v npm),,npm)
.PHONY: debian
debian: ## Install the servers, SIPp and the browser that the end-to-end tests use (Debian, as root)
	@missing=$$(for package in $(DEBIAN); do dpkg -s $$package 2>/dev/null | grep -q "^Status: install ok installed" || echo $$package; done); \
	[ -z "$$missing" ] || { echo "Installing" $$missing "..."; apt-get -o DPkg::Lock::Timeout=400 update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 install -y -qq --no-install-recommends $$missing > /dev/null; }

.PHONY: e2e-migration
e2e-migration: install ## Move in from real MariaDB and PostgreSQL servers, and walk through docs/operations.md word for word (ARGS go to pytest)
	@$(if $(BOUNDED),timeout --foreground --kill-after=30 600) $(PY) -m pytest tests/e2e/migration tests/e2e/walkthrough $(ARGS)

.PHONY: e2e-admin
e2e-admin: install ## Open the admin API in a real browser (ARGS go to pytest)
	@$(if $(BOUNDED),timeout --foreground --kill-after=30 600) $(PY) -m pytest tests/e2e/admin $(ARGS)

# In a network namespace of its own where the machine lets us: nothing but loopback, and no port is taken.
ISOLATED := $(PY) -m tests.e2e.sip.isolated
SIP_TESTS := $(if $(BOUNDED),timeout --foreground --kill-after=30 600) $(ISOLATED) $(PY) -m pytest -rs
.PHONY: e2e-sip
e2e-sip: install softphone-page ## Call real SIP servers and a browser's softphone, over the real function (ARGS go to pytest)
	@echo "On the Kamailio of this machine and on Debian 13's, side by side: each is shown when it ends, in three minutes."
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target e2e-sip-here e2e-sip-6

.PHONY: e2e-sip-here
e2e-sip-here: install softphone-page ## The same on the Kamailio of this machine alone
	@echo "On the Kamailio of this machine."
	@$(SIP_TESTS) tests/e2e/sip $(ARGS)

# The page of the softphone has been looked at by then; how it speaks to this Kamailio is in test_tls.py.
.PHONY: e2e-sip-6
e2e-sip-6: install softphone-page ## The same on Debian 13's Kamailio 6 alone
	@echo "On the Kamailio of Debian 13."
	@if $(BOUNDED) $(PY) -m tests.e2e.sip.debian13 $(KAMAILIO_6); then \
	  PATH="$(CURDIR)/$(KAMAILIO_6)/bin:$$PATH" $(SIP_TESTS) tests/e2e/sip --ignore=tests/e2e/sip/test_softphone.py $(ARGS); \
	else [ -z "$$CI" ] && echo "So nothing was run on it."; fi

# Unpacked beside the installed one: build/kamailio-6/bin in front of PATH, and all that runs Kamailio here runs that.
KAMAILIO_6 := build/kamailio-6
.PHONY: kamailio-6
kamailio-6: install ## Unpack Debian 13's Kamailio into build/ (15 seconds; needs mmdebstrap)
	@$(BOUNDED) $(PY) -m tests.e2e.sip.debian13 $(KAMAILIO_6)

# What needs a network, before the tests have none.
.PHONY: softphone-page
softphone-page: install
	@if command -v npm > /dev/null || [ -e build/softphone/page.js ]; then $(BOUNDED) $(PY) -m frontends.webrtc.bundle; \
	else echo "No npm, so no page with JsSIP: the run says what is left out"; fi

# PORT, TOKEN_SECONDS, ADMIN and every setting of the service, on the command line or in the environment.
.PHONY: softphone
softphone: install ## Two phones in a browser, with Kamailio and the API behind them (PORT=8088, TOKEN_SECONDS=120, ADMIN=1, ARGS=--help)
	@if command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	  $(MAKE) --no-print-directory debian DEBIAN="$(filter kamailio%,$(DEBIAN)) $$(command -v npm > /dev/null || echo npm)"; fi
	@exec $(PY) -m frontends.webrtc $(ARGS)

# Folders whose node programs the recipes run, each with what its package-lock.json pins.
RECIPES_IN_NODE := $(foreach folder,frontends/aws/node tests/e2e/recipes/jambonz,$(folder)/node_modules/.package-lock.json)
$(RECIPES_IN_NODE): %/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm > /dev/null; then $(BOUNDED) npm ci --prefix $* --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "No npm, so nothing of $*: the run says what is left out"; fi

# The emulator runs what was built.
.PHONY: e2e-recipes
e2e-recipes: install build/$(MACHINE)/artifact/template.yaml $(RECIPES_IN_NODE) ## Run the recipes of frontends/ that are programs: node, and the SDKs against AWS's runtime emulator (ARGS go to pytest)
	@$(if $(BOUNDED),timeout --foreground --kill-after=30 240) $(PY) -m pytest tests/e2e/recipes $(ARGS)

# It takes two minutes on two processors.
.PHONY: lookalikes
lookalikes: install ## Count public texts and made-up secrets that the recogniser of HMAC keys refuses (ARGS=--help)
	@PYTHONPATH=$(LAYER) $(PY) -m tests.lookalikes $(ARGS)

# On a copy, since mutants are written into the files. The tests must pass there first, or every mutant seems caught.
.PHONY: mutants
mutants: install .venv-mutants/.installed ## Mutate the modules that decide; below 90 % caught fails (about half an hour)
	@copy=$$(mktemp -d) && bin=$(CURDIR)/.venv-mutants/bin && config=tests/mutation/cosmic-ray.toml && \
	git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$$copy" && ln -s "$(CURDIR)/$(VENV)" "$$copy/$(VENV)" && \
	cd "$$copy" && $(PY) -m pytest -q tests/unit tests/conformance && \
	"$$bin"/cosmic-ray init $$config session.sqlite && "$$bin"/cr-filter-operators session.sqlite $$config && \
	"$$bin"/cosmic-ray exec $$config session.sqlite && \
	"$$bin"/cr-report --surviving-only --show-diff session.sqlite && \
	echo "survived, in per cent:" && "$$bin"/cr-rate --fail-over 10 session.sqlite && rm -rf "$$copy"

.venv-bench/.installed: requirements-bench.txt
	@python=$$($(find_python)); echo "Installing what the benchmarks compare with into .venv-bench ..."; \
	"$$python" -m venv --clear .venv-bench && \
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

PEERS := tests/benchmarks/peers
$(PEERS)/node_modules/.package-lock.json: $(PEERS)/package-lock.json
	@if command -v npm > /dev/null; then npm ci --prefix $(PEERS) --no-audit --no-fund --loglevel=error && touch $@; \
	else echo "No npm, so no peers of node's: the run says what is left out"; fi

# It takes ten minutes. A part alone takes fewer and writes nothing, and only the emulator's needs what was built.
BENCHED := $(if $(filter warm cold --page --profile --help,$(ARGS)),,build/$(MACHINE)/artifact/template.yaml)
.PHONY: bench
bench: .venv-bench/.installed $(PEERS)/node_modules/.package-lock.json $(BENCHED) ## Measure beside peers, and write docs/benchmarks (ARGS="--only warm", ARGS=--help)
	@.venv-bench/bin/python -m tests.benchmarks $(ARGS)

# It takes a quarter of an hour with a million users and a million tags; ARGS=--quick takes two minutes.
.PHONY: bench-scale
bench-scale: .venv-bench/.installed $(PEERS)/node_modules/.package-lock.json ## Measure large tables, floods of tags and bursts, and write docs/benchmarks (ARGS=--help)
	@.venv-bench/bin/python -m tests.benchmarks.scale $(ARGS)
	@.venv-bench/bin/python -m tests.benchmarks --page

# It takes six minutes; ARGS=--quick takes two and writes nothing.
.PHONY: bench-sip
bench-sip: install ## Measure how many registrations a second Kamailio sustains, and write docs/benchmarks (ARGS=--help)
	@$(ISOLATED) env PYTHONPATH=$(LAYER) $(PY) -m tests.benchmarks.sip $(ARGS)

.PHONY: openapi-admin
openapi-admin: install ## Write openapi-admin.json anew from the code of the admin API
	@$(PY) -m serve.admin_document

# Half a minute. The results, the tables of the page and the plots: all of it from docs/capacity/inputs.toml.
.PHONY: capacity
capacity: .venv-bench/.installed ## Compute docs/capacity anew: what authorizations cost, and what must be raised
	@.venv-bench/bin/python -m docs.capacity --simulate --write

.PHONY: lock
lock: install ## Write the pinned requirements anew from pyproject.toml
	@$(PY) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv==0.13.9
	@compile="env -u PIP_FIND_LINKS .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --upgrade"; \
	$$compile pyproject.toml -o $(LAYER)/requirements.txt && \
	$$compile pyproject.toml --extra cli --group dev --group provisioning -c $(LAYER)/requirements.txt -o requirements-dev.txt && \
	$$compile --group provisioning -c requirements-dev.txt -o functions/provisioning/requirements.txt && \
	$$compile --group sam -o requirements-sam.txt && \
	$$compile --group lint -o requirements-lint.txt && \
	$$compile --group e2e -o requirements-e2e.txt && \
	$$compile --group api -o requirements-api.txt && \
	$$compile --group mutation -o requirements-mutation.txt && \
	$$compile pyproject.toml --group bench -c requirements-dev.txt -o requirements-bench.txt
	@rm -rf .venv-lock

.PHONY: clean
clean: ## Remove what was made here
	@rm -rf .venv .venv-* .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build
