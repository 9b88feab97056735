# Everything is done by deploy/dev/stack, a Python 3.11 package without dependencies.
# Environment, with defaults: ODOO_PORT=8069 SIDECAR_PORT=8787 PG_PORT=54329 ODOO_DB=insightpulse STATE_DIR=.run
# ODOO_BIN is the command of an Odoo 19 of your own; PG_BINDIR the folder of a PostgreSQL of your own.

PYTHON ?= python3
STACK = PYTHONPATH=deploy/dev $(PYTHON) -B -m stack

.DEFAULT_GOAL := help
.PHONY: help up down status test addon-tests bench faults soak fuzz fmt

help: ## Show this help
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

up: ## Start PostgreSQL, Odoo 19 with the addon, and the sidecar; what is missing is installed
	@$(STACK) up

down: ## Stop what `make up` started
	@$(STACK) down

status: ## Say what runs
	@$(STACK) status

test: ## Run every check and test, the browser's included
	@$(STACK) test

addon-tests: ## Run only the addon's tests, with Odoo's own runner
	@$(STACK) addon-tests

bench: ## Run the benchmarks beside their peers
	@$(STACK) bench

faults: ## Kill sidecars, PostgreSQL and Odoo at random moments; FAULT_KILLS=50 each
	@$(STACK) faults

soak: ## Test at a high rate for an hour, and watch memory, files and connections; SOAK_SECONDS=3600
	@$(STACK) soak

fuzz: ## Fuzz the project's own parsers; FUZZ_SECONDS=60 each
	@$(STACK) fuzz

fmt: ## Format all Rust and Python code in place
	@$(STACK) fmt
