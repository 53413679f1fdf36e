//! What is decided about one organization at one moment: who has what, from when to when, and why.
//!
//! A decision owns everything that it speaks of, so others can keep, compare, and read it. Objects, statuses, explanations, and
//! the courses of flags are projections of it, and nothing reads them back.

use super::{
    Limits, Snapshot,
    holding::{Holding, Member},
    standing::Standing,
    summary,
};
use crate::{
    api::Phase,
    core::{calendar::Instant, problem::Problem},
    render::flags::Offers,
};
use std::{collections::BTreeMap, sync::Arc};

/// What is decided of one organization at one moment.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The moment.
    pub at: Instant,
    /// How the organization stands.
    pub standing: Standing,
    /// What it holds of each definition that a grant names, by the definition's name.
    pub holdings: Vec<Arc<Holding>>,
    /// How many grants more name the organization from where they may not, by phase.
    pub barred: BTreeMap<Phase, u64>,
    /// Every definition that its flags are to have though it is not held.
    pub offers: Arc<Offers>,
    /// What the evaluation keeps to.
    pub limits: Limits,
    /// Why the summary cannot be told, so that it stays as it is.
    pub untold: Option<Problem>,
    /// The next moment at which anything changes by time alone.
    pub next: Option<Instant>,
    /// Each grant in the snapshot's order, by its holding and its place there.
    order: Vec<(usize, usize)>,
}

/// Decides an organization at one moment.
#[must_use]
pub fn decide(snapshot: &Snapshot, now: Instant) -> Decision {
    let standing = Standing::of(snapshot);
    let holdings = by_definition(snapshot)
        .into_iter()
        .map(|(name, indices)| Arc::new(Holding::of(snapshot, &standing, name, &indices, now)))
        .collect();
    Decision::with(snapshot, standing, holdings, now)
}

/// The same of one definition alone: of the others nothing is said.
#[must_use]
pub fn decide_alone(snapshot: &Snapshot, definition: &Arc<str>, now: Instant) -> Decision {
    let standing = Standing::of(snapshot);
    let of_it = (0..).zip(&snapshot.grants).filter(|(_, grant)| grant.id.definition == *definition);
    let indices: Vec<usize> = of_it.map(|(index, _)| index).collect();
    let holding = Holding::of(snapshot, &standing, definition, &indices, now);
    Decision::with(snapshot, standing, vec![Arc::new(holding)], now)
}

impl Decision {
    fn with(snapshot: &Snapshot, standing: Standing, holdings: Vec<Arc<Holding>>, now: Instant) -> Self {
        let places = holdings.iter().enumerate().flat_map(|(place, holding)| {
            holding.members.iter().enumerate().map(move |(member, of)| (of.index, (place, member)))
        });
        let mut order: Vec<(usize, (usize, usize))> = places.collect();
        order.sort_unstable();
        let members = || holdings.iter().flat_map(|holding| &holding.members);
        let changes = members().filter_map(|member| member.change).map(|change| change.at);
        let next = changes.chain(members().filter_map(|member| member.reminders.next)).min();
        Self {
            at: now,
            untold: summary::untold(&standing, &holdings),
            standing,
            barred: snapshot.barred.clone(),
            offers: Arc::clone(&snapshot.offers),
            limits: snapshot.limits,
            next,
            order: order.into_iter().map(|(_, place)| place).collect(),
            holdings,
        }
    }

    /// What is held of a definition.
    #[must_use]
    pub fn holding(&self, definition: &str) -> Option<&Arc<Holding>> {
        let place = self.holdings.binary_search_by(|holding| (*holding.name).cmp(definition)).ok()?;
        self.holdings.get(place)
    }

    /// Each grant with what is held of its definition, in the snapshot's order.
    pub fn grants(&self) -> impl Iterator<Item = (&Holding, &Member)> + Clone {
        self.order.iter().filter_map(|(holding, member)| {
            let holding = self.holdings.get(*holding)?;
            Some((holding.as_ref(), holding.members.get(*member)?))
        })
    }
}

fn by_definition(snapshot: &Snapshot) -> BTreeMap<&Arc<str>, Vec<usize>> {
    let mut by_definition: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for (index, grant) in snapshot.grants.iter().enumerate() {
        by_definition.entry(&grant.id.definition).or_default().push(index);
    }
    by_definition
}
