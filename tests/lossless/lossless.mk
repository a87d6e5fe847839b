# The proof: what requests are lost without Podgrace and with it, on a node of its own.
#
#   make lossless                 every row, three runs each
#   make lossless SCENARIO=3      one scenario; or a row, 3a; or several, "3 4a"
#   make lossless RUNS=1          one run of each row
#   make lossless-short           rows 1a, 3a and 4 once, and fails where explain says otherwise; keeps nothing
#   make lossless-page            pictures and tables again, from what is kept
#
# Each row's results are kept as soon as it has been measured, so it can be interrupted.

.PHONY: lossless lossless-programs lossless-short lossless-page lossless-tools spring java-programs


lossless lossless-short: export PODGRACE_E2E_BINARY ?= $(abspath $(STATIC))
lossless-programs: cluster-programs node-programs $(TOOLS)/helm4 static lossless-tools
	cargo build --quiet --test e2e

lossless: lossless-programs spring ## Measure what requests are lost, into docs/lossless.md; SCENARIO=3 for one
	$(E2E) lossless $(if $(RUNS),--runs=$(RUNS)) $(SCENARIO)
	@$(MAKE) --no-print-directory lossless-page

lossless-short: lossless-programs
	$(E2E) lossless --short

lossless-page:
	UPDATE_LOSSLESS=1 cargo test --quiet --test lossless pictures
	UPDATE_README=1 cargo test --quiet --test readme

lossless-tools: ## Build the application whose requests are counted, and what sends them: target/static/{specimen,load}
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --example specimen --example load --profile $(STATIC_PROFILE) \
		--target $(TARGET) --target-dir target/static
	for name in specimen load; do ln -f target/static/$(TARGET)/$(subst dev,debug,$(STATIC_PROFILE))/examples/$$name target/static/$$name; done

# The versions that the manifests name.
SPRING_VERSIONS := 3.3.13 4.1.2
SPRING := target/spring
SPRING_SOURCES := $(shell find tests/lossless/spring -type f)
JAVA_MODULES := java.base,java.logging,java.xml,java.naming,java.sql,java.management,java.instrument,java.desktop,$(\
)java.security.jgss,java.net.http,jdk.management,jdk.unsupported,jdk.crypto.ec

spring: $(SPRING)/jre $(SPRING_VERSIONS:%=$(SPRING)/%/app.jar) ## Build the Spring Boot applications and a Java for their images

java-programs:
	@command -v mvn >/dev/null && command -v jlink >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends maven openjdk-17-jdk-headless; \
	else \
		echo 'Maven and a JDK 17 are missing (Debian: apt-get install maven openjdk-17-jdk-headless)' >&2; exit 1; \
	fi

$(SPRING)/%/app.jar: $(SPRING_SOURCES) | java-programs
	mvn --quiet --batch-mode -f tests/lossless/spring/pom.xml package -Dboot.version=$*

# What the application needs of Java, with its classes prepared.
$(SPRING)/jre: | java-programs
	rm -rf $@ && jlink --add-modules $(JAVA_MODULES) --strip-debug --no-header-files --no-man-pages --output $@ && \
	$@/bin/java -Xshare:dump >/dev/null
