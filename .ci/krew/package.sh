#!/usr/bin/env bash
# Packs the kubectl plugin and writes the manifest by which Krew installs it.
#
#   package.sh PROGRAM FOLDER [BASE]
#
# PROGRAM is the built entitlement-operator, FOLDER gets the archive and the manifest, and BASE is the address under which
# the archive will be published (by default FOLDER itself, to try it: the archive is then given to Krew by hand).
set -euo pipefail
program=$1 folder=$2 base=${3:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
base=${base:-https://localhost$folder}

case $(uname -s) in Linux) os=linux ;; Darwin) os=darwin ;; *) echo "Krew knows no platform $(uname -s)" >&2; exit 2 ;; esac
case $(uname -m) in x86_64) arch=amd64 ;; aarch64 | arm64) arch=arm64 ;; *) echo "no build for $(uname -m)" >&2; exit 2 ;; esac

name=kubectl-entitlements-$os-$arch.tar.gz
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
install -m 755 "$program" "$stage/kubectl-entitlements"
install -m 644 "$here/../../LICENSE" "$stage/LICENSE"
# The same program gives the same bytes, whenever it is packed.
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$stage" LICENSE kubectl-entitlements |
  gzip --no-name > "$folder/$name"
sum=$(sha256sum "$folder/$name" | cut -d ' ' -f 1)
sed -e "s|@HOMEPAGE@|${base%/}|" -e "s|@OS@|$os|" -e "s|@ARCH@|$arch|" -e "s|@URI@|${base%/}/$name|" -e "s|@SHA256@|$sum|" \
  -e '/^#/d' "$here/entitlements.yaml" > "$folder/entitlements.yaml"
echo "$folder/entitlements.yaml"
echo "$folder/$name"
