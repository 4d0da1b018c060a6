# make demo: the whole system on rendered captures.   make station: a living line.
# make test: what is checked while one works.   make test-all: everything that is checked, as CI does.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo station test test-all lint docs clean

demo: .venv/.demo
	$(BIN)/afrd demo --out demo

station: .venv/.station
	$(BIN)/python -m afrd.station.demo --out demo/station

# two workers of one thread each: two cores are enough, more do not help a suite of short tests by much
test: .venv/.test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: .venv/.test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

docs: .venv/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# constraints.txt holds the versions that the tests were last run with
.venv/.demo: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) torch torchvision
	$(PIP) -e '.[train,render]'
	touch $@

.venv/.station: .venv/.demo
	$(PIP) -e '.[train,render,station]'
	touch $@

.venv/.test: .venv/.demo
	$(PIP) -e '.[train,render,baselines,cluster,export,station,dinov2,lite,postgresql,camera,mqtt,opcua,docs,test]'
	touch $@

clean:
	rm -rf .venv demo
