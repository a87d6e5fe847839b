.PHONY: html-test schemas-test

html-test: ## Open the audit's page in a real browser (chromium, node); skipped where there is none
	cargo build
	@if command -v npm >/dev/null; then cd tests/html && npm ci && npm test; else echo 'html-test: skipped, no npm'; fi

schemas-test: ## Hold the audit's SARIF and JUnit to their schemas (node, xmllint); skipped where they are not
	cargo build
	@if command -v npm >/dev/null; then cd tests/schemas && npm ci && npm test; else echo 'schemas-test: skipped, no npm'; fi
