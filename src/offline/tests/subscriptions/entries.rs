//! The model's record of a subscription: which revision of each plan is its own, and which entries of its lists count.

use super::{
    memory::{EntryName, RecordedEntry, SubscriptionMemory},
    model::{AgreedTerm, Name, PlainModel},
    plain::{PlainRemove, PlainState},
    shelf::HowMuch,
};
use crate::core::calendar::{Bound, Instant, Moment, Nominal};
use std::collections::{BTreeMap, BTreeSet};

pub const ADD_ONS: &str = "addOns";
pub const ADD: &str = "add";
pub const REMOVE: &str = "remove";

/// From when to when something counts, before it is cut to the subscription's own time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainWindow {
    pub start: Bound,
    pub end: Bound,
}

impl PlainWindow {
    pub fn is_open(&self, moment: Instant) -> bool {
        self.start <= Bound::At(moment) && Bound::At(moment) < self.end
    }
}

/// How one stands that has a term: what is its own, and what counts of its lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    pub plans: BTreeMap<String, usize>,
    /// The form of each entry that counts.
    pub entries: BTreeMap<EntryName, RecordedEntry>,
    pub left_out: BTreeSet<EntryName>,
}

/// An entry of `addOns` or `add` as the spec has it.
struct Written {
    name: EntryName,
    target: String,
    quantity: u64,
    amount: Option<String>,
    start: Option<String>,
    end: Option<String>,
}

impl PlainModel<'_> {
    /// "What is to begin or end later has a `start` or `end`, moments as in Term, in the recorded zone; absent: with the
    /// subscription." None where it is "unreadable or empty"; one that is over before the subscription begins is not empty.
    fn window(agreed: &AgreedTerm, start: Option<&str>, end: Option<&str>) -> Option<PlainWindow> {
        let is_stated = start.is_some();
        let read = |text: Option<&str>| text.map(str::parse::<Moment>).transpose().ok();
        let start =
            read(start)?.map_or(agreed.start.instant(), |start| Nominal::of_start(start, agreed.zone()).instant());
        let end = read(end)?.map_or(Bound::Never, |end| Nominal::of_end(end, agreed.zone()).instant());
        (!is_stated || Bound::At(start) < end).then_some(PlainWindow { start: Bound::At(start), end })
    }

    /// The window of an entry that counts.
    pub fn window_of(agreed: &AgreedTerm, entry: &RecordedEntry) -> Option<PlainWindow> {
        Self::window(agreed, entry.start.as_deref(), entry.end.as_deref())
    }

    /// "a `remove` with an unusable window is left out"
    pub fn window_of_removal(agreed: &AgreedTerm, remove: &PlainRemove) -> Option<PlainWindow> {
        Self::window(agreed, remove.start.as_deref(), remove.end.as_deref())
    }

    fn written(&self, name: Name) -> Vec<Written> {
        let spec = self.spec(name);
        let add_ons = spec.add_ons.iter().map(|entry| Written {
            name: (ADD_ONS, entry.name.clone()),
            target: entry.plan.clone(),
            quantity: entry.quantity.unwrap_or(1),
            amount: None,
            start: entry.start.clone(),
            end: entry.end.clone(),
        });
        let add = spec.add.iter().map(|entry| Written {
            name: (ADD, entry.name.clone()),
            target: entry.definition.clone(),
            quantity: 1,
            amount: entry.amount.clone(),
            start: entry.start.clone(),
            end: entry.end.clone(),
        });
        add_ons.chain(add).collect()
    }

    /// What is recorded of its entries: its own, or as a renewal "the renewed one's recorded entries of the same name and plan
    /// or definition".
    fn recorded_entries(&self, name: Name) -> BTreeMap<EntryName, RecordedEntry> {
        if let Some(record) = self.record(name) {
            return record.entries.clone();
        }
        let Some(renewed) = self.renewed(name) else { return BTreeMap::new() };
        let (plans_agreement, mut entries) =
            self.legacy(renewed).map_or_else(Default::default, |legacy| (legacy.agreement, legacy.entries));
        let written = self.written(name);
        entries.retain(|entry, recorded| {
            written.iter().any(|written| written.name == *entry && written.target == recorded.target)
        });
        if plans_agreement != self.spec(name).agreement {
            for entry in entries.values_mut() {
                entry.taken = self.shelf.allotment(&entry.target).filter(|_| entry.stated.is_none());
            }
        }
        entries
    }

    /// What is recorded of one that another renews, after this moment.
    fn legacy(&self, renewed: Name) -> Option<SubscriptionMemory> {
        let accepted = self.accepted();
        self.remembered(renewed, &accepted).filter(|memory| memory.taken.is_some())
    }

    fn recorded_plans(&self, name: Name) -> BTreeMap<String, usize> {
        let mut plans = self.kept_plans(name);
        if self.record(name).is_some() {
            return plans;
        }
        let legacy = self.renewed(name).and_then(|renewed| self.legacy(renewed));
        for (plan, revision) in legacy
            .filter(|legacy| legacy.agreement == self.spec(name).agreement)
            .iter()
            .flat_map(|legacy| &legacy.plans)
        {
            plans.entry(plan.clone()).or_insert(*revision);
        }
        plans
    }

    /// How one stands that was accepted, be it now.
    pub fn settled(&self, name: Name, agreed: &AgreedTerm) -> Settled {
        let recorded = self.recorded_entries(name);
        let mut settled = Settled::default();
        for written in self.written(name) {
            let before = recorded.get(&written.name);
            match self.form(name, agreed, &written, before) {
                Some((form, is_as_written)) => {
                    if !is_as_written {
                        settled.left_out.insert(written.name.clone());
                    }
                    settled.entries.insert(written.name, form);
                }
                None => drop(settled.left_out.insert(written.name)),
            }
        }
        for remove in &self.spec(name).remove {
            if Self::window_of_removal(agreed, remove).is_none() {
                settled.left_out.insert((REMOVE, remove.name.clone()));
            }
        }
        settled.plans = self.plans_to_record(name, agreed, &settled);
        settled
    }

    /// The form of an entry that counts, and whether it is the present one: "Once usable it is recorded, also before it begins.
    /// Then its present form serves …; the recorded form only where the present one is unreadable or names another plan or
    /// definition that is unusable." A window that is empty is an error too, and "an error never does" withdraw.
    fn form(
        &self,
        name: Name,
        agreed: &AgreedTerm,
        written: &Written,
        before: Option<&RecordedEntry>,
    ) -> Option<(RecordedEntry, bool)> {
        let present = RecordedEntry {
            target: written.target.clone(),
            quantity: written.quantity,
            stated: written.amount.as_deref().and_then(HowMuch::read),
            taken: self.shelf.allotment(&written.target).filter(|_| written.amount.is_none()),
            start: written.start.clone(),
            end: written.end.clone(),
        };
        let same = before.filter(|before| before.target == written.target);
        match (same, before) {
            (Some(same), _) if self.is_readable(agreed, written) => {
                let taken = if written.amount.is_none() && same.stated.is_none() { same.taken } else { present.taken };
                Some((RecordedEntry { taken, ..present }, true))
            }
            (Some(same), _) => Some((same.clone(), false)),
            (None, _) if self.is_usable(name, agreed, written) => Some((present, true)),
            (None, Some(before)) => Some((before.clone(), false)),
            (None, None) => None,
        }
    }

    fn is_readable(&self, agreed: &AgreedTerm, written: &Written) -> bool {
        let window = Self::window(agreed, written.start.as_deref(), written.end.as_deref());
        window.is_some() && self.has_usable_amount(written)
    }

    fn has_usable_amount(&self, written: &Written) -> bool {
        let is_amount = |amount: &str| !self.shelf.is_feature(&written.target) && HowMuch::read(amount).is_some();
        written.amount.as_deref().is_none_or(is_amount)
    }

    /// Whether an entry counts that was not recorded.
    fn is_usable(&self, name: Name, agreed: &AgreedTerm, written: &Written) -> bool {
        let Some(window) = Self::window(agreed, written.start.as_deref(), written.end.as_deref()) else { return false };
        if written.name.0 == ADD {
            return self.shelf.present.get(&written.target) == Some(&true) && self.has_usable_amount(written);
        }
        self.shelf.refusal(&written.target, true).is_none() && self.is_allowed(name, agreed, &written.target, window)
    }

    /// "by the plan in force at the later of now and its start, pending amendments counted (where the subscription has no
    /// record, the plan at the entry's start may allow it too)"
    fn is_allowed(&self, name: Name, agreed: &AgreedTerm, add_on: &str, window: PlainWindow) -> bool {
        let start = window.start.at().unwrap().max(agreed.start.instant());
        let allows = |moment| {
            let plan = self.holding_at(name, agreed, moment).1;
            self.shelf.plans.get(plan).is_some_and(|plan| plan.valid.add_ons.iter().any(|one| one == add_on))
        };
        allows(start.max(self.now)) || self.record(name).is_none() && allows(start)
    }

    /// "A plan's revision is taken when the subscription, the amendment or the add-on entry that names it is first seen valid,
    /// though it begins later."
    fn plans_to_record(&self, name: Name, agreed: &AgreedTerm, settled: &Settled) -> BTreeMap<String, usize> {
        let spec = self.spec(name);
        let recorded = self.recorded_plans(name);
        let amended = self.amended(name, agreed);
        let valid = spec.amendments.iter().filter(|amendment| {
            amended.iter().any(|one| one.name == amendment.name && matches!(one.state, "Effective" | "Pending"))
        });
        let still_named = spec.amendments.iter().filter(|amendment| !amendment.revoked);
        let still_named: BTreeSet<&String> = still_named.filter_map(|amendment| amendment.plan.as_ref()).collect();
        let add_ons = settled.entries.iter().filter(|((list, _), _)| *list == ADD_ONS).map(|(_, entry)| &entry.target);
        let mut named: BTreeSet<&String> =
            valid.filter_map(|amendment| amendment.plan.as_ref()).chain(add_ons).chain([&spec.plan]).collect();
        // Those that are recorded stay while the spec names them, also where another amendment has put theirs aside.
        let known = self.record(name).map(|record| &record.plans);
        named.extend(known.iter().flat_map(|plans| plans.keys()).filter(|plan| still_named.contains(plan)));
        let revision = |plan: &&String| {
            let memory = self.shelf.plans.get(*plan)?;
            let taken = recorded.get(*plan).map_or(memory.serving(), |recorded| memory.counting(*recorded));
            Some(((*plan).clone(), if memory.is_for_everyone() { memory.serving() } else { taken }))
        };
        named.iter().filter_map(revision).collect()
    }

    /// What is remembered of one after this moment.
    pub fn remembered(&self, name: Name, accepted: &BTreeSet<Name>) -> Option<SubscriptionMemory> {
        let spec = self.spec(name);
        let is_accepted = accepted.contains(name);
        if !is_accepted && self.record(name).is_some() {
            return self.memory.subscriptions.get(name).cloned();
        }
        let memory = SubscriptionMemory {
            plan: spec.plan.clone(),
            agreement: spec.agreement.clone(),
            plans: self.kept_plans(name),
            entries: BTreeMap::new(),
            taken: None,
        };
        if !is_accepted || spec.state != PlainState::Active {
            return Some(memory).filter(|memory| !memory.plans.is_empty());
        }
        let agreed = self.agreed(name)?;
        let settled = self.settled(name, &agreed);
        Some(SubscriptionMemory { plans: settled.plans, entries: settled.entries, taken: Some(agreed.taken), ..memory })
    }
}
