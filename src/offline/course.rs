//! The course of one organization through time: what each evaluation leaves in the statuses and namespaces is what the next
//! one finds. A moment costs what changes at it.

use super::{
    digest::Digest,
    lane::{Intent, Lane, parts},
    step::{GrantChange, Held, ObjectAction, ObjectChange, Standing, Step},
    survey::owner,
    zone_of,
};
use crate::{
    api::entitlement_instance::{AmendmentState, Notice},
    core::{
        age::GrantAge,
        calendar::{Instant, Tz},
        grant::GrantId,
    },
    evaluation::{
        Evaluation, Snapshot,
        holding::Member,
        object::{ON_END, ObjectContent, ObjectKey, RETAIN},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// An object that lies in a namespace.
#[derive(Clone, Debug)]
pub struct Present {
    /// The grant that it is made for; absent for the summary.
    pub grant: Option<GrantId>,
    /// What it holds, a summary without its data; absent where that cannot be told, such as for want of a Secret.
    pub content: Option<Arc<ObjectContent>>,
}

/// The objects in namespaces.
pub type Objects = BTreeMap<ObjectKey, Present>;

/// An organization on its way through time.
pub struct Course {
    name: Arc<str>,
    zone: Tz,
    display_name: Option<String>,
    /// The namespaces that are its own.
    namespaces: BTreeSet<Arc<str>>,
    lanes: Vec<Lane>,
    /// The next moment of each lane.
    queue: BTreeSet<(Instant, usize)>,
    lane_of: HashMap<GrantId, usize>,
    digest: Digest,
    /// The lanes that ask for an object. The oldest grant gets it.
    claims: BTreeMap<ObjectKey, BTreeSet<(GrantAge, usize)>>,
    /// What lies in its namespaces.
    present: Objects,
    /// The objects among those that are made for grants of each lane.
    present_of: Vec<BTreeSet<ObjectKey>>,
}

impl Course {
    /// Brings an organization up to date, as the operator does when it starts, with what lies in its namespaces then. The
    /// step holds what happens at that moment and would not have happened before: the notices that are due.
    #[must_use]
    pub fn start(snapshot: &Snapshot, left: Objects, now: Instant) -> (Self, Option<Step>) {
        let lanes: Vec<Lane> = parts(snapshot).into_iter().map(|part| Lane::start(part, now)).collect();
        let lane_of = lanes
            .iter()
            .enumerate()
            .flat_map(|(index, lane)| lane.members().map(move |member| (member.grant.id.clone(), index)));
        let organization = snapshot.organization.as_ref();
        let mut course = Self {
            name: Arc::clone(&snapshot.name),
            zone: zone_of(organization.map(AsRef::as_ref)),
            display_name: organization.and_then(|organization| organization.spec.display_name.clone()),
            namespaces: owner(snapshot).namespaces().clone(),
            lane_of: lane_of.collect(),
            digest: Digest::new(&lanes),
            queue: BTreeSet::new(),
            claims: BTreeMap::new(),
            present: Objects::new(),
            present_of: vec![BTreeSet::new(); lanes.len()],
            lanes,
        };
        let mut touched: BTreeSet<ObjectKey> = left.keys().cloned().collect();
        for (key, present) in left {
            course.place(key, present);
        }
        let all: BTreeSet<usize> = (0..course.lanes.len()).collect();
        for lane in &all {
            course.claim(*lane);
        }
        touched.extend(course.claims.keys().cloned());
        course.deliver(touched, &all);
        let mut grants: Vec<GrantChange> = course.lanes.iter().flat_map(Lane::members).filter_map(due).collect();
        grants.sort_by(|one, other| one.grant.cmp(&other.grant));
        for lane in all {
            course.move_on(lane);
        }
        let step = (!grants.is_empty()).then(|| Step { grants, ..course.empty_step(now) });
        (course, step)
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
    pub fn held(&self) -> BTreeMap<Arc<str>, Held> {
        self.lanes.iter().flat_map(Lane::held_or_untold).collect()
    }

    /// What lies in its namespaces.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.present
    }

    /// Goes on to the next moment.
    #[must_use]
    pub fn go_on(&mut self, now: Instant) -> Step {
        let mut step = self.empty_step(now);
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

    fn empty_step(&self, at: Instant) -> Step {
        Step {
            at,
            organization: Arc::clone(&self.name),
            grants: Vec::new(),
            holdings: BTreeMap::new(),
            objects: Vec::new(),
        }
    }

    /// Evaluates one lane anew.
    fn advance(&mut self, index: usize, now: Instant, step: &mut Step, touched: &mut BTreeSet<ObjectKey>) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        touched.extend(lane.claims().map(|(key, _)| key.clone()));
        for (key, _) in lane.claims() {
            if let Some(claims) = self.claims.get_mut(key) {
                claims.retain(|(_, claimant)| *claimant != index);
            }
        }
        let held_before = lane.held_or_untold();
        let before: Evaluation = lane.go_on(now);
        let changes = before.decision.grants().zip(lane.members());
        step.grants.extend(changes.filter_map(|((_, before), after)| change(before, after)));
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
        self.queue.extend(lane.next().map(|next| (next, index)));
    }

    /// Makes the namespaces hold what they should, where that may have changed, and returns what that changes.
    fn deliver(&mut self, mut touched: BTreeSet<ObjectKey>, moved: &BTreeSet<usize>) -> Vec<ObjectChange> {
        let rivals = touched.iter().filter_map(|key| self.claims.get(key)).flatten().map(|(_, lane)| *lane);
        let concerned: BTreeSet<usize> = rivals.chain(moved.iter().copied()).collect();
        let present = concerned.iter().filter_map(|lane| self.present_of.get(*lane)).flatten();
        touched.extend(present.cloned().collect::<Vec<_>>());
        let unfinished = self.unfinished(&concerned);
        let mut changes: Vec<ObjectChange> = Vec::new();
        for (key, intent) in self.digest.news() {
            touched.remove(&key);
            changes.extend(self.fulfil(key, &intent, None));
        }
        for key in touched {
            let claim = self.claims.get(&key).and_then(BTreeSet::first).and_then(|(_, lane)| self.lanes.get(*lane));
            let wanted = claim.and_then(|lane| lane.intent(&key));
            match wanted.map(|(intent, grant)| (intent.clone(), grant.cloned())) {
                Some((intent, grant)) => changes.extend(self.fulfil(key, &intent, grant)),
                None => changes.extend(self.withdraw(key, &unfinished)),
            }
        }
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes
    }

    /// Grants with an object that is not known to be as it should be, with the object's namespace: what they have beside it
    /// there stays.
    fn unfinished(&self, lanes: &BTreeSet<usize>) -> BTreeSet<(GrantId, Arc<str>)> {
        let mut unfinished = BTreeSet::new();
        for index in lanes {
            let Some(lane) = self.lanes.get(*index) else { continue };
            for (key, _) in lane.claims() {
                let has_it = self.claims.get(key).and_then(BTreeSet::first).is_some_and(|(_, first)| first == index);
                if let Some((Intent::Keep | Intent::Leave, Some(grant))) = lane.intent(key).filter(|_| has_it) {
                    unfinished.insert((grant.clone(), Arc::clone(&key.namespace)));
                }
            }
        }
        unfinished
    }

    fn fulfil(&mut self, key: ObjectKey, intent: &Intent, grant: Option<GrantId>) -> Option<ObjectChange> {
        let (action, content) = match (intent, self.present.get(&key).map(|present| &present.content)) {
            (Intent::Leave, _) | (Intent::Keep, Some(_)) => return None,
            (Intent::Keep, None) => (ObjectAction::Delivered, None),
            (Intent::Write(content), None) => (ObjectAction::Delivered, Some(content)),
            (Intent::Write(content), Some(Some(before))) if is_same(before, content) => return None,
            (Intent::Write(content), Some(_)) => (ObjectAction::Changed, Some(content)),
        };
        let content = content.cloned();
        self.place(key.clone(), Present { grant: grant.clone(), content: content.clone() });
        Some(ObjectChange { key, action, grant, content })
    }

    /// An error never withdraws: what is kept for a grant stays, as long as the namespace is the organization's.
    fn withdraw(&mut self, key: ObjectKey, unfinished: &BTreeSet<(GrantId, Arc<str>)>) -> Option<ObjectChange> {
        let present = self.present.get(&key)?;
        let keeps = |grant: &GrantId| {
            let lane = self.lane_of.get(grant).and_then(|lane| self.lanes.get(*lane));
            lane.is_some_and(|lane| lane.keeps(grant))
                || unfinished.contains(&(grant.clone(), Arc::clone(&key.namespace)))
        };
        if self.namespaces.contains(&key.namespace) && present.grant.as_ref().is_some_and(keeps) {
            return None;
        }
        let Present { grant, content } = self.displace(&key)?;
        let is_retained = content.as_ref().is_some_and(|content| outlives_its_grant(content));
        let action = if is_retained { ObjectAction::Retained } else { ObjectAction::Withdrawn };
        Some(ObjectChange { key, action, grant, content })
    }

    fn place(&mut self, key: ObjectKey, present: Present) {
        self.displace(&key);
        if let Some(of_lane) = self.lane(&present).and_then(|lane| self.present_of.get_mut(lane)) {
            of_lane.insert(key.clone());
        }
        self.present.insert(key, present);
    }

    fn displace(&mut self, key: &ObjectKey) -> Option<Present> {
        let present = self.present.remove(key)?;
        if let Some(of_lane) = self.lane(&present).and_then(|lane| self.present_of.get_mut(lane)) {
            of_lane.remove(key);
        }
        Some(present)
    }

    fn lane(&self, present: &Present) -> Option<usize> {
        self.lane_of.get(present.grant.as_ref()?).copied()
    }
}

fn outlives_its_grant(content: &ObjectContent) -> bool {
    content.annotations.get(ON_END).is_some_and(|on_end| on_end == RETAIN)
}

/// The content hash stands for the data, but not for a Secret's type.
fn is_same(one: &ObjectContent, other: &ObjectContent) -> bool {
    (&one.labels, &one.annotations, one.data.secret_type())
        == (&other.labels, &other.annotations, other.data.secret_type())
}

/// What is held of each definition, where it differs. What the summary leaves out is not held.
pub(super) fn differences(
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
        before: Standing::of(before),
        ..GrantChange::none(after)
    };
    let is_any = change.before != change.after || !change.amendments.is_empty() || !change.notices.is_empty();
    is_any.then_some(change)
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
