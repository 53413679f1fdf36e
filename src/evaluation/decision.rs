//! What is decided about one organization at one moment: who has what, from when to when, and why.
//!
//! A decision owns everything that it speaks of, so others can keep, compare, and read it. Objects, statuses, explanations, and
//! the courses of flags are projections of it, and nothing reads them back.

use super::{
    Limits, SecretName, SecretSources, Snapshot,
    before::{Before, is_as_specified},
    holding::{Holding, Member},
    standing::Standing,
    subscriptions::{self, SubscriptionDecision},
    summary,
    usage::{AskedMoment, KnownMeters, MeterDecision, MeterFacts, Meters},
};
use crate::{
    api::{Organization, Phase},
    core::{
        approval::Approvals, authority::ApiAuthority, calendar::Instant, namespace::NamespaceFacts, problem::Problem,
        source::SourceKind,
    },
    render::flags::Offers,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is decided of one organization at one moment.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The moment.
    pub at: Instant,
    /// How the organization stands.
    pub standing: Standing,
    /// What it holds of each definition that a grant names, by the definition's name.
    pub holdings: Vec<Arc<Holding>>,
    /// Its subscriptions, in the snapshot's order.
    pub subscriptions: Vec<Arc<SubscriptionDecision>>,
    /// How the use of each metered definition stands.
    pub meters: Meters,
    /// How many sources of grants more name the organization from where they may not, by kind and phase.
    pub barred: BTreeMap<(SourceKind, Phase), u64>,
    /// Every definition that its flags are to have though it is not held.
    pub offers: Arc<Offers>,
    /// By which authority the API is trusted, where the summary is to say so.
    pub authority: ApiAuthority,
    /// What the evaluation keeps to.
    pub limits: Limits,
    /// Why the summary cannot be told, so that it stays as it is.
    pub untold: Option<Problem>,
    /// The next moment at which anything changes by time alone.
    pub next: Option<Instant>,
    /// The same of what is held alone: that an allotment is new changes nothing of that.
    pub next_right: Option<Instant>,
    /// Each grant in the snapshot's order, by its holding and its place there.
    order: Vec<(usize, usize)>,
    /// What else went in, by which the next decision sees what it can take from this one.
    pub(super) inputs: Inputs,
}

/// What went into a decision and is nowhere else in it.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// What was known of each namespace.
    pub namespaces: Box<[(Arc<str>, NamespaceFacts)]>,
    /// Sources of secret fields.
    pub secrets: SecretSources,
    /// Sources that were not seen.
    pub unseen: Arc<BTreeSet<SecretName>>,
    /// What was known of approvals of overrides.
    pub approvals: Arc<Approvals>,
}

/// Decides an organization at one moment.
#[must_use]
pub fn decide(snapshot: &Snapshot, now: Instant) -> Decision {
    decide_after(snapshot, now, None)
}

/// The same, taking over from an earlier decision what its inputs gave and these give again. So a change costs what it changes.
#[must_use]
pub fn decide_after(snapshot: &Snapshot, now: Instant, before: Option<&Decision>) -> Decision {
    let standing = Standing::of(snapshot);
    let before = before.map(|before| Before::of(before, snapshot));
    let before = before.as_ref();
    let subscriptions = subscriptions::decide(snapshot, &standing, before, now);
    let given = Given::of(&subscriptions);
    let holdings = by_definition(snapshot, &given).into_iter().map(|(name, indices)| {
        let given = given.of_definition(&name);
        let known = before.filter(|_| given.is_empty());
        let known = known.and_then(|before| before.holding(snapshot, &name, &indices, now));
        let new = || Arc::new(Holding::of(snapshot, &standing, &name, &indices, given, before, now));
        (known.unwrap_or_else(new), indices)
    });
    let holdings = holdings.collect();
    Decision::with(snapshot, &snapshot.meters, standing, holdings, subscriptions, AskedMoment::present(now))
}

/// The same of one definition alone: of the others nothing is said.
#[must_use]
pub fn decide_alone(snapshot: &Snapshot, definition: &Arc<str>, now: Instant) -> Decision {
    decide_asked(snapshot, definition, AskedMoment::present(now))
}

/// The same of any moment.
#[must_use]
pub fn decide_asked(snapshot: &Snapshot, definition: &Arc<str>, asked: AskedMoment) -> Decision {
    decide_one(snapshot, &snapshot.meters, definition, asked)
}

/// The same where that is known of its meter, whatever the snapshot says.
#[must_use]
pub fn decide_metered(
    snapshot: &Snapshot,
    definition: &Arc<str>,
    facts: Arc<MeterFacts>,
    asked: AskedMoment,
) -> Decision {
    decide_one(snapshot, &BTreeMap::from([(Arc::clone(definition), facts)]), definition, asked)
}

fn decide_one(snapshot: &Snapshot, known: &KnownMeters, definition: &Arc<str>, asked: AskedMoment) -> Decision {
    let now = asked.at;
    let standing = Standing::of(snapshot);
    let of_it = (0..).zip(&snapshot.grants).filter(|(_, grant)| grant.id.definition == *definition);
    let indices: Vec<usize> = of_it.map(|(index, _)| index).collect();
    let subscriptions = subscriptions::decide(snapshot, &standing, None, now);
    let given = Given::of(&subscriptions);
    let holding = Holding::of(snapshot, &standing, definition, &indices, given.of_definition(definition), None, now);
    Decision::with(snapshot, known, standing, vec![(Arc::new(holding), indices)], subscriptions, asked)
}

impl Decision {
    /// Of holdings, each with the places of its members in the snapshot.
    fn with(
        snapshot: &Snapshot,
        known: &KnownMeters,
        standing: Standing,
        holdings: Vec<(Arc<Holding>, Vec<usize>)>,
        subscriptions: Vec<SubscriptionDecision>,
        asked: AskedMoment,
    ) -> Self {
        // What subscriptions give stands behind what there is in the snapshot.
        let places = holdings.iter().enumerate().flat_map(|(holding, (held, indices))| {
            let places = indices.iter().copied().chain(std::iter::repeat(snapshot.grants.len()));
            (0..held.members.len()).zip(places).map(move |(member, index)| (index, (holding, member)))
        });
        let mut order: Vec<(usize, (usize, usize))> = places.collect();
        order.sort_unstable();
        let subscriptions: Vec<Arc<SubscriptionDecision>> = subscriptions.into_iter().map(Arc::new).collect();
        let holdings: Vec<Arc<Holding>> = holdings.into_iter().map(|(holding, _)| holding).collect();
        let next = holdings.iter().filter_map(|holding| holding.next);
        let meters = MeterDecision::all(snapshot, known, &holdings, asked);
        let next_right = next.chain(subscriptions.iter().filter_map(|one| one.next())).min();
        let of_meters = meters.values().filter_map(|meter| meter.next);
        let next = next_right.into_iter().chain(of_meters).min();
        Self {
            at: asked.at,
            untold: summary::untold(&standing, &holdings),
            standing,
            subscriptions,
            meters,
            barred: snapshot.barred.clone(),
            offers: Arc::clone(&snapshot.offers),
            authority: snapshot.authority.clone(),
            limits: snapshot.limits,
            next,
            next_right,
            order: order.into_iter().map(|(_, place)| place).collect(),
            holdings,
            inputs: Inputs {
                namespaces: snapshot.namespaces.iter().map(|(name, facts)| (Arc::clone(name), facts.clone())).collect(),
                secrets: snapshot.secrets.clone(),
                unseen: Arc::clone(&snapshot.unseen),
                approvals: Arc::clone(&snapshot.approvals),
            },
        }
    }

    /// Its organization is now in this state, unless more of it has changed than its status: nothing was decided by that. So the
    /// state before need not be kept.
    pub fn renew_organization(&mut self, organization: &Arc<Organization>) {
        if let Some(known) = &mut self.standing.organization
            && is_as_specified(known, organization)
        {
            *known = Arc::clone(organization);
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

/// What subscriptions give, by definition.
struct Given(BTreeMap<Arc<str>, Vec<Arc<Member>>>);

impl Given {
    fn of(subscriptions: &[SubscriptionDecision]) -> Self {
        let mut given: BTreeMap<Arc<str>, Vec<Arc<Member>>> = BTreeMap::new();
        for member in subscriptions.iter().flat_map(|subscription| &subscription.members) {
            given.entry(Arc::clone(&member.grant.id.definition)).or_default().push(Arc::clone(member));
        }
        Self(given)
    }

    fn of_definition(&self, definition: &str) -> &[Arc<Member>] {
        self.0.get(definition).map_or(&[], Vec::as_slice)
    }
}

fn by_definition(snapshot: &Snapshot, given: &Given) -> BTreeMap<Arc<str>, Vec<usize>> {
    let mut by_definition: BTreeMap<Arc<str>, Vec<usize>> =
        given.0.keys().map(|definition| (Arc::clone(definition), Vec::new())).collect();
    for (index, grant) in snapshot.grants.iter().enumerate() {
        by_definition.entry(Arc::clone(&grant.id.definition)).or_default().push(index);
    }
    by_definition
}
