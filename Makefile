# Bare `make` lists the targets. What a target needs it installs itself: see .ci/setup.

PYTHON := .venv/bin/python -B
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --)
PYTEST := $(AS_ROOT) $(PYTHON) -m pytest -p no:cacheprovider

.PHONY: help run test bench screenshots test-kernels test-bcc compare catalog lock sbom

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing and start the dashboard; where nothing can be traced, the demo
	@.ci/start

test: ## format, lint, types, import contracts, and every test on the running kernel
	@.ci/setup test
	.venv/bin/python -B .ci/lock --check
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	find probes ebpftop -name '*.[ch]' -exec .venv/bin/clang-format --dry-run --Werror {} +
	$(PYTEST)

bench: ## figures side by side with bcc's tools and bpftrace
	@.ci/setup bench
	$(AS_ROOT) $(PYTHON) -m tests.bench

compare: ## our probes and bcc's tools on the same workload at the same time: do they count alike?
	@.ci/setup bench
	$(AS_ROOT) $(PYTHON) -m tests.compare

screenshots: ## make screenshots/ again, from the bundled tape of a real run
	@.ci/setup screenshots
	$(PYTHON) -m tests.screenshots

test-kernels: ## the live tests on Debian's 6.1 and 6.12 kernels, emulated, and a table of all probes
	@.ci/setup kernels
	$(PYTHON) -m tests.kernels

test-bcc: ## the live tests with a newer BCC and LLVM, Debian 13's
	@.ci/setup bcc
	$(AS_ROOT) tests/kernels/newer-bcc

lock: ## resolve the tools of development and CI anew: .ci/locked, with hashes
	@.ci/setup python
	.venv/bin/python -B .ci/lock

sbom: ## what an installed ebpftop consists of, as CycloneDX: dist/ebpftop.cdx.json
	@mkdir -p dist
	@python3 -B .ci/sbom >dist/ebpftop.cdx.json && echo dist/ebpftop.cdx.json

catalog: ## the README's catalog again, from the last `make test` and `make test-kernels`
	@.ci/setup python
	$(PYTHON) -m tests.kernels.matrix
