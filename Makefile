# One door: everything a developer or CI does is a target here. `make help` lists them; what is long is in tools/.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PY := .venv/bin/python
export AWS_DEFAULT_REGION ?= eu-central-1
export SAM_CLI_TELEMETRY := 0
# Where there is a `timeout`, what is silent about the network gets five minutes (it needs seconds), and an end-to-end
# suite fifteen (it needs one to eight), after which it is told to end, and ends what it started.
export BOUNDED := $(if $(shell command -v timeout),timeout 300)
export SUITE_BOUNDED := $(if $(BOUNDED),timeout --foreground --kill-after=30 900)
# One test gets five minutes, all of them fifty: hypothesis takes the end of those five for a failure to make small.
TESTS_BOUNDED := $(if $(BOUNDED),timeout --foreground --kill-after=30 3000)

.PHONY: $(shell sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' Makefile)
help: ## Show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Environments: each holds a group of pyproject.toml, as uv.lock pins it. The functions run on Python 3.13 alone, and
# `sam build` wants a `python3.13` on PATH, so .venv-e2e is of that.
UV := .venv-uv/bin/uv
environment = python=$$(tools/find-python $(if $(filter e2e,$1),13)) && "$$python" tools/environment.py $1
$(UV):
	@$(call environment,uv)
.venv/.installed: uv.lock | $(UV)
	@$(call environment,dev)
.venv-%/.installed: uv.lock | $(UV)
	@$(call environment,$*)
READY := Ready. Go on with: make demo, make serve, make test, or .venv/bin/auth-jwt --help
install: .venv/.installed ## Make .venv with everything pinned, the command auth-jwt included
	@$(if $(filter $@,$(MAKECMDGOALS)),echo "$(READY)")
lock: $(UV) ## Pin everything anew in uv.lock, and export what SAM builds from (UPGRADE=: keep the versions that are pinned)
clean: ## Remove what was made here
	@rm -rf .venv .venv-* .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* build dist

demo: install ## Run every file of events/ through the real handlers against DynamoDB in memory
	@$(PY) -m tools.events.demo
# PORT, WORKERS, LOG, API_KEY, ADMIN, DB_URL and every setting, on the command line or in the environment: docs/local.md.
serve: install ## Serve the API on 127.0.0.1:8080, with DynamoDB in memory and sample users (PORT=8081, ARGS=--help)
	@exec $(PY) -m tools.serve $(ARGS)
softphone: install ## Two phones in a browser, with Kamailio, the API and an OpenID provider behind them (PORT=8088, TOKEN_SECONDS=120, ADMIN=1, PROVIDER=0, ARGS=--help)

# On all processors (ARGS=-n0: on one, as --pdb wants it). WHOLE=1 runs every generated case: tests/sampling.py. Commands
# that tests start are compiled once, though this shell may say that nothing is to be kept.
test: export PYTHONDONTWRITEBYTECODE :=
test: install ## Run the tests: of the generated cases a sample, or all with WHOLE=1 (ARGS="-k window" and the like are passed on)
	@$(TESTS_BOUNDED) $(PY) -m pytest -q -n auto --dist worksteal --timeout 300 $(ARGS)
places: install ## Run the tests in other zones, locales, Pythons, folders, orders, and as another user (ARGS="--only turkish", ARGS=--help)
	@$(PY) -m tools.places $(ARGS)
conformance: install ## Run the recorded OpenSIPS cases and print their count
	@$(PY) -m pytest -q tests/conformance
# Attacks are let in nowhere. Faults of the tables let nobody in either, and deny nobody. The fuzzing is a short one that
# begins the same each time: it is `make fuzz` that looks for what nobody has seen.
SECURITY := tests/security tests/faults
# What ships, who may build it, and what the threat model says of tests: quick, and without a network.
SUPPLY := tests/unit/tools/supply tests/unit/docs/test_workflows.py tests/unit/docs/test_security_pages.py
security: install ## Run the whole security suite: attacks on every entry, by advisory, faults, and fuzzing for 75 seconds at most (ARGS="-k CVE-2026-102268" and the like are passed on)
	@WHOLE=1 $(TESTS_BOUNDED) $(PY) -m pytest -q -n auto --dist worksteal --timeout 300 $(SECURITY) $(SUPPLY) $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory fuzz ARGS="--seconds 75 --inputs 5000 --jobs 2 --seed 18")
format: install ## Put the code into its format
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .
lint: install ## Format, lint and spelling, changing nothing
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && .venv/bin/codespell
types: install ## Strict types
	@$(PY) -m mypy
template: install .venv-sam/.installed .venv-lint/.installed ## What SAM, cfn-lint and checkov say of the templates: nothing
	@tools/check-templates frontends/aws/*.yaml
# In a zone far from UTC, whose hours are not whole: nothing may depend on where it runs. First all of it, then the tests
# that are about our code, in their sample, under coverage: that makes most of them take three times as long.
check: export TZ := Pacific/Chatham
SHOWN := --instafail --dist loadfile
COVERING := $(addprefix tests/,unit integration contract) --ignore tests/unit/tools --ignore tests/unit/docs
check: lint types template ## Format, lint, spelling, types, template, all tests but the security suite, and what their sample covers
	@$(MAKE) --no-print-directory test WHOLE=1 ARGS="$(SHOWN) $(addprefix --ignore ,$(SECURITY))"
	@$(MAKE) --no-print-directory test WHOLE= ARGS="$(SHOWN) $(COVERING) --cov --cov-report=term --cov-fail-under=95"

# Without SAM's cache: its key is what is in the folders, and Make knows that as well. SAM's output is advice; its errors
# and its progress come by stderr.
ARCHITECTURES := x86_64 arm64
ARTIFACTS := $(foreach architecture,$(ARCHITECTURES),build/$(architecture)/artifact/template.yaml)
MINE := build/$(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)/artifact/template.yaml
$(ARTIFACTS): build/%/artifact/template.yaml: .venv-sam/.installed .venv-e2e/.installed template.yaml samconfig.toml \
  tools/build $(wildcard stacks/*.yaml) $(shell find functions layers -name __pycache__ -prune -o -print)
	@echo "sam build, $*"
	@$(BOUNDED) tools/build $(@D) --no-cached --parameter-overrides Architecture=$* > /dev/null
build: $(ARTIFACTS) ## Build layer and functions for both architectures, into build/
wheel: install ## Build the package and the command line into dist/, for pipx and the like
	@$(PY) -m hatchling build --clean -t wheel
# What a release holds, and what is known of it: docs/releasing.md.
FOR_EACH = $(addprefix --architecture ,$(ARCHITECTURES))
sbom: build .venv-supply/.installed ## Write what layer, functions and wheel consist of into dist/, as CycloneDX
	@.venv-supply/bin/python -m tools.supply.sbom $(FOR_EACH) $(ARGS)
dist: build wheel sbom ## Build what is published into dist/: the wheel, zips of what SAM built, bills of materials, SHA256SUMS
	@$(PY) -m tools.supply.archive $(FOR_EACH) --sums
reproducible: install ## Build what is published twice, from two clones, and compare the bytes (ARGS="--architectures x86_64", ARGS=--help)
	@$(PY) -m tools.supply.reproducible $(ARGS)
audit: install ## Ask the advisory databases about every pinned package; what cannot be asked fails (ARGS=--help)
	@$(PY) -m tools.supply.audit $(ARGS)
leaks: install ## Look for keys and tokens in the files and the history that nobody vouched for (ARGS=--tree, ARGS=--help)
	@$(PY) -m tools.supply.leaks $(ARGS)
# AWS_DEFAULT_REGION as set above is for tests; who deploys means the region of their profile, or their own variable.
CONFIG_ENV := default
IN_THEIR_REGION = $(if $(filter file,$(origin AWS_DEFAULT_REGION)),env -u AWS_DEFAULT_REGION)
deployable: install .venv-sam/.installed .venv-e2e/.installed ## Install what tools/deploy uses
deploy: deployable ## Build a release, show what it would replace, and deploy it; needs an AWS account (CONFIG_ENV=test: of samconfig.toml, ARGS=--help)
	@$(IN_THEIR_REGION) tools/deploy $(CONFIG_ENV) $(ARGS)
rollback prune: install
	@$(IN_THEIR_REGION) $(PY) -m tools.release $@ $(CONFIG_ENV) $(ARGS)
rollback: ## Let callers get the release before, within a minute (CONFIG_ENV=test, ARGS=--yes)
prune: ## Delete the versions of releases that nobody gets (CONFIG_ENV=test, ARGS="--keep 2")
docker-engine: install
	@$(PY) -m tools.serve.sam_local check
sam-local-invoke: docker-engine $(MINE) ## Give a file of events/ to the built function in a container (EVENT=events/...; needs Docker)
	@exec $(PY) -m tools.serve.sam_local invoke $(EVENT)
sam-local-api: docker-engine $(MINE) ## Serve the API by built functions in containers (PORT=3000; needs Docker)
	@exec $(PY) -m tools.serve.sam_local api

debian: ## Install the servers, SIPp and the browser that the end-to-end tests use (Debian, as root)
e2e: install build .venv-supply/.installed ## Run the built artifact under AWS's runtime emulator, make serve and the wheel for real (ARGS go to pytest)
	@$(SUITE_BOUNDED) $(PY) -m pytest tests/e2e/artifact tests/e2e/serve tests/e2e/wheel $(ARGS)
	@$(MAKE) --no-print-directory e2e-api
e2e-api: install .venv-api/.installed ## Send make serve what schemathesis makes of openapi.yaml, and check every answer
	@$(SUITE_BOUNDED) $(PY) -m tests.e2e.serve.described
e2e-migration: install ## Move in from real MariaDB and PostgreSQL servers, and walk through docs/operations.md word for word (ARGS go to pytest)
	@$(SUITE_BOUNDED) $(PY) -m pytest tests/e2e/migration tests/e2e/walkthrough $(ARGS)
AXE := tests/e2e/axe-core/node_modules/.package-lock.json
e2e-admin: install $(AXE) ## Open the admin API in a real browser (ARGS go to pytest)
	@$(SUITE_BOUNDED) $(PY) -m pytest tests/e2e/admin $(ARGS)
e2e-sip: install softphone-page ## Call real SIP servers and a browser's softphone, over the real function (ARGS go to pytest)
	@echo "On the Kamailio of this machine and on Debian 13's, side by side: each is shown when it ends, in three minutes."
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target e2e-sip-here e2e-sip-6
e2e-sip-here: install softphone-page ## The same on the Kamailio of this machine alone
	@tools/e2e-sip here $(ARGS)
e2e-sip-6: install softphone-page ## The same on Debian 13's Kamailio 6 alone
	@tools/e2e-sip 6 $(ARGS)
# Unpacked beside the installed one: build/kamailio-6/bin in front of PATH, and all that runs Kamailio here runs that.
kamailio-6: install ## Unpack Debian 13's Kamailio into build/ (15 seconds; needs mmdebstrap)
	@$(BOUNDED) $(PY) -m tests.e2e.sip.debian13 build/kamailio-6
# Folders whose node programs the recipes, the benchmarks, the issuers' and the browser's tests run, each with what its package-lock.json pins.
PEERS := tests/benchmarks/peers/node_modules/.package-lock.json
PROVIDER := tools/provider/node_modules/.package-lock.json
softphone-page: install $(PROVIDER) $(AXE)
RECIPES_IN_NODE := $(foreach folder,frontends/aws/node tests/e2e/recipes/jambonz,$(folder)/node_modules/.package-lock.json)
$(RECIPES_IN_NODE) $(PEERS) $(PROVIDER) $(AXE): %/node_modules/.package-lock.json: %/package-lock.json
	@tools/node-packages $*
e2e-recipes: install $(MINE) $(RECIPES_IN_NODE) ## Run the recipes of frontends/ that are programs: node, and the SDKs against AWS's runtime emulator (ARGS go to pytest)
	@$(SUITE_BOUNDED) $(PY) -m pytest tests/e2e/recipes $(ARGS)
e2e-issuers: install $(PROVIDER) ## Log in at a real OpenID provider while it rotates its keys and goes away, two minutes (ARGS go to pytest)
	@$(SUITE_BOUNDED) $(PY) -m pytest tests/e2e/issuers $(ARGS)

lookalikes: install ## Count public texts and made-up secrets that the recogniser of HMAC keys refuses (two minutes, ARGS=--help)
	@PYTHONPATH=layers/auth_jwt $(PY) -m tests.lookalikes $(ARGS)
fuzz: .venv-fuzz/.installed ## Fuzz by coverage what reads other people's text, a million inputs a target, hours (ARGS="--target token --inputs 10000", ARGS=--help)
	@PYTHONPATH=layers/auth_jwt:cli:functions/provisioning .venv-fuzz/bin/python -m tests.fuzz $(ARGS)
# Its picture is drawn by matplotlib, which .venv-bench has.
SECONDS := 600
soak: install $(if $(findstring --write,$(ARGS)),.venv-bench/.installed) ## Serve good and hostile traffic while keys rotate and tables fail, and judge each answer, ten minutes (SECONDS=60, ARGS="--seed 7", ARGS=--help)
	@$(PY) -m tests.soak --seconds $(SECONDS) $(ARGS)
	@$(if $(findstring --write,$(ARGS)),PYTHONPATH=layers/auth_jwt .venv-bench/bin/python -m tests.soak.page)
mutants: install ## Break the package and the functions, and see whether a test notices; below 95 % fails (ARGS="--module jose --sample 200", ARGS=--help)
	@$(PY) -m tools.mutants $(ARGS)
# A part alone takes fewer minutes and writes nothing, and only the emulator's needs what was built.
bench: .venv-bench/.installed $(PEERS) $(if $(filter warm cold issuers --page --profile --help,$(ARGS)),,$(MINE)) ## Measure beside peers, ten minutes, and write docs/benchmarks (ARGS="--only warm", ARGS=--help)
	@PYTHONPATH=layers/auth_jwt .venv-bench/bin/python -m tests.benchmarks $(ARGS)
bench-scale: .venv-bench/.installed $(PEERS) ## Measure large tables, floods of tags and bursts, a quarter of an hour, and write docs/benchmarks (ARGS=--quick, ARGS=--help)
	@.venv-bench/bin/python -m tests.benchmarks.scale $(ARGS)
	@PYTHONPATH=layers/auth_jwt .venv-bench/bin/python -m tests.benchmarks --page
bench-sip: install ## Measure how many registrations a second Kamailio sustains, six minutes, and write docs/benchmarks (ARGS=--quick, ARGS=--help)
	@$(PY) -m tests.e2e.sip.isolated env PYTHONPATH=layers/auth_jwt $(PY) -m tests.benchmarks.sip $(ARGS)
bench-refresh: install ## Measure a round of fetching the keys of 1,000 issuers (ARGS=--help)
	@PYTHONPATH=layers/auth_jwt $(PY) -m tests.benchmarks.refreshing $(ARGS)
bench-timing: install ## Measure what the time of a denial tells of tags, keys and users, five minutes (ARGS="--over handler", ARGS=--help)
	@PYTHONPATH=layers/auth_jwt $(PY) -m tests.benchmarks.timing $(ARGS)
openapi-admin: install ## Write openapi-admin.json anew from the code of the admin API
	@$(PY) -m tools.serve.admin_document
capacity: .venv-bench/.installed ## Compute docs/capacity anew: what authorizations cost, and what must be raised
	@.venv-bench/bin/python -m tools.capacity --simulate --write

drill-restore: install ## Restore tables to a point in time and log in with them, against moto (ARGS="--real --stack auth-jwt --tag TAG", ARGS=--help)
	@exec $(if $(filter file,$(origin AWS_DEFAULT_REGION)),env -u AWS_DEFAULT_REGION) $(PY) -m tools.drill restore $(ARGS)
drill-failover: install ## Lose the tables of a region and follow the health check to another, against moto (ARGS=--json)
	@exec $(PY) -m tools.drill failover $(ARGS)
dashboard: .venv-bench/.installed ## Draw the dashboard with a normal and a bad hour into docs/monitoring (ARGS=--help)
	@PYTHONPATH=layers/auth_jwt:functions/provisioning:cli .venv-bench/bin/python -m tools.dashboard $(ARGS)

debian lock softphone softphone-page: # what is long: the script of that name
	@exec tools/$@ $(ARGS)
