#!/usr/bin/env bash
# Reviews a change of entitlements: whether the API server and the operator would take it, and what clients will get, and when.
#
#   review.sh OLD NEW FOLDER
#
# OLD and NEW are folders of manifests before and after the change. FOLDER gets comment.md, and entitlements.sarif, which forges
# show beside the lines of the change. Exit codes: 0 if all of it would be taken, 1 if something would be refused or is invalid,
# 2 if the manifests cannot be read.
set -euo pipefail
old=$1 new=$2 folder=$3
mkdir -p "$folder"

outcome=0
entitlement-operator timeline --diff "$old" "$new" > "$folder/changes.md" || outcome=$?
entitlement-operator validate -f "$new" --since "$old" -o sarif > "$folder/entitlements.sarif" 2>/dev/null || true

{
  echo "### What changes for clients"
  echo
  if [ "$outcome" -gt 1 ]; then
    outcome=2
    echo "The manifests cannot be read, so there is nothing to compare: see the findings of this check."
  else
    cat "$folder/changes.md"
  fi
} > "$folder/comment.md"
rm "$folder/changes.md"
exit "$outcome"
