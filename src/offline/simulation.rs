//! The course of one organization through time. What each evaluation leaves in the statuses and namespaces is what the next one
//! finds. A moment costs what changes at it.

use super::{
    lane::{Lane, parts},
    namespaces::{Namespaces, Objects},
    step::{GrantChange, GrantState, HoldingState, ObjectChange, TimelineStep},
    subscription_change,
    summary_digest::SummaryDigest,
    survey::owner,
    zone_of,
};
use crate::{
    api::lifecycle::{AmendmentState, Notice},
    core::{
        age::GrantAge,
        approval::ApprovalOutcome,
        calendar::{Instant, Tz},
        grant::GrantId,
        source::SourceId,
    },
    evaluation::{
        Evaluation, Snapshot,
        delivery::{Desired, Outputs},
        holding::Member,
        object::{DesiredObject, ObjectKey},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// An organization on its way through time.
pub struct Simulation {
    name: Arc<str>,
    zone: Tz,
    display_name: Option<String>,
    lanes: Vec<Lane>,
    /// The next moment of each lane.
    queue: BTreeSet<(Instant, usize)>,
    /// The grants of each source, with their lanes.
    grants: HashMap<SourceId, Vec<(GrantId, usize)>>,
    digest: SummaryDigest,
    /// The lanes that ask for an object. The oldest grant gets it.
    claims: BTreeMap<ObjectKey, BTreeSet<(GrantAge, usize)>>,
    namespaces: Namespaces,
}

impl Simulation {
    /// Brings an organization up to date, as the operator does when it starts, with what lies in its namespaces then. The
    /// step holds what happens at that moment and would not have happened before: the notices that are due.
    #[must_use]
    pub fn start(snapshot: &Snapshot, left: Objects, now: Instant) -> (Self, Option<TimelineStep>) {
        let lanes: Vec<Lane> = parts(snapshot).into_iter().map(|part| Lane::start(part, now)).collect();
        let organization = snapshot.organization.as_ref();
        let owner = owner(snapshot, left.keys().map(|key| Arc::clone(&key.namespace)));
        let touched: BTreeSet<ObjectKey> = left.keys().cloned().collect();
        let mut simulation = Self {
            name: Arc::clone(&snapshot.name),
            zone: zone_of(organization.map(AsRef::as_ref)),
            display_name: organization.and_then(|organization| organization.spec.display_name.clone()),
            grants: by_source(&lanes),
            digest: SummaryDigest::new(&lanes),
            queue: BTreeSet::new(),
            claims: BTreeMap::new(),
            namespaces: Namespaces::new(owner, left),
            lanes,
        };
        let all: BTreeSet<usize> = (0..simulation.lanes.len()).collect();
        for lane in &all {
            simulation.claim(*lane);
        }
        simulation.deliver(touched, &all);
        let mut grants: Vec<GrantChange> = simulation.lanes.iter().flat_map(Lane::members).filter_map(due).collect();
        grants.sort_by(|one, other| one.grant.cmp(&other.grant));
        let subscriptions = simulation.lanes.iter().flat_map(Lane::due_subscriptions).collect();
        for lane in all {
            simulation.move_on(lane);
        }
        let step = TimelineStep { grants, subscriptions, ..TimelineStep::empty(&simulation.name, now) };
        let step = (!step.is_empty()).then_some(step);
        (simulation, step)
    }

    /// The organization's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The time zone in which it reckons.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Its name for people.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// The next moment at which anything changes.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// What the way to the next moment costs, in evaluations of a grant.
    #[must_use]
    pub fn cost(&self) -> usize {
        let next = self.next();
        let due = self.queue.iter().take_while(|(at, _)| Some(*at) == next);
        due.filter_map(|(_, lane)| self.lanes.get(*lane)).map(Lane::cost).sum()
    }

    /// What it holds, by definition.
    #[must_use]
    pub fn held(&self) -> BTreeMap<Arc<str>, HoldingState> {
        self.lanes.iter().flat_map(Lane::held_or_untold).collect()
    }

    /// What lies in its namespaces.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        self.namespaces.objects()
    }

    /// Goes on to the next moment.
    #[must_use]
    pub fn go_on(&mut self, now: Instant) -> TimelineStep {
        let mut step = TimelineStep::empty(&self.name, now);
        let mut moved = BTreeSet::new();
        let mut touched = BTreeSet::new();
        while let Some(&(_, lane)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.queue.pop_first();
            self.advance(lane, now, &mut step, &mut touched);
            moved.insert(lane);
        }
        step.grants.sort_by(|one, other| one.grant.cmp(&other.grant));
        step.objects = self.deliver(touched, &moved);
        for lane in moved {
            self.move_on(lane);
        }
        step
    }

    /// Evaluates one lane anew.
    fn advance(&mut self, index: usize, now: Instant, step: &mut TimelineStep, touched: &mut BTreeSet<ObjectKey>) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        touched.extend(lane.claims().map(|(key, _)| key.clone()));
        for (key, _) in lane.claims() {
            if let Some(claims) = self.claims.get_mut(key) {
                claims.retain(|(_, claimant)| *claimant != index);
            }
        }
        let held_before = lane.held_or_untold();
        let before: Evaluation = lane.go_on(now);
        step.grants.extend(lane.changes_since(&before));
        step.subscriptions.extend(subscription_change::changes(&before.decision, lane.decision()));
        step.resets.extend(lane.resets_since(&before));
        step.uses.extend(lane.uses_since(&before));
        step.holdings.extend(differences(&held_before, &lane.held_or_untold()));
        touched.extend(lane.claims().map(|(key, _)| key.clone()));
        self.claim(index);
        self.digest.update(&self.lanes, index);
    }

    fn claim(&mut self, index: usize) {
        let Some(lane) = self.lanes.get(index) else { return };
        for (key, age) in lane.claims() {
            self.claims.entry(key.clone()).or_default().insert((age.clone(), index));
        }
    }

    /// What the next evaluation reads is written, and when that is to be.
    fn move_on(&mut self, index: usize) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.remember();
        self.queue.extend(lane.next_with_uses().map(|next| (next, index)));
    }

    /// Does what the operator does where something may have changed, and returns what that changes.
    fn deliver(&mut self, mut touched: BTreeSet<ObjectKey>, moved: &BTreeSet<usize>) -> Vec<ObjectChange> {
        touched.extend(moved.iter().flat_map(|lane| self.present_of(*lane)).cloned());
        // Who asks for one of these may get it now, or no longer, and so have all that it should, or no longer.
        let concerned = touched.iter().flat_map(|key| self.concerned_with(key));
        let concerned: BTreeSet<usize> = concerned.chain(moved.iter().copied()).collect();
        for index in concerned {
            touched.extend(self.present_of(index).cloned());
            touched.extend(self.lanes.get(index).into_iter().flat_map(Lane::claims).map(|(key, _)| key.clone()));
        }
        let news = self.digest.news();
        let desired = self.desired_of(news, &touched);
        self.namespaces.settle(&desired, &touched)
    }

    /// The lanes that ask for an object, and those of the source that it is made for.
    fn concerned_with(&self, key: &ObjectKey) -> impl Iterator<Item = usize> {
        let claimants = self.claims.get(key).into_iter().flatten().map(|(_, lane)| *lane);
        claimants.chain(self.grants_at(key).map(|(_, lane)| *lane))
    }

    /// The grants of the source that an object is made for.
    fn grants_at(&self, key: &ObjectKey) -> impl Iterator<Item = &(GrantId, usize)> {
        self.namespaces.source_of(key).and_then(|source| self.grants.get(source)).into_iter().flatten()
    }

    /// The objects that are made for sources of a lane.
    fn present_of(&self, lane: usize) -> impl Iterator<Item = &ObjectKey> {
        let members = self.lanes.get(lane).into_iter().flat_map(Lane::members);
        members.flat_map(|member| self.namespaces.of_source(&member.grant.id.source))
    }

    /// What should be there of these objects, and all that their plan goes by.
    fn desired_of(&self, mut objects: BTreeMap<ObjectKey, DesiredObject>, keys: &BTreeSet<ObjectKey>) -> Desired {
        objects.extend(keys.iter().filter_map(|key| Some((key.clone(), self.desired(key)?.clone()))));
        let mut desired = Desired::default();
        for (grant, lane) in keys.iter().chain(objects.keys()).flat_map(|key| self.grants_at(key)) {
            let Some(lane) = self.lanes.get(*lane) else { continue };
            if lane.keeps(grant) {
                desired.kept.insert(grant.clone());
            }
            let [shared, kept] = lane.shared();
            desired.shared.extend(shared.iter().cloned());
            desired.kept_shared.extend(kept.iter().cloned());
            desired.grants.entry(grant.clone()).or_insert_with(Outputs::default);
        }
        Desired { objects, ..desired }
    }

    /// What an object should be: the summary goes before all, and then the oldest grant.
    fn desired(&self, key: &ObjectKey) -> Option<&DesiredObject> {
        self.digest.desired(key).or_else(|| {
            let (_, lane) = self.claims.get(key)?.first()?;
            self.lanes.get(*lane)?.desired(key)
        })
    }
}

fn by_source(lanes: &[Lane]) -> HashMap<SourceId, Vec<(GrantId, usize)>> {
    let mut grants: HashMap<SourceId, Vec<(GrantId, usize)>> = HashMap::new();
    for (index, lane) in lanes.iter().enumerate() {
        for member in lane.members() {
            let id = &member.grant.id;
            grants.entry(id.source.clone()).or_default().push((id.clone(), index));
        }
    }
    grants
}

/// What is held of each definition, where it differs. What the summary leaves out is not held.
pub(super) fn differences(
    before: &BTreeMap<Arc<str>, HoldingState>,
    after: &BTreeMap<Arc<str>, HoldingState>,
) -> BTreeMap<Arc<str>, (HoldingState, HoldingState)> {
    let definitions: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
    let of = |held: &BTreeMap<Arc<str>, HoldingState>, definition| held.get(definition).cloned().unwrap_or_default();
    definitions
        .into_iter()
        .map(|definition| (Arc::clone(definition), (of(before, definition), of(after, definition))))
        .filter(|(_, (before, after))| !before.gives_the_same(after))
        .collect()
}

/// The change of a grant from one evaluation to the next, if there is any.
pub(super) fn change(before: &Member, after: &Member) -> Option<GrantChange> {
    let effective = |member: &Member| -> BTreeSet<usize> {
        let outcomes = member.verdict.amendments.iter().filter(|one| one.state == AmendmentState::Effective);
        outcomes.map(|outcome| outcome.index).collect()
    };
    let was_effective = effective(before);
    let new = effective(after).into_iter().filter(|index| !was_effective.contains(index));
    let amendments = new.filter_map(|index| Some(after.grant.amendments.get(index)?.name.clone()));
    let change = GrantChange {
        amendments: amendments.collect(),
        notices: notices(after),
        before: GrantState::of(before),
        approved_by: approved(before, after),
        ..GrantChange::none(after)
    };
    let is_any = change.before != change.after || !change.amendments.is_empty() || !change.notices.is_empty();
    is_any.then_some(change)
}

/// Who has approved an override, where that was not decided before.
fn approved(before: &Member, after: &Member) -> Option<Vec<Arc<str>>> {
    let outcome = |member: &Member| match member.approval.as_deref()?.outcome.clone() {
        ApprovalOutcome::Approved { by, .. } => Some(by),
        _ => None,
    };
    outcome(after).filter(|_| outcome(before).is_none())
}

/// The notices that are due the moment that an organization is brought up to date.
pub(super) fn due(member: &Member) -> Option<GrantChange> {
    let notices = notices(member);
    (!notices.is_empty()).then(|| GrantChange { notices, ..GrantChange::none(member) })
}

fn notices(member: &Member) -> Vec<Notice> {
    if member.reminders.due.is_empty() {
        return Vec::new();
    }
    let given = &member.grant.remembered.notices;
    member.reminders.given.iter().filter(|notice| !given.contains(notice)).cloned().collect()
}
