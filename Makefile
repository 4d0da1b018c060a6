# make demo: the whole system on rendered captures.   make station: a living line.   make test: everything that is checked.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo station test lint clean

demo: .venv/.demo
	$(BIN)/afrd demo --out demo

station: .venv/.station
	$(BIN)/python -m afrd.station.demo --out demo/station

test: .venv/.test lint
	$(BIN)/python -m pytest

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

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
	$(PIP) -e '.[train,render,baselines,cluster,export,station,postgresql,camera,mqtt,opcua,test]'
	touch $@

clean:
	rm -rf .venv demo
