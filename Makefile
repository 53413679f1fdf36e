# `make help` explains each target.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CONTROL_PLANE := target/debug/examples/control-plane
CHART := charts/entitlement-operator
OPERATOR := target/release/entitlement-operator
# A folder of tests/control-plane.
OLDEST := 1.34
STATIC_OPERATOR := target/image/entitlement-operator
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.PHONY: help
help: ## Shows this text.
	@echo "Entitlement Operator. Needs cargo and go, for check python3, for test what README.md lists; the control plane is built here."
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/  \1\t\2/' | expand -t 18

.PHONY: demo
demo: build control-plane-tool ## Runs the main job on a control plane of its own (CLUSTER=current: on the current context).
	@if [ "$${CLUSTER:-}" != current ]; then tests/control-plane/build.sh; fi
	@PATH="$(CURDIR)/target/release:$$PATH" $(CONTROL_PLANE) exec -- bash examples/demo.sh

.PHONY: packages
packages:
	@.ci/packages.sh

# Property tests make up their cases from this seed, so that the same code comes to the same end everywhere.
SEED ?= 20261127
test: export PROPTEST_RNG_SEED ?= $(SEED)
# Tests on a cluster wait more than they work: for seconds at which something begins or ends.
test test-oldest: export RUST_TEST_THREADS ?= $(shell echo $$((1 + $$(nproc))))

# Real clients of the API, which tests/cluster/clients.rs runs: those of the present lists, once.
.PHONY: test-clients
test-clients:
	@tests/clients/install.sh

.PHONY: test
test: packages test-clients control-plane static-operator ## Runs all tests: the core's, the formats' with their real readers, and those on a real API server.
	cargo test --locked

.PHONY: test-oldest
test-oldest: packages test-clients static-operator ## Runs the tests on a cluster against the oldest Kubernetes that is tested (TESTS=name: those with that name).
	@tests/control-plane/build.sh $(OLDEST)
	@tests/control-plane/helm/build.sh
	KUBEBUILDER_ASSETS="$(CURDIR)/target/control-plane-$(OLDEST)/bin" cargo test --locked --test cluster -- $(TESTS)

.PHONY: bench
bench: control-plane ## Prints what grants, subscriptions and metered usage take: in the index alone, and with GRANTS of them (default 10000) in a real cluster.
	@cargo test --locked --release --quiet --lib -- --ignored --exact --nocapture controller::footprint::what_grants_take
	@cargo test --locked --release --quiet --lib -- --ignored --exact --nocapture offline::tests::costs::what_subscriptions_take
	@cargo test --locked --release --quiet --lib -- --ignored --exact --nocapture core::usage::tests::costs::what_a_change_of_usage_takes
	@cargo test --locked --release --quiet --test store -- --ignored --nocapture many::a_million
	@cargo bench --locked --quiet --bench footprint
	@cargo bench --locked --quiet --bench checks

CASES ?= 2000

.PHONY: explore
explore: ## Runs the property tests on CASES cases each that nobody has seen (default 2000; TESTS=name: those with that name).
	PROPTEST_CASES=$(CASES) cargo test --locked --lib -- $(TESTS)

TIME ?= 60

.PHONY: fuzz
fuzz: ## Fuzzes schemas, templates, formats and manifests for TIME seconds in all (default 60).
	@cargo build --locked --quiet --example fuzz
	@ulimit -v 8000000; target/debug/examples/fuzz --time $(TIME) $(TARGET)

.PHONY: check
check: $(CARGO_DENY) ## Checks format, lints, generated files, time zone data and the dependencies (cargo-deny is built here, once: 2 minutes).
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	@$(MAKE) --no-print-directory generated-files-current
	@.ci/time-zones.sh
	@# libyaml-safer's manifest names no licence; its licence file is read instead.
	@$(CARGO_DENY) --locked check --allow no-license-field licenses bans sources

$(CARGO_DENY):
	cargo install --quiet --debug --locked --version $(CARGO_DENY_VERSION) --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) --target-dir target/tools/build cargo-deny
	@rm -r target/tools/build

.PHONY: build
build: ## Builds target/release/entitlement-operator.
	@[ -e $(OPERATOR) ] || echo "Building $(OPERATOR): about 6 minutes on two idle cores the first time, and twice that beside other work."
	cargo build --locked --release

.PHONY: image
image: ## Builds the image with docker, podman or buildah (IMAGE=name:tag, PLATFORM=linux/arm64, RUST_IMAGE=a mirror's).
	@.ci/image.sh

# What the test of the image puts into it: linked as the Containerfile links it, from the crates that the tests have.
.PHONY: static-operator
static-operator:
	@cargo rustc --locked --quiet --bin entitlement-operator -- -C target-feature=+crt-static
	@mkdir -p $(dir $(STATIC_OPERATOR))
	@cmp --silent target/debug/entitlement-operator $(STATIC_OPERATOR) || cp target/debug/entitlement-operator $(STATIC_OPERATOR)
	@touch $(STATIC_OPERATOR)

.PHONY: man
man: ## Writes the manual pages into target/man/.
	cargo run --locked --quiet -- man --output target/man

.PHONY: plugin
plugin: build ## Packs the kubectl plugin for Krew into target/krew/ (RELEASES=https://…: where it will be published).
	@.ci/krew/package.sh $(OPERATOR) target/krew $(RELEASES)

.PHONY: generate
generate: ## Writes crds/ and docs/openapi.yaml from the Rust types, what the chart and the Kustomize base have of them, and the pictures of docs/ from their texts.
	cargo run --locked --quiet -- crds --output crds
	cargo run --locked --quiet -- crds --output $(CHART)/files/crds
	cargo run --locked --quiet -- manifests > charts/kustomize/base/manifests.yaml
	cargo run --locked --quiet -- schema --api > docs/openapi.yaml
	python3 docs/pictures/draw.py

.PHONY: generated-files-current
generated-files-current:
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	cargo run --locked --quiet -- crds --output "$$folder"; \
	for kinds in crds $(CHART)/files/crds; do diff -ru $$kinds "$$folder" || { echo "$$kinds is stale: run make generate"; exit 1; }; done; \
	cargo run --locked --quiet -- manifests | cmp - charts/kustomize/base/manifests.yaml || { echo "charts/kustomize/base is stale: run make generate"; exit 1; }; \
	cargo run --locked --quiet -- schema --api | cmp - docs/openapi.yaml || { echo "docs/openapi.yaml is stale: run make generate"; exit 1; }; \
	rm "$$folder"/*; python3 docs/pictures/draw.py "$$folder"; \
	for picture in "$$folder"/*.svg; do cmp "$$picture" "docs/pictures/$${picture##*/}" || { echo "docs/pictures/ is stale: run make generate"; exit 1; }; done

.PHONY: control-plane
control-plane: ## Builds etcd, kube-apiserver, kube-controller-manager, kubectl and helm: once, about 12 minutes on two cores.
	@tests/control-plane/build.sh
	@tests/control-plane/helm/build.sh

.PHONY: control-plane-tool
control-plane-tool:
	@cargo build --locked --quiet --example control-plane

.PHONY: cluster
cluster: control-plane control-plane-tool ## Leaves a control plane running, and says how to reach and to stop it.
	@$(CONTROL_PLANE) up

.PHONY: cluster-stop
cluster-stop: control-plane-tool ## Stops the control plane that `make cluster` left running.
	@$(CONTROL_PLANE) down

.PHONY: clean
clean: ## Removes all that was built, but for the control plane and the tools.
	find target -mindepth 1 -maxdepth 1 ! -name 'control-plane*' ! -name tools -exec rm -rf {} +
