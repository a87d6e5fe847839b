# A Kubernetes control plane or a whole node on this machine, and the scenarios that run on it.
#
#   make e2e                         on a control plane and a node of its own
#   make e2e ARGS='sidecar audit'    only scenarios with such names
#   make e2e-oldest                  on an API server of the oldest version that is tried
#   make e2e KUBECONFIG=~/.kube/…    on that cluster (said on the command line: a KUBECONFIG that merely
#                                    stands in the environment is left alone)
#   KUBEBUILDER_ASSETS=DIR make e2e  with the etcd, kube-apiserver, … of that folder

.PHONY: e2e e2e-oldest e2e-program static image cluster-binary cluster-programs etcd cluster-up node-up cluster-down node-programs

CLUSTER := target/cluster
OLDEST := $(CLUSTER)/oldest
K8S_VERSION := $(shell sed -n 's|^.*k8s.io/kubernetes v||p' tests/cluster/go.mod)
OLDEST_VERSION := $(shell sed -n 's|^.*k8s.io/kubernetes v||p' tests/cluster/oldest/go.mod)
K8S_PROGRAMS := kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl
# Without the version it is v0.0.0-master, and nothing that looks at versions works.
K8S_STAMP := -X k8s.io/component-base/version
k8s-ldflags = -s -w $(K8S_STAMP).gitVersion=v$(1) \
	$(K8S_STAMP).gitMajor=$(word 1,$(subst ., ,$(1))) $(K8S_STAMP).gitMinor=$(word 2,$(subst ., ,$(1)))
E2E := cargo test --quiet --test e2e --

# The profile of the program under test. dev is quick to build again; CI takes what is shipped.
STATIC_PROFILE ?= $(if $(CI),release,dev)
STATIC := target/static/podgrace
TARGET := $(shell rustc --print host-tuple)

ifeq ($(origin KUBECONFIG),command line)
e2e: export KUBECONFIG := $(abspath $(KUBECONFIG))
else
unexport KUBECONFIG
ifndef KUBEBUILDER_ASSETS
e2e cluster-up node-up: cluster-programs
endif
# The chart is part of what is tried.
e2e: helm
ifneq ($(PODGRACE_E2E_NODE),skip)
e2e: node-programs
endif
endif

# One program for everything: beside the API server and in an image.
e2e e2e-oldest image: export PODGRACE_E2E_BINARY ?= $(abspath $(STATIC))

e2e: static e2e-program ## Run the scenarios on a real Kubernetes API server and on a whole node
	$(E2E) run $(ARGS)

# It has no nodes, and no controllers: not all parts of that version can be had any more.
e2e-oldest: static e2e-program helm etcd $(OLDEST)/kube-apiserver ## The same on the API server of the oldest Kubernetes that is tried: sleeps are exec there
	KUBEBUILDER_ASSETS=$(abspath $(OLDEST)) PODGRACE_E2E_NODE=skip $(E2E) run $(ARGS)

e2e-program:
	@since=$$(date +%s); cargo build --quiet --test e2e && echo "the scenarios in $$(($$(date +%s) - since)) s"

cluster-up: ## Start a control plane that stays: eval "$(make -s cluster-up)"
	@$(E2E) up

# Its own folder, as other flags would have everything built anew each time.
static: ## Build the program that needs nothing beside it: target/static/podgrace; STATIC_PROFILE=release as it is shipped
	@since=$$(date +%s); \
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --locked --bin podgrace --profile $(STATIC_PROFILE) \
		--target $(TARGET) --target-dir target/static && \
	ln -f target/static/$(TARGET)/$(subst dev,debug,$(STATIC_PROFILE))/podgrace $(STATIC) && \
	echo "$(STATIC) ($(STATIC_PROFILE)) in $$(($$(date +%s) - since)) s"

# What is shipped, whatever is tested.
image: STATIC_PROFILE := release
image: static ## Build the image without a container engine: target/image/podgrace.tar
	@$(E2E) image target/image/podgrace.tar

node-up: node-programs ## Start a whole node that stays, which runs containers: eval "$(make -s node-up)"
	@$(E2E) node-up

cluster-down: ## End what cluster-up or node-up started
	@$(E2E) down

cluster-programs: cluster-binary etcd

etcd:
	@command -v etcd >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends etcd-server; \
	else \
		echo 'etcd is missing: install it (Debian and Ubuntu: apt-get install etcd-server), or set KUBEBUILDER_ASSETS' >&2; \
		exit 1; \
	fi

# The test says what is missing where they cannot be installed.
NODE_PACKAGES := containerd runc containernetworking-plugins iptables nftables iproute2 busybox-static

node-programs:
	@for program in containerd runc iptables nft ip busybox; do command -v $$program >/dev/null || missing=yes; done; \
	[ -z "$$missing" ] || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $(NODE_PACKAGES); } >&2

cluster-binary: $(CLUSTER)/kubernetes ## Build Kubernetes' programs into target/cluster (10 to 20 minutes the first time)

# One for all: they share nearly everything. The names are links, by which it knows what to be.
$(CLUSTER)/kubernetes: tests/cluster/main.go tests/cluster/go.mod tests/cluster/go.sum
	@command -v go >/dev/null || { echo 'go is missing: install Go 1.26 from https://go.dev/dl, or set KUBEBUILDER_ASSETS' >&2; exit 1; }
	@echo 'building Kubernetes $(K8S_VERSION)'; mkdir -p $(CLUSTER)
	@since=$$(date +%s); \
	CGO_ENABLED=0 go build -C tests/cluster -trimpath -ldflags '$(call k8s-ldflags,$(K8S_VERSION))' -o $(abspath $@) . && \
	for name in $(K8S_PROGRAMS); do ln -sf kubernetes $(CLUSTER)/$$name; done && \
	echo "built in $$(($$(date +%s) - since)) s"

# Its legacy-cloud-providers cannot be had, so that go.mod cannot be complete: hence both flags.
$(OLDEST)/kube-apiserver: tests/cluster/oldest/main.go tests/cluster/oldest/go.mod tests/cluster/oldest/go.sum
	@command -v go >/dev/null || { echo 'go is missing: install Go 1.26 from https://go.dev/dl' >&2; exit 1; }
	@echo 'building kube-apiserver $(OLDEST_VERSION)'; mkdir -p $(OLDEST)
	@since=$$(date +%s); \
	CGO_ENABLED=0 go build -C tests/cluster/oldest -mod=mod -tags providerless -trimpath \
		-ldflags '$(call k8s-ldflags,$(OLDEST_VERSION))' -o $(abspath $@) . && \
	echo "built in $$(($$(date +%s) - since)) s"
