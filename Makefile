# Everything a newcomer, a contributor and CI need. `make` alone lists the targets.

PYTHON ?= python3
RUN := .venv/bin/python
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test test-all bench lint types layers format lock neo4j neo4j-stop neo4j-env clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(INSTALLED) ## make .venv and install into it what requirements.lock says

$(INSTALLED): requirements.lock pyproject.toml tools/install.py
	@$(PYTHON) tools/install.py

demo: $(INSTALLED) ## papers to hypotheses on sample_corpus, into runs/demo
	@PATH="$(CURDIR)/.venv/bin:$$PATH" ./sample_corpus/demo.sh

test: lint types layers ## every check and test; ARGS goes to pytest: make test ARGS="-m 'not slow'"
	@$(RUN) -m pytest $(ARGS)

test-all: export HYPOGRAPH_TEST_ALL := 1
test-all: export HYPOGRAPH_FUZZ := 10000
test-all: test ## the same with 10,000 mutants of real papers, and a missing PostgreSQL, Chromium or Neo4j fails

bench: $(INSTALLED) ## speed against what people use today; ONLY=name runs one
	@$(RUN) tests/benchmarks/run.py $(ONLY)

lint: $(INSTALLED) ## style, and whether `make format` would change anything
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

types: $(INSTALLED) ## mypy, strict
	@$(RUN) -m mypy

layers: $(INSTALLED) ## imports run one way between the folders
	@.venv/bin/lint-imports --no-logo

format: $(INSTALLED) ## rewrite the code in the house style
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

lock: $(INSTALLED) ## renew requirements.lock after a change of pyproject.toml; ARGS=--upgrade takes the newest
	@$(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --group dev --extra postgresql --extra train $(ARGS) pyproject.toml --output-file requirements.lock

neo4j: ## start a private Neo4j on loopback (Java 17 or 21; Maven the first time)
	@$(PYTHON) tools/neo4j_server.py start

neo4j-stop: ## stop it
	@$(PYTHON) tools/neo4j_server.py stop

neo4j-env: ## print how to connect to it: eval "$(make -s neo4j-env)"
	@$(PYTHON) tools/neo4j_server.py env

clean: ## remove what was made here, but for .venv and .neo4j
	rm -rf runs dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find pipeline extractors graph flows tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
