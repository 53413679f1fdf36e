//! The course of one organization through time: evaluated at one moment after the other, what each evaluation leaves in the
//! statuses and namespaces being what the next one finds.

use super::{
    step::{GrantChange, Held, ObjectAction, ObjectChange, Standing, Step},
    survey::owner,
};
use crate::{
    api::{
        EntitlementInstanceStatus,
        entitlement_instance::{AmendmentState, Notice},
    },
    core::{
        calendar::{Instant, Tz, parse_zone},
        grant::{Grant, GrantId},
    },
    evaluation::{
        Evaluation, GrantOutcome, Snapshot, evaluate,
        object::{ON_END, ObjectContent, ObjectKey, RETAIN},
        plan::{Delivery, Scene, writes},
    },
    render::summary::Entry,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An object that lies in a namespace.
#[derive(Clone, Debug)]
pub struct Present {
    /// The grant that it is made for; absent for the summary.
    pub grant: Option<GrantId>,
    /// What it holds; absent where that cannot be told, such as for want of a Secret.
    pub content: Option<Arc<ObjectContent>>,
}

/// An organization on its way through time.
pub struct Course {
    snapshot: Snapshot,
    evaluation: Evaluation,
    /// What lies in its namespaces.
    present: BTreeMap<ObjectKey, Present>,
}

impl Course {
    /// Brings an organization up to date, as the operator does when it starts. The step holds what happens at that moment
    /// and would not have happened before: the notices that are due.
    #[must_use]
    pub fn start(snapshot: Snapshot, now: Instant) -> (Self, Option<Step>) {
        let evaluation = evaluate(&snapshot, now);
        let mut course = Self { snapshot, evaluation, present: BTreeMap::new() };
        course.deliver();
        let grants: Vec<GrantChange> = course.outcomes().filter_map(|(grant, outcome)| due(grant, outcome)).collect();
        course.remember();
        let step = (!grants.is_empty()).then(|| Step { grants, ..course.empty_step(now) });
        (course, step)
    }

    /// The organization's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.snapshot.name
    }

    /// The time zone in which it reckons.
    #[must_use]
    pub fn zone(&self) -> Tz {
        let zone = self.snapshot.organization.as_ref().map(|organization| parse_zone(&organization.spec.time_zone));
        zone.and_then(Result::ok).unwrap_or(Tz::UTC)
    }

    /// Its name for people.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.snapshot.organization.as_ref()?.spec.display_name.as_deref()
    }

    /// How many grants an evaluation looks at.
    #[must_use]
    pub fn size(&self) -> usize {
        self.snapshot.grants.len().max(1)
    }

    /// The next moment at which anything changes.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.evaluation.next
    }

    /// What it holds, by definition.
    #[must_use]
    pub fn held(&self) -> BTreeMap<Arc<str>, Held> {
        let entries = self.evaluation.summary.iter().flat_map(|summary| &summary.entitlements);
        entries.map(|(definition, entry)| (definition.as_str().into(), held(entry))).collect()
    }

    /// What lies in its namespaces.
    #[must_use]
    pub fn objects(&self) -> &BTreeMap<ObjectKey, Present> {
        &self.present
    }

    /// Goes on to a later moment.
    #[must_use]
    pub fn go_on(&mut self, now: Instant) -> Step {
        let held_before = self.held();
        let before = std::mem::replace(&mut self.evaluation, evaluate(&self.snapshot, now));
        let grants = before
            .grants
            .iter()
            .zip(self.outcomes())
            .filter_map(|(before, (grant, after))| change(grant, &before.status, after))
            .collect();
        let objects = self.deliver();
        self.remember();
        Step { grants, holdings: differences(&held_before, &self.held()), objects, ..self.empty_step(now) }
    }

    fn empty_step(&self, at: Instant) -> Step {
        Step {
            at,
            organization: Arc::clone(self.name()),
            grants: Vec::new(),
            holdings: BTreeMap::new(),
            objects: Vec::new(),
        }
    }

    fn outcomes(&self) -> impl Iterator<Item = (&Arc<Grant>, &GrantOutcome)> {
        self.snapshot.grants.iter().zip(&self.evaluation.grants)
    }

    /// What the next evaluation reads of the statuses is written into them.
    fn remember(&mut self) {
        for (grant, outcome) in self.snapshot.grants.iter_mut().zip(&self.evaluation.grants) {
            let remembering = Grant::clone(grant).remembering(&outcome.status);
            if remembering.accepted != grant.accepted || remembering.remembered != grant.remembered {
                *grant = Arc::new(remembering);
            }
        }
    }

    /// Makes the namespaces hold what they should, and returns what that changes.
    fn deliver(&mut self) -> Vec<ObjectChange> {
        let mut changes = Vec::new();
        let writes = writes(&self.evaluation, &owner(&self.snapshot), &Scene::default());
        for (key, _, content) in writes.changes {
            let action = match self.present.get(&key).map(|present| &present.content) {
                None => ObjectAction::Delivered,
                Some(Some(before)) if is_same(before, &content) => continue,
                Some(_) => ObjectAction::Changed,
            };
            changes.push(self.put(key, action, Some(content)));
        }
        for (key, delivery) in writes.settled {
            if delivery == Delivery::Kept && !self.present.contains_key(&key) {
                changes.push(self.put(key, ObjectAction::Delivered, None));
            }
        }
        changes.extend(self.withdraw());
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes
    }

    fn put(&mut self, key: ObjectKey, action: ObjectAction, content: Option<Arc<ObjectContent>>) -> ObjectChange {
        let grant = self.evaluation.objects.get(&key).and_then(|desired| desired.grant.clone());
        self.present.insert(key.clone(), Present { grant: grant.clone(), content: content.clone() });
        ObjectChange { key, action, grant, content }
    }

    /// An error never withdraws: what is kept for a grant stays.
    fn withdraw(&mut self) -> Vec<ObjectChange> {
        let Self { present, evaluation, .. } = self;
        let mut changes = Vec::new();
        present.retain(|key, Present { grant, content }| {
            let is_kept = grant.as_ref().is_some_and(|grant| evaluation.kept.contains(grant));
            let stays = is_kept || evaluation.objects.contains_key(key);
            if !stays {
                let (grant, content) = (grant.take(), content.take());
                let is_retained = content.as_ref().is_some_and(|content| outlives_its_grant(content));
                let action = if is_retained { ObjectAction::Retained } else { ObjectAction::Withdrawn };
                changes.push(ObjectChange { key: key.clone(), action, grant, content });
            }
            stays
        });
        changes
    }
}

fn outlives_its_grant(content: &ObjectContent) -> bool {
    content.annotations.get(ON_END).is_some_and(|on_end| on_end == RETAIN)
}

/// The content hash stands for the data.
fn is_same(one: &ObjectContent, other: &ObjectContent) -> bool {
    one.labels == other.labels && one.annotations == other.annotations
}

fn held(entry: &Entry) -> Held {
    Held {
        entitled: entry.entitled,
        amount: entry.amount.clone(),
        unit: entry.unit.clone(),
        facets: entry.facets.clone(),
    }
}

/// What is held of each definition, where it differs. What the summary leaves out is not held.
fn differences(
    before: &BTreeMap<Arc<str>, Held>,
    after: &BTreeMap<Arc<str>, Held>,
) -> BTreeMap<Arc<str>, (Held, Held)> {
    let definitions: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
    let of = |held: &BTreeMap<Arc<str>, Held>, definition| held.get(definition).cloned().unwrap_or_default();
    definitions
        .into_iter()
        .map(|definition| (Arc::clone(definition), (of(before, definition), of(after, definition))))
        .filter(|(_, (before, after))| !before.gives_the_same(after))
        .collect()
}

/// The change of a grant from one evaluation to the next, if there is any.
fn change(grant: &Grant, before: &EntitlementInstanceStatus, after: &GrantOutcome) -> Option<GrantChange> {
    let status = &after.status;
    let was_effective =
        |name: &str| before.amendments.iter().any(|one| one.name == name && one.state == AmendmentState::Effective);
    let amendments = status
        .amendments
        .iter()
        .filter(|one| one.state == AmendmentState::Effective && !was_effective(&one.name))
        .map(|one| one.name.clone());
    let change = GrantChange {
        amendments: amendments.collect(),
        notices: notices(grant, after),
        before: Standing::of(before),
        after: Standing::of(status),
        ..GrantChange::none(grant, status)
    };
    let is_any = change.before != change.after || !change.amendments.is_empty() || !change.notices.is_empty();
    is_any.then_some(change)
}

/// The notices that are due the moment that an organization is brought up to date.
fn due(grant: &Grant, outcome: &GrantOutcome) -> Option<GrantChange> {
    let notices = notices(grant, outcome);
    (!notices.is_empty()).then(|| GrantChange { notices, ..GrantChange::none(grant, &outcome.status) })
}

fn notices(grant: &Grant, outcome: &GrantOutcome) -> Vec<Notice> {
    if outcome.notices.is_empty() {
        return Vec::new();
    }
    let given = &grant.remembered.notices;
    outcome.status.notices.iter().filter(|notice| !given.contains(notice)).cloned().collect()
}
