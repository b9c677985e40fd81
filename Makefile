# `make demo` and `make test` do all of their own set-up; what they install they keep until `make clean`.
# A Python of your choice: make demo PYTHON=python3.12

EXAMPLE = examples/mnist
INSTALL = bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt

SITE = out/docs

.PHONY: help demo docs test test-fast test-new test-nir test-simulators kills fuzz applications bench accuracy lint fmt pages picture clean

help:
	@echo "make demo   compile the example model, measure it beside the old way, and write its report"
	@echo "make test   install everything, TensorFlow 2.12 included, then lint, type check and test; then again with numpy 2"
	@echo "make test-fast  only the tests of the core, which need no backend"
	@echo "make test-nir  install PyTorch (5 GB), snnTorch, Sinabs and Norse, and compare what they make of NIR files spike for spike"
	@echo "make test-simulators  the tests of NengoOCL, PyNN and Brian2, in an environment that has them"
	@echo "make kills  kill a hundred compilations, each of which leaves the old artifact or the new: some minutes"
	@echo "make fuzz   read 50,000 damaged models, artifacts, samples and plugins; FUZZ=1000 reads fewer: half an hour"
	@echo "make applications  compare every architecture of keras.applications with Keras: half an hour"
	@echo "make bench  measure compiling and simulating beside the NengoDL Converter and Keras: half an hour; docs/performance.md"
	@echo "make accuracy  measure eleven families of networks, and other converters: some hours; docs/accuracy.md"
	@echo "make docs   build the documentation as a site in $(SITE), and run its tutorials: two minutes"
	@echo "make lint   only lint and type check"
	@echo "make fmt    format the code, and fix what ruff can fix"
	@echo "make pages  write the pages that are made from the code anew: docs/layers.md, docs/api.md"
	@echo "make picture  take the picture of the report that the README shows, in headless Chromium"
	@echo "make clean  remove the environments, caches and outputs"

demo: .venv/installed
	.venv/bin/snnc compile $(EXAMPLE)/mnist_cnn.keras -o out/mnist
	.venv/bin/snnc report out/mnist --inputs $(EXAMPLE)/samples.npz -o out/mnist.html
	.venv/bin/python $(EXAMPLE)/demo.py out/mnist $(EXAMPLE)/samples.npz out/mnist.html

test: lint
	.venv-test/bin/python -m pytest -n 2
	@$(MAKE) --no-print-directory test-new

FAST = tests/analysis tests/engine tests/evaluation tests/ir tests/neurons tests/ops tests/passes \
    tests/test_api.py tests/test_dump.py tests/test_files.py tests/test_golden.py tests/test_layering.py tests/test_registry.py tests/test_text_form.py

test-fast: .venv-test/installed
	.venv-test/bin/python -m pytest $(FAST)

# The same tests with today's numpy, Keras 3 (on JAX), networkx and nengo, where there is a Python for them
test-new:
	@if PYTHON= sh scripts/find-python 'make test-new' 3.13 3.12 >/dev/null 2>&1; then \
	    $(MAKE) --no-print-directory .venv-new/installed && KERAS_BACKEND=jax .venv-new/bin/python -m pytest -n 2; \
	else \
	    echo "no Python 3.12 or 3.13 is on the PATH: the tests with numpy 2 and Keras 3 are left out"; \
	fi

# The loaders of snnc.nir, layer by layer, and the page that tells of them; benchmarks/nir_readers.py measures its table
test-nir: .venv-nir/installed
	.venv-nir/bin/python -m pytest tests/nir_torch

# What runs exports and networks elsewhere: NengoOCL, which needs an OpenCL driver such as Debian's pocl-opencl-icd, PyNN, Brian2
test-simulators: .venv-simulators/installed
	PYOPENCL_CTX=0 .venv-simulators/bin/python -m pytest tests/plugins/nengo/test_simulators.py tests/plugins/pynn

# Compilations killed at a hundred moments, over an old artifact
kills: .venv-test/installed
	SNNC_KILLS=100 .venv-test/bin/python -m pytest -s tests/end_to_end/test_killed.py

# What a defect was found in is kept in out/fuzz; FUZZ_SEED=N FUZZ=1 reads one case again. make test reads some hundred
FUZZ = 50000
FUZZ_SEED = 0
fuzz: .venv-test/installed
	.venv-test/bin/python -m tests.fuzz --count $(FUZZ) --seed $(FUZZ_SEED)

# Every architecture of keras.applications; benchmarks/applications.py measures the numbers of docs/applications.json anew
applications: .venv-test/installed
	.venv-test/bin/python -m pytest -m slow tests/end_to_end/test_applications.py

# Measures by processor time; an idle machine is still the better one
bench: .venv-test/installed
	.venv-test/bin/python benchmarks/speed.py

# Fashion-MNIST is Debian's package dataset-fashion-mnist. SNNC_MNIST names MNIST's .npz, SNNC_BENCH_CACHE the folder of
# trained networks, SNNC_TORCH_PYTHON a Python with torch, spikingjelly and h5py, without which ann2snn is left out
accuracy: .venv-test/installed
	.venv-test/bin/python benchmarks/accuracy.py
	.venv-test/bin/python benchmarks/accuracy.py --dataset mnist
	.venv-test/bin/python benchmarks/tutorial_table.py

lint: .venv-test/installed
	.venv-test/bin/ruff check
	.venv-test/bin/ruff format --check
	.venv-test/bin/mypy

fmt: .venv-test/installed
	.venv-test/bin/ruff check --fix
	.venv-test/bin/ruff format

# Nothing is fetched, neither here nor by readers; a warning or a failing cell of a tutorial fails the build
docs: .venv-test/installed
	@.venv-test/bin/python -c 'import myst_nb' 2>/dev/null || \
	    { echo "make docs needs Python 3.11 in .venv-test: make clean docs PYTHON=python3.11" >&2; exit 1; }
	.venv-test/bin/python -m sphinx -W --keep-going -q -j auto -c docs -d out/doctrees . $(SITE)
	@echo "the site is $(SITE)/index.html"

# The picture in the README, which needs Chromium
picture: .venv-test/installed
	.venv-test/bin/python docs/make_picture.py

pages: .venv-test/installed
	.venv-test/bin/python docs/generate_layers.py
	.venv-test/bin/python docs/generate_api.py

# The light set, without TensorFlow, on any supported Python
.venv/installed: .venv/bin/pip pyproject.toml constraints.txt
	@echo "installing snnc into .venv"
	@.venv/$(INSTALL) -e '.[report]'
	@touch $@

.venv/bin/pip:
	@python=$$(sh scripts/find-python 'make demo' 3.11 3.12 3.13 3.10) && "$$python" -m venv .venv

# Everything, which needs a Python that TensorFlow 2.12 exists for
.venv-test/installed: .venv-test/bin/pip pyproject.toml constraints.txt tests/example_plugin/pyproject.toml
	@echo "installing snnc[all] into .venv-test: some minutes the first time"
	@.venv-test/$(INSTALL) -e '.[all]'
	@.venv-test/$(INSTALL) -e tests/example_plugin --no-deps
	@touch $@

.venv-test/bin/pip:
	@python=$$(sh scripts/find-python 'make test' 3.11 3.10) && "$$python" -m venv .venv-test

.venv-new/installed: .venv-new/bin/pip pyproject.toml constraints-new.txt tests/example_plugin/pyproject.toml
	@echo "installing snnc with today's numpy and Keras into .venv-new"
	@.venv-new/bin/python -m pip install -qq --disable-pip-version-check -c constraints-new.txt -e '.[test,plots,report,tune]' keras jax
	@.venv-new/bin/python -m pip install -qq --disable-pip-version-check -c constraints-new.txt -e tests/example_plugin --no-deps
	@touch $@

.venv-new/bin/pip:
	@python=$$(PYTHON= sh scripts/find-python 'make test-new' 3.13 3.12) && "$$python" -m venv .venv-new

# Sinabs says which nir it takes, Norse and Sinabs which torch; there are no pins but theirs
.venv-nir/installed: .venv-nir/bin/pip pyproject.toml
	@echo "installing snnc with PyTorch, snnTorch, Sinabs and Norse into .venv-nir: some minutes, and 5 GB"
	@.venv-nir/bin/python -m pip install -qq --disable-pip-version-check -e '.[test,snntorch,sinabs,norse]'
	@touch $@

.venv-nir/bin/pip:
	@python=$$(sh scripts/find-python 'make test-nir' 3.11 3.12 3.10) && "$$python" -m venv .venv-nir

.venv-simulators/installed: .venv-simulators/bin/pip pyproject.toml
	@echo "installing snnc with NengoOCL, PyNN and Brian2 into .venv-simulators"
	@.venv-simulators/bin/python -m pip install -qq --disable-pip-version-check -e '.[test,pynn]' nengo-ocl==3.0.0 pyopencl==2026.1.4
	@touch $@

.venv-simulators/bin/pip:
	@python=$$(sh scripts/find-python 'make test-simulators' 3.11 3.10) && "$$python" -m venv .venv-simulators

clean:
	rm -rf .venv .venv-test .venv-new .venv-nir .venv-simulators out dist .pytest_cache .mypy_cache .ruff_cache
