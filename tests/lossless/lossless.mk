# The proof: what requests are lost without Podgrace and with it, on a node of its own.
#
#   make lossless                 every row, three runs each
#   make lossless SCENARIO=3      one scenario; or a row, 3a; or several, "3 4a"
#   make lossless RUNS=1          one run of each row
#
# Each row's results are written as soon as it has been measured, so it can be interrupted.

.PHONY: lossless specimen

SPECIMEN := target/static/specimen

lossless: export PODGRACE_E2E_BINARY ?= $(abspath $(STATIC))
lossless: cluster-programs node-programs $(TOOLS)/helm4 static specimen ## Measure what requests are lost, into docs/lossless.md; SCENARIO=3 for one
	cargo build --quiet --test e2e
	$(E2E) lossless $(if $(RUNS),--runs=$(RUNS)) $(SCENARIO)

specimen: ## Build the application whose requests are counted: target/static/specimen
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --example specimen --profile $(STATIC_PROFILE) \
		--target $(TARGET) --target-dir target/static
	ln -f target/static/$(TARGET)/$(subst dev,debug,$(STATIC_PROFILE))/examples/specimen $(SPECIMEN)
