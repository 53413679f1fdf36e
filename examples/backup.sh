#!/usr/bin/env bash
# Saves everything that makes up the grants of the current context's cluster, for restore.sh. Needs kubectl and jq.
#
#   backup.sh FOLDER
#
# The folder holds values of Secrets afterwards: keep it as you keep those. OPERATOR_NAMESPACE says where the operator is, if that
# is not entitlement-operator.
set -euo pipefail
umask 077
folder=${1:?"say where to: backup.sh FOLDER"}
operator=${OPERATOR_NAMESPACE:-entitlement-operator}
mkdir -p "$folder"

# Grants last: what they name is there then.
for kind in facetdefinitions entitlementdefinitions organizations entitlementinstances; do
	kubectl get "$kind.entitlements.dev" --all-namespaces --output json >"$folder/$kind.json"
done
kubectl get controllerrevisions.apps --namespace "$operator" \
	--selector app.kubernetes.io/managed-by=entitlement-operator --output json >"$folder/controllerrevisions.json"
# What has outlived its grant (onEnd: Retain).
kubectl get configmaps,secrets --all-namespaces \
	--selector entitlements.dev/in-force=false --output json >"$folder/retained.json"

# The Secrets that grants name.
jq --raw-output '[.items[] | select(.spec.secretFacets) | .metadata.namespace] | unique[]' "$folder/entitlementinstances.json" |
	while read -r namespace; do
		kubectl get secrets --namespace "$namespace" --output json
	done |
	jq --slurp --slurpfile grants "$folder/entitlementinstances.json" '
		([$grants[0].items[] | .metadata.namespace as $namespace | .spec.secretFacets[]?.secretKeyRef.name
			| "\($namespace)/\(.)"] | unique) as $named
		| {apiVersion: "v1", kind: "List", items: [.[].items[]
			| select("\(.metadata.namespace)/\(.metadata.name)" | IN($named[]))]}' >"$folder/secrets.json"

count() { jq '.items | length' "$folder/$1.json"; }
echo "saved in $folder: $(count entitlementinstances) grants, $(count organizations) organizations," \
	"$(count entitlementdefinitions) definitions, $(count facetdefinitions) facet definitions," \
	"$(count controllerrevisions) of their valid states, $(count secrets) Secrets, $(count retained) retained objects"
