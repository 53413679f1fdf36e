//! What the code makes of a world, read from what it writes: statuses, which are all that it remembers beside the revisions of
//! the catalogue, and the summary that the client gets.

use super::{
    course::Onlooker,
    gifts::{PlainVerdict, ServedEntries, SubscriptionVerdict},
    plain::PlainWorld,
};
use crate::{
    api::entitlement_definition::OutputKind,
    core::{
        calendar::{Instant, parse_instant},
        lifecycle::AmendmentOutcome,
        plan::{Plan, PlanEntry},
    },
    evaluation::{
        catalogue::{
            CatalogueEntry, CatalogueId, CatalogueKind, CompiledDefinition, KeepAction, KeptForm, Present, Revision,
        },
        decision::{Decision, decide},
        object::{ObjectData, ObjectKey},
        subscriptions::SubscriptionDecision,
    },
    offline::{EntitlementKind, Inventory, Survey},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All that is left of what was seen before.
#[derive(Clone, Default)]
pub struct PlainOperator {
    /// By kind and name: no two sources of a kind have one name here.
    statuses: BTreeMap<(String, String), Value>,
    /// What the summary said last.
    summary: BTreeMap<String, Value>,
    revisions: Vec<Arc<Revision>>,
}

impl Onlooker for PlainOperator {
    fn look(&mut self, world: &PlainWorld, now: Instant) -> PlainVerdict {
        let inventory = self.inventory(world, now);
        self.keep_catalogue(&inventory, now);
        // What was kept is there before anything is decided by it.
        let inventory = self.inventory(world, now);
        let survey = inventory.survey(now);
        let snapshots = inventory.snapshots(&inventory.catalogue());
        let decisions: Vec<Decision> = snapshots.iter().map(|snapshot| decide(snapshot, now)).collect();
        self.remember(&survey);
        self.summary = summary(&survey);
        self.verdict(&inventory, &decisions)
    }
}

impl PlainOperator {
    pub fn inventory(&self, world: &PlainWorld, now: Instant) -> Inventory {
        let mut inventory = Inventory::new(now, "entitlement-operator");
        for mut manifest in world.manifests() {
            let name = |field: &Value| field.as_str().unwrap().to_owned();
            let key = (name(&manifest["kind"]), name(&manifest["metadata"]["name"]));
            if let Some(status) = self.statuses.get(&key) {
                manifest["status"] = status.clone();
            }
            inventory.add(EntitlementKind::of(&key.0).unwrap(), &manifest).unwrap();
        }
        for revision in &self.revisions {
            inventory.add_revision(Revision::clone(revision));
        }
        inventory
    }

    fn held(&self) -> BTreeMap<String, Option<String>> {
        let entitled = self.summary.iter().filter(|(_, one)| one["entitled"] == true);
        entitled.map(|(name, one)| (name.clone(), text(&one["amount"]))).collect()
    }

    /// What the status of a subscription says that comes next: when, and the phase from then on.
    pub fn next(&self, subscription: &str) -> Option<(Instant, String)> {
        let status = &self.statuses[&("EntitlementSubscription".to_owned(), subscription.to_owned())];
        let next = status.get("nextTransition")?;
        Some((instant(&next["at"])?, text(&next["phase"])?))
    }

    /// What the summary says of each definition: whether it is held, from when and until when.
    pub fn valid(&self) -> BTreeMap<String, (bool, Option<Instant>, Option<Instant>)> {
        let valid = |one: &Value| (one["entitled"] == true, instant(&one["validFrom"]), instant(&one["validUntil"]));
        self.summary.iter().map(|(name, one)| (name.clone(), valid(one))).collect()
    }

    /// What was kept of plans is lost.
    pub fn lose_plans(&mut self) {
        self.revisions.retain(|revision| revision.of.kind != CatalogueKind::Plan);
    }

    fn keep_catalogue(&mut self, inventory: &Inventory, now: Instant) {
        let definitions = inventory.catalogue();
        for (name, _) in definitions.iter().filter(|(_, entry)| entry.present == Present::Valid) {
            let state = inventory.present(name).unwrap();
            keep(
                &mut self.revisions,
                &CatalogueKind::Definition.named(name),
                KeptForm::of::<CompiledDefinition>(&state),
                now,
            );
        }
        let plans = inventory.plans(&definitions);
        for (name, _) in plans.iter().filter(|(_, entry)| entry.present == Present::Valid) {
            let state = inventory.present_plan(name, &definitions).unwrap();
            keep(&mut self.revisions, &CatalogueKind::Plan.named(name), KeptForm::of::<Plan>(&state), now);
        }
    }

    fn remember(&mut self, survey: &Survey) {
        let written = survey.statuses.iter().map(|(subject, status)| {
            ((subject.kind.as_str().to_owned(), subject.name.to_string()), status.to_json().unwrap())
        });
        self.statuses = written.collect();
    }

    fn verdict(&self, inventory: &Inventory, decisions: &[Decision]) -> PlainVerdict {
        let plans = inventory.plans(&inventory.catalogue());
        let of_kind = |kind: &'static str| self.statuses.iter().filter(move |((one, _), _)| one == kind);
        let instances = of_kind("EntitlementInstance");
        let ready = of_kind("EntitlementPlan").map(|((_, name), status)| (name.clone(), denied(status, "Ready")));
        let serving = |(name, entry): (&Arc<str>, &Arc<CatalogueEntry<Plan>>)| {
            Some((name.to_string(), served(entry.serving.as_deref()?)))
        };
        let subscriptions = decisions.iter().flat_map(|decision| &decision.subscriptions);
        PlainVerdict {
            plans: ready.collect(),
            served: plans.iter().filter_map(serving).collect(),
            subscriptions: subscriptions.map(|one| (one.subscription.age.name.to_string(), read(one))).collect(),
            instances: instances
                .map(|((_, name), status)| {
                    (name.clone(), (text(&status["phase"]).unwrap(), denied(status, "Accepted")))
                })
                .collect(),
            held: self.held(),
        }
    }
}

/// As the operator keeps the state of an object of the catalogue.
pub fn keep(revisions: &mut Vec<Arc<Revision>>, object: &CatalogueId, form: KeptForm, now: Instant) {
    let mut of_object: Vec<_> = revisions.iter().filter(|one| one.of == *object).cloned().collect();
    of_object.sort_by_key(|one| one.number);
    match KeepAction::of(object, &of_object, form) {
        KeepAction::Kept => {}
        KeepAction::Create(revision) => revisions.push(Arc::new(Revision { made: Some(now), ..revision })),
        KeepAction::Promote(before, revision)
        | KeepAction::Replace(before, revision)
        | KeepAction::Annotate(before, revision) => {
            revisions.retain(|one| one.name != before.name);
            revisions.push(Arc::new(Revision { made: before.made, ..revision }));
        }
    }
}

fn read(one: &SubscriptionDecision) -> SubscriptionVerdict {
    let verdict = &one.verdict;
    let rights = one.told_rights();
    let amendment = |outcome: &AmendmentOutcome| {
        let name = one.subscription.amendments[outcome.index].stated.name.clone();
        (name, format!("{:?}", outcome.state))
    };
    let notes = one.notes.iter().filter(|note| note.is_ignored);
    SubscriptionVerdict {
        phase: verdict.phase.as_str().to_owned(),
        reason: verdict.refusal.as_ref().map(|refusal| refusal.reason.code().as_str().to_owned()),
        start: verdict.term.map(|term| term.start.instant()),
        end: verdict.term.map(|_| verdict.end.instant()),
        plan: verdict.term.map(|_| one.plan.to_string()),
        amendments: verdict.amendments.iter().map(amendment).collect(),
        renewed_by: one.renewed_by.as_deref().map(str::to_owned),
        left_out: notes.map(|note| (note.list.as_str().to_owned(), note.name.to_string())).collect(),
        gives: rights
            .iter()
            .filter(|(_, right)| right.entitled)
            .map(|(definition, right)| (definition.to_string(), right.amount.map(|amount| amount.to_string())))
            .collect(),
        parts: BTreeSet::new(),
        removed: rights.iter().filter(|(_, right)| right.removed).map(|(name, _)| name.to_string()).collect(),
    }
}

fn served(plan: &Plan) -> ServedEntries {
    let entry = |entry: &PlanEntry| {
        let amount = entry.amount.taken().map(|amount| amount.to_string());
        (entry.definition.to_string(), (entry.plan.to_string(), entry.group.to_string(), amount))
    };
    plan.entries.iter().map(entry).collect()
}

fn instant(value: &Value) -> Option<Instant> {
    value.as_str().map(|text| parse_instant(text).unwrap())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The reason of a condition that is False.
fn denied(status: &Value, type_: &str) -> Option<String> {
    let condition = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)?;
    if condition["status"] == "False" { text(&condition["reason"]) } else { None }
}

/// What the summary says of each definition.
fn summary(survey: &Survey) -> BTreeMap<String, Value> {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "entitlements".into() };
    let Some(written) = survey.objects.get(&key) else { return BTreeMap::new() };
    let ObjectData::ConfigMap(data) = &written.content.data else { return BTreeMap::new() };
    let summary: Value = serde_json::from_str(&data["entitlements.json"]).unwrap();
    let all = summary["entitlements"].as_object().unwrap();
    all.iter().map(|(name, one)| (name.clone(), one.clone())).collect()
}
