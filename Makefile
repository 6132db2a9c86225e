# Each target makes its own virtual environment: the import name `thermo` is shared with another distribution.
PYTHON ?= python3

.PHONY: demo test lint bench docs clean

demo: .venv/demo/ready  ## install, and run a real trace through an air-cooled rack
	.venv/demo/bin/thermo demo -o thermo-demo --overwrite

test: .venv/test/ready  ## install with the test extras, and pass the tests
	.venv/test/bin/python -m pytest -q -n 2

lint: .venv/test/ready
	.venv/test/bin/python -m pip install -q -e ".[dev]"
	.venv/test/bin/ruff check . && .venv/test/bin/mypy

bench: .venv/test/ready
	.venv/test/bin/python -m pip install -q -e ".[dev]"
	.venv/test/bin/asv machine --yes && .venv/test/bin/asv run --python=same --quick --show-stderr

docs: .venv/docs/ready  ## the documentation site, in docs/_build
	.venv/docs/bin/sphinx-build -W -q -b html docs docs/_build

.venv/docs/ready: pyproject.toml setup.py $(wildcard ext/*/*.* ext/include/thermo/*.hpp)
	$(PYTHON) -m venv .venv/docs
	.venv/docs/bin/python -m pip install -q -e ".[docs]"
	touch $@

.venv/demo/ready: pyproject.toml setup.py $(wildcard ext/*/*.* ext/include/thermo/*.hpp)
	$(PYTHON) -m venv .venv/demo
	.venv/demo/bin/python -m pip install -q .
	touch $@

.venv/test/ready: pyproject.toml setup.py $(wildcard ext/*/*.* ext/include/thermo/*.hpp)
	$(PYTHON) -m venv .venv/test
	.venv/test/bin/python -m pip install -q -e ".[test]"
	touch $@

clean:
	rm -rf .venv build dist docs/_build docs/api/generated thermo-demo src/*.egg-info
	find src -name '*.so' -delete
