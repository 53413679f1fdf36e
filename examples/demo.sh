#!/usr/bin/env bash
# Shows the main job with kubectl, on the cluster of the current context. Needs entitlement-operator in the PATH.
# Ends by itself, and fails if anything that it shows did not happen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

operator=
watcher=
log=$(mktemp)
seen=$(mktemp)
work=$(mktemp -d)
finish() {
	code=$?
	if [ -n "$operator" ]; then
		kill "$operator" 2>/dev/null || true
		wait "$operator" 2>/dev/null || true
	fi
	if [ -n "$watcher" ]; then kill "$watcher" 2>/dev/null || true; fi
	if [ "$code" -ne 0 ]; then
		printf '\nThe demo failed. The end of the operator'\''s log:\n' >&2
		tail -n 20 "$log" >&2
	fi
	rm -rf "$log" "$seen" "$work"
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '$ %s\n' "$*"
	"$@"
}
in_seconds() { date -u -d "@$(($(date +%s) + $1))" +%Y-%m-%dT%H:%M:%SZ; }
ready() { kubectl wait --for=condition=Ready "$@" --timeout=60s >/dev/null; }
exception() { kubectl wait --for=jsonpath='{.status.phase}'="$1" eovr premiere --namespace entitlements --timeout=60s >/dev/null; }
phase() { kubectl wait --for=jsonpath='{.status.phase}'="$2" ent "$1" --namespace entitlements --timeout=60s >/dev/null; }

variables() { kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'; }
held() { # LINE: waits until the summary of lumen has it
	for _ in $(seq 300); do
		if variables | grep -qx "$1"; then return; fi
		sleep 0.2
	done
	echo "the summary of lumen never had $1" >&2
	exit 1
}

grant() { # NAME ORGANIZATION DEFINITION [LINE OF SPEC...]
	printf 'apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n  organization: %s\n  definition: %s\n' \
		"$1" "${NAMESPACE:-entitlements}" "$2" "$3"
	shift 3
	if [ "$#" -gt 0 ]; then printf '  %s\n' "$@"; fi
}

title "The kinds are installed, and the operator runs"
echo '$ entitlement-operator crds | kubectl apply --filename -'
entitlement-operator crds | kubectl apply --filename -
kubectl wait --for=condition=Established crd --timeout=30s \
	organizations.entitlements.dev facetdefinitions.entitlements.dev \
	entitlementdefinitions.entitlements.dev entitlementinstances.entitlements.dev \
	entitlementplans.entitlements.dev entitlementsubscriptions.entitlements.dev \
	entitlementoverrides.entitlements.dev overridedecisions.entitlements.dev entitlementusages.entitlements.dev >/dev/null
protected=$(date +%s)
kubectl create namespace entitlement-operator --dry-run=client --output yaml | kubectl apply --filename - >/dev/null
entitlement-operator run --http-address=127.0.0.1:0 >"$log" 2>&1 &
operator=$!

title "A provider's catalogue, two clients, and what they hold"
run kubectl apply --filename 00-namespaces.yaml --filename 10-catalogue.yaml --filename 20-organizations.yaml --filename 30-grants.yaml
ready edef --all
ready org --all
for name in acme-backup acme-support acme-support-next acme-seats acme-seats-more globex-streaming globex-seats globex-support; do
	ready ent "$name" --namespace entitlements
done
run kubectl get edef
run kubectl get org
run kubectl get ent --namespace entitlements

title "What comes next, by time alone; and what a client has, and why"
run entitlement-operator timeline
run entitlement-operator explain acme premium-support

title "It arrives in the client's namespaces: a ConfigMap"
run kubectl get configmap managed-backup-config --namespace acme-prod --output jsonpath='{.data.backup\.env}{"\n"}{.data.banner\.txt}'
title "... a Secret, for the field that is secret"
kubectl get secret managed-backup-credentials --namespace acme-prod --output jsonpath='{.data.RESTIC_PASSWORD}' | base64 -d | grep -qx 'correct horse battery staple'
run kubectl describe secret managed-backup-credentials --namespace acme-prod
title "... and the summary of all that the client holds"
run kubectl get configmap entitlements --namespace acme-prod --output jsonpath='{.data.entitlements\.env}'
kubectl get configmap entitlements --namespace acme-prod --output jsonpath='{.data.entitlements\.env}' | grep -qx 'ENTITLEMENT_SEATS_AMOUNT=250'

title "A tenant that grants itself something is refused, with the reason"
NAMESPACE=globex grant self-service globex premium-support | kubectl apply --filename -
kubectl wait --for=jsonpath='{.status.phase}'=Rejected ent self-service --namespace globex --timeout=60s >/dev/null
run kubectl get ent self-service --namespace globex --output jsonpath='{.status.phase}: {.status.conditions[?(@.type=="Accepted")].reason}: {.status.conditions[?(@.type=="Accepted")].message}{"\n"}'
kubectl delete ent self-service --namespace globex >/dev/null

title "What somebody changes by hand"
run kubectl patch configmap premium-support --namespace acme-prod --type merge --patch '{"data":{"support.txt":"a thousand hours"}}'
kubectl wait --for=jsonpath='{.data.support\.txt}'='12.5 hours
' configmap premium-support --namespace acme-prod --timeout=60s >/dev/null
echo "is put back at once: $(kubectl get configmap premium-support --namespace acme-prod --output jsonpath='{.data.support\.txt}')"
for _ in $(seq 100); do
	if kubectl get events --namespace entitlements --field-selector reason=PutBack --output name | grep -q .; then break; fi
	sleep 0.1
done
run kubectl get events --namespace entitlements --field-selector reason=PutBack --output custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message

title "A trial that ends in some seconds"
end=$(in_seconds 8)
grant trial globex managed-backup "end: \"$end\"" 'facets: {backup: {region: ap-northeast}}' \
	'secretFacets: [{facet: backup, field: repositoryPassword, secretKeyRef: {name: acme-backup, key: password}}]' |
	kubectl apply --filename -
phase trial Active
ready ent trial --namespace entitlements
run kubectl get ent trial --namespace entitlements
run kubectl get configmap,secret --namespace globex --selector entitlements.dev/definition=managed-backup
echo "The grace period of 14 days would keep it for a while. Once cancelled, it is gone at once:"
run kubectl patch ent trial --namespace entitlements --type merge --patch '{"spec":{"state":"Cancelled"}}'
phase trial Cancelled
kubectl wait --for=delete configmap/managed-backup-config secret/managed-backup-credentials --namespace globex --timeout=60s >/dev/null

title "A renewal follows without a gap, and an amendment extends an end"
november_ends=$(in_seconds 6)
december_ends=$(in_seconds 9)
extended=$(in_seconds 13)
grant november globex premium-support "end: \"$november_ends\"" 'amount: 2' | kubectl apply --filename -
phase november Active
kubectl get configmap premium-support --namespace globex --watch --output-watch-events \
	--output custom-columns='EVENT:.type,GRANT:.object.metadata.annotations.entitlements\.dev/instance,TEXT:.object.data.support\.txt' >"$seen" 2>/dev/null &
watcher=$!
grant december globex premium-support 'renews: november' "end: \"$december_ends\"" 'amount: 3' | kubectl apply --filename -
phase december Waiting
run kubectl patch ent december --namespace entitlements --type merge --patch \
	"{\"spec\":{\"amendments\":[{\"name\":\"longer\",\"effective\":\"$november_ends\",\"end\":\"$extended\",\"reason\":\"agreed by mail\"}]}}"
columns='NAME:.metadata.name,PHASE:.status.phase,STARTS:.status.start,ENDS:.status.end,NEXT:.status.nextTransition.phase,AT:.status.nextTransition.at'
run kubectl get ent november december --namespace entitlements --output custom-columns="$columns"
phase december Active
phase november Expired
run kubectl get ent november december --namespace entitlements --output custom-columns="$columns"
kubectl wait --for=jsonpath='{.status.end}'="$extended" ent december --namespace entitlements --timeout=60s >/dev/null
phase december Expired
kubectl wait --for=delete configmap/premium-support --namespace globex --timeout=60s >/dev/null
if [[ $(date -u +%Y-%m-%dT%H:%M:%SZ) < $extended ]]; then
	echo "december was withdrawn before its extended end" >&2
	exit 1
fi
kill "$watcher"
watcher=
echo "What happened to the ConfigMap: one object all the time, passed on to the renewal, withdrawn at the extended end."
cat "$seen"
grep -qx 'ADDED  *entitlements/november  *2 hours' "$seen"
grep -qx 'MODIFIED  *entitlements/december  *3 hours' "$seen"
if [ "$(grep -c '^DELETED' "$seen")" -ne 1 ] || [ "$(grep -c '^ADDED' "$seen")" -ne 1 ]; then
	echo "the ConfigMap was away for a moment" >&2
	exit 1
fi
run kubectl get events --namespace entitlements --field-selector involvedObject.name=december --output custom-columns='REASON:.reason,MESSAGE:.message'

title "Plans: what is sold together arrives together"
echo '$ kubectl apply --filename plans/video-platform.yaml'
# Without the upgrade, which has a date: the demo is of what comes before it.
sed '/^  amendments:/,$d' plans/video-platform.yaml | kubectl apply --filename -
ready eplan --all
ready esub lumen-video --namespace entitlements
run kubectl get eplan
run kubectl get esub --namespace entitlements --output wide
held ENTITLEMENT_MEMBERS_AMOUNT=40
echo "Business gives 25 members, and three packs of Extra Seats five each:"
run kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'

title "Support adds 4k streaming, for some seconds: it ends by itself"
over=$(in_seconds 10)
run kubectl patch esub lumen-video --namespace entitlements --type json --patch \
	"[{\"op\":\"add\",\"path\":\"/spec/add/-\",\"value\":{\"name\":\"tonight\",\"definition\":\"4k-streaming\",\"end\":\"$over\",\"reason\":\"ticket 5311\"}}]"
held ENTITLEMENT_4K_STREAMING=true
run kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'
run entitlement-operator explain lumen 4k-streaming
held ENTITLEMENT_4K_STREAMING=false
if [[ $(date -u +%Y-%m-%dT%H:%M:%SZ) < $over ]]; then
	echo "4k streaming was withdrawn before its end" >&2
	exit 1
fi
echo "At its end it is gone. The plan stays as it was:"
run kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'
held ENTITLEMENT_MEMBERS_AMOUNT=40

title "An exception: one person asks for it, another one approves it, and it is over by itself"
run kubectl apply --filename exceptions/rights.yaml
wait=$((protected + 61 - $(date +%s)))
if [ "$wait" -gt 0 ]; then
	echo "Exceptions count once the policies that protect them have been there for a minute: $wait seconds more."
	sleep "$wait"
fi
alice=(--as alice --as-group support)
bob=(--as bob --as-group account-managers)
echo "Alice and Bob have a kubeconfig each. Here both are played with --as, by an administrator, who may impersonate everybody:"
echo "whoever may do that can approve, and the API server's audit log says so."
over=$(in_seconds 15)
cat >"$work/premiere.yaml" <<END
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementOverride
metadata: {name: premiere, namespace: entitlements}
spec:
  organization: lumen
  definition: members
  amount: 20
  end: "$over"
  reason: Twenty freelancers for the premiere
  requestedBy: alice
END
cd "$work"
run cat premiere.yaml
run kubectl create --filename premiere.yaml "${alice[@]}"
exception Requested
run kubectl get eovr --namespace entitlements
run kubectl get eovr premiere --namespace entitlements --output jsonpath='{.status.conditions[?(@.type=="Ready")].message}{"\n"}'
decision() { # NAME: a decision in that name
	printf 'apiVersion: entitlements.dev/v1alpha1\nkind: OverrideDecision\nmetadata: {generateName: premiere-, namespace: entitlements}\nspec:\n  override: {name: premiere, uid: %s}\n  definition: members\n  decision: Approve\n  decidedBy: %s\n' \
		"$(kubectl get eovr premiere --namespace entitlements --output jsonpath='{.metadata.uid}')" "$1"
}
echo "Bob cannot approve in Carol's name:"
if decision carol | kubectl create --filename - "${bob[@]}"; then exit 1; fi
echo "In his own he can:"
run entitlement-operator approve premiere --namespace entitlements --comment "They renew in November" "${bob[@]}"
held ENTITLEMENT_MEMBERS_AMOUNT=60
run kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'
run kubectl get eovr --namespace entitlements
run entitlement-operator explain lumen members
held ENTITLEMENT_MEMBERS_AMOUNT=40
if [[ $(date -u +%Y-%m-%dT%H:%M:%SZ) < $over ]]; then
	echo "the exception was withdrawn before its end" >&2
	exit 1
fi
exception Expired
echo "At its end it is gone:"
run kubectl get configmap entitlements --namespace lumen --output jsonpath='{.data.entitlements\.env}'
run kubectl get eovr --namespace entitlements

title "Done: all of it happened."
