# What people and .ci/run call. A target does one thing; `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help build release test golden readme html-test schemas-test node-packages fmt fmt-check lint doc deny advisories bench fuzz-check ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the binary with debug information: target/debug/podgrace
	cargo build

release: ## Build the binary that is shipped: target/release/podgrace
	cargo build --release --locked

test: ## Run all tests
	cargo test

golden: ## Rewrite the expected files of all golden cases; read the difference before you commit it
	UPDATE_GOLDEN=1 cargo test --test golden --test manifests --test formats

readme: ## Rewrite the tables in README.md and docs/ from the code
	UPDATE_README=1 cargo test --test readme

html-test: PACKAGES = npm chromium
html-test: node-packages ## Open the audit's page in a real browser (npm, chromium)
	cargo build
	cd tests/html && npm ci && npm test

schemas-test: PACKAGES = npm libxml2-utils
schemas-test: node-packages ## Hold the audit's SARIF and JUnit to their schemas (npm, xmllint)
	cargo build
	cd tests/schemas && npm ci && npm test

# Where one is root on Debian they are installed; elsewhere it is said what is missing.
node-packages:
	@for package in $(PACKAGES); do \
		command -v "$$(echo $$package | sed s/libxml2-utils/xmllint/)" >/dev/null || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "missing (Debian's names):$$missing" >&2; exit 1; \
	fi

fmt: ## Format the code
	cargo fmt

fmt-check: ## Fail where the code is not formatted
	cargo fmt --check

lint: ## Run clippy; a warning is an error
	cargo clippy --locked --all-targets -- --deny warnings

doc: ## Build the code's documentation; a broken link is an error
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --no-deps --document-private-items

deny: ## Check the licenses, duplicates and sources of the dependencies (cargo-deny)
	cargo fetch --locked
	cargo deny --offline check licenses bans sources

advisories: ## Check the dependencies against known vulnerabilities; needs github.com
	cargo deny check advisories

bench: ## Run the benchmarks; those of audit beside other tools, where make peers built them
	cargo bench

fuzz-check: ## Compile the fuzz targets, where there are any
	@if [ -d fuzz ]; then cargo check --locked --manifest-path fuzz/Cargo.toml; else echo 'there is no fuzz/ yet'; fi

ci: ## Run everything that a change must pass
	.ci/run

include tests/cluster/cluster.mk
include tests/tools/tools.mk
include tests/lossless/lossless.mk
