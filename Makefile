# ebpftrace: every command a person types, each one line. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-screenshots test bench build release docs clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

demo: ## build, start a router with two workers, post recorded spans, show their traces
	@scripts/setup.sh
	@scripts/demo.sh

demo-screenshots: ## take pictures of the console's pages into docs/images (ARGS="--console URL": of a running one)
	@scripts/setup.sh
	@scripts/screenshots.sh $(ARGS)

test: ## build and run all tests, gates and tidy checks
	@scripts/setup.sh --tests
	@scripts/test.sh

bench: ## measure the whole pipeline with generated load (ARGS="--help" lists what can be asked)
	@scripts/setup.sh
	@scripts/bench.sh $(ARGS)

build: ## debug build
	@scripts/setup.sh
	swift build

release: ## release build of the router and the worker
	@scripts/setup.sh
	swift build -c release --product ebpftrace-router
	swift build -c release --product ebpftrace-worker

docs: release ## write docs/configuration.md, metrics.md and openapi.yaml from the tables in the sources
	.build/release/ebpftrace-router reference configuration > .build/configuration.md
	.build/release/ebpftrace-router reference metrics > .build/metrics.md
	.build/release/ebpftrace-router reference openapi > .build/openapi.yaml
	mv .build/configuration.md .build/metrics.md .build/openapi.yaml docs/

clean: ## remove everything that was built
	rm -rf .build Benchmarks/.build .venv
