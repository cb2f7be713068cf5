# Two commands: `make demo` and `make test`. Each makes .venv from requirements-dev.lock when it must.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: demo test chaos mutants lint docs lock clean

demo: .venv/ready
	$(BIN)/pipeline demo $(ARGS)

# Two at a time: half of the tests wait for a Kafka. A file's tests stay together, for what they share.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

# Longer than the short form that `make test` runs: ARGS=--kills=60.
chaos: .venv/ready
	$(BIN)/pytest -s tests/chaos $(ARGS)

# Each rule weakened, one at a time, must make a test fail. ARGS=--only=A9; all of them with
# ARGS="--jobs 2" take twenty minutes.
mutants: .venv/ready
	$(BIN)/python tests/mutants/run.py $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What documents and SQL say of the events, from pipeline/domain/catalog.py.
docs: .venv/ready
	$(BIN)/python docs/generate.py

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
lock:
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraints requirements.lock --extra local --group dev \
		--output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraints requirements-dev.lock --group build \
		--output-file requirements-build.lock

clean:
	rm -rf .venv data .mypy_cache .pytest_cache .ruff_cache .hypothesis
