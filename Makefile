# Everything sets itself up: Python >= 3.11 and make are all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True

.DEFAULT_GOAL := help
.PHONY: help setup demo proact test fast lint bench bench-batch api-release bento sbom serve mlflow-ui lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the environment in .venv (the others do it when it is missing or out of date)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV) (one to three minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## reference cohort -> trained, registered, served, asked: the whole walk in under 3 minutes
	@$(BIN)/python examples/demo.py

proact: $(READY) ## the same on real trial patients: make proact PROACT=path/to/proact_visits.csv.gz
	@$(BIN)/python examples/proact.py $(PROACT)

test: lint ## all tests, lint, types, import contracts
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

fast: $(READY) ## the tests that take seconds
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

PACK ?= mlruns/packs/als-progression@champion
bench: $(READY) ## the service beside a bare frame and BentoML's own endpoint, from one pack: make bench PACK=folder
	@$(BIN)/python benchmarks/one_record.py $(PACK)
	@$(BIN)/python benchmarks/serving.py $(PACK)

bench-batch: $(READY) ## scoring a file beside reading it and the raw booster call: make bench-batch PACK=folder
	@$(BIN)/python benchmarks/batch.py $(PACK)

api-release: $(READY) ## keep what the API is now: from then on a test fails where a change breaks its callers
	@$(BIN)/python tools/api_changes.py release $(PACK) docs/openapi-released.json

serve: $(READY) ## serve the champion on 127.0.0.1:3000, with a page of the API on 127.0.0.1:3001
	@$(BIN)/tregcast serve

mlflow-ui: $(READY) ## look at runs and models on 127.0.0.1:5000
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --host 127.0.0.1 --port 5000 \
		--backend-store-uri sqlite:///$(CURDIR)/mlruns/mlflow.db

bento: $(READY) ## a Bento that holds a pack and starts without MLflow: make bento PACK=models:/als-progression@champion
	@$(BIN)/tregcast pin $(PACK)
	@$(BIN)/bentoml build

sbom: $(READY) ## bills of materials (CycloneDX) of what is locked for serving, batch and development, in dist/
	@mkdir -p dist
	@for lock in requirements.lock deploy/requirements.lock deploy/batch-requirements.lock; do \
		$(BIN)/python -W ignore -m cyclonedx_py requirements $$lock --pyproject pyproject.toml \
			--output-reproducible --validate --of JSON -o dist/$$(echo $$lock | tr / - | sed 's/requirements.lock/tregcast.cdx.json/'); \
	done; ls dist/*.cdx.json

lock: $(READY) ## resolve requirements.lock anew: versions and hashes, no addresses
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra access --extra otlp --extra postgres --universal --python-version 3.11 --generate-hashes \
		--constraint requirements.lock \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o deploy/requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra batch --universal --python-version 3.11 --generate-hashes \
		--constraint requirements.lock \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o deploy/batch-requirements.lock

clean: ## remove the environment, caches and the local tracking store
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find mlruns -mindepth 1 ! -name README.md -delete
