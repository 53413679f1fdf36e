#!/usr/bin/env bash
# Brings back what backup.sh has saved, into the current context's cluster. Needs kubectl and jq.
#
#   restore.sh FOLDER
#
# What exists already stays as it is. Exceptions that others have asked for say afterwards that you restored them, which takes the
# verbs restore and record on entitlementoverrides (ClusterRole entitlements-restorer). Decisions on them are never restored.
# The operator may run or not. If this is interrupted, run it again.
# OPERATOR_NAMESPACE says where the operator is, if that is not entitlement-operator.
set -euo pipefail
folder=${1:?"say where from: restore.sh FOLDER"}
if [ ! -d "$folder" ]; then
	echo "restore.sh: there is no folder $folder: name the one that backup.sh has made" >&2
	exit 1
fi
operator=${OPERATOR_NAMESPACE:-entitlement-operator}
# Marks the grants that this has made and not finished.
mark=entitlements.dev/restoring
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The objects of a file as they can be created: without what the API server gives, and without status.
fresh() { # FILE [FILTER]
	jq --compact-output ".items[] | del(.status) | .metadata |= (del(.uid, .resourceVersion, .generation, .creationTimestamp,
		.deletionTimestamp, .deletionGracePeriodSeconds, .managedFields, .ownerReferences, .selfLink)) | ${2:-.}" "$folder/$1.json"
}
# Creates objects, one in a line, and leaves those that exist as they are.
create() { # [FLAG OF KUBECTL]
	cat >"$work/objects"
	[ -s "$work/objects" ] || return 0
	if ! kubectl create "$@" --filename "$work/objects" >/dev/null 2>"$work/errors" && grep --invert-match --quiet 'already exists$' "$work/errors"; then
		grep --invert-match 'already exists$' "$work/errors" >&2
		exit 1
	fi
}
marked=".metadata.annotations[\"$mark\"] = \"true\""

# The grants, subscriptions and exceptions of a backup; an older one may have been made before there were all of these.
sources=("$folder/entitlementinstances.json")
kinds=entitlementinstances.entitlements.dev
for kind in entitlementsubscriptions entitlementoverrides; do
	if [ -e "$folder/$kind.json" ]; then
		sources+=("$folder/$kind.json")
		kinds+=,$kind.entitlements.dev
	fi
done
# Only who restores may say that another asked, and has to say who that is.
me=$(kubectl auth whoami --output jsonpath='{.status.userInfo.username}')
jq --slurp --arg me "$me" '{items: [.[].items[]
	| if .kind == "EntitlementOverride" then .metadata.annotations["entitlements.dev/restored-by"] = $me else . end]}' \
	"${sources[@]}" >"$work/sources.json"

# The statuses, one in a line, of the grants that this has made and that do not remember yet what they are to remember.
forgetful() {
	kubectl get "$kinds" --all-namespaces --output json |
		jq --compact-output --slurpfile saved "$work/sources.json" "
			def key: \"\(.kind)/\(.metadata.namespace)/\(.metadata.name)\";
			def memory: [.accepted, .denied, .expired, .facets, .notices];
			INDEX(\$saved[0].items[]; key) as \$saved | .items[]
			| select(.metadata.annotations[\"$mark\"]) | (\$saved[key].status // {}) as \$was
			| select((.status // {} | memory) != (\$was | memory))
			| {apiVersion, kind, metadata: {name: .metadata.name, namespace: .metadata.namespace}, status: \$was}"
}
# Writes these statuses until they stay: an operator that runs may be about to write one that it has decided before.
remember() {
	local quiet=0
	for _ in $(seq 60); do
		forgetful >"$work/statuses"
		if [ -s "$work/statuses" ]; then
			quiet=0
			kubectl replace --subresource=status --filename "$work/statuses" >/dev/null
		else
			quiet=$((quiet + 1))
			[ "$quiet" -lt 3 ] || return 0
		fi
		sleep 1
	done
	echo "restore.sh: the statuses of some grants do not stay as they were saved; stop the operator, and run this again:" >&2
	jq --raw-output '"\(.metadata.namespace)/\(.metadata.name)"' "$work/statuses" >&2
	exit 1
}

for namespace in "$operator" $(jq --raw-output '[.items[].metadata.namespace] | unique[]' "$work/sources.json"); do
	kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace" >/dev/null
done

# The catalogue before its valid states: the operator deletes those of a definition that there is not.
fresh facetdefinitions | create
fresh entitlementdefinitions | create
if [ -e "$folder/entitlementplans.json" ]; then fresh entitlementplans | create; fi
fresh controllerrevisions | create
fresh secrets | create

# Grants say when they were made, and those of one second in which order: their UIDs, which told it, are others now.
# While their organization is missing, nothing is accepted anew, and what was stays recorded.
jq 'def rank: {EntitlementInstance: 0, EntitlementSubscription: 1, EntitlementOverride: 2}[.kind];
	def made: .metadata.annotations["entitlements.dev/granted-at"] // .metadata.creationTimestamp;
	def second: if made | test("^[-0-9]{10}T[:0-9]{8}(\\.[0-9]+)?Z$") then made[:19] else made end;
	.items |= [group_by(second)[] | sort_by([made[19:] | rtrimstr("Z")], rank, .metadata.uid) | to_entries[]
		| .key as $place | .value | (if (second | length) != 19 then made
			elif $place == 0 then second + "Z"
			else second + ".\(1000000 + $place | tostring[1:])Z" end) as $made
		| .metadata.annotations["entitlements.dev/granted-at"] = $made]' "$work/sources.json" >"$work/grants.json"
(folder=$work && fresh grants "$marked") | create
remember
# Of a plan that is gone, an operator that runs has kept nothing before a subscription said that it was agreed.
fresh controllerrevisions | create

# The oldest organization first, because of two that list one namespace the older has it. That is a matter of seconds.
jq '.items |= sort_by(.metadata.creationTimestamp, .metadata.uid)' "$folder/organizations.json" >"$work/organizations.json"
(folder=$work && fresh organizations) >"$work/sorted"
: >"$work/listed"
while read -r organization; do
	jq --raw-output '.spec.namespaces[]?' <<<"$organization" >"$work/namespaces"
	if grep --quiet --line-regexp --fixed-strings --file "$work/namespaces" "$work/listed"; then sleep 1.1; fi
	cat "$work/namespaces" >>"$work/listed"
	create <<<"$organization"
done <"$work/sorted"

# What has outlived its grant goes with its organization, which has another UID now. The operator believes its label if it has
# written that itself. Where its namespace is missing, it is left out.
kubectl get organizations.entitlements.dev --output json >"$work/owners.json"
kubectl get namespaces --output json >"$work/places.json"
jq --slurpfile owners "$work/owners.json" --slurpfile places "$work/places.json" '
	INDEX($owners[0].items[]; .metadata.name) as $owners | [$places[0].items[].metadata.name] as $places
	| .items |= map(select(.metadata.namespace | IN($places[])) | . as $object
		| .owners = [.metadata.ownerReferences[]? | select($owners[.name]) | .uid = $owners[.name].metadata.uid])' \
	"$folder/retained.json" >"$work/retained.json"
(folder=$work && fresh retained '.metadata.ownerReferences = .owners | del(.owners)') |
	create --field-manager=entitlement-operator

# What was used counts once who has used it is there.
if [ -e "$folder/entitlementusages.json" ]; then fresh entitlementusages | create; fi

for kind in ${kinds//,/ }; do kubectl annotate "$kind" --all --all-namespaces "$mark-" >/dev/null; done
count() { jq --arg kind "$1" '[.items[] | select(.kind == $kind)] | length' "$work/sources.json"; }
subscriptions=$(count EntitlementSubscription)
exceptions=$(count EntitlementOverride)
and=$([ "$subscriptions" -eq 0 ] || echo " and $subscriptions subscriptions")
and+=$([ "$exceptions" -eq 0 ] || echo " and $exceptions exceptions")
echo "restored: $(count EntitlementInstance) grants$and of $(jq '.items | length' "$folder/organizations.json") organizations"
