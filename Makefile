# The entry to everything. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
# Each target builds on what the one before it has set up.
.NOTPARALLEL:

COMPOSE := docker compose
# In .env it is enough, as it is for Compose.
IMAGES ?= $(shell sed -n "s/^IMAGES=['\"]\?\([a-z]*\).*/\1/p" .env 2>/dev/null | tail -n 1)
export IMAGES

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- The stack ---

.PHONY: up up-prod down destroy dev ps logs doctor psql engine env env-prod images build build-all
up: engine env images ## start the whole stack; sets up all that it needs
	@bash docker/up.sh

up-prod: engine env-prod images ## the same for a server: TLS, limits, secrets as files
	@bash docker/up.sh

.PHONY: upgrade rollback
upgrade: engine made-env images ## on a server: build, back up, migrate, and replace the app with no request lost
	@bash docker/up.sh --build-next
	@deploy/mindgraph upgrade $(ARGS)

rollback: made-env ## on a server: back to the images before the last upgrade
	@deploy/mindgraph rollback

down: made-env ## stop the stack; the data is kept
	@$(COMPOSE) down --remove-orphans

destroy: made-env ## stop the stack and DELETE ALL ITS DATA, after a question
	@bash docker/destroy.sh

dev: engine env images ## the stack with live code: changes below app/ take effect at once
	@bash docker/up.sh --build-only
	@echo "==> when the app is healthy: http://127.0.0.1:$$(sed -n "s/^APP_PORT=['\"]\?\([0-9]*\).*/\1/p" .env)/docs   stop: Ctrl-C"
	@$(COMPOSE) -f compose.yaml -f docker/app/dev.yaml up

ps: made-env ## the services and their health
	@$(COMPOSE) ps --all

logs: made-env ## follow the logs
	@$(COMPOSE) logs --follow --tail 100

doctor: made-env ## look at the machine and every service for what is wrong
	@deploy/mindgraph doctor $(ARGS)

psql: made-env ## the database's own shell, as the owner of the tables
	@bash docker/psql.sh

.PHONY: install-systemd uninstall-systemd
install-systemd: ## on a server: start the stack at each boot; timers for backups and checks (root)
	@bash deploy/install.sh

uninstall-systemd: ## stop the stack and take its units away again; the data is kept (root)
	@bash deploy/install.sh remove

.PHONY: import-sqlite adopt-documents export-sqlite
import-sqlite: engine env build ## move a SQLite file into the stack: make import-sqlite FROM=FILE [ARGS=--dry-run]
	@bash docker/import.sh "$${FROM:-}" $(ARGS)

adopt-documents: made-env ## take over old documents after an import: make adopt-documents [FROM=FOLDER]
	@bash docker/adopt.sh "$${FROM:-}" $(ARGS)

export-sqlite: made-env ## write the database to a SQLite file: make export-sqlite TO=FILE
	@bash docker/export.sh "$${TO:-}"

.PHONY: made-env
made-env:
	@test -f .env || { echo "There is no .env and so no stack yet; run: make up" >&2; exit 1; }

engine: ## make sure that there is a Docker Engine with Compose
	@bash docker/engine.sh

env: ## make .env, or fill in what is missing in it
	@python3 docker/env.py

env-prod: ## make .env for a server, or fill in what is missing in it
	@python3 docker/env.py --production

images: engine env ## make sure that the base images are there
	@bash docker/images.sh ensure

build: images ## build the images of this checkout
	@bash docker/up.sh --build-only

# Development's .env names development's file alone; tests want the images of both.
build-all: export COMPOSE_FILE := compose.yaml:compose.prod.yaml
build-all: export COMPOSE_PROFILES := metrics
build-all: build ## build the images of this checkout, and those that only production has

.PHONY: bench bench-full bench-report bench-start bench-usage bench-import bench-knowledge bench-restore
bench: venv build ## the main requests beside their limits, and SQLite beside PostgreSQL (about ten minutes)
	@.venv/bin/python -m benchmarks.load.limits
	@.venv/bin/python -m benchmarks.load.engines
	@.venv/bin/python -m benchmarks.load.report

bench-full: venv build ## the same with more clients, and overload, pooling, growth and a soak (an hour and a half)
	@.venv/bin/python -m benchmarks.load.limits --seconds 8 --rounds 5
	@.venv/bin/python -m benchmarks.load.engines --full
	@.venv/bin/python -m benchmarks.load.overload
	@.venv/bin/python -m benchmarks.load.pooling
	@.venv/bin/python -m benchmarks.load.growth
	@.venv/bin/python -m benchmarks.load.soak
	@.venv/bin/python -m benchmarks.load.report

bench-report: venv ## write the figures of the last benchmarks into docs/performance.md, and draw their plots
	@.venv/bin/python -m benchmarks.load.report

bench-start: venv build ## how long the stack takes to start, beside the bare servers
	@.venv/bin/python -m benchmarks.start_times

bench-usage: venv build ## what the index on the time of usage costs and brings
	@.venv/bin/python -m benchmarks.usage_index

bench-import: venv build ## how long the import of a big SQLite file takes, beside pgloader and the floor
	@.venv/bin/python -m benchmarks.import_sqlite

bench-knowledge: venv build ## how fast two thousand pages are searchable, and how well (Debian 12, an hour)
	@.venv/bin/python -m benchmarks.knowledge

bench-restore: venv build-all ## how long a restore of two gigabytes takes, and what is lost with a disk
	@.venv/bin/python -m benchmarks.restore_times

# --- Without Docker ---

.PHONY: venv run
venv: ## make .venv with the `mindgraph` command
	@bash docker/venv.sh

run: venv ## the service without Docker: SQLite, data in data/
	@CAPTCHA_ENABLED=$${CAPTCHA_ENABLED:-false} .venv/bin/mindgraph run

# --- Checks ---

.PHONY: test lint lock
test: venv build-all ## all tests, and the checks of `make lint`
	@bash tests/run.sh

lint: venv ## formatting, types, layers, shell scripts
	@bash tests/lint.sh

lock: venv ## renew the locks from pyproject.toml
	@bash docker/lock.sh
