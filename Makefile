# `make` prints what there is. Each target makes .venv from requirements-dev.lock when it must.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo test quick chaos clients mutants lint format docs screenshot hooks lock clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## Run the whole pipeline with sample traffic; ARGS=--exit ends by itself
	$(BIN)/pipeline demo $(ARGS)

# Two at a time: half of the tests wait for a Kafka. A file's tests stay together, for what they share.
# Whatever ends a worker ends the run: xdist would repeat the test that did, eight times.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0
test: lint  ## Run lint, types and all tests (half an hour); ARGS=tests/unit for a part
	$(BIN)/pytest $(TOGETHER) $(ARGS)

quick: lint  ## Run lint, types, the rules and the golden cases (under a minute), before a commit
	$(BIN)/pytest $(TOGETHER) tests/unit tests/golden tests/mutants $(ARGS)

chaos: .venv/ready  ## Kill and check at every step, with all values, for hours; ARGS=--kills=60
	$(BIN)/pytest -s --long --every=1 --timeout=7200 tests/chaos tests/warehouse \
		$(shell grep -rlwE 'every: int|long: bool|mark\.long' tests --include='test_*.py') $(ARGS)

clients: .venv/ready  ## Install other clients and run the snippets of docs/clients.md (network, JDK, npm)
	$(BIN)/pytest -s tests/connecting/packages.py $(ARGS)

mutants: .venv/ready  ## Weaken each rule in turn: a test must fail; ARGS="--jobs 2", ARGS=--only=A9
	$(BIN)/python tests/mutants/run.py $(ARGS)

lint: .venv/ready  ## Check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready  ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: .venv/ready  ## Let git run the checks of .pre-commit-config.yaml before each commit
	$(BIN)/pre-commit install

docs: .venv/ready  ## Write what documents and SQL take from the code: events, metrics, answers
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/cookbook.py

screenshot: .venv/ready  ## Write the pictures of docs/images again (needs chromium and chromedriver)
	$(BIN)/python tests/browser/screenshot.py

# Locks hold the hashes of every wheel, so a fresh machine gets what was tested.
.venv/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# After a change to pyproject.toml: needs uv, a tool of the developer's own. The pins of a lock stay
# as they are where they still fit; `make lock ARGS=--upgrade` moves them.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(ARGS)
lock:  ## Write the locks again after a change to pyproject.toml (needs uv)
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraints requirements.lock --extra local --extra delta --group dev \
		--output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraints requirements-dev.lock --group build \
		--output-file requirements-build.lock

clean:  ## Remove .venv, data and caches
	rm -rf .venv data .mypy_cache .pytest_cache .ruff_cache .hypothesis
