# Two commands: `make demo` and `make test`. Each makes .venv from requirements.lock when it must.

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

# One lock for running and testing: hashes of every wheel, so a fresh machine gets what CI tested.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# After a change to pyproject.toml: needs uv, a tool of the developer's own.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv data .mypy_cache .pytest_cache .ruff_cache .hypothesis
