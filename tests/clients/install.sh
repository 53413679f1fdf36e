#!/bin/sh
# Installs the packages of the clients into target/clients, unless they are there already and come from the present lists: those of
# Python into target/clients/python, those of Node into target/clients/node.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$here/../../target/clients
mkdir -p "$target"
target=$(cd "$target" && pwd)

# By content: a checkout gives the lists the time of the checkout, also where the packages come from a cache.
source=$(cat "$here/requirements.txt" "$here/package-lock.json" | cksum)
if [ "$(cat "$target/installed" 2>/dev/null)" = "$source" ]; then
	exit 0
fi
rm -rf "$target/python" "$target/node" "$target/installed"

major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
	echo "clients: node 20 or later is needed, with npm; there is ${major:-none}" >&2
	exit 1
fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
	echo "clients: python3 with venv is needed (Debian: python3-venv)" >&2
	exit 1
fi

echo "clients: waiting for pip, which installs tests/clients/requirements.txt ..." >&2
python3 -m venv "$target/python"
"$target/python/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"

echo "clients: waiting for npm, which installs tests/clients/package-lock.json ..." >&2
mkdir "$target/node"
cp "$here/package.json" "$here/package-lock.json" "$target/node"
(cd "$target/node" && npm ci --silent --no-audit --no-fund)

echo "$source" >"$target/installed"
