//! What another state of a definition would change for its grants: the same decision on both states, compared.

use super::{
    Snapshot,
    catalogue::CatalogueEntry,
    decision::{Decision, decide, decide_alone},
    delivery::deliver_grants,
    facets::Validity,
    holding::{Holding, Member, is_held},
    object::{DesiredObject, ObjectKey, Wish},
};
use crate::{
    api::entitlement_definition::OutputKind,
    core::{
        amount::Amount,
        calendar::Instant,
        definition::Definition,
        excerpt::elided_after_characters,
        facets::{complete, each_value, joined},
        grant::GrantId,
        plan::Plan,
        source::SourceId,
    },
    render::work::Budget,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Characters of a value that are shown.
const SHOWN: usize = 32;

/// What another state of a definition makes of the grants of one organization.
#[derive(Debug, Default)]
pub struct Impacts {
    /// What becomes of each grant that is held and for which anything changes.
    pub grants: Vec<Impact>,
    /// Their objects were not all looked at, as that would have been too much work.
    pub lacks_objects: bool,
}

/// What another state of its definition makes of a grant.
#[derive(Debug)]
pub struct Impact {
    /// Which grant.
    pub id: GrantId,
    /// Whether it is in force.
    pub in_force: bool,
    /// Its amount before and after.
    pub amount: Option<(Amount, Amount)>,
    /// Its values, except secret ones, by facet and way.
    pub values: BTreeMap<String, ValueChange>,
    /// Its objects.
    pub objects: ObjectChanges,
    /// Why its facets are not valid any more.
    pub invalid: Option<String>,
}

/// A value before and after, as text; absent where there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueChange {
    /// Before.
    pub before: Option<String>,
    /// After.
    pub after: Option<String>,
}

/// Objects that are otherwise than before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectChanges {
    /// They hold something else, or have other labels or annotations.
    pub changed: BTreeSet<ObjectKey>,
    /// They are there under another name, by the name of before.
    pub renamed: BTreeSet<ObjectKey>,
    /// There was none.
    pub new: BTreeSet<ObjectKey>,
    /// They go.
    pub withdrawn: BTreeSet<ObjectKey>,
    /// They stay, as no longer in force.
    pub kept: BTreeSet<ObjectKey>,
    /// Secrets for which it can't be told, because their values are unknown.
    pub unseen: BTreeSet<ObjectKey>,
}

impl ObjectChanges {
    fn is_none(&self) -> bool {
        self.all().all(|(objects, _)| objects.is_empty())
    }

    /// Those for which it is known, each with the words for one and for several.
    pub fn all(&self) -> impl Iterator<Item = (&BTreeSet<ObjectKey>, [&'static str; 2])> {
        [
            (&self.changed, ["changes", "change"]),
            (&self.renamed, ["gets another name", "get another name"]),
            (&self.new, ["is new", "are new"]),
            (&self.withdrawn, ["is withdrawn", "are withdrawn"]),
            (&self.kept, ["is kept, as no longer in force", "are kept, as no longer in force"]),
        ]
        .into_iter()
    }

    /// Takes over those of others.
    pub fn extend(&mut self, other: Self) {
        let Self { changed, renamed, new, withdrawn, kept, unseen } = other;
        self.changed.extend(changed);
        self.renamed.extend(renamed);
        self.new.extend(new);
        self.withdrawn.extend(withdrawn);
        self.kept.extend(kept);
        self.unseen.extend(unseen);
    }
}

impl Impact {
    /// Whether it is known for any object.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.amount.is_some() || !self.values.is_empty() || !self.objects.is_none() || self.invalid.is_some()
    }

    /// What the edit of that definition has made of the grant, in one sentence.
    #[must_use]
    pub fn note(&self, definition: &str, unit: Option<&str>) -> String {
        format!("definition {definition} was edited: {}", self.changes(unit).join("; "))
    }

    /// What changes, each in words.
    fn changes(&self, unit: Option<&str>) -> Vec<String> {
        let amount = self.amount.map(|(before, after)| {
            format!("the amount changes from {before} to {after} {}", unit.unwrap_or_default()).trim_end().to_owned()
        });
        let values = self.values.iter().map(|(name, change)| format!("{name} {}", change.sentence()));
        let objects = self.objects.all().filter(|(objects, _)| !objects.is_empty());
        let objects =
            objects.map(|(objects, words)| format!("{} {}", count(objects.len(), "object"), verb(objects, words)));
        let invalid = self
            .invalid
            .as_ref()
            .map(|problem| format!("its facets are invalid, and the last valid values go on: {problem}"));
        amount.into_iter().chain(values).chain(objects).chain(invalid).collect()
    }
}

/// The word that goes with so many.
#[must_use]
pub fn verb(objects: &BTreeSet<ObjectKey>, [one, several]: [&'static str; 2]) -> &'static str {
    if objects.len() == 1 { one } else { several }
}

/// `1 grant`, `2 grants`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

impl ValueChange {
    /// `becomes 4 instead of 10`
    #[must_use]
    pub fn sentence(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("becomes {after} instead of {before}"),
            (None, Some(after)) => format!("comes as {after}"),
            (Some(before), None) => format!("goes, which is {before}"),
            (None, None) => "stays".to_owned(),
        }
    }
}

/// What it makes of the grants of a definition that `before` becomes `after`. Filling their outputs takes from the budget.
#[must_use]
pub fn impacts(
    snapshot: &Snapshot,
    name: &Arc<str>,
    [before, after]: [&Arc<CatalogueEntry>; 2],
    now: Instant,
    budget: &mut Budget,
) -> Impacts {
    let grants: Vec<_> = snapshot.grants.iter().filter(|grant| grant.id.definition == *name).cloned().collect();
    let own = Snapshot { grants, ..snapshot.clone() };
    let with = |entry: &Arc<CatalogueEntry>| {
        let mut own = own.clone();
        own.catalogue.insert(Arc::clone(name), Arc::clone(entry));
        own
    };
    let [old, new] = [with(before), with(after)];
    let decisions = [&old, &new].map(|snapshot| decide_alone(snapshot, name, now));
    let objects = objects(&decisions, budget);
    let lacks_objects = objects.is_none();
    let mut objects = objects.unwrap_or_default();
    let [Some(old), Some(new)] = decisions.each_ref().map(|decision| decision.holding(name)) else {
        return Impacts::default();
    };
    let pairs = old.members.iter().zip(&new.members);
    let held = pairs.filter(|(one, other)| is_held(one.verdict.phase) || is_held(other.verdict.phase));
    let grants = held.map(|(one, other)| {
        let objects = objects.remove(&one.grant.id).unwrap_or_default();
        member_impact([(old, one), (new, other)], objects)
    });
    let concerns = |impact: &Impact| impact.is_any() || !impact.objects.unseen.is_empty();
    Impacts { grants: grants.filter(concerns).collect(), lacks_objects }
}

/// What another state of a plan makes of one subscription.
#[derive(Debug)]
pub struct PlanImpact {
    /// Which subscription.
    pub id: SourceId,
    /// Whether it is in force.
    pub in_force: bool,
    /// Definitions that it gives and did not before.
    pub given: BTreeSet<Arc<str>>,
    /// Definitions that it gives no more.
    pub taken: BTreeSet<Arc<str>>,
    /// What becomes of the others, by definition, each with the unit of its amount.
    pub changed: BTreeMap<Arc<str>, (Impact, Option<String>)>,
}

/// Definitions of which a note tells.
const MOST_TOLD: usize = 8;

impl PlanImpact {
    /// What the edit of that plan has made of the subscription, in one sentence.
    #[must_use]
    pub fn note(&self, plan: &str) -> String {
        let changed = self.changed.iter().map(|(definition, (impact, unit))| {
            format!("{definition}: {}", impact.changes(unit.as_deref()).join(", "))
        });
        let given = self.given.iter().map(|definition| format!("{definition} is given"));
        let taken = self.taken.iter().map(|definition| format!("{definition} is not given any more"));
        let mut all: Vec<String> = taken.chain(given).chain(changed).collect();
        let more = all.len().saturating_sub(MOST_TOLD);
        all.truncate(MOST_TOLD);
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        format!("plan {plan} was edited: {}", all.join("; "))
    }
}

/// What it makes of the subscriptions of an organization that a plan `before` becomes `after`: those that are held, and for which
/// anything changes. Filling outputs takes from the budget.
#[must_use]
pub fn plan_impacts(
    snapshot: &Snapshot,
    name: &Arc<str>,
    [before, after]: [&Arc<CatalogueEntry<Plan>>; 2],
    now: Instant,
    budget: &mut Budget,
) -> Vec<PlanImpact> {
    let has_it: BTreeSet<SourceId> = snapshot
        .subscriptions
        .iter()
        .filter(|subscription| subscription.plans().any(|plan| plan == name))
        .map(|subscription| subscription.id())
        .collect();
    let with = |entry: &Arc<CatalogueEntry<Plan>>| {
        let mut own = snapshot.clone();
        own.plans.insert(Arc::clone(name), Arc::clone(entry));
        own
    };
    let [old, new] = [with(before), with(after)];
    let decisions = [&old, &new].map(|snapshot| decide(snapshot, now));
    let [old, new] = decisions.each_ref().map(|decision| held_of(decision, &has_it));
    if old.keys().eq(new.keys()) && old.iter().zip(&new).all(|((_, one), (_, other))| is_same(*one, *other)) {
        return Vec::new();
    }
    let mut objects = objects(&decisions, budget).unwrap_or_default();
    let mut impacts: BTreeMap<SourceId, PlanImpact> = BTreeMap::new();
    for id in old.keys().chain(new.keys()).copied().collect::<BTreeSet<_>>() {
        let both = [old.get(id), new.get(id)];
        let one = PlanImpact {
            id: id.source.clone(),
            in_force: false,
            given: BTreeSet::new(),
            taken: BTreeSet::new(),
            changed: BTreeMap::new(),
        };
        let impact = impacts.entry(id.source.clone()).or_insert(one);
        impact.in_force |= both.iter().flatten().any(|(_, member)| member.verdict.phase.is_in_force());
        let definition = Arc::clone(&id.definition);
        match both {
            [Some(_), None] => drop(impact.taken.insert(definition)),
            [None, Some(_)] => drop(impact.given.insert(definition)),
            [Some(one), Some(other)] => {
                let of_it = member_impact([*one, *other], objects.remove(id).unwrap_or_default());
                let unit = other.0.definition().and_then(|definition| definition.unit.clone());
                if of_it.is_any() {
                    impact.changed.insert(definition, (of_it, unit));
                }
            }
            [None, None] => {}
        }
    }
    let is_any =
        |impact: &PlanImpact| !(impact.given.is_empty() && impact.taken.is_empty() && impact.changed.is_empty());
    impacts.into_values().filter(is_any).collect()
}

/// The grants of these subscriptions that are held.
fn held_of<'a>(
    decision: &'a Decision,
    subscriptions: &BTreeSet<SourceId>,
) -> BTreeMap<&'a GrantId, (&'a Holding, &'a Member)> {
    let members = decision.grants().filter(|(_, member)| is_held(member.verdict.phase));
    let of_them = members.filter(|(_, member)| subscriptions.contains(&member.grant.id.source));
    of_them.map(|(holding, member)| (&member.grant.id, (holding, member))).collect()
}

/// Whether nothing about a grant can be told that differs.
fn is_same((_, one): (&Holding, &Member), (_, other): (&Holding, &Member)) -> bool {
    one.amount == other.amount && one.facets.statement == other.facets.statement
}

fn member_impact([old, new]: [(&Holding, &Member); 2], objects: ObjectChanges) -> Impact {
    let (one, other) = (old.1, new.1);
    Impact {
        id: one.grant.id.clone(),
        in_force: one.verdict.phase.is_in_force() || other.verdict.phase.is_in_force(),
        amount: one.amount.zip(other.amount).filter(|(before, after)| before != after),
        values: values([old, new]),
        objects,
        invalid: newly_invalid(one, other),
    }
}

fn newly_invalid(before: &Member, after: &Member) -> Option<String> {
    let problem = |member: &Member| match &member.facets.validity {
        Validity::Invalid(violations) => violations.first().map(ToString::to_string),
        _ => None,
    };
    if problem(before).is_some() { None } else { problem(after) }
}

/// The values of a grant that differ. A field that is secret in either state is not looked at.
fn values(both: [(&Holding, &Member); 2]) -> BTreeMap<String, ValueChange> {
    let definitions: Vec<&Definition> = both.iter().filter_map(|(holding, _)| holding.definition()).collect();
    let is_secret = |facet: &str, field: &str| {
        let mut sets = definitions.iter().filter_map(|definition| definition.facets.get(facet));
        sets.any(|set| set.schema.secret_fields().contains(field))
    };
    let of = |(holding, member): (&Holding, &Member)| {
        let stated = member.facets.statement.as_ref()?.merged();
        let whole = complete(holding.definition()?, &std::iter::once(&stated)).ok()?;
        let mut values = BTreeMap::new();
        for (facet, fields) in &whole {
            each_value(fields, &mut |path, value| {
                if path.first().is_some_and(|field| !is_secret(facet, field)) {
                    values.insert(format!("facets.{facet}.{}", joined(path)), value.clone());
                }
            });
        }
        Some(values)
    };
    let [Some(before), Some(after)] = both.map(of) else { return BTreeMap::new() };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = |name: &String| {
        let change = ValueChange { before: before.get(name).map(shown), after: after.get(name).map(shown) };
        (name.clone(), change)
    };
    differing.map(change).collect()
}

fn shown(value: &Value) -> String {
    elided_after_characters(value.to_string(), SHOWN)
}

/// What becomes of the objects of each grant; None where that is too much work.
fn objects(decisions: &[Decision; 2], budget: &mut Budget) -> Option<BTreeMap<GrantId, ObjectChanges>> {
    let mut delivered = Vec::with_capacity(2);
    for decision in decisions {
        budget.begin()?;
        let desired = deliver_grants(decision, budget);
        if desired.resume.is_some() {
            return None;
        }
        delivered.push(desired.objects);
    }
    let [before, after] = delivered.as_slice() else { return None };
    Some(differences(before, after))
}

/// What becomes of the objects of each grant; the summaries are nobody's.
#[must_use]
pub fn differences(
    before: &BTreeMap<ObjectKey, DesiredObject>,
    after: &BTreeMap<ObjectKey, DesiredObject>,
) -> BTreeMap<GrantId, ObjectChanges> {
    let mut changes: BTreeMap<GrantId, ObjectChanges> = BTreeMap::new();
    for (key, object) in before {
        let Some(grant) = &object.grant else { continue };
        let changes = changes.entry(grant.clone()).or_default();
        let place = match after.get(key) {
            None if object.is_retained => &mut changes.kept,
            None => &mut changes.withdrawn,
            Some(other) => match compare(&object.wish, &other.wish) {
                Compared::Different => &mut changes.changed,
                Compared::Unknown if key.kind == OutputKind::Secret => &mut changes.unseen,
                Compared::Same | Compared::Unknown => continue,
            },
        };
        place.insert(key.clone());
    }
    for (key, object) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        let Some(grant) = &object.grant else { continue };
        let changes = changes.entry(grant.clone()).or_default();
        let is_renamed = |gone: &&ObjectKey| gone.kind == key.kind && gone.namespace == key.namespace;
        match changes.withdrawn.iter().find(is_renamed).cloned() {
            Some(gone) => {
                changes.withdrawn.remove(&gone);
                changes.renamed.insert(gone);
            }
            None => {
                changes.new.insert(key.clone());
            }
        }
    }
    changes
}

enum Compared {
    Same,
    Different,
    /// What it holds can't be told in either state.
    Unknown,
}

/// The content hash stands for the data. What can't be told stays as it is.
fn compare(before: &Wish, after: &Wish) -> Compared {
    match (before, after) {
        (Wish::Write(one), Wish::Write(other)) => {
            let is_same = (&one.labels, &one.annotations) == (&other.labels, &other.annotations)
                && one.data.secret_type() == other.data.secret_type();
            if is_same { Compared::Same } else { Compared::Different }
        }
        (Wish::Keep | Wish::Refuse(_), Wish::Write(_)) => Compared::Different,
        (Wish::Keep, Wish::Keep) => Compared::Unknown,
        (_, Wish::Keep | Wish::Refuse(_)) => Compared::Same,
    }
}
