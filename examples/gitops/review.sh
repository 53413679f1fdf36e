#!/usr/bin/env bash
# Reviews a change of entitlements: whether the operator would take it, and what clients will get of it, when.
#
#   review.sh OLD NEW FOLDER
#
# OLD and NEW are folders of manifests before and after the change. FOLDER gets entitlements.sarif, which forges show beside
# the lines of the change, and comment.md. Ends as `validate` does: 0 valid, 1 refused or invalid, 2 unreadable.
set -euo pipefail
old=$1 new=$2 folder=$3
mkdir -p "$folder"

outcome=0
entitlement-operator validate -f "$new" || outcome=$?
entitlement-operator validate -f "$new" -o sarif > "$folder/entitlements.sarif" || true

{
  echo "### What changes for clients"
  echo
  if [ "$outcome" -eq 0 ]; then
    entitlement-operator timeline --diff "$old" "$new" 2>/dev/null
  else
    echo "The manifests are not valid, so nothing can be said of it: see the findings of this check."
  fi
} > "$folder/comment.md"
exit "$outcome"
