//! Generated histories of a group of grants.

use super::{Preset, World, oracle::Records};
use crate::{
    api::{AmountField, entitlement_instance::Amendment, facet_fields::FacetFields, lifecycle::State},
    core::{
        calendar::{Instant, format_instant},
        refusal::Reason,
    },
};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// How far apart the moments of a history lie.
#[derive(Clone, Copy, Debug)]
pub enum Tick {
    /// So that a history takes place while one looks on.
    Seconds,
    Minutes,
    QuarterDays,
    Days,
}

impl Tick {
    pub fn seconds(self) -> i64 {
        match self {
            Self::Seconds => 2,
            Self::Minutes => 60,
            Self::QuarterDays => 6 * 3600,
            Self::Days => 24 * 3600,
        }
    }

    fn duration(self, count: u8) -> String {
        match self {
            Self::Seconds => format!("PT{}S", 2 * u32::from(count)),
            Self::Minutes => format!("PT{count}M"),
            Self::QuarterDays => format!("PT{}H", 6 * u32::from(count)),
            Self::Days => format!("P{count}D"),
        }
    }
}

/// When the moments of a history are.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub tick: Tick,
    /// The moment 0.
    pub base: Instant,
}

impl Scale {
    /// Some days before the clocks change in Berlin.
    fn before_summer(tick: Tick) -> Self {
        Self { tick, base: super::at("2027-03-26") }
    }

    pub fn at(self, tick: u8) -> Instant {
        self.base + TimeDelta::seconds(self.tick.seconds() * i64::from(tick))
    }

    fn text(self, moment: Written) -> String {
        match moment {
            Written::Tick(tick) => format_instant(self.at(tick)),
            Written::Date(tick) => self.at(tick).date_naive().to_string(),
            Written::Never => "9999-12-31".to_owned(),
            Written::Nonsense => "soon".to_owned(),
        }
    }
}

/// What the definition gives to the grants that are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    term: Option<u8>,
    grace: Option<u8>,
    amount: u8,
    everyone: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Written {
    Tick(u8),
    Date(u8),
    Never,
    Nonsense,
}

#[derive(Clone, Debug)]
pub struct Terms {
    start: Option<Written>,
    end: Option<Written>,
    renews: Option<u8>,
    amount: Option<u8>,
}

#[derive(Clone, Debug)]
pub struct NewGrant {
    made: u8,
    terms: Terms,
    state: State,
    suspended: bool,
    elsewhere: bool,
    amendments: Vec<NewAmendment>,
}

#[derive(Clone, Debug)]
pub struct NewAmendment {
    effective: Written,
    end: Option<Written>,
    amount: Option<u8>,
    invalid_facets: bool,
    revoked: bool,
}

#[derive(Clone, Debug)]
pub enum Event {
    Pass(u8),
    Add(NewGrant),
    Set(u8, State),
    Edit(u8, Terms),
    Suspend(u8),
    Amend(u8, NewAmendment),
    Revoke(u8),
    Delete(u8),
    ForgetStatus(u8),
    Bar(bool),
    Unready(bool),
    Catalogue(Given),
    Zone(bool),
    /// The operator is down for this one: it sees what came of it later.
    Unseen(Box<Event>),
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        12 => (0u8..14).prop_map(Written::Tick),
        2 => (0u8..14).prop_map(Written::Date),
        1 => Just(Written::Never),
        1 => Just(Written::Nonsense),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let maybe = || proptest::option::weighted(0.4, written());
    (maybe(), maybe(), proptest::option::weighted(0.6, 0u8..6), proptest::option::weighted(0.2, 0u8..4))
        .prop_map(|(start, end, renews, amount)| Terms { start, end, renews, amount })
}

fn amendment() -> impl Strategy<Value = NewAmendment> {
    let end = proptest::option::weighted(0.8, written());
    let amount = proptest::option::weighted(0.3, 0u8..4);
    (written(), end, amount, proptest::bool::weighted(0.1), proptest::bool::weighted(0.1)).prop_map(
        |(effective, end, amount, invalid_facets, revoked)| NewAmendment {
            effective,
            end,
            amount,
            invalid_facets,
            revoked,
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![6 => Just(State::Active), 1 => Just(State::Draft), 1 => Just(State::Cancelled)]
}

fn grant() -> impl Strategy<Value = NewGrant> {
    let amendments = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(amendment(), 1..4)];
    (0u8..4, terms(), state(), proptest::bool::weighted(0.1), proptest::bool::weighted(0.1), amendments).prop_map(
        |(made, terms, state, suspended, elsewhere, amendments)| NewGrant {
            made,
            terms,
            state,
            suspended,
            elsewhere,
            amendments,
        },
    )
}

fn given(term: impl Strategy<Value = Option<u8>>) -> impl Strategy<Value = Given> {
    (term, proptest::option::of(1u8..6), 0u8..4, proptest::bool::weighted(0.3))
        .prop_map(|(term, grace, amount, everyone)| Given { term, grace, amount, everyone })
}

fn seen_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1u8..6).prop_map(Event::Pass),
        6 => grant().prop_map(Event::Add),
        3 => (0u8..6, state()).prop_map(|(which, state)| Event::Set(which, state)),
        2 => (0u8..6, terms()).prop_map(|(which, terms)| Event::Edit(which, terms)),
        1 => (0u8..6).prop_map(Event::Suspend),
        3 => (0u8..6, amendment()).prop_map(|(which, amendment)| Event::Amend(which, amendment)),
        1 => (0u8..6).prop_map(Event::Revoke),
        1 => (0u8..6).prop_map(Event::Delete),
        1 => (0u8..6).prop_map(Event::ForgetStatus),
        1 => any::<bool>().prop_map(Event::Bar),
        1 => any::<bool>().prop_map(Event::Unready),
        2 => given(proptest::option::of(1u8..6)).prop_map(Event::Catalogue),
        1 => any::<bool>().prop_map(Event::Zone),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![5 => seen_event(), 1 => seen_event().prop_map(|event| Event::Unseen(Box::new(event)))]
}

#[derive(Clone, Debug)]
pub struct History {
    tick: Tick,
    pub unique: bool,
    berlin: bool,
    /// Its definition has amounts.
    counted: bool,
    catalogue: Given,
    pub first: Vec<NewGrant>,
    pub events: Vec<Event>,
}

pub fn history() -> impl Strategy<Value = History> {
    let tick = prop_oneof![Just(Tick::Seconds), Just(Tick::Minutes), Just(Tick::QuarterDays), Just(Tick::Days)];
    let catalogue = given(proptest::option::weighted(0.8, 1u8..6));
    let first = proptest::collection::vec(grant(), 1..5);
    let events = proptest::collection::vec(event(), 0..14);
    let (unique, counted) = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.7));
    (tick, unique, any::<bool>(), counted, catalogue, first, events).prop_map(
        |(tick, unique, berlin, counted, catalogue, first, events)| History {
            tick,
            unique,
            berlin,
            counted,
            catalogue,
            first,
            events,
        },
    )
}

/// What an amendment states that no definition of these histories allows.
pub const INVALID_FACETS: (&str, &str, &str) = ("limits", "seats", "many");

/// A history as far as it has come, with the records that the model has kept.
pub struct Telling {
    pub scale: Scale,
    pub world: World,
    pub records: Records,
    pub tick: u8,
    /// Begins the names of its grants.
    prefix: String,
    counted: bool,
    /// What happened last is not seen yet.
    pub unseen: bool,
}

impl Telling {
    /// As it is before anything is granted.
    pub fn starting(history: &History, scale: Scale, prefix: &str) -> Self {
        let mut world = World::new();
        world.unique = history.unique;
        let prefix = prefix.to_owned();
        let counted = history.counted;
        let mut telling = Self { scale, world, records: Records::new(), tick: 3, prefix, counted, unseen: false };
        telling.happen(&Event::Zone(history.berlin));
        telling.happen(&Event::Catalogue(history.catalogue));
        telling
    }

    pub fn new(history: &History) -> Self {
        let mut telling = Self::starting(history, Scale::before_summer(history.tick), "");
        for grant in &history.first {
            telling.happen(&Event::Add(grant.clone()));
        }
        telling
    }

    pub fn now(&self) -> Instant {
        self.scale.at(self.tick)
    }

    pub fn name(&self, which: u8) -> Option<String> {
        let names: Vec<_> = self.world.instances.iter().filter_map(|instance| instance.metadata.name.clone()).collect();
        names.get(usize::from(which)).cloned()
    }

    pub fn happen(&mut self, event: &Event) {
        self.unseen = matches!(event, Event::Unseen(_));
        match event {
            Event::Pass(ticks) => self.tick += ticks,
            Event::Add(grant) => self.add(grant),
            Event::Bar(barred) => self.world.barred = barred.then_some(("entitlements", Reason::NamespaceNotAllowed)),
            Event::Unready(unready) => self.world.unready = unready.then_some(Reason::DefinitionNotReady),
            Event::Catalogue(Given { term, grace, amount, everyone }) => {
                self.world.term = term.map(|count| self.scale.tick.duration(count));
                self.world.grace = grace.map(|count| self.scale.tick.duration(count));
                let preset = Preset { amount: amount.to_string(), everyone: *everyone };
                self.world.preset = Some(preset).filter(|_| self.counted);
            }
            Event::Zone(berlin) => {
                let zone = if *berlin { "Europe/Berlin" } else { "UTC" };
                zone.clone_into(&mut self.world.zone);
            }
            Event::Unseen(event) => {
                self.happen(event);
                self.unseen = true;
            }
            Event::Set(which, _)
            | Event::Edit(which, _)
            | Event::Suspend(which)
            | Event::Amend(which, _)
            | Event::Revoke(which)
            | Event::Delete(which)
            | Event::ForgetStatus(which) => {
                if let Some(name) = self.name(*which) {
                    self.change(&name, event);
                }
            }
        }
        if self.world.unready.is_none() {
            self.world.serving.clone_from(&self.world.preset);
        }
    }

    fn add(&mut self, grant: &NewGrant) {
        let Some(name) = (0..6)
            .map(|number| format!("{}g{number}", self.prefix))
            .find(|name| self.world.instances.iter().all(|instance| instance.metadata.name.as_deref() != Some(name)))
        else {
            return;
        };
        self.world.add(&name, &format_instant(self.scale.at(grant.made)), "{}");
        let terms = self.terms(&grant.terms);
        let amendments =
            grant.amendments.iter().enumerate().map(|(index, amendment)| self.amendment(index, amendment)).collect();
        let instance = self.world.instance(&name);
        if grant.elsewhere {
            instance.metadata.namespace = Some("elsewhere".to_owned());
        }
        instance.spec.state = grant.state;
        instance.spec.suspended = grant.suspended;
        instance.spec.amendments = amendments;
        (instance.spec.start, instance.spec.end, instance.spec.renews, instance.spec.amount) = terms;
    }

    fn terms(&self, terms: &Terms) -> (Option<String>, Option<String>, Option<String>, Option<AmountField>) {
        let text = |moment: Option<Written>| moment.map(|moment| self.scale.text(moment));
        let renews = terms.renews.map(|number| format!("{}g{number}", self.prefix));
        (text(terms.start), text(terms.end), renews, self.amount(terms.amount))
    }

    fn amount(&self, amount: Option<u8>) -> Option<AmountField> {
        amount.filter(|_| self.counted).map(|amount| AmountField::Whole(amount.into()))
    }

    fn amendment(&self, index: usize, amendment: &NewAmendment) -> Amendment {
        Amendment {
            name: format!("a{index}"),
            effective: self.scale.text(amendment.effective),
            amount: self.amount(amendment.amount),
            channels: None,
            end: amendment.end.map(|end| self.scale.text(end)),
            facets: amendment.invalid_facets.then(invalid_facets),
            reason: None,
            revoked: amendment.revoked,
        }
    }

    fn change(&mut self, name: &str, event: &Event) {
        let terms = match event {
            Event::Edit(_, terms) => Some(self.terms(terms)),
            _ => None,
        };
        let next = self.world.instance(name).spec.amendments.len();
        let added = match event {
            Event::Amend(_, amendment) => Some(self.amendment(next, amendment)),
            _ => None,
        };
        let spec = &mut self.world.instance(name).spec;
        match event {
            Event::Set(_, state) if spec.state != State::Cancelled => spec.state = *state,
            Event::Suspend(_) => spec.suspended = !spec.suspended,
            Event::Revoke(_) => {
                if let Some(amendment) = spec.amendments.last_mut() {
                    amendment.revoked = true;
                }
            }
            _ => {}
        }
        spec.amendments.extend(added);
        if let Some(terms) = terms {
            (spec.start, spec.end, spec.renews, spec.amount) = terms;
        }
        match event {
            Event::Delete(_) => {
                self.world.delete(name);
                self.records.remove(name);
            }
            Event::ForgetStatus(_) => {
                self.world.instance(name).status = None;
                self.records.remove(name);
            }
            _ => {}
        }
    }
}

fn invalid_facets() -> FacetFields {
    let (facet, field, value) = INVALID_FACETS;
    BTreeMap::from([(facet.to_owned(), serde_json::Map::from_iter([(field.to_owned(), value.into())]))])
}
