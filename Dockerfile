# The image of podgrace: one program without libraries, and nothing else.
#
#   docker build -t registry.example/podgrace:0.1.0 .
#
# docs/image.md says more, also how to build it where there is no container engine.
ARG RUST_VERSION=1.95

FROM docker.io/library/rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /src
COPY . .
# The target is named so that its flags are not those of what runs while it is built.
RUN RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --locked --release --bin podgrace --target "$(rustc --print host-tuple)" \
    && cp target/*/release/podgrace /podgrace

# Tests make their image of what stands below: tests/e2e/dockerfile.rs reads it.
FROM scratch
LABEL org.opencontainers.image.title="podgrace"
LABEL org.opencontainers.image.description="A mutating admission webhook for startup probes, preStop sleeps and grace periods"
LABEL org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /podgrace /podgrace
COPY LICENSE /LICENSE
# Nobody's, and by number: Kubernetes cannot tell whether a name is root.
USER 65532:65532
# The webhook, and /livez, /readyz, /metrics
EXPOSE 10250 8080
ENTRYPOINT ["/podgrace"]
