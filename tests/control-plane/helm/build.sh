#!/bin/sh
# Builds helm into target/control-plane/bin, unless it is there already and comes from the present go.mod and go.sum.
# It is a module of its own, because Kubernetes' replacements are not helm's.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../../target/control-plane/bin
mkdir -p "$bin/.built"
bin=$(cd "$bin" && pwd)

# By content: a checkout gives go.mod the time of the checkout, also where the program comes from a cache.
source=$(cat "$here/go.mod" "$here/go.sum" | cksum)
if [ -x "$bin/helm" ] && [ "$(cat "$bin/.built/helm" 2>/dev/null)" = "$source" ]; then
	exit 0
fi
if ! command -v go >/dev/null; then
	echo "build.sh: helm has to be built, and there is no go on the PATH: install Go (https://go.dev/dl), at least version $(sed -n 's/^go //p' "$here/go.mod")" >&2
	exit 1
fi
version=$(sed -n 's/^[[:space:]]*\(require[[:space:]]\)\{0,1\}[[:space:]]*helm\.sh\/helm\/v4 \(v[^ ]*\).*/\2/p' "$here/go.mod")
echo "helm: building $version, the first time takes about 3 minutes on two cores ..."
rm -f "$bin/.built/helm"
# Beside it first: several may be started at once.
(cd "$here" && CGO_ENABLED=0 go build -trimpath -o "$bin/helm.$$" \
	-ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" helm.sh/helm/v4/cmd/helm)
mv "$bin/helm.$$" "$bin/helm"
echo "$source" >"$bin/.built/helm"
