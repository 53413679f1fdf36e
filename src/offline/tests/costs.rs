//! What subscriptions take of a processor's time: a large plan with many add-ons, many subscriptions of one organization, and an
//! edit that reaches everyone. `make bench` prints it.

use super::{definition, inventory, now, organization};
use crate::{
    evaluation::{
        Evaluation, Snapshot, evaluate,
        memo::Memo,
        object::{ObjectContent, ObjectKey, Wish},
        plan::{Delivery, Outcomes},
        status::{Statuses, statuses},
    },
    offline::{EntitlementKind, Inventory},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant as Clock},
};

fn handle(index: usize) -> String {
    format!("service-{index:03}")
}

/// A definition with a facet and an output.
fn service(inventory: &mut Inventory, index: usize) {
    let schema = json!({"type": "object", "properties": {"region": {"type": "string", "default": "eu"}, "days": {"type": "integer", "default": 7}}});
    let spec = json!({
        "type": "Quantity", "unit": "pieces", "amount": 1,
        "facets": [{"name": "settings", "schema": schema}],
        "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "settings.env", "format": "Env"}, {"key": "amount", "template": "{{ total.amount }}"}]}],
    });
    inventory.add_definition(definition(&handle(index), &spec));
}

fn plan(inventory: &mut Inventory, name: &str, spec: &Value) {
    inventory.add(EntitlementKind::EntitlementPlan, &json!({"metadata": {"name": name}, "spec": spec})).unwrap();
}

fn groups(definitions: impl Iterator<Item = usize>, amount: u32) -> Value {
    let entitlements = definitions
        .map(|index| json!({"definition": handle(index), "amount": amount, "facets": {"settings": {"days": 30}}}));
    json!([{"name": "all", "entitlements": entitlements.collect::<Vec<_>>()}])
}

fn client(inventory: &mut Inventory, name: &str) {
    inventory.add_organization(organization(name, &[name], &json!({})));
}

fn subscription(inventory: &mut Inventory, client: &str, name: &str, mut spec: Value) {
    spec["organization"] = client.into();
    spec["start"] = "2026-01-01".into();
    let metadata = json!({"name": name, "namespace": "entitlements", "uid": name});
    inventory.add(EntitlementKind::EntitlementSubscription, &json!({"metadata": metadata, "spec": spec})).unwrap();
}

/// A plan of `entitlements`, to which a client has added 64 add-ons of 16 of these each: 1,024 parts, the most that there may be.
fn large(entitlements: usize) -> Inventory {
    let mut inventory = inventory();
    (0..entitlements).for_each(|index| service(&mut inventory, index));
    let add_ons: Vec<String> = (0..64).map(|index| format!("add-on-{index}")).collect();
    plan(&mut inventory, "large", &json!({"groups": groups(0..entitlements, 5), "addOns": add_ons}));
    for (index, name) in add_ons.iter().enumerate() {
        let definitions = (0..16).map(|one| (index * 16 + one) % entitlements);
        plan(&mut inventory, name, &json!({"type": "AddOn", "groups": groups(definitions, 1)}));
    }
    client(&mut inventory, "acme");
    let entries: Vec<Value> = add_ons.iter().map(|name| json!({"name": name, "plan": name, "quantity": 3})).collect();
    subscription(&mut inventory, "acme", "acme-large", json!({"plan": "large", "addOns": entries}));
    inventory
}

/// One client with so many subscriptions to a plan of 16 entitlements, each of its own site.
fn sites(subscriptions: usize) -> Inventory {
    let mut inventory = inventory();
    (0..16).for_each(|index| service(&mut inventory, index));
    plan(&mut inventory, "site", &json!({"allowMultiple": true, "groups": groups(0..16, 5)}));
    client(&mut inventory, "acme");
    for index in 0..subscriptions {
        subscription(&mut inventory, "acme", &format!("site-{index:03}"), json!({"plan": "site"}));
    }
    inventory
}

/// So many clients, each with a subscription to one plan of three entitlements, whose edits are for everyone.
fn fleet(clients: usize, amount: u32) -> Inventory {
    let mut inventory = inventory();
    (0..3).for_each(|index| service(&mut inventory, index));
    plan(&mut inventory, "sold", &json!({"rollout": "Everyone", "groups": groups(0..3, amount)}));
    for index in 0..clients {
        let name = format!("client-{index:05}");
        client(&mut inventory, &name);
        subscription(&mut inventory, &name, &name, json!({"plan": "sold"}));
    }
    inventory
}

fn snapshots(inventory: &Inventory) -> Vec<Snapshot> {
    inventory.snapshots(&inventory.catalogue())
}

fn timed<T>(step: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Clock::now();
    let made = step();
    (made, begun.elapsed())
}

fn written(evaluation: &Evaluation) -> BTreeMap<&ObjectKey, &ObjectContent> {
    let wishes = evaluation.desired.objects.iter();
    wishes
        .filter_map(|(key, desired)| match &desired.wish {
            Wish::Write(content) => Some((key, &**content)),
            _ => None,
        })
        .collect()
}

/// What is told once everything is written.
fn told(evaluation: &Evaluation) -> Statuses {
    let deliveries = written(evaluation).into_keys().map(|key| (key.clone(), Delivery::Done));
    statuses(evaluation, &Outcomes { deliveries: deliveries.collect(), ..Outcomes::default() })
}

/// How many subscriptions have another status, and how many objects another content.
fn changed(old: &Evaluation, new: &Evaluation) -> (usize, usize) {
    let (before, after) = (told(old).subscriptions, told(new).subscriptions);
    let statuses = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let (old, new) = (written(old), written(new));
    (
        statuses,
        new.iter()
            .filter(|(key, content)| old.get(*key).is_none_or(|before| before.annotations != content.annotations))
            .count(),
    )
}

/// Prints a row: what an organization takes anew, and when nothing has changed since.
fn row(what: &str, inventory: &Inventory) {
    let snapshots = snapshots(inventory);
    let [snapshot] = snapshots.as_slice() else { panic!("{what} is of one client") };
    let (evaluation, anew) = timed(|| evaluate(snapshot, now()));
    let mut memo = Memo::default();
    drop(Evaluation::after(None, &mut memo, snapshot, now(), None));
    let (again, after) = timed(|| Evaluation::after(Some(&evaluation.decision), &mut memo, snapshot, now(), None));
    let (told, telling) = timed(|| told(&again));
    let objects = written(&again).len();
    let subscriptions = told.subscriptions.len();
    println!("{what:<48} {subscriptions:>13} {objects:>8} {anew:>12.2?} {after:>12.2?} {telling:>12.2?}");
}

#[test]
#[ignore = "it prints figures, which depend on the machine: make bench"]
fn what_subscriptions_take() {
    println!("{:<48} subscriptions  objects         anew        again       status", "");
    row("a plan of 256 entitlements, 64 add-ons", &large(256));
    row("100 subscriptions of one organization", &sites(100));
    let clients = 10_000;
    let (old, new) = (snapshots(&fleet(clients, 5)), snapshots(&fleet(clients, 6)));
    let before: Vec<Evaluation> = old.iter().map(|snapshot| evaluate(snapshot, now())).collect();
    let mut memos: Vec<Memo> = old.iter().map(|_| Memo::default()).collect();
    for ((snapshot, memo), known) in old.iter().zip(&mut memos).zip(&before) {
        drop(Evaluation::after(Some(&known.decision), memo, snapshot, now(), None));
    }
    let (after, took) = timed(|| {
        let known = new.iter().zip(&before).zip(&mut memos);
        known
            .map(|((snapshot, before), memo)| Evaluation::after(Some(&before.decision), memo, snapshot, now(), None))
            .collect::<Vec<_>>()
    });
    let changes = before.iter().zip(&after).map(|(old, new)| changed(old, new));
    let (statuses, objects) =
        changes.fold((0, 0), |(statuses, objects), (status, object)| (statuses + status, objects + object));
    println!(
        "an edit for everyone, {clients} subscriptions of as many clients: {took:.2?}, {statuses} statuses and {objects} objects change"
    );
}
