//! Tests of rows with what statuses and kept revisions remember.

use super::{
    history,
    row::{Row, Since},
    rows,
};
use crate::{
    core::calendar::{Instant, Tz, format_instant, parse_instant},
    evaluation::catalogue::{CatalogueKind, Revision},
    offline::{Account, AccountEffort, EntitlementKind, Inventory},
};
use serde_json::{Value, json};

const EFFORT: AccountEffort = AccountEffort { steps: 100, work: 10_000 };
/// When all of it was made, after its start, as in a cluster that is tried out.
const MADE: &str = "2026-11-26T05:00:00Z";
/// When the catalogue was edited.
const EDITED: &str = "2026-11-26T05:05:00Z";
const NOW: &str = "2026-11-26T06:00:00Z";

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

/// A client with a definition that was edited from one amount to another, and grants with their statuses.
struct Desk {
    inventory: Inventory,
}

impl Desk {
    fn new(spec: &Value, before: &Value) -> Self {
        let mut inventory = Inventory::new(at(NOW), "entitlement-operator");
        let mut add = |kind, value: &Value| inventory.add(kind, value).unwrap();
        add(
            EntitlementKind::Organization,
            &json!({
                "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization",
                "metadata": {"name": "initech", "generation": 1, "creationTimestamp": MADE},
                "spec": {"namespaces": ["initech"]},
            }),
        );
        let generation = if spec == before { 1 } else { 2 };
        add(
            EntitlementKind::EntitlementDefinition,
            &json!({
                "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
                "metadata": {"name": "lamps", "generation": generation, "creationTimestamp": MADE}, "spec": spec,
            }),
        );
        for (number, made, spec) in [(1, MADE, before), (2, EDITED, spec)] {
            inventory.add_revision(Revision {
                name: format!("lamps-{number}").into(),
                of: CatalogueKind::Definition.named("lamps"),
                number,
                data: json!({"spec": spec}),
                made: Some(at(made)),
                beside: None,
                for_everyone: None,
            });
        }
        Self { inventory }
    }

    fn grant(mut self, name: &str, spec: &Value, amount: &str, entitled: (&str, &str)) -> Self {
        let mut whole = json!({"organization": "initech", "definition": "lamps"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let condition = |type_: &str, (status, since): (&str, &str)| json!({"type": type_, "status": status, "reason": "x", "message": "", "lastTransitionTime": since});
        let chain = json!({"name": name, "uid": name, "since": MADE, "day": 1});
        let grant = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": name, "namespace": "entitlements", "generation": 1, "creationTimestamp": MADE},
            "spec": whole,
            "status": {
                "accepted": {"start": whole["start"], "end": whole["end"], "timeZone": "UTC", "amount": amount, "chain": chain},
                "conditions": [condition("Accepted", ("True", "2026-11-26T05:00:01Z")), condition("Entitled", entitled)],
            },
        });
        self.inventory.add(EntitlementKind::EntitlementInstance, &grant).unwrap();
        self
    }

    fn account(&self, now: &str) -> Account {
        self.inventory.account("initech", None, at(now), EFFORT).unwrap()
    }

    fn row(&self, now: &str) -> Row {
        rows(&self.account(now), at(now)).remove(0)
    }

    /// What it has, since when, and what it had before.
    fn told(&self, now: &str) -> (String, String, Option<String>) {
        let row = self.row(now);
        let since = match row.since {
            Since::At(at) => format_instant(at),
            Since::Unknown => "unknown".to_owned(),
            Since::Nothing => "-".to_owned(),
        };
        let before = row.before.map(|one| format!("{} to {}: {}", one.had, format_instant(one.until), one.why));
        (row.has, since, before)
    }

    fn last(&self) -> Vec<String> {
        let account = self.account(NOW);
        let entitlement = &account.explanation.entitlements[0];
        let events = history::last(entitlement, &account.passages["lamps"], Tz::UTC, 2);
        events.into_iter().map(|event| format!("{} {}", format_instant(event.at), event.what)).collect()
    }
}

fn expected(has: &str, since: &str, before: Option<&str>) -> (String, String, Option<String>) {
    (has.to_owned(), since.to_owned(), before.map(str::to_owned))
}

fn lamps(amount: i64) -> Value {
    json!({"type": "Quantity", "unit": "lamps", "amount": amount, "allowMultiple": true})
}

const JUDGED: (&str, &str) = ("True", "2026-11-26T05:00:01Z");

fn three_and_four(desk: Desk) -> Desk {
    desk.grant("three", &json!({"start": "2026-10-01", "amount": 3}), "10", JUDGED).grant(
        "four",
        &json!({"start": "2026-11-01", "amount": 4}),
        "10",
        JUDGED,
    )
}

#[test]
fn an_edit_of_the_catalogue_moves_nothing_of_what_grants_state() {
    let before = Some("3 lamps to 2026-11-01T00:00:00Z: four came into force");
    let all = expected("7 lamps", "2026-11-01T00:00:00Z", before);
    let desk = three_and_four(Desk::new(&lamps(10), &lamps(10)));
    assert_eq!(desk.told(NOW), all);
    let desk = three_and_four(Desk::new(&lamps(11), &lamps(10)));
    for now in [NOW, "2026-11-10T00:00:00Z"] {
        assert_eq!(desk.told(now), all, "{now}");
    }
    // Nor does one that has not begun: it hangs on the catalogue by then.
    let waits = json!({"start": "2027-01-01"});
    let desk = desk.grant("later", &waits, "10", ("False", "2026-11-26T05:00:01Z"));
    assert_eq!(desk.told(NOW), all);
}

#[test]
fn what_a_grant_stated_is_told_after_its_end() {
    let desk = Desk::new(&lamps(11), &lamps(10));
    let desk =
        desk.grant("seven", &json!({"start": "2026-01-01", "end": "2026-10-31", "amount": 7}), "10", ("False", MADE));
    let before = Some("7 lamps to 2026-11-01T00:00:00Z: seven ended, not renewed");
    assert_eq!(desk.told(NOW), expected("-", "-", before));
}

#[test]
fn what_follows_the_catalogue_is_so_since_its_edit_and_never_later_than_asked() {
    let everyone = |amount: i64| {
        let mut spec = lamps(amount);
        spec["rollout"] = json!("Everyone");
        spec
    };
    let desk = Desk::new(&everyone(11), &everyone(10)).grant("all", &json!({"start": "2026-10-01"}), "10", JUDGED);
    assert_eq!(desk.told(NOW), expected("11 lamps", EDITED, None));
    assert_eq!(desk.told("2026-11-10T00:00:00Z"), expected("11 lamps", "unknown", None));
    let mut greatest = lamps(10);
    greatest["aggregation"] = json!("Max");
    let desk = three_and_four(Desk::new(&greatest, &lamps(10)));
    let before = Some("3 lamps to 2026-11-01T00:00:00Z: four came into force");
    assert_eq!(desk.told(NOW), expected("4 lamps", "unknown", before));
}

#[test]
fn a_cancellation_is_told_with_what_was_lost() {
    let cancelled = "2026-11-26T05:01:00Z";
    let desk = Desk::new(&lamps(10), &lamps(10)).grant(
        "all",
        &json!({"start": "2026-10-01", "amount": 350, "state": "Cancelled"}),
        "10",
        ("False", cancelled),
    );
    let why = "to 2026-11-26T05:01:00Z: all was cancelled";
    assert_eq!(desk.told(NOW), expected("-", "-", Some(&format!("350 lamps {why}"))));
    assert_eq!(desk.last(), ["2026-11-26T05:01:00Z all was cancelled"]);
    // Of several, what is left and what there was before.
    let desk = desk.grant("rest", &json!({"start": "2026-10-01", "amount": 300}), "10", JUDGED);
    assert_eq!(desk.told(NOW), expected("300 lamps", cancelled, Some(&format!("650 lamps {why}"))));
    assert!(desk.last().contains(&"2026-11-26T05:01:00Z all was cancelled".to_owned()), "{:?}", desk.last());
}

#[test]
fn what_never_was_in_force_was_not_cancelled_from_anybody() {
    let desk = Desk::new(&lamps(10), &lamps(10)).grant(
        "draft",
        &json!({"start": "2026-10-01", "state": "Cancelled"}),
        "10",
        ("False", "2026-11-26T05:00:01Z"),
    );
    assert_eq!(desk.told(NOW), expected("-", "-", None));
}

#[test]
fn what_is_resumed_is_had_since_then() {
    let resumed = "2026-11-26T05:02:00Z";
    let desk = Desk::new(&lamps(10), &lamps(10))
        .grant("three", &json!({"start": "2026-10-01", "amount": 3}), "10", JUDGED)
        .grant("four", &json!({"start": "2026-11-01", "amount": 4}), "10", ("True", resumed));
    let before = Some("3 lamps to 2026-11-26T05:02:00Z: four came into force again");
    assert_eq!(desk.told(NOW), expected("7 lamps", resumed, before));
    assert_eq!(desk.last().last().unwrap(), "2026-11-26T05:02:00Z four came into force again");
}
