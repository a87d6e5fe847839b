# What people and .ci/run call. A target does one thing; `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help build release test golden readme html-test schemas-test fmt fmt-check lint doc deny advisories bench fuzz-check ci

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

html-test: ## Open the audit's page in a real browser (chromium, node); skipped where there is none
	cargo build
	@if command -v npm >/dev/null; then cd tests/html && npm ci && npm test; else echo 'html-test: skipped, no npm'; fi

schemas-test: ## Hold the audit's SARIF and JUnit to their schemas (node, xmllint); skipped where they are not
	cargo build
	@if command -v npm >/dev/null; then cd tests/schemas && npm ci && npm test; else echo 'schemas-test: skipped, no npm'; fi

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

bench: ## Run the benchmarks
	cargo bench

fuzz-check: ## Compile the fuzz targets, where there are any
	@if [ -d fuzz ]; then cargo check --locked --manifest-path fuzz/Cargo.toml; else echo 'there is no fuzz/ yet'; fi

ci: ## Run everything that a change must pass
	.ci/run

include tests/cluster/cluster.mk
include tests/tools/tools.mk
include tests/lossless/lossless.mk
