//! `timeline --diff`: what a reviewer is told of a change is what the cluster would make of it.

use super::{code, run, text};
use rstest::rstest;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;

const ACME: &str = "apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {displayName: Acme, timeZone: Europe/Berlin, namespaces: [acme]}
";

fn definition(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn seats(more: &str) -> String {
    definition("seats", &format!("{{type: Quantity, unit: seats, amount: 10{more}}}"))
}

fn grant(name: &str, definition: &str, terms: &str) -> String {
    format!(
        "---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}, namespace: entitlements}}\nspec: {{organization: acme, definition: {definition}, {terms}}}\n"
    )
}

/// Two folders of manifests.
struct Change(TempDir);

impl Change {
    fn new(old: &[&str], new: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, parts) in [("old", old), ("new", new)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("a.yaml"), parts.concat()).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> &Path {
        Box::leak(self.0.path().join(name).into_boxed_path())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let [old, new] = ["old", "new"].map(|name| self.path(name).to_str().unwrap());
        run(&[&["timeline", "--diff", old, new, "--from", "2026-06-01"], arguments].concat())
    }

    /// The exit code, what is said on standard error and in Markdown, without the folder.
    fn told(&self) -> (i32, String, String) {
        let output = self.run(&[]);
        let of = |bytes| text(bytes).replace(&format!("{}/", self.0.path().display()), "");
        (code(&output), of(&output.stderr), of(&output.stdout))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.run(&["-o", "json"]).stdout).unwrap()
    }

    /// The differences that are told, without their times.
    fn differences(&self) -> Vec<String> {
        let all = self.json()["differences"].as_array().unwrap().clone();
        let one = |one: &Value| {
            let what = ["definition", "facet", "field", "object"].iter().filter_map(|key| one.get(*key));
            let what: Vec<String> = what
                .map(|value| match value {
                    Value::String(text) => text.clone(),
                    object => format!("{}/{}", object["namespace"].as_str().unwrap(), object["name"].as_str().unwrap()),
                })
                .collect();
            format!("{}: {} > {}", what.join(" "), one["before"], one["after"])
        };
        all.iter().map(one).collect()
    }
}

const SAME: &str = "Clients get the same as before.\n";

#[test]
fn a_locked_field_is_said_and_changes_nothing() {
    let old = grant("acme-seats", "seats", "start: \"2026-01-01\", end: \"2026-12-31\", amount: 20");
    let new = grant("acme-seats", "seats", "start: \"2026-01-01\", end: \"2027-12-31\", amount: 30");
    let change = Change::new(&[ACME, &seats(""), &old], &[ACME, &seats(""), &new]);
    let (code, said, markdown) = change.told();
    let locked = |field: &str| {
        format!(
            "Locked: spec.{field}: {field} is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration"
        )
    };
    assert_eq!(code, 1);
    let findings: Vec<&str> = said.lines().filter(|line| line.starts_with("new/")).collect();
    assert_eq!(
        findings,
        [
            format!("new/a.yaml:14:73: EntitlementInstance entitlements/acme-seats: {}", locked("end")),
            format!("new/a.yaml:14:95: EntitlementInstance entitlements/acme-seats: {}", locked("amount")),
        ]
    );
    let line = |column: u32, field: &str| {
        format!("- `EntitlementInstance entitlements/acme-seats` (`new/a.yaml:14:{column}`): {}\n", locked(field))
    };
    assert_eq!(
        markdown,
        format!(
            "### Refused\n\n{}{}\nWhat is refused is not applied. Without it, clients get this:\n\n{SAME}",
            line(73, "end"),
            line(95, "amount")
        )
    );
    let json = change.json();
    assert_eq!(json["differences"], json!([]));
    let refused = &json["refused"][0];
    assert_eq!(
        (&refused["reason"], &refused["field"], &refused["line"], &refused["name"]),
        (&"Locked".into(), &"spec.end".into(), &14.into(), &"acme-seats".into())
    );
    // The forge shows it beside the line.
    let [old, new] = ["old", "new"].map(|name| change.path(name).to_str().unwrap());
    let sarif = run(&["validate", "-f", new, "--since", old, "-o", "sarif", "--at", "2026-06-01"]);
    let report: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!((super::code(&sarif), report["runs"][0]["results"].as_array().unwrap().len()), (1, 2));
    assert_eq!(super::code(&run(&["validate", "-f", new, "--at", "2026-06-01"])), 0);
    assert_eq!(super::code(&run(&["validate", "-f", new, "--since", "absent"])), 2);
}

#[test]
fn all_that_the_api_server_refuses_of_a_change_is_locked() {
    let terms = "start: \"2026-01-01\"";
    let amended = "start: \"2026-01-01\", amendments: [{name: more, effective: \"2026-12-01\", amount: 40}]";
    let changed = "start: \"2026-01-01\", amendments: [{name: more, effective: \"2026-12-01\", amount: 50}]";
    let (gold, basic) = (seats(""), definition("gold", "{type: Quantity, unit: seats, amount: 1}"));
    let of = |terms: &str| grant("a", "seats", terms);
    for (old, new, field, message) in [
        (of(amended), of(terms), "spec.amendments", "amendments are never removed"),
        (of(amended), of(changed), "spec.amendments[0].amount", "amendments are never changed"),
        (of("state: Cancelled"), of("state: Active"), "spec.state", "a cancelled grant stays cancelled"),
        (of(terms), grant("a", "gold", terms), "spec.definition", "definition is immutable"),
        (of(terms), of("start: \"2026-01-02\""), "spec.start", "start is locked"),
        (of("end: \"2026-12-31\""), of("priority: 1"), "spec.end", "end is locked"),
    ] {
        let change = Change::new(&[ACME, &gold, &basic, &old], &[ACME, &gold, &basic, &new]);
        let json = change.json();
        assert_eq!((json["refused"].as_array().unwrap().len(), &json["differences"]), (1, &json!([])), "{new}");
        let refused = &json["refused"][0];
        assert_eq!((&refused["reason"], &refused["field"]), (&"Locked".into(), &field.into()), "{new}");
        assert!(refused["message"].as_str().unwrap().contains(message), "{refused}");
        assert_eq!(code(&change.run(&[])), 1);
    }
    let catalogue = [
        ("type", "{type: Credit, unit: seats, amount: 10}"),
        ("unit", "{type: Quantity, unit: users, amount: 10}"),
        ("allowMultiple", "{type: Quantity, unit: seats, amount: 10, allowMultiple: true}"),
    ];
    for (field, spec) in catalogue {
        let change = Change::new(&[ACME, &gold, &of(terms)], &[ACME, &definition("seats", spec), &of(terms)]);
        let json = change.json();
        assert_eq!(json["refused"][0]["field"], format!("spec.{field}"));
        assert_eq!(json["differences"], json!([]));
    }
    // What is allowed is no lock: a draft, what is added, what is taken back, another name.
    for (old, new) in [
        (of("state: Draft, start: \"2026-01-01\""), of("start: \"2026-02-01\"")),
        (of(terms), of(amended)),
        (of(amended), of(&amended.replace("amount: 40", "amount: 40, revoked: true"))),
        (of(terms), grant("b", "seats", "start: \"2026-02-01\"")),
    ] {
        let change = Change::new(&[ACME, &gold, &old], &[ACME, &gold, &new]);
        assert_eq!((code(&change.run(&[])), &change.json()["refused"]), (0, &json!([])), "{new}");
    }
}

/// Catalogue and calendar facts are taken when a grant is accepted.
#[test]
fn what_was_agreed_stays_agreed() {
    let grant = grant("acme-seats", "seats", "start: \"2026-01-01\"");
    let term = Change::new(&[ACME, &seats(", term: P1Y"), &grant], &[ACME, &seats(", term: P2Y"), &grant]);
    assert_eq!(term.told(), (0, String::new(), SAME.to_owned()));
    let new_york = ACME.replace("Europe/Berlin", "America/New_York");
    let zone = Change::new(&[ACME, &seats(", term: P1Y"), &grant], &[&new_york, &seats(", term: P1Y"), &grant]);
    assert_eq!(zone.told(), (0, String::new(), SAME.to_owned()));
    // A grant that is new has the new facts.
    let other = super::difference::grant("other", "gold", "start: \"2026-01-01\"");
    let gold = |term: &str| definition("gold", &format!("{{type: Feature, term: {term}}}"));
    let new = Change::new(&[ACME, &gold("P1Y")], &[ACME, &gold("P2Y"), &other]);
    let (code, _, markdown) = new.told();
    assert_eq!(code, 0);
    assert!(
        markdown.contains("| `gold` | 2026-06-01 00:00 CEST | 2028-01-01 00:00 CET | nothing | on |"),
        "{markdown}"
    );
}

#[test]
fn an_amount_is_agreed_unless_it_is_for_everyone() {
    let old = grant("acme-seats", "seats", "start: \"2026-01-01\"");
    let amount = |text: &str| definition("seats", &format!("{{type: Quantity, unit: seats, {text}}}"));
    let told = |before: &str, after: &str| {
        Change::new(&[ACME, &amount(before), &old], &[ACME, &amount(after), &old]).differences()
    };
    assert_eq!(told("amount: 10", "amount: 4"), [""; 0]);
    assert_eq!(told("amount: 10, rollout: Everyone", "amount: 4"), [""; 0]);
    assert_eq!(told("amount: 10", "amount: 10, rollout: Everyone"), [""; 0]);
    let changed = "seats: {\"amount\":\"10\",\"entitled\":true,\"unit\":\"seats\"} > {\"amount\":\"4\",\"entitled\":true,\"unit\":\"seats\"}";
    let summary = "acme/entitlements: {\"certain\":true,\"present\":true} > {\"certain\":true,\"present\":true}";
    assert_eq!(told("amount: 10", "amount: 4, rollout: Everyone"), [changed, summary]);
    assert_eq!(told("amount: 10, rollout: Everyone", "amount: 4, rollout: Everyone"), [changed, summary]);
    // One that is new has the new amount, beside one that keeps the old.
    let gold = |amount: u8| {
        definition("gold", &format!("{{type: Quantity, unit: seats, allowMultiple: true, amount: {amount}}}"))
    };
    let [a, b] = ["a", "b"].map(|name| grant(name, "gold", "start: \"2026-01-01\""));
    let new = Change::new(&[ACME, &gold(10), &a], &[ACME, &gold(4), &a, &b]);
    let more = changed.replace("seats: ", "gold: ").replace("\"4\"", "\"14\"");
    assert_eq!(new.differences(), [more.as_str(), summary]);
}

#[test]
fn an_older_grant_keeps_the_seat() {
    let older = grant("b", "seats", "start: \"2026-01-01\", amount: 20");
    let newer = grant("a", "seats", "start: \"2026-01-01\", amount: 30");
    let change = Change::new(&[ACME, &seats(""), &older], &[ACME, &seats(""), &older, &newer]);
    let json = change.json();
    assert_eq!((&json["refused"][0]["reason"], &json["refused"][0]["name"]), (&"Duplicate".into(), &"a".into()));
    assert_eq!(json["differences"], json!([]));
    let globex = ACME.replace("acme", "aaa").replace("Acme", "Triple A").replace("[aaa]", "[acme]");
    let taken = Change::new(&[ACME], &[ACME, "---\n", &globex]);
    let json = taken.json();
    assert_eq!((&json["refused"][0]["reason"], &json["refused"][0]["name"]), (&"NamespaceTaken".into(), &"aaa".into()));
    assert_eq!(json["differences"], json!([]));
}

#[test]
fn the_last_valid_definition_serves() {
    let output = ", outputs: [{name: o, kind: ConfigMap, items: [{key: k, template: \"{{ total.amount }}\"}]}]";
    let broken = ", outputs: [{name: o, kind: ConfigMap, items: [{key: k, template: \"{{ nothing.there }}\"}]}]";
    let grant = grant("a", "seats", "start: \"2026-01-01\"");
    for new in [seats(broken), String::new()] {
        let change = Change::new(&[ACME, &seats(output), &grant], &[ACME, &new, &grant]);
        assert_eq!((code(&change.run(&[])), change.differences()), (1, Vec::new()), "{new}");
    }
    // An edit that the API server would not take leaves the object as it is.
    let unreadable = seats(output).replace("amount: 10", "amuont: 10");
    let change = Change::new(&[ACME, &seats(output), &grant], &[ACME, &unreadable, &grant]);
    assert_eq!((code(&change.run(&[])), change.differences()), (1, Vec::new()));
    let gone = Change::new(&[ACME, &seats(output), &grant], &[ACME, &seats(output)]);
    assert_eq!(
        gone.differences(),
        [
            "seats: {\"amount\":\"10\",\"entitled\":true,\"unit\":\"seats\"} > null",
            "acme/entitlements: {\"certain\":true,\"present\":true} > {\"certain\":true,\"present\":true}",
            "acme/seats: {\"certain\":true,\"present\":true} > null",
        ]
    );
}

#[test]
fn the_summary_is_one_of_the_objects() {
    let sso = definition("sso", "{type: Feature}");
    let grant = grant("acme-sso", "sso", "start: \"2026-01-01\"");
    let two = ACME.replace("[acme]", "[acme, acme-staging]");
    let change = Change::new(&[&two, &sso, &grant], &[ACME, &sso, &grant]);
    let (code, said, markdown) = change.told();
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(
        markdown,
        "### acme (Acme)\n\nObjects in the client's namespaces:\n\n- ConfigMap `entitlements` in acme-staging: missing, from 2026-06-01 00:00 CEST, for good\n\nNothing else that clients get changes.\n"
    );
    let renamed = ACME.replace("spec: {", "spec: {summary: {name: rights}, ");
    let change = Change::new(&[ACME, &sso, &grant], &[&renamed, &sso, &grant]);
    assert_eq!(
        change.differences(),
        [
            "acme/entitlements: {\"certain\":true,\"present\":true} > null",
            "acme/rights: null > {\"certain\":true,\"present\":true}"
        ]
    );
}

#[test]
fn a_name_with_a_dot_is_one_name() {
    let web = definition("web", "{type: Feature, facets: [{name: f, schema: {type: object}}]}");
    let of = |cpu: &str, more: &str| {
        grant(
            "g",
            "web",
            &format!("start: \"2026-01-01\", facets: {{f: {{limits.cpu: \"2\", limits: {{cpu: \"{cpu}\"}}, {more}}}}}"),
        )
    };
    let values = |change: &Change| -> Vec<String> {
        change.differences().into_iter().filter(|one| one.starts_with("web f")).collect()
    };
    let change = Change::new(&[ACME, &web, &of("4", "l: []")], &[ACME, &web, &of("8", "l: []")]);
    assert_eq!(values(&change), ["web f limits.cpu: {\"value\":\"4\"} > {\"value\":\"8\"}"]);
    let (_, _, markdown) = change.told();
    assert!(
        markdown.contains("| `web` `f.limits.cpu` | 2026-06-01 00:00 CEST | for good | `\"4\"` | `\"8\"` |"),
        "{markdown}"
    );
    let dotted = of("4", "l: []").replace("limits.cpu: \"2\"", "limits.cpu: \"3\"");
    let change = Change::new(&[ACME, &web, &of("4", "l: []")], &[ACME, &web, &dotted]);
    assert_eq!(values(&change), [r#"web f limits\.cpu: {"value":"2"} > {"value":"3"}"#]);
    let change = Change::new(&[ACME, &web, &of("4", "l: [], e: {}")], &[ACME, &web, &of("4", "l: {}, e: []")]);
    assert_eq!(
        values(&change),
        ["web f e: {\"value\":{}} > {\"value\":[]}", "web f l: {\"value\":[]} > {\"value\":{}}"]
    );
}

/// Whatever manifests there are, and the same as the operator leaves them: compared with itself, nothing changes.
#[rstest]
fn the_same_compared_with_itself_changes_nothing(
    #[values(
        "service",
        "service-next",
        "desk",
        "clients",
        "clients.rendered.yaml",
        "refused.yaml",
        "refused.rendered.yaml",
        "../../../examples",
        "../../../docs/service-desk/now",
        "../../../docs/service-desk/renewed",
        "../../../docs/mistakes",
        "../../../fuzz/corpus/manifests/lifecycle.json",
        "../../../fuzz/corpus/manifests/seats.json"
    )]
    path: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let rendered = run(&["render", "-f", path, "--at", "2026-03-01T00:00:00Z"]);
    let file = folder.path().join("rendered.yaml");
    fs::write(&file, &rendered.stdout).unwrap();
    for path in [path, file.to_str().unwrap()] {
        let output = run(&["timeline", "--diff", path, path, "--from", "2026-07-01T00:00:00Z", "-o", "json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{path}: {output:?}"));
        assert_eq!(json["differences"], json!([]), "{path}");
    }
}

#[test]
fn another_type_of_a_secret_is_another_content() {
    let output = |type_: &str| {
        let items = "items: [{key: k, template: \"{{ total.amount }}\"}]";
        seats(&format!(", outputs: [{{name: o, kind: Secret, type: {type_}, {items}}}]"))
    };
    let grant = grant("a", "seats", "start: \"2026-01-01\"");
    let change = Change::new(&[ACME, &output("Opaque"), &grant], &[ACME, &output("example.com/x"), &grant]);
    let there = "{\"certain\":true,\"present\":true}";
    assert_eq!(change.differences(), [format!("acme/seats: {there} > {there}")]);
}

#[test]
fn what_is_kept_at_the_end_is_told() {
    let output = |on_end: &str| {
        let items = "items: [{key: k, template: \"{{ total.amount }}\"}]";
        seats(&format!(", outputs: [{{name: o, kind: ConfigMap, onEnd: {on_end}, {items}}}]"))
    };
    let grant = grant("a", "seats", "start: \"2026-01-01\", end: \"2026-12-31\"");
    let told = |old: &str, new: &str| {
        let (_, _, markdown) = Change::new(&[ACME, &output(old), &grant], &[ACME, &output(new), &grant]).told();
        markdown.lines().filter(|line| line.starts_with("- ConfigMap `seats`")).map(str::to_owned).collect::<Vec<_>>()
    };
    let end = "from 2027-01-01 00:00 CET, for good";
    assert!(
        told("Delete", "Retain").contains(&format!("- ConfigMap `seats` in acme: kept, as no longer in force, {end}"))
    );
    assert!(told("Retain", "Delete").contains(&format!("- ConfigMap `seats` in acme: missing, {end}")));
    assert_eq!(told("Retain", "Retain"), [""; 0]);
}

/// A grant that was accepted is in force though its definition was never valid as far as is known.
#[test]
fn what_cannot_be_told_is_not_called_nothing() {
    let record = "status: {accepted: {timeZone: UTC, start: \"2026-01-01\", chain: {name: a, uid: u, since: \"2026-01-01T00:00:00Z\", day: 1}}}\n";
    let accepted = [grant("a", "seats", "start: \"2026-01-01\""), record.to_owned()].concat();
    let lost = definition("seats", "{type: Quantity, unit: seats, amount: many}");
    let change = Change::new(&[ACME, &lost, &accepted], &[ACME, &seats(""), &accepted]);
    let (_, _, markdown) = change.told();
    assert!(markdown.contains("| for good | cannot be told | 10 seats |"), "{markdown}");
}
