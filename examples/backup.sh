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

# Grants and reports of usage last: what they name is there then. No decisions: what was decided is in the status of the exceptions.
for kind in facetdefinitions entitlementdefinitions entitlementplans organizations \
	entitlementinstances entitlementsubscriptions entitlementoverrides entitlementusages; do
	kubectl get "$kind.entitlements.dev" --all-namespaces --output json >"$folder/$kind.json"
done
kubectl get controllerrevisions.apps --namespace "$operator" \
	--selector app.kubernetes.io/managed-by=entitlement-operator --output json >"$folder/controllerrevisions.json"
# What has outlived its grant (onEnd: Retain).
kubectl get configmaps,secrets --all-namespaces \
	--selector entitlements.dev/in-force=false --output json >"$folder/retained.json"

# The Secrets that grants and subscriptions name.
sources=("$folder/entitlementinstances.json" "$folder/entitlementsubscriptions.json")
secret_facets='def secret_facets: .spec.secretFacets[]?, .spec.configure[]?.secretFacets[]?;'
jq --raw-output --slurp "$secret_facets"' [.[].items[] | select([secret_facets] != []) | .metadata.namespace] | unique[]' "${sources[@]}" |
	while read -r namespace; do
		kubectl get secrets --namespace "$namespace" --output json
	done |
	jq --slurp --slurpfile grants "${sources[0]}" --slurpfile subscriptions "${sources[1]}" "$secret_facets"'
		([($grants + $subscriptions)[].items[] | .metadata.namespace as $namespace | secret_facets.secretKeyRef.name
			| "\($namespace)/\(.)"] | unique) as $named
		| {apiVersion: "v1", kind: "List", items: [.[].items[]
			| select("\(.metadata.namespace)/\(.metadata.name)" | IN($named[]))]}' >"$folder/secrets.json"

count() { jq '.items | length' "$folder/$1.json"; }
echo "saved in $folder: $(count entitlementsubscriptions) subscriptions, $(count entitlementplans) plans, $(count entitlementoverrides) exceptions, $(count entitlementusages) reports of usage," \
	"$(count entitlementinstances) grants, $(count organizations) organizations, $(count entitlementdefinitions) definitions, $(count facetdefinitions) facet definitions," \
	"$(count controllerrevisions) of their valid states, $(count secrets) Secrets, $(count retained) retained objects"
