#!/bin/sh
# Builds the programs of the control plane into target/control-plane/bin, unless they are there already and come from
# the present go.mod and go.sum. A program that the folder KUBEBUILDER_ASSETS has is used from there.
# With the name of a folder beside this file, such as 1.34, it builds the older Kubernetes of that folder's go.mod into
# target/control-plane-1.34/bin, whatever KUBEBUILDER_ASSETS says.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
older=${1:-}
module=$here${older:+/$older}
if [ ! -e "$module/go.mod" ]; then
	echo "build.sh: there is no $module/go.mod; the versions are:" $(cd "$here" && ls -d [0-9]*/ | tr -d /) >&2
	exit 2
fi
bin=$here/../../target/control-plane${older:+-$older}/bin
mkdir -p "$bin/.built"
bin=$(cd "$bin" && pwd)
assets=${KUBEBUILDER_ASSETS:-}
if [ -n "$older" ]; then
	assets=
fi

version=$(sed -n 's/^[[:space:]]*\(require[[:space:]]\)\{0,1\}[[:space:]]*k8s\.io\/kubernetes \(v[^ ]*\).*/\2/p' "$module/go.mod")
if [ -z "$version" ]; then
	echo "build.sh: $module/go.mod requires no version of k8s.io/kubernetes" >&2
	exit 1
fi
number=${version#v}
major=${number%%.*}
minor=${number#*.}
minor=${minor%%.*}

# By content: a checkout gives go.mod the time of the checkout, also where the programs come from a cache.
source=$(cat "$module/go.mod" "$module/go.sum" | cksum)

is_built() {
	[ -x "$bin/$1" ] && [ "$(cat "$bin/.built/$1" 2>/dev/null)" = "$source" ]
}

build() {
	name=$1 package=$2 duration=$3
	if [ -n "$assets" ] && [ -x "$assets/$name" ]; then
		echo "$name: $assets/$name (KUBEBUILDER_ASSETS)"
		return
	fi
	if is_built "$name"; then
		return
	fi
	if ! command -v go >/dev/null; then
		echo "build.sh: $name has to be built, and there is no go on the PATH: install Go (https://go.dev/dl), at least version $(sed -n 's/^go //p' "$module/go.mod")," \
			"or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kubectl" >&2
		exit 1
	fi
	rm -f "$bin/.built/$name"
	echo "$name: building, the first time takes about $duration on two cores ..."
	variables=k8s.io/component-base/version
	(cd "$module" && CGO_ENABLED=0 go build -trimpath -o "$bin/$name" \
		-ldflags "-s -w -X $variables.gitVersion=$version -X $variables.gitMajor=$major -X $variables.gitMinor=$minor" \
		"$package")
	echo "$source" >"$bin/.built/$name"
}

build etcd go.etcd.io/etcd/server/v3 "1 minute"
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "5 minutes"
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager "2 minutes"
build kubectl k8s.io/kubernetes/cmd/kubectl "1 minute"
if [ -z "$assets" ]; then
	echo "The control plane (Kubernetes $version) is built."
fi
