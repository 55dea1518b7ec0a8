# Plain `make` lists the targets. Each target installs what it needs: see .ci/setup.

PYTHON := .venv/bin/python -B
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --)

# What takes too long for CI; each is a target, and one that fails doesn't keep the others from running.
NIGHTLY := test-machines test-bcc compare bench stacks screenshots-check report-check scrape-check packages-check hosts-check churn exporting fuzz soak monkeys
# seconds, and processes a second
CHURN ?= 3600 150
# seconds, and processes a second in one minute of three
EXPORTING ?= 3600 100
# seconds; then a seed, and the doors that are meant
FUZZ ?= 3600
# seconds; then a seed, and the number of the first episode
SOAK ?= 3600

.PHONY: help run test bench screenshots screenshots-check report-check scrape-check hosts-check test-kernels test-machines test-bcc compare catalog churn exporting nightly lock sbom \
    packages packages-check release schemas incidents fuzz soak monkeys hostile-text stacks

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing and start the dashboard, or the demo if nothing can be traced
	@.ci/start

test: ## format, lint, types, import contracts, and every test on the running kernel
	@.ci/setup test
	.venv/bin/python -B .ci/lock --check
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	find probes ebpftop -name '*.[ch]' -exec .venv/bin/clang-format --dry-run --Werror {} +
	$(PYTHON) -m compileall -q ebpftop # the program is started a thousand times
	$(AS_ROOT) $(PYTHON) -m tests

bench: ## benchmarks against bcc's tools and bpftrace
	@.ci/setup bench
	$(PYTHON) -m compileall -q ebpftop # as what pip installs is
	$(AS_ROOT) $(PYTHON) -m tests.bench

churn: ## an hour of processes that come and go: memory stays flat, counts stay exact
	@.ci/setup test
	$(AS_ROOT) $(PYTHON) -m tests.churn $(CHURN)

exporting: ## an hour of an exporter with five probes: memory stays flat, and its CPU time small
	@.ci/setup test
	$(AS_ROOT) $(PYTHON) -m tests.exporting $(EXPORTING)

fuzz: ## an hour of hostile input at every door: FUZZ="SECONDS [SEED [DOOR...]]"
	@.ci/setup test
	$(PYTHON) -m tests.fuzz $(FUZZ)

soak: ## an hour of random faults under load: SOAK="SECONDS [SEED [FIRST]]"
	@.ci/setup test
	$(AS_ROOT) $(PYTHON) -m tests.soak $(SOAK)

monkeys: ## an hour of random keys and sizes on the demo and the dashboard: MONKEYS="SECONDS [SEED]"
	@.ci/setup test
	$(AS_ROOT) $(PYTHON) -m tests.monkeys $(MONKEYS)

hostile-text: ## hostile text through every door to every output: the table of what comes out
	@.ci/setup test
	$(PYTHON) -m pytest -q tests/e2e/test_hostile_text.py
	@cat build/hostile-text.txt

stacks: ## how much time of the distribution's servers and interpreters is on whole call stacks
	@.ci/setup stacks
	$(AS_ROOT) $(PYTHON) -m tests.stacks

compare: ## check that our probes and bcc's tools count the same on the same workload
	@.ci/setup bench
	$(AS_ROOT) $(PYTHON) -m tests.compare

schemas: ## write ebpftop/schemas/ from the types of what programs read
	@.ci/setup test
	$(PYTHON) -m tests.schemas

incidents: ## record again the incidents that triage is tested with
	@.ci/setup test
	$(AS_ROOT) $(PYTHON) -m tests.incidents

screenshots: ## regenerate screenshots/ from the bundled tape
	@.ci/setup screenshots
	$(PYTHON) -m tests.screenshots

screenshots-check: screenshots ## draw screenshots/ again, and fail if any picture is no longer what is committed
	git diff --stat --exit-code -- 'screenshots/*.svg'

report-check: ## the HTML report in a real Chromium, and screenshots/report*.png
	@.ci/setup browser
	$(PYTHON) -m tests.report_check --pictures

scrape-check: ## a real Prometheus scrapes the exporter for ten minutes, and has its numbers
	@.ci/setup scraping
	$(AS_ROOT) $(PYTHON) -m tests.scrape_check

hosts-check: ## two emulated machines with 6.1 and 6.12, and this one, in one dashboard over ssh: compared, cut off, ended
	@.ci/setup kernels
	$(AS_ROOT) $(PYTHON) -m tests.hosts_check

test-kernels: ## the live tests on Debian's 6.1 and 6.12 kernels, emulated, and a table of all probes
	@.ci/setup kernels
	$(PYTHON) -m tests.kernels

test-machines: ## the same on arm64, emulated, and on the newest kernel that Debian has in its backports
	@.ci/setup machines
	$(PYTHON) -m tests.kernels newest 6.12-arm64

test-bcc: ## the live tests with Debian 13's newer BCC and LLVM
	@.ci/setup debian
	$(AS_ROOT) tests/kernels/newer-bcc

nightly: export CHURN = 900 600
nightly: export EXPORTING = 1800 200
nightly: export FUZZ = 1800
nightly: export SOAK = 1800
nightly: export MONKEYS = 900
nightly: ## all that takes too long for CI, one after the other, and at the end what passed and what failed
	@failed= report=; \
	for each in $(NIGHTLY); do \
	    echo "== make $$each"; \
	    if $(MAKE) --no-print-directory $$each; then result=pass; else result=FAIL failed=$$failed.; fi; \
	    report="$$report$$result  $$each\n"; \
	done; \
	printf "\n$$report"; [ -z "$$failed" ]

lock: ## resolve the development tools again: .ci/locked, with hashes
	@.ci/setup python
	.venv/bin/python -B .ci/lock

sbom: ## what an installed ebpftop consists of, as CycloneDX: dist/ebpftop.cdx.json
	@mkdir -p dist
	@python3 -B .ci/sbom >dist/ebpftop.cdx.json && echo dist/ebpftop.cdx.json

packages: ## the wheel, the sdist, and packages for Debian 12 and 13, in dist/
	@.ci/setup packages
	@$(PYTHON) .ci/packages

packages-check: packages ## the packages in a clean Debian 12 and 13, the wheel and the sdist by uv and pipx
	@.ci/setup debian
	$(AS_ROOT) $(PYTHON) -m tests.packages_check

release: ## check all that a release needs, build it in dist/, and print the steps left for a person
	@.ci/setup packages
	@$(PYTHON) .ci/release

catalog: ## write probes/README.md from the manifests and the last `make test` and `make test-kernels`
	@.ci/setup python
	$(PYTHON) -m tests.kernels.matrix
