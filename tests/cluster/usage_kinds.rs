//! What the API server itself makes of reports of usage, and what the operator says of them: what is refused, how large each field may
//! be, what never changes, how they are shown, and which registers count.

use crate::{
    harness::{Cluster, cluster, condition, grant},
    plan_kinds::kept::{ageless, lacking, yaml},
    plane::PlaneOptions,
    schema::{locked, merged},
    stage::Stage,
};
use entitlement_operator::api::EntitlementUsage;
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

const USAGE: &str = "EntitlementUsage";

/// A report with other fields of its spec; `null` leaves one out.
fn report(name: &str, namespace: &str, spec: &Value) -> Value {
    let mut whole = json!({"organization": "acme", "definition": "support", "registers": []});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": USAGE,
        "metadata": {"name": name, "namespace": namespace}, "spec": whole,
    })
}

/// A report of one register with other fields; `null` leaves one out.
fn one(register: &Value) -> Value {
    let mut whole = json!({"key": "CASE-1", "at": "2027-01-31", "amount": 1});
    whole.as_object_mut().unwrap().extend(register.as_object().unwrap().clone());
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"registers": [whole]})
}

/// What the API server says against its shape; nothing stays.
async fn judge(cluster: &Cluster, spec: &Value) -> Result<(), String> {
    let object: DynamicObject = serde_json::from_value(report(&cluster.name, "entitlements", spec)).unwrap();
    let params =
        PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("test").force() };
    let api = cluster.api(USAGE, "entitlements");
    let judged = api.patch(&cluster.name, &params.dry_run(), &Patch::Apply(&object)).await;
    judged.map(drop).map_err(|error| error.to_string())
}

/// A spec with one field as large as it is told.
type Sized = fn(usize) -> Value;

/// How large each field may be, from and to.
const BOUNDS: &[(usize, usize, Sized)] = &[
    (1, 63, |size| json!({"organization": "a".repeat(size)})),
    (1, 63, |size| json!({"definition": "a".repeat(size)})),
    (0, 500, |size| json!({"registers": vec![json!({"key": "a", "at": "2027-01-31", "amount": 1}); size]})),
    (1, 128, |size| one(&json!({"key": "a".repeat(size)}))),
    (1, 63, |size| one(&json!({"channel": "a".repeat(size)}))),
    (1, 15, |size| one(&json!({"amount": "9".repeat(size)}))),
    (1, 9, |size| one(&json!({"amount": format!("1.{}", "9".repeat(size))}))),
];

#[tokio::test]
async fn every_field_of_a_report_has_its_bounds() {
    let cluster = cluster().await;
    for (least, most, sized) in BOUNDS {
        for size in [*least, *most] {
            assert_eq!(judge(&cluster, &sized(size)).await, Ok(()), "{size} {:.100}", sized(size).to_string());
        }
        for size in least.checked_sub(1).into_iter().chain([most + 1]) {
            let refused = judge(&cluster, &sized(size)).await;
            assert!(refused.is_err(), "{:.100} may be {size}", sized(size).to_string());
        }
    }
}

const NO_AMOUNT: &str = "must be a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" (at most 9 digits behind the point); signs and exponents are refused";

#[tokio::test]
async fn what_is_wrong_in_itself_is_refused() {
    let cluster = cluster().await;
    for (spec, message) in [
        (json!({"colour": "red"}), "colour"),
        (json!({"organization": null}), "spec.organization: Required value"),
        (json!({"organization": "Acme"}), "spec.organization in body should match"),
        (json!({"definition": null}), "spec.definition: Required value"),
        (json!({"definition": "a.b"}), "spec.definition in body should match"),
        (one(&json!({"colour": "red"})), "colour"),
        (one(&json!({"key": null})), "spec.registers[0].key: Required value"),
        (one(&json!({"key": "Öl"})), "spec.registers[0].key in body should match '^[ -~]+$'"),
        (one(&json!({"key": "a\nb"})), "spec.registers[0].key in body should match '^[ -~]+$'"),
        (one(&json!({"at": null})), "spec.registers[0].at: Required value"),
        (
            one(&json!({"at": "yesterday"})),
            "must be a date such as 2027-01-31 or an RFC 3339 time of whole seconds such as 2027-01-31T09:00:00Z",
        ),
        (one(&json!({"at": "2027-01-31T09:00:00.5Z"})), "must be a date such as 2027-01-31"),
        (one(&json!({"channel": "By Phone"})), "spec.registers[0].channel in body should match"),
        (one(&json!({"amount": null})), "spec.registers[0].amount: Required value"),
        (one(&json!({"amount": "Unlimited"})), NO_AMOUNT),
        (one(&json!({"amount": -1})), NO_AMOUNT),
        (one(&json!({"amount": "123456789012345678901234"})), NO_AMOUNT),
        (one(&json!({"key": "a\u{0}b"})), "spec.registers[0].key in body should match '^[ -~]+$'"),
        (one(&json!({"amount": "1e9"})), NO_AMOUNT),
        (one(&json!({"amount": 2.5})), "spec.registers[0].amount"),
    ] {
        let told = judge(&cluster, &spec).await.expect_err(&spec.to_string());
        assert!(told.contains(message), "{spec}: {told}");
    }
    for spec in [
        json!({"registers": null}),
        one(&json!({"amount": "999999999999999.999999999", "channel": "phone"})),
        one(&json!({"amount": 0, "at": "9999-12-31T23:59:59+14:00", "key": " ~"})),
        one(&json!({"at": "1970-01-01"})),
    ] {
        assert_eq!(judge(&cluster, &spec).await, Ok(()), "{spec}");
    }
}

#[tokio::test]
async fn a_report_stays_of_its_organization_and_definition() {
    let cluster = cluster().await;
    cluster.create(report(&cluster.name, "entitlements", &one(&json!({})))).await.unwrap();
    let made = cluster.get(USAGE, "entitlements", "$").await.unwrap();
    for (field, message) in [
        ("organization", "organization is immutable: delete this report and make a new one for the other organization"),
        ("definition", "definition is immutable: delete this report and make a new one of the other definition"),
    ] {
        let spec = json!({field: "other"});
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(message), "{spec}: {told}");
        let refused = cluster.merge(USAGE, "entitlements", "$", json!({ "spec": spec })).await.unwrap_err();
        assert!(refused.contains(message), "{spec}: {refused}");
    }
    let registers = json!({"spec": {"registers": []}});
    assert_eq!(cluster.merge(USAGE, "entitlements", "$", registers).await, Ok(()));
    cluster.delete(USAGE, "entitlements", "$").await;
}

/// A client with support by phone and e-mail, which is reported from two namespaces.
const CLIENT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: $}
---
apiVersion: v1
kind: Namespace
metadata: {name: $-desk}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {namespaces: [$], timeZone: Europe/Berlin, reportableFrom: [entitlements, $-desk, $]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Quantity
  unit: hours
  amount: 10
  usage:
    mode: Consumed
    period: P1M
    channels: [{name: phone}, {name: email}]
    otherChannels: Refuse
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $, namespace: entitlements}
spec: {organization: $, definition: $, start: '2025-01-01'}
";

impl Cluster {
    /// Reports of the test's own organization and definition.
    async fn report(&self, namespace: &str, name: &str, registers: Value) {
        let spec = json!({"organization": self.name, "definition": self.name, "registers": registers});
        self.create(report(name, namespace, &spec)).await.unwrap();
    }

    /// Waits until a report is Ready for that reason, or is not; what counts of it, and what is said.
    async fn told(&self, namespace: &str, name: &str, reason: &str) -> (Value, String, Value) {
        let found =
            self.until(USAGE, namespace, name, reason, |seen| condition(seen, "Ready")["reason"] == reason).await;
        let message = condition(&found, "Ready")["message"].as_str().unwrap().to_owned();
        (found["status"]["counted"].clone(), message, found["status"]["refused"].clone())
    }
}

#[tokio::test]
async fn what_may_be_reported_counts_and_the_rest_is_told_why_not() {
    let cluster = cluster().await;
    cluster.apply(CLIENT).await;
    let name = cluster.name.clone();
    let (desk, second) = (format!("{name}-desk"), format!("{name}-2"));
    let at = "2026-01-01T00:00:00Z";
    // The same key in two objects: both count.
    let case = json!([{"key": "CASE-1", "at": at, "channel": "phone", "amount": "0.25"}]);
    cluster.report("entitlements", &name, case.clone()).await;
    cluster.report(&desk, &name, case.clone()).await;
    for namespace in ["entitlements", &desk] {
        let told = cluster.told(namespace, &name, "Counted").await;
        assert_eq!(told, (json!(1), "its register is counted".to_owned(), Value::Null));
    }
    let mixed = json!([
        {"key": "a", "at": at, "channel": "phone", "amount": 1}, {"key": "a", "at": at, "channel": "email", "amount": 1},
        {"key": "b", "at": at, "channel": "fax", "amount": 1}, {"key": "c", "at": "2026-02-30", "channel": "phone", "amount": 1},
        {"key": "d", "at": "9999-12-31T23:59:59Z", "channel": "phone", "amount": 1},
    ]);
    cluster.report("entitlements", &second, mixed).await;
    let (counted, message, refused) = cluster.told("entitlements", &second, "RegistersRefused").await;
    assert_eq!(
        (counted, message.as_str()),
        (json!(1), "4 of its 5 registers are not counted, the others are: do what status.refused says")
    );
    assert_eq!(
        refused,
        json!([
            {"key": "a", "message": "the key is there twice, and the first one counts: add up what they say, or give this one another key"},
            {"key": "b", "message": "channel \"fax\" is not covered: the definition has email, phone"},
            {"key": "c", "message": "at: \"2026-02-30\" is no date or time: there is no such day, time of day or offset; write a date such as 2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z"},
            {"key": "d", "message": "it is dated 9999-12-31T23:59:59Z, which lies ahead: it counts from then on"},
        ])
    );
    // What is mended counts.
    let mended = json!({"spec": {"registers": case}});
    cluster.merge(USAGE, "entitlements", &second, mended).await.unwrap();
    assert_eq!(cluster.told("entitlements", &second, "Counted").await.0, json!(1));
}

#[tokio::test]
async fn a_tenant_does_not_report_itself() {
    let cluster = cluster().await;
    cluster.apply(CLIENT).await;
    let name = cluster.name.clone();
    let register = json!([{"key": "CASE-1", "at": "2026-01-01", "channel": "phone", "amount": 1}]);
    // Its own namespace, although the organization lists it.
    cluster.report(&name, &name, register.clone()).await;
    let (counted, message, _) = cluster.told(&name, &name, "NamespaceNotAllowed").await;
    let expected = format!(
        "namespace {name} is one of organization {name}'s own, and a tenant must not report its own usage: make the report in a namespace that no organization lists"
    );
    assert_eq!((counted, message), (json!(0), expected));
    // A namespace that it does not list.
    cluster.report("default", &name, register).await;
    let (counted, message, _) = cluster.told("default", &name, "NamespaceNotAllowed").await;
    let expected = format!(
        "organization {name} does not let its usage be reported from namespace default: make the report in one of its reportableFrom (entitlements, {name}-desk, {name})"
    );
    assert_eq!((counted, message), (json!(0), expected));
    // Once it is listed, it counts.
    let lists = json!({"spec": {"reportableFrom": ["entitlements", "default"]}});
    cluster.merge("Organization", "", &name, lists).await.unwrap();
    assert_eq!(cluster.told("default", &name, "Counted").await.0, json!(1));
    cluster.merge("Organization", "", &name, json!({"spec": {"reportableFrom": []}})).await.unwrap();
    assert_eq!(cluster.told("default", &name, "NamespaceNotAllowed").await.0, json!(0));
    cluster.delete(USAGE, "default", &name).await;
}

#[tokio::test]
async fn five_hundred_registers_count_and_what_is_not_metered_does_not() {
    let cluster = cluster().await;
    cluster.apply(CLIENT).await;
    let name = cluster.name.clone();
    let register = |number: usize| json!({"key": format!("CASE-{number}"), "at": "2026-01-01", "channel": "email", "amount": "0.25"});
    cluster.report("entitlements", &name, (0..500).map(register).collect()).await;
    let told = cluster.told("entitlements", &name, "Counted").await;
    assert_eq!((told.0, told.1.as_str()), (json!(500), "its 500 registers are counted"));
    let elsewhere = format!("{name}-elsewhere");
    let spec = json!({"organization": name, "definition": elsewhere, "registers": [register(1)]});
    cluster.create(report(&elsewhere, "entitlements", &spec)).await.unwrap();
    let message = cluster.told("entitlements", &elsewhere, "DefinitionNotFound").await.1;
    assert_eq!(
        message,
        format!("there is no definition {elsewhere}: make it, or make the report anew for one that exists")
    );
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": elsewhere},
        "spec": {"type": "Quantity", "unit": "hours", "amount": 10},
    });
    cluster.create(definition).await.unwrap();
    let message = cluster.told("entitlements", &elsewhere, "NotMetered").await.1;
    assert_eq!(
        message,
        format!(
            "definition {elsewhere} is not metered: give it the field usage, or make the report anew for one that has it"
        )
    );
    let metered = json!({"spec": {"usage": {"mode": "Consumed"}}});
    cluster.merge("EntitlementDefinition", "", &elsewhere, metered).await.unwrap();
    // Nothing of it is held yet.
    let (counted, _, refused) = cluster.told("entitlements", &elsewhere, "RegistersRefused").await;
    assert_eq!(
        (counted, &refused[0]["message"]),
        (
            json!(0),
            &json!(
                "it is dated 2025-12-31T23:00:00Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant"
            )
        )
    );
    cluster.create(grant(&elsewhere, &name, &elsewhere, json!({"start": "2025-01-01"}))).await.unwrap();
    assert_eq!(cluster.told("entitlements", &elsewhere, "Counted").await.0, json!(1));
}

/// Taking `usage` out and writing it anew is no way round what is immutable.
#[tokio::test]
async fn what_was_metered_comes_back_only_as_it_was() {
    let cluster = cluster().await;
    let kind = "EntitlementDefinition";
    let made = |usage: Value| {
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": {"name": cluster.name},
            "spec": {"type": "Quantity", "unit": "hours", "amount": 10, "usage": usage},
        })
    };
    cluster.create(made(json!({"mode": "Consumed", "period": "P1M"}))).await.unwrap();
    let metered = cluster.until(kind, "", "$", "metered", |seen| seen["status"]["metered"].is_object()).await;
    let record = json!({"mode": "Consumed", "periodic": true, "aggregation": "Sum"});
    assert_eq!(metered["status"]["metered"], record);
    let without = json!({"spec": {"usage": null, "aggregation": "Max"}});
    cluster.merge(kind, "", "$", without).await.unwrap();
    let gone = |seen: &Value| {
        seen["status"]["observedGeneration"] == seen["metadata"]["generation"] && condition(seen, "Metered").is_null()
    };
    // The operator's own status is written, and keeps the record.
    let bare = cluster.until(kind, "", "$", "not metered", gone).await;
    assert_eq!(bare["status"]["metered"], record);
    for (spec, message) in [
        (
            json!({"usage": {"mode": "Held"}, "aggregation": "Sum"}),
            "it was metered as Consumed before, and mode is immutable: make a new definition under another name, or meter it as before",
        ),
        (
            json!({"usage": {"mode": "Consumed"}, "aggregation": "Sum"}),
            "it was metered with a period before, and whether there is one is immutable: make a new definition under another name, or meter it as before",
        ),
        (
            json!({"usage": {"mode": "Consumed", "period": "P1M"}}),
            "it was metered with aggregation Sum before, and aggregation is immutable once it is metered: make a new definition under another name, or meter it as before",
        ),
    ] {
        let told = locked(&bare, &merged(&bare, &spec)).join("; ");
        assert!(told.contains(message), "{spec}: {told}");
        let refused = cluster.merge(kind, "", "$", json!({ "spec": spec })).await.unwrap_err();
        assert!(refused.contains(message), "{spec}: {refused}");
    }
    // As it was, but for what may change.
    let again = json!({"spec": {"usage": {"mode": "Consumed", "period": "P1Y"}, "aggregation": "Sum"}});
    assert_eq!(cluster.merge(kind, "", "$", again).await, Ok(()));
    cluster.until(kind, "", "$", "metered again", |seen| condition(seen, "Metered")["status"] == "True").await;
    // One that is made anew begins anew.
    cluster.delete(kind, "", "$").await;
    cluster.create(made(json!({"mode": "Held"}))).await.unwrap();
    let anew = cluster.until(kind, "", "$", "metered", |seen| seen["status"]["metered"].is_object()).await;
    assert_eq!(anew["status"]["metered"], json!({"mode": "Held", "periodic": false, "aggregation": "Sum"}));
}

const FULL: &str = "
organization: acme
definition: support
registers:
  - {key: CASE-1, at: '2027-01-31', channel: phone, amount: '0.25'}
";

const FULL_STATUS: &str = "
observedGeneration: 1
counted: 1
refused: [{key: CASE-2, message: mend it}]
conditions:
  - {type: Ready, status: 'False', observedGeneration: 1, lastTransitionTime: '2027-01-01T00:00:00Z', reason: RegistersRefused, message: mend it}
";

const SHOWN: &str = "
NAME    ORGANIZATION   DEFINITION   COUNTED   READY   REASON             AGE
april   acme           support                                           now
march   acme           support      1         False   RegistersRefused   now";

/// Without an operator, so that a status is what the test says.
#[test]
fn reports_are_kept_as_written_and_shown_at_a_glance() {
    let stage = Stage::bare(PlaneOptions::default());
    stage.install_kinds();
    let applied = stage.plane.folder().join("reports.json");
    let objects =
        [report("march", "entitlements", &yaml(FULL)), report("april", "entitlements", &json!({"registers": null}))];
    fs::write(&applied, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    stage.kubectl(&["apply", "--filename", applied.to_str().unwrap()]);
    let patch = json!({"status": yaml(FULL_STATUS)}).to_string();
    let arguments = ["--namespace=entitlements", "--subresource=status", "--type=merge", "--patch", &patch];
    stage.kubectl(&[&["patch", "euse/march"], &arguments[..]].concat());
    let get = |what: &str| -> Value {
        serde_json::from_str(&stage.kubectl(&["get", what, "--namespace=entitlements", "--output=json"])).unwrap()
    };
    let made = get("euse/march");
    for (part, written) in [("spec", yaml(FULL)), ("status", yaml(FULL_STATUS))] {
        assert_eq!(lacking(USAGE, part, &written), BTreeSet::new(), "the test leaves fields out");
        assert_eq!(made[part], written);
    }
    let typed: EntitlementUsage = serde_json::from_value(made.clone()).unwrap();
    let typed = serde_json::to_value(typed).unwrap();
    assert_eq!((&typed["spec"], &typed["status"]), (&made["spec"], &made["status"]));
    assert_eq!(get("euse/april")["status"], json!({"observedGeneration": -1}));
    let shown =
        |arguments: &[&str]| ageless(&stage.kubectl(&[&["get", "--namespace=entitlements"], arguments].concat()));
    assert_eq!(shown(&["euse"]), SHOWN.trim_start());
    for (selector, expected) in [("spec.organization=acme", "april march"), ("spec.definition=seats", "")] {
        let names = shown(&["euse", "--field-selector", selector, "--output=jsonpath={.items[*].metadata.name}"]);
        assert_eq!(names, expected, "{selector}");
    }
    let listed = stage.kubectl(&["get", "entitlements", "--all-namespaces", "--output=name"]);
    assert!(listed.contains("entitlementusage.entitlements.dev/march"), "{listed}");
    for (field, text) in [
        ("euse", "What an organization has used of a definition"),
        ("euse.spec.organization", "It counts in the namespaces of its `reportableFrom` only."),
        ("euse.spec.registers.key", "the same key in another object is another register, and both count."),
        ("euse.spec.registers.amount", "Write it anew to correct it."),
        ("euse.status.refused", "The registers that do not count, the first 20."),
        ("org.spec.reportableFrom", "so that a tenant can never report what it used itself."),
        ("org.status.usage.resetsAt", "When the allotment is new again"),
        ("ent.spec.channels", "How much of it can be used in each way"),
        ("eplan.spec.groups.entitlements.channels", "Of an AddOn it is what one unit of `quantity` adds."),
        ("esub.spec.add.channels", "Absent: what the definition says."),
    ] {
        let explained = stage.kubectl(&["explain", field]);
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(explained.contains(text), "{field}: {explained}");
    }
}

/// The caps of channels are locked as the amount is, and one that cannot be read is refused.
#[tokio::test]
async fn the_channels_of_a_grant_are_locked_as_its_amount_is() {
    let cluster = cluster().await;
    let grant = |channels: Value| {
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": cluster.name, "namespace": "entitlements"},
            "spec": {"organization": cluster.name, "definition": cluster.name, "state": "Active", "channels": channels},
        })
    };
    for amount in [json!(-1), json!("many"), json!("1.0000000001"), json!("1e3"), json!(1_000_000_000_000_000_i64)] {
        let refused = cluster.create(grant(json!([{"name": "phone", "amount": amount}]))).await.unwrap_err();
        assert!(refused.contains("spec.channels[0].amount"), "{amount}: {refused}");
    }
    let twice = json!([{"name": "phone", "amount": 1}, {"name": "phone", "amount": 2}]);
    let refused = cluster.create(grant(twice)).await.unwrap_err();
    assert!(refused.contains("Duplicate value"), "{refused}");
    cluster
        .create(grant(json!([{"name": "phone", "amount": "80.5"}, {"name": "email", "amount": "Unlimited"}])))
        .await
        .unwrap();
    for channels in [json!([]), Value::Null, json!([{"name": "phone", "amount": 90}])] {
        let refused = cluster
            .merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"channels": channels}}))
            .await
            .unwrap_err();
        assert!(
            refused.contains("channels are locked while the grant is Active: add an entry to amendments"),
            "{refused}"
        );
    }
    let amendments =
        json!([{"name": "more", "effective": "2027-01-01", "channels": [{"name": "phone", "amount": 90}]}]);
    let amended = json!({"spec": {"amendments": amendments}});
    assert_eq!(cluster.merge("EntitlementInstance", "entitlements", "$", amended).await, Ok(()));
    let changed = json!({"spec": {"amendments": [{"name": "more", "effective": "2027-01-01", "channels": []}]}});
    let refused = cluster.merge("EntitlementInstance", "entitlements", "$", changed).await.unwrap_err();
    assert!(refused.contains("amendments are never changed while the grant is Active"), "{refused}");
}
