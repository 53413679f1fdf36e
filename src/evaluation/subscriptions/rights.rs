//! What a subscription gives of each definition over its time.

use super::{
    course::PlanCourse,
    entries::{Judged, amount, channels},
    plans::{Choice, Counting, Plans},
};
use crate::{
    api::{Phase, entitlement_definition::Rollout, facet_fields::FacetFields},
    core::{
        amount::Amount,
        calendar::Instant,
        definition::Definition,
        facets::{Layer, Statement},
        plan::{PlanAmount, PlanEntry},
        source::subscription::{Agreed, Beginning, RememberedRight, Subscription},
        subscription::{GrantPart, OwnTime, PartOrigin, Piece, Removed, Window, pieces},
        usage::caps::{self, ChannelCaps},
    },
    evaluation::Snapshot,
};
use std::{collections::BTreeMap, sync::Arc};

/// What is given of one definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Right {
    /// All that gives of it at any time, in the order plan, add-ons, additions.
    pub parts: Vec<GrantPart>,
    /// What keeps parts away.
    pub removals: Vec<Removed>,
    /// What that comes to from moment to moment, in order and apart.
    pub pieces: Vec<Piece>,
}

/// What is given, by definition.
pub type Rights = BTreeMap<Arc<str>, Right>;

/// What rights are made of.
pub struct Ingredients<'a> {
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// The plans.
    pub plans: Plans<'a>,
    /// The subscription.
    pub subscription: &'a Subscription,
    /// What it has taken of the catalogue.
    pub agreed: &'a Agreed,
    /// Its plans.
    pub course: &'a PlanCourse,
    /// Its time.
    pub own: OwnTime,
}

/// The entries of the plan that serves, by definition, where it is another than was agreed.
struct PresentEntries<'a>(BTreeMap<&'a str, &'a PlanEntry>);

impl<'a> PresentEntries<'a> {
    fn of(counting: &Counting<'a>) -> Self {
        let other = counting.serving.filter(|serving| !Arc::ptr_eq(serving, counting.agreed));
        let entries = other.into_iter().flat_map(|serving| &serving.entries);
        Self(entries.map(|entry| (&*entry.definition, entry)).collect())
    }

    /// What it says of the definition of an entry that was agreed; that entry where it says nothing.
    fn entry<'b>(&'b self, agreed: &'b PlanEntry) -> &'b PlanEntry {
        self.0.get(&*agreed.definition).copied().unwrap_or(agreed)
    }
}

impl Right {
    fn of(parts: Vec<GrantPart>, removals: Vec<Removed>) -> Self {
        let pieces = pieces(&parts, &removals);
        Self { parts, removals, pieces }
    }

    /// The pieces in which something is given.
    pub fn given(&self) -> impl Iterator<Item = &Piece> + Clone {
        self.pieces.iter().filter(|piece| piece.is_given())
    }

    /// What is said of it at a moment: what is given then, else what comes next, else what was last.
    #[must_use]
    pub fn told(&self, now: Instant) -> Option<&Piece> {
        self.given().find(|piece| !piece.window.until.has_come(now)).or_else(|| self.given().last())
    }

    /// How much of what is given at a moment can be used by each channel, for each part that says so.
    pub fn channels(&self, now: Instant) -> impl Iterator<Item = &ChannelCaps> {
        let given = self.given().find(|piece| piece.window.has(now));
        let parts = given.into_iter().flat_map(|piece| &piece.parts).filter_map(|index| self.parts.get(*index));
        parts.filter_map(|part| part.channels.as_deref())
    }

    /// The removal that keeps it, or part of it, away at a moment.
    #[must_use]
    pub fn removed_by(&self, now: Instant) -> Option<&Removed> {
        let piece = self.pieces.iter().find(|piece| piece.window.has(now))?;
        self.removals.get(piece.removed_by?)
    }

    /// Whether only a removal keeps it away, be it for a while, or from whenever it would begin.
    #[must_use]
    pub fn is_removed(&self, now: Instant) -> bool {
        if self.pieces.iter().any(|piece| piece.window.has(now) && !piece.is_given()) {
            return true;
        }
        let mut rest = self.pieces.iter().filter(|piece| !piece.window.until.has_come(now)).peekable();
        rest.peek().is_some() && rest.all(|piece| !piece.is_given())
    }

    /// What is stated in a piece, layer by layer.
    #[must_use]
    pub fn statement(&self, piece: &Piece, configured: Option<&Arc<FacetFields>>) -> Statement {
        let parts = || piece.parts.iter().filter_map(|index| self.parts.get(*index));
        let layer = |part: &GrantPart| (layer(&part.origin), Arc::clone(&part.facets));
        let below = parts().filter(|part| part.is_removable()).map(layer);
        let configured = configured.map(|facets| (Layer::Configure, Arc::clone(facets)));
        let above = parts().filter(|part| !part.is_removable()).map(layer);
        Statement::layered(below.chain(configured).chain(above))
    }
}

fn layer(origin: &PartOrigin) -> Layer {
    match origin {
        PartOrigin::Plan { plan, .. } => Layer::Plan(Arc::clone(plan)),
        PartOrigin::AddOn { name, .. } => Layer::AddOn(Arc::clone(name)),
        PartOrigin::Add { name } => Layer::Add(Arc::clone(name)),
        PartOrigin::Remembered => Layer::Source,
    }
}

impl Ingredients<'_> {
    /// What is given of each definition, with the entries that count.
    pub fn rights(&self, judged: &Judged) -> Rights {
        let mut parts: BTreeMap<Arc<str>, Vec<GrantPart>> = BTreeMap::new();
        for (plan, window) in self.course.windows(self.own) {
            let Some(counting) = self.counting(&plan) else { continue };
            let serving = PresentEntries::of(&counting);
            for entry in &counting.agreed.entries {
                let origin = PartOrigin::Plan { plan: Arc::clone(&plan), group: Arc::clone(&entry.group) };
                let part = self.part(&serving, entry, origin, 1, (window, Beginning::Stated));
                parts.entry(Arc::clone(&entry.definition)).or_default().push(part);
            }
        }
        for usable in judged.add_ons.iter().filter(|usable| usable.entry.quantity > 0) {
            let (Some(window), Some(counting)) = (usable.window, self.counting(&usable.entry.plan)) else { continue };
            let serving = PresentEntries::of(&counting);
            for entry in &counting.agreed.entries {
                let origin = PartOrigin::AddOn {
                    name: Arc::clone(&usable.entry.name),
                    plan: Arc::clone(&usable.entry.plan),
                    group: Arc::clone(&entry.group),
                    quantity: usable.entry.quantity,
                };
                let time = (window, usable.entry.window.beginning());
                let part = self.part(&serving, entry, origin, usable.entry.quantity, time);
                parts.entry(Arc::clone(&entry.definition)).or_default().push(part);
            }
        }
        for usable in &judged.additions {
            let Some(window) = usable.window else { continue };
            let entry = &usable.entry;
            let part = GrantPart {
                origin: PartOrigin::Add { name: Arc::clone(&entry.name) },
                amount: amount(entry).filter(|_| self.has_amount(&entry.definition)),
                channels: channels(entry).cloned(),
                facets: Arc::clone(&entry.facets),
                window,
                beginning: entry.window.beginning(),
            };
            parts.entry(Arc::clone(&entry.definition)).or_default().push(part);
        }
        let right = |definition: &Arc<str>, parts| {
            Right::of(parts, judged.removals.get(definition).cloned().unwrap_or_default())
        };
        parts.into_iter().map(|(definition, parts)| (Arc::clone(&definition), right(&definition, parts))).collect()
    }

    /// What was given before the revision was lost that says what is given: until the end, as an error never withdraws.
    pub fn remembered(&self) -> Rights {
        let Some(window) = self.own.window() else { return Rights::new() };
        let was_in_force = self.subscription.remembered.phase.is_none_or(Phase::is_in_force);
        // While it waits or is suspended, nothing is given yet of what is to be.
        let given = self.subscription.rights.iter();
        let given = given.filter(|(_, right)| right.entitled || !was_in_force && !right.removed);
        let right = |(definition, right): (&Arc<str>, &RememberedRight)| {
            let facets = self.subscription.facets.get(definition).cloned().unwrap_or_default();
            let part = GrantPart {
                origin: PartOrigin::Remembered,
                amount: right.amount,
                channels: None,
                facets,
                window,
                beginning: Beginning::Stated,
            };
            (Arc::clone(definition), Right::of(vec![part], Vec::new()))
        };
        given.map(right).collect()
    }

    fn counting(&self, plan: &str) -> Option<Counting<'_>> {
        match self.plans.choose(plan, self.agreed.plans.get(plan)) {
            Choice::Counts(counting) => Some(counting),
            // Only a plan that is not in force now comes to here: when it is, what is remembered counts.
            Choice::Lost => match self.plans.choose(plan, None) {
                Choice::Counts(counting) => Some(counting),
                Choice::Lost | Choice::Unknown => None,
            },
            Choice::Unknown => None,
        }
    }

    fn part(
        &self,
        serving: &PresentEntries,
        entry: &PlanEntry,
        origin: PartOrigin,
        times: u32,
        (window, beginning): (Window, Beginning),
    ) -> GrantPart {
        let amount = self.amount(entry).filter(|_| self.has_amount(&entry.definition));
        GrantPart {
            origin,
            amount: amount.map(|amount| amount.times(times)),
            channels: entry.channels.as_ref().map(|channels| caps::times(channels, times)),
            facets: Arc::clone(&serving.entry(entry).facets),
            window,
            beginning,
        }
    }

    fn definition(&self, name: &str) -> Option<&Definition> {
        self.snapshot.catalogue.get(name)?.serving.as_deref().map(|compiled| &compiled.terms)
    }

    fn has_amount(&self, definition: &str) -> bool {
        self.definition(definition).is_none_or(|definition| definition.amount.is_some())
    }

    /// An amount that the plan leaves out is that of then, unless the definition has one for everyone.
    fn amount(&self, entry: &PlanEntry) -> Option<Amount> {
        let definition = self.definition(&entry.definition);
        let present = definition.and_then(|definition| definition.amount);
        let is_for_everyone = definition.is_some_and(|definition| definition.rollout == Rollout::Everyone);
        match entry.amount {
            PlanAmount::Preset(_) if is_for_everyone && present.is_some() => present,
            PlanAmount::Stated(amount) | PlanAmount::Preset(amount) => Some(amount),
            PlanAmount::None => present,
        }
    }
}
