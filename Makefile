# `make demo` and `make test` work in an empty clone: each target sets up .venv first, about a minute the first time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV := $(BIN)/uv --quiet --no-config
# What is told of the dependencies without the network: every pin has hashes, and what is installed is what is pinned.
UNCHANGED := $(BIN)/uv --no-config --offline pip sync --dry-run --python $(BIN)/python --require-hashes requirements.lock
CODE := daemon ensemble storage tests

.PHONY: demo test test-slow test-systemd install uninstall check audit-dependencies fix docs bench screenshots lock clean

demo: $(READY)
	@$(BIN)/reliance-daemon --config docs/examples/demo.toml run-once --now 2018-12-28T14:10:00Z

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-slow: $(READY)
	@$(BIN)/python -m pytest -q -m slow --timeout 1800

# As root, with systemd-container: boots a real systemd over an overlay of this machine, and changes nothing on it.
test-systemd: $(READY)
	@$(BIN)/python -m pytest -q -m systemd --timeout 600 -rs -s tests/systemd

# As root: the service and its program, with an environment of its own in /opt/reliance-daemon (docs/service.md).
install:
	@systemd/install.sh

uninstall:
	@systemd/uninstall.sh

check: $(READY)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >$(VENV)/layers.log || { cat $(VENV)/layers.log; exit 1; }
	@$(UNCHANGED) >$(VENV)/lock.log 2>&1 && ! grep '^ +' $(VENV)/lock.log || { cat $(VENV)/lock.log; exit 1; }
	@$(BIN)/uv --no-config pip check --python $(BIN)/python >$(VENV)/lock.log 2>&1 || { cat $(VENV)/lock.log; exit 1; }
	@echo "check: format, lint, types, layers and dependencies are in order"

# Known vulnerabilities of what the lock pins. It needs the network: no tool knows them without (docs/operations.md).
audit-dependencies: $(READY)
	@$(UV) tool run --from pip-audit==2.10.1 pip-audit --strict --require-hashes --disable-pip -r requirements.lock

fix: $(READY)
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

# The pictures of docs/report.md, from the demo's sample bars; it needs Chromium, and takes some minutes.
screenshots: $(READY)
	@$(BIN)/python -m tests.daemon.report.screenshots

# The pages and tables that are made of the code; tests compare them.
docs: $(READY)
	@$(BIN)/python -m tests.daemon.config.configuration_page
	@$(BIN)/python -m tests.ensemble.trading.costs_page
	@$(BIN)/python -m tests.storage.queries_page

# make bench [ONLY=retrain,gemm] [FULL=1] [RECORD=1] [TORCH=python that has PyTorch] [ARGS="--months 6"]
bench: $(READY)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full) $(if $(RECORD),--record) \
	  $(if $(TORCH),--torch-python $(TORCH)) $(ARGS)

# After a change of the dependencies in pyproject.toml; the hashes come from the public index, whatever pip is set to.
lock: $(READY)
	@$(UV) pip compile pyproject.toml --group dev --group build --output-file requirements.lock \
	  --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate >/dev/null

# What make made; never ./state, which may hold a real account.
clean:
	@rm -rf $(VENV) build dist docs/examples/state .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# uv takes less than half of pip's time. Where it finds no index (it does not read pip's settings), pip does the work.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
	  echo "Python 3.11 to 3.13 is needed and $(PYTHON) is $$($(PYTHON) -V 2>&1 | tail -n 1); try: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV): about a minute the first time." >&2
	@$(PYTHON) -m venv $(VENV)
	@awk '/^[^ ]/ { mine = /^uv==/ } mine' requirements.lock | $(PIP) install --require-hashes -r /dev/stdin
	@$(UV) pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock \
	  || { echo "pip takes over: a minute more." >&2; $(PIP) install --require-hashes -r requirements.lock; }
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -qq daemon ensemble storage
	@$(BIN)/python -c 'import ensemble.members.kernels' 2>/dev/null || true  # else the first training compiles them
	@touch $@
