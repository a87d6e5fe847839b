# Programs that tests use and that are no part of the product: built from Go modules, pinned in go.mod files here.

.PHONY: helm peers chart-test chart-golden

TOOLS := target/tools
HELM4_VERSION := $(shell sed -n 's|^.*helm.sh/helm/v4 \([^ ]*\).*|\1|p' tests/tools/helm4/go.mod)
HELM3_VERSION := $(shell sed -n 's|^.*helm.sh/helm/v3 \([^ ]*\).*|\1|p' tests/tools/helm3/go.mod)
# Helm 4 sees from its modules which Kubernetes it knows; Helm 3 must be told, or it believes in 1.20.
HELM3_K8S_MINOR := $(shell sed -n 's|^.*k8s.io/client-go v0\.\([0-9]*\)\..*|\1|p' tests/tools/helm3/go.mod)
HELM3_K8S := $(foreach part,chartutil lint/rules,\
	-X helm.sh/helm/v3/pkg/$(part).k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/$(part).k8sVersionMinor=$(HELM3_K8S_MINOR))

helm: $(TOOLS)/helm4 $(TOOLS)/helm3 $(TOOLS)/crds ## Build Helm 4 and Helm 3 into target/tools (1 to 4 minutes each the first time)

peers: $(TOOLS)/kube-score $(TOOLS)/gator $(TOOLS)/kyverno ## Build the tools that benchmarks compare with: kube-score, gator, Kyverno's (15 minutes the first time)

$(TOOLS)/helm4: LDFLAGS = -X helm.sh/helm/v4/internal/version.version=$(HELM4_VERSION)
$(TOOLS)/helm3: LDFLAGS = -X helm.sh/helm/v3/internal/version.version=$(HELM3_VERSION) $(HELM3_K8S)
$(TOOLS)/%: tests/tools/%/go.mod tests/tools/%/go.sum
	@command -v go >/dev/null || { echo 'go is missing: install Go 1.26 from https://go.dev/dl' >&2; exit 1; }
	@echo 'building $*'; since=$$(date +%s); \
	CGO_ENABLED=0 go build -C tests/tools/$* -trimpath -ldflags '-s -w $(LDFLAGS)' -o $(abspath $@) tool && \
	touch $@ && echo "built in $$(($$(date +%s) - since)) s"

# The definitions of kinds that no Kubernetes has by itself, from their projects' Go modules (8 MB).
$(TOOLS)/crds: tests/tools/crds/go.mod tests/tools/crds/go.sum
	@mkdir -p $@; for folder in $$(go -C tests/tools/crds mod download -json | sed -n 's|^.*"Dir": "\(.*\)",$$|\1|p'); do \
		find "$$folder" -name cert-manager.io_certificates.yaml -path '*/deploy/crds/*' -exec install -m 644 {} $@ \; ; \
		find "$$folder" -name cert-manager.io_issuers.yaml -path '*/deploy/crds/*' -exec install -m 644 {} $@ \; ; \
		for kind in servicemonitors prometheusrules; do \
			find "$$folder" -name "monitoring.coreos.com_$$kind.yaml" -path '*/example/prometheus-operator-crd/*' -exec install -m 644 {} $@ \; ; \
		done; \
	done; touch $@

chart-test: helm ## Render the chart with both Helms: golden files, linters, what is refused; make e2e ARGS=chart installs it
	cargo test --quiet --test chart -- --include-ignored

chart-golden: helm ## Rewrite what the chart is expected to make; read the difference before you commit it
	UPDATE_GOLDEN=1 cargo test --quiet --test chart -- --include-ignored is_rendered shows_what
