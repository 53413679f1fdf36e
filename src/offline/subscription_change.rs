//! What happens to a subscription as a whole, which is told once and not for each definition that it gives.

use super::step::GrantState;
use crate::{
    api::{
        Phase,
        entitlement_subscription::EntryList,
        lifecycle::{AmendmentState, Notice},
    },
    core::{source::SourceId, subscription::PartOrigin},
    evaluation::{decision::Decision, subscriptions::SubscriptionDecision},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What happens to a subscription as a whole.
#[derive(Clone, Debug)]
pub struct SubscriptionChange {
    /// Which.
    pub source: SourceId,
    /// How it stood.
    pub before: SubscriptionState,
    /// How it stands from now on.
    pub after: SubscriptionState,
    /// The subscription that renews it.
    pub renewed_by: Option<Arc<str>>,
    /// Amendments that count from now on.
    pub amendments: Vec<String>,
    /// Notices that are given.
    pub notices: Vec<Notice>,
    /// Entries that begin while it goes on.
    pub begun: Vec<EntryInForce>,
    /// Entries that end while it goes on.
    pub ended: Vec<EntryInForce>,
}

/// How a subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// Its phase and term.
    pub standing: GrantState,
    /// The plan in force.
    pub plan: Arc<str>,
}

/// An entry of a subscription that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInForce {
    /// Its list.
    pub list: EntryList,
    /// Its name.
    pub name: Arc<str>,
    /// The plan of an add-on, or else the definition.
    pub of: Arc<str>,
    /// How many times an add-on counts.
    pub quantity: Option<u32>,
    /// The definitions that it concerns.
    pub definitions: BTreeSet<Arc<str>>,
}

impl SubscriptionChange {
    fn none(decided: &SubscriptionDecision) -> Self {
        Self {
            source: decided.subscription.id(),
            before: SubscriptionState::of(decided),
            after: SubscriptionState::of(decided),
            renewed_by: decided.renewed_by.clone(),
            amendments: Vec::new(),
            notices: notices(decided),
            begun: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// The change from one evaluation to the next, if there is any.
    fn between(before: &SubscriptionDecision, after: &SubscriptionDecision) -> Option<Self> {
        let effective = |decided: &SubscriptionDecision| -> BTreeSet<usize> {
            let outcomes = decided.verdict.amendments.iter().filter(|one| one.state == AmendmentState::Effective);
            outcomes.map(|outcome| outcome.index).collect()
        };
        let was_effective = effective(before);
        let new = effective(after).into_iter().filter(|index| !was_effective.contains(index));
        let amendments = new.filter_map(|index| Some(after.subscription.amendments.get(index)?.name.clone()));
        let lasts = |decided: &SubscriptionDecision| {
            matches!(decided.verdict.phase, Phase::Active | Phase::Grace | Phase::Suspended)
        };
        // With its beginning and its end all entries begin and end: that is not told one by one.
        let (entries_before, entries_after) =
            if lasts(before) && lasts(after) { (entries(before), entries(after)) } else { <_>::default() };
        let only = |these: &Entries, those: &Entries| {
            let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
            only.map(|(_, entry)| entry.clone()).collect()
        };
        let change = Self {
            before: SubscriptionState::of(before),
            amendments: amendments.collect(),
            begun: only(&entries_after, &entries_before),
            ended: only(&entries_before, &entries_after),
            ..Self::none(after)
        };
        change.is_any().then_some(change)
    }

    fn is_any(&self) -> bool {
        self.before != self.after
            || !self.amendments.is_empty()
            || !self.notices.is_empty()
            || !self.begun.is_empty()
            || !self.ended.is_empty()
    }

    /// Whether its phase changes.
    #[must_use]
    pub fn is_transition(&self) -> bool {
        self.before.standing.phase != self.after.standing.phase
    }

    /// The entries that begin or end and concern a definition, with whether they begin.
    pub fn entries_of<'a>(&'a self, definition: &'a str) -> impl Iterator<Item = (&'a EntryInForce, bool)> {
        let begun = self.begun.iter().map(|entry| (entry, true));
        let all = begun.chain(self.ended.iter().map(|entry| (entry, false)));
        all.filter(move |(entry, _)| entry.definitions.contains(definition))
    }
}

impl SubscriptionState {
    fn of(decided: &SubscriptionDecision) -> Self {
        Self { standing: GrantState::of_verdict(&decided.verdict), plan: Arc::clone(&decided.plan) }
    }
}

type Entries = BTreeMap<(EntryList, Arc<str>), EntryInForce>;

/// The entries that count at the moment of a decision.
fn entries(decided: &SubscriptionDecision) -> Entries {
    let mut entries = Entries::new();
    let mut note = |list, name: &Arc<str>, of: &Arc<str>, quantity, definition: &Arc<str>| {
        let entry = entries.entry((list, Arc::clone(name))).or_insert_with(|| EntryInForce {
            list,
            name: Arc::clone(name),
            of: Arc::clone(of),
            quantity,
            definitions: BTreeSet::new(),
        });
        entry.definitions.insert(Arc::clone(definition));
    };
    for (definition, right) in &decided.rights {
        for part in right.parts.iter().filter(|part| part.window.has(decided.at)) {
            match &part.origin {
                PartOrigin::AddOn { name, plan, quantity, .. } => {
                    note(EntryList::AddOns, name, plan, Some(*quantity), definition);
                }
                PartOrigin::Add { name } => note(EntryList::Add, name, definition, None, definition),
                PartOrigin::Plan { .. } | PartOrigin::Remembered => {}
            }
        }
        for removal in right.removals.iter().filter(|removal| removal.window.has(decided.at)) {
            note(EntryList::Remove, &removal.name, definition, None, definition);
        }
    }
    entries
}

fn notices(decided: &SubscriptionDecision) -> Vec<Notice> {
    if decided.reminders.due.is_empty() {
        return Vec::new();
    }
    let given = &decided.subscription.remembered.notices;
    decided.reminders.given.iter().filter(|notice| !given.contains(notice)).cloned().collect()
}

/// What happens to subscriptions from one decision to the next.
pub fn changes(before: &Decision, after: &Decision) -> Vec<SubscriptionChange> {
    let pairs = before.subscriptions.iter().zip(&after.subscriptions);
    pairs.filter_map(|(before, after)| SubscriptionChange::between(before, after)).collect()
}

/// The notices that are due the moment that an organization is brought up to date.
pub fn due(decision: &Decision) -> impl Iterator<Item = SubscriptionChange> {
    let all = decision.subscriptions.iter().map(|decided| SubscriptionChange::none(decided));
    all.filter(|change| !change.notices.is_empty())
}
