#!/bin/sh
# Writes go.mod and go.sum anew: `tests/cluster/go-mod.sh 1.37.2`, and `tests/cluster/go-mod.sh 1.29.6 oldest`.
#
# Kubernetes' own go.mod asks for its parts at v0.0.0, which stand in its source tree; whoever builds it
# from outside must say which release of each part is meant (1.N.P is v0.N.P there).
set -eu
cd "$(dirname "$0")/${2:-.}"
version=$1
own=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^.*"GoMod": "\(.*\)",$/\1/p')

rm -f go.mod go.sum
{
    printf 'module podgrace.io/tests/cluster%s\n\n' "${2:+/$2}"
    grep '^go ' "$own"
    printf '\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$version"
    sed -n "s|^[[:space:]]*\(k8s.io/[a-z-]*\) v0\.0\.0\( .*\)*$|\t\1 => \1 v0.${version#1.}|p" "$own"
    printf ')\n'
} >go.mod
case ${2:-} in
# What the program needs, and no more: a part that it does not need cannot be had.
oldest) go list -mod=mod -tags providerless -deps . >/dev/null ;;
*) go mod tidy ;;
esac
