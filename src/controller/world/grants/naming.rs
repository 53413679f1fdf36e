//! How many sources name a definition or a plan, and what each of them counts for.

use crate::{controller::world::kept::KeptSource, core::source::SourceKind};
use std::{collections::BTreeMap, sync::Arc};

/// The sources that name one definition or one plan, and whose organizations let them name these.
#[derive(Debug, Default)]
pub struct NamedBySources {
    /// How many of them each organization has.
    pub organizations: BTreeMap<Arc<str>, HoldingCounts>,
    /// How many of the kind that is counted there are.
    pub total: u64,
    /// Those of them that are in force.
    pub active: u64,
    /// How many sources give it and are in force, or to be.
    pub live: usize,
}

/// How many sources of one organization name a definition or a plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct HoldingCounts {
    /// All.
    pub total: usize,
    /// Those that give it and are in force, or to be.
    pub live: usize,
}

/// What one source counts for among those that name something.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamingCount {
    /// Whether it is of the kind that is counted.
    pub is_counted: bool,
    /// Whether it is counted as in force.
    pub is_active: bool,
    /// Whether it gives it and is in force, or to be.
    pub is_live: bool,
}

impl NamedBySources {
    /// One more.
    pub fn add(&mut self, organization: &Arc<str>, count: NamingCount) {
        let live = usize::from(count.is_live);
        let holding = self.organizations.entry(Arc::clone(organization)).or_default();
        (holding.total, holding.live) = (holding.total + 1, holding.live + live);
        self.total += u64::from(count.is_counted);
        self.active += u64::from(count.is_active);
        self.live += live;
    }

    /// One less. True if nothing is left.
    pub fn remove(&mut self, organization: &Arc<str>, count: NamingCount) -> bool {
        let live = usize::from(count.is_live);
        if let Some(holding) = self.organizations.get_mut(organization) {
            (holding.total, holding.live) = (holding.total.saturating_sub(1), holding.live.saturating_sub(live));
            if holding.total == 0 {
                self.organizations.remove(organization);
            }
        }
        self.total = self.total.saturating_sub(u64::from(count.is_counted));
        self.active = self.active.saturating_sub(u64::from(count.is_active));
        self.live = self.live.saturating_sub(live);
        self.organizations.is_empty()
    }
}

/// What a source counts for among those of each definition that it names. One that is barred is counted as of its definition.
pub fn of_definitions(kept: &KeptSource) -> BTreeMap<Arc<str>, NamingCount> {
    let is_counted = kept.kind() == SourceKind::Instance;
    let Some(whole) = kept.whole() else {
        let counted =
            is_counted.then(|| (Arc::clone(kept.subject()), NamingCount { is_counted, ..NamingCount::default() }));
        return counted.into_iter().collect();
    };
    let (is_active, is_live) = (is_counted && whole.is_in_force(), whole.source.is_live());
    let count = |(name, is_given): (&Arc<str>, bool)| {
        (Arc::clone(name), NamingCount { is_counted, is_active, is_live: is_live && is_given })
    };
    whole.source.definitions().into_iter().map(count).collect()
}

/// The same of each plan that it names.
pub fn of_plans(kept: &KeptSource) -> BTreeMap<Arc<str>, NamingCount> {
    let is_counted = kept.kind() == SourceKind::Subscription;
    let Some(whole) = kept.whole() else {
        let counted =
            is_counted.then(|| (Arc::clone(kept.subject()), NamingCount { is_counted, ..NamingCount::default() }));
        return counted.into_iter().collect();
    };
    let count = NamingCount { is_counted, is_active: whole.is_in_force(), is_live: whole.source.is_live() };
    whole.source.plans().into_iter().map(|name| (Arc::clone(name), count)).collect()
}
