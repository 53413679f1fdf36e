//! What of the policies may differ, and what comes of it.

use super::{ApprovalGuard, ApprovalPolicy, ObservedGuard, PolicyPart, Protection};
use crate::core::calendar::{Instant, parse_instant};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MADE: &str = "2027-01-31T09:00:00Z";
const POLICY: PolicyPart = PolicyPart::Policy;
const BINDING: PolicyPart = PolicyPart::Binding;

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

/// As the API server has it once it was applied.
fn stored(guard: ApprovalGuard) -> Value {
    let mut object = guard.object();
    object["metadata"]["creationTimestamp"] = json!(MADE);
    object["metadata"]["uid"] = json!("5a3c");
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["managedFields"] = json!([{"manager": "kubectl", "operation": "Apply", "time": MADE}]);
    object
}

fn observed(guard: ApprovalGuard, object: &Value) -> ObservedGuard {
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
    ObservedGuard::read(guard, &metadata, &object["spec"])
}

/// What comes of it where each is as it has to be, but for one.
fn with(one: ApprovalGuard, change: impl Fn(&mut Value)) -> Protection {
    let of = |guard| {
        let mut object = stored(guard);
        if guard == one {
            change(&mut object);
        }
        (guard, observed(guard, &object))
    };
    Protection::of(&ApprovalGuard::all().map(of).collect())
}

fn without(one: ApprovalGuard) -> Protection {
    let others = ApprovalGuard::all().filter(|guard| *guard != one);
    Protection::of(&others.map(|guard| (guard, observed(guard, &stored(guard)))).collect())
}

#[track_caller]
fn lacking(protection: Protection) -> String {
    match protection {
        Protection::Lacking(why) => why,
        Protection::Since(since) => panic!("protected since {since}"),
    }
}

#[test]
fn as_they_have_to_be_they_protect() {
    let any = ApprovalGuard { part: POLICY, policy: ApprovalPolicy::Requests };
    assert_eq!(with(any, |_| {}), Protection::Since(at(MADE)));
}

#[test]
fn none_of_them_can_be_missing() {
    for guard in ApprovalGuard::all() {
        assert_eq!(
            lacking(without(guard)),
            format!(
                "somebody could approve in another's name: the {guard} is missing (entitlement-operator crds | kubectl apply -f -)"
            )
        );
    }
    let all = lacking(Protection::of(&BTreeMap::new()));
    for guard in ApprovalGuard::all() {
        assert!(all.contains(&format!("the {guard} is missing")), "{all}");
    }
}

#[test]
fn none_of_them_can_be_on_its_way_out() {
    for guard in ApprovalGuard::all() {
        let said = lacking(with(guard, |object| object["metadata"]["deletionTimestamp"] = json!(MADE)));
        assert!(said.contains(&format!("the {guard} is being deleted (entitlement-operator crds")), "{said}");
    }
}

fn rule(object: &mut Value) -> &mut Value {
    &mut object["spec"]["matchConstraints"]["resourceRules"][0]
}

#[rstest]
#[case::failing_open(POLICY, |object: &mut Value| object["spec"]["failurePolicy"] = json!("Ignore"))]
#[case::failing_unsaid(POLICY, |object: &mut Value| drop(object["spec"].as_object_mut().unwrap().remove("failurePolicy")))]
#[case::a_validation_less(POLICY, |object: &mut Value| drop(object["spec"]["validations"].as_array_mut().unwrap().pop()))]
#[case::no_validation(POLICY, |object: &mut Value| object["spec"]["validations"] = json!([]))]
#[case::a_validation_more(POLICY, |object: &mut Value| object["spec"]["validations"].as_array_mut().unwrap().push(json!({"expression": "true"})))]
#[case::a_validation_that_is_true(POLICY, |object: &mut Value| object["spec"]["validations"][0]["expression"] = json!("true"))]
#[case::another_message(POLICY, |object: &mut Value| object["spec"]["validations"][0]["messageExpression"] = json!("'no'"))]
#[case::another_reason(POLICY, |object: &mut Value| object["spec"]["validations"][0]["reason"] = json!("Invalid"))]
#[case::a_variable_more(POLICY, |object: &mut Value| object["spec"]["variables"] = json!([{"name": "decidedBy", "expression": "request.userInfo.username"}]))]
#[case::a_condition(POLICY, |object: &mut Value| object["spec"]["matchConditions"] = json!([{"name": "never", "expression": "false"}]))]
#[case::no_condition(POLICY, |object: &mut Value| object["spec"]["matchConditions"] = json!([]))]
#[case::an_audit_annotation(POLICY, |object: &mut Value| object["spec"]["auditAnnotations"] = json!([{"key": "a", "valueExpression": "'b'"}]))]
#[case::a_parameter(POLICY, |object: &mut Value| object["spec"]["paramKind"] = json!({"apiVersion": "v1", "kind": "ConfigMap"}))]
#[case::fewer_operations(POLICY, |object: &mut Value| rule(object)["operations"] = json!(["UPDATE"]))]
#[case::fewer_resources(POLICY, |object: &mut Value| rule(object)["resources"] = json!(["configmaps"]))]
#[case::fewer_versions(POLICY, |object: &mut Value| rule(object)["apiVersions"] = json!(["v1"]))]
#[case::another_group(POLICY, |object: &mut Value| rule(object)["apiGroups"] = json!(["apps"]))]
#[case::another_scope(POLICY, |object: &mut Value| rule(object)["scope"] = json!("Cluster"))]
#[case::named_objects(POLICY, |object: &mut Value| rule(object)["resourceNames"] = json!(["one"]))]
#[case::another_rule(POLICY, |object: &mut Value| { let one = rule(object).clone(); object["spec"]["matchConstraints"]["resourceRules"] = json!([one, one]); })]
#[case::an_exception(POLICY, |object: &mut Value| object["spec"]["matchConstraints"]["excludeResourceRules"] = json!([rule(object)]))]
#[case::some_namespaces(POLICY, |object: &mut Value| object["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchLabels": {"a": "b"}}))]
#[case::some_objects(POLICY, |object: &mut Value| object["spec"]["matchConstraints"]["objectSelector"] = json!({"matchLabels": {"a": "b"}}))]
#[case::matching_exactly(POLICY, |object: &mut Value| object["spec"]["matchConstraints"]["matchPolicy"] = json!("Exact"))]
#[case::a_field_that_nobody_knows(POLICY, |object: &mut Value| object["spec"]["ofALaterVersion"] = json!(true))]
#[case::no_spec(POLICY, |object: &mut Value| object["spec"] = Value::Null)]
#[case::warnings_alone(BINDING, |object: &mut Value| object["spec"]["validationActions"] = json!(["Warn"]))]
#[case::an_audit_alone(BINDING, |object: &mut Value| object["spec"]["validationActions"] = json!(["Audit"]))]
#[case::more_than_a_refusal(BINDING, |object: &mut Value| object["spec"]["validationActions"] = json!(["Deny", "Audit"]))]
#[case::no_action(BINDING, |object: &mut Value| object["spec"]["validationActions"] = json!([]))]
#[case::of_another_policy(BINDING, |object: &mut Value| object["spec"]["policyName"] = json!("another.example.com"))]
#[case::narrowed(BINDING, |object: &mut Value| object["spec"]["matchResources"] = json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}))]
#[case::not_narrowed(BINDING, |object: &mut Value| object["spec"]["matchResources"] = json!({}))]
#[case::with_a_parameter(BINDING, |object: &mut Value| object["spec"]["paramRef"] = json!({"name": "a", "parameterNotFoundAction": "Allow"}))]
#[case::a_field_that_nobody_knows(BINDING, |object: &mut Value| object["spec"]["ofALaterVersion"] = json!(true))]
fn none_of_them_can_be_another(#[case] part: PolicyPart, #[case] change: fn(&mut Value)) {
    for policy in ApprovalPolicy::ALL {
        let guard = ApprovalGuard { part, policy };
        let said = lacking(with(guard, change));
        let kind = part.kind().to_lowercase();
        assert_eq!(
            said,
            format!(
                "somebody could approve in another's name: the {guard} is not that of this operator (kubectl delete {kind}/{}; \
                 entitlement-operator crds | kubectl apply -f -)",
                policy.name()
            )
        );
    }
}

#[rstest]
#[case::made(|object: &mut Value| object["metadata"]["creationTimestamp"] = json!("2027-02-01T00:00:00Z"))]
#[case::changed(|object: &mut Value| object["metadata"]["managedFields"][0]["time"] = json!("2027-02-01T00:00:00Z"))]
#[case::changed_by_another(|object: &mut Value| object["metadata"]["managedFields"].as_array_mut().unwrap().push(
    json!({"manager": "mallory", "operation": "Update", "subresource": "status", "time": "2027-02-01T00:00:00Z"})))]
fn the_youngest_of_them_counts(#[case] change: fn(&mut Value)) {
    for guard in ApprovalGuard::all() {
        assert_eq!(with(guard, change), Protection::Since(at("2027-02-01T00:00:00Z")));
    }
}

#[test]
fn what_was_not_written_since_it_was_made_is_as_old_as_it_is() {
    for guard in ApprovalGuard::all() {
        let none = |object: &mut Value| drop(object["metadata"].as_object_mut().unwrap().remove("managedFields"));
        assert_eq!(with(guard, none), Protection::Since(at(MADE)));
        let untimed = |object: &mut Value| object["metadata"]["managedFields"] = json!([{"manager": "a"}]);
        assert_eq!(with(guard, untimed), Protection::Since(at(MADE)));
    }
}

#[test]
fn what_does_not_say_when_it_was_made_protects_nothing() {
    for guard in ApprovalGuard::all() {
        let ageless =
            with(guard, |object| drop(object["metadata"].as_object_mut().unwrap().remove("creationTimestamp")));
        assert!(!ageless.covers(at("9999-12-31T23:59:59Z")));
    }
}

#[test]
fn labels_and_annotations_of_tools_change_nothing() {
    let of_tools = |object: &mut Value| {
        object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
        object["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        object["metadata"]["generation"] = json!(2);
        object["status"] = json!({"observedGeneration": 2});
    };
    for guard in ApprovalGuard::all() {
        assert_eq!(with(guard, of_tools), Protection::Since(at(MADE)));
    }
}

#[test]
fn several_are_told_together_with_one_remedy() {
    let mut all: BTreeMap<ApprovalGuard, ObservedGuard> =
        ApprovalGuard::all().map(|guard| (guard, observed(guard, &stored(guard)))).collect();
    let of = |part, policy| ApprovalGuard { part, policy };
    all.remove(&of(BINDING, ApprovalPolicy::Requests));
    for (part, policy) in [(POLICY, ApprovalPolicy::Records), (BINDING, ApprovalPolicy::Decisions)] {
        let mut object = stored(of(part, policy));
        object["spec"]["more"] = json!(1);
        all.insert(of(part, policy), observed(of(part, policy), &object));
    }
    assert_eq!(
        lacking(Protection::of(&all)),
        "somebody could approve in another's name: \
         the ValidatingAdmissionPolicy override-records.entitlements.dev is not that of this operator, \
         the ValidatingAdmissionPolicyBinding override-requests.entitlements.dev is missing, \
         the ValidatingAdmissionPolicyBinding override-decisions.entitlements.dev is not that of this operator \
         (kubectl delete validatingadmissionpolicy/override-records.entitlements.dev \
         validatingadmissionpolicybinding/override-decisions.entitlements.dev; entitlement-operator crds | kubectl apply -f -)"
    );
}

#[test]
fn what_nobody_sees_protects_nothing() {
    assert!(lacking(Protection::unseen()).contains("give it the right to list and watch them"));
}
