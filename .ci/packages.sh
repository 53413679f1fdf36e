#!/usr/bin/env bash
# Says which of the programs are missing that tests use and that a distribution packages, and how to get them. With --install it
# installs them, on Debian and what derives from it, as root. Nothing is asked of a registry where nothing is missing.
#   .ci/packages.sh [--install]
set -euo pipefail

# Each program, and the package of Debian and Ubuntu that has it.
programs=(promtool:prometheus prometheus:prometheus buildah:buildah lua5.1:lua5.1 jq:jq postgres:postgresql curl:curl nginx:nginx python3:python3-venv node:nodejs npm:npm)

# Where Debian keeps programs for root, which the PATH of others may lack, and those of PostgreSQL's server.
PATH=$PATH:/usr/sbin:/sbin$(printf ':%s' /usr/lib/postgresql/*/bin)
missing=() packages=()
for entry in "${programs[@]}"; do
  program=${entry%%:*} package=${entry##*:}
  command -v "$program" >/dev/null && continue
  missing+=("$program")
  [[ " ${packages[*]-} " == *" $package "* ]] || packages+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "The tests need ${missing[*]}, which are not on the PATH. Debian has them in these packages: ${packages[*]}. Install what your" \
    "system has instead of them." >&2
  exit 1
fi
if [ "${1:-}" != --install ] || [ "$(id -u)" != 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo ")
  echo "The tests need ${missing[*]}, which are not on the PATH. Install them (no service is left running):" >&2
  echo "    $sudo.ci/packages.sh --install" >&2
  exit 1
fi

# The packages of Prometheus, PostgreSQL and nginx have services, which nobody here wants: neither now nor when the machine starts again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing ${packages[*]} ..."
log=$(mktemp)
{
  apt-get update --quiet
  apt-get install --quiet --yes --no-install-recommends "${packages[@]}"
} >"$log" 2>&1 </dev/null || {
  tail -20 "$log" >&2
  echo "packages.sh: ${packages[*]} could not be installed; the whole log is $log" >&2
  exit 1
}
rm "$log"
for service in prometheus postgresql nginx; do
  if [[ " ${packages[*]} " == *" $service "* ]]; then
    update-rc.d "$service" disable >/dev/null 2>&1 || true
  fi
done
