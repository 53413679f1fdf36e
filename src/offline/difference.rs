//! How two timelines differ in what clients get, and when.

use super::{End, HoldingState, ObjectAction, PlanEdit, Timeline, TimelineStep, timeline::Departure};
use crate::{
    api::facet_fields::FacetFields,
    core::{
        calendar::{Bound, Instant, Tz},
        facets::{each_value, joined},
        source::SourceKind,
    },
    evaluation::object::{ObjectContent, ObjectKey},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What of an organization is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Whether and how much it holds of a definition.
    Holding(Arc<str>),
    /// A value that it gets by a definition: the facet, and the way to the field ([`joined`]).
    Value(Arc<str>, String, String),
    /// An object in one of its namespaces.
    Object(ObjectKey),
}

/// What an aspect is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum AspectState {
    /// Nothing: not entitled, or not there.
    Nothing,
    /// Entitled, by that amount and unit; a Feature has neither.
    Entitled(Option<(String, Option<String>)>),
    /// Entitled, to what cannot be told.
    Untold,
    /// A value.
    Value(Value),
    /// An object with that content, by its hash and marks; absent where it cannot be told.
    Content(Option<String>),
    /// An object that is kept, as no longer in force.
    Retained,
}

impl AspectState {
    /// Whether both say the same, as far as it is told: of a content no more is told than that there is one.
    fn is_told_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Content(one), Self::Content(other)) => one.is_some() == other.is_some(),
            (one, other) => one == other,
        }
    }
}

/// A span of time in which something differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The organization.
    pub organization: Arc<str>,
    /// What differs.
    pub aspect: Aspect,
    /// The first moment.
    pub from: Instant,
    /// The first moment after it; never where the comparison ends before.
    pub until: Bound,
    /// The state in the old timeline.
    pub before: AspectState,
    /// The state in the new one.
    pub after: AspectState,
}

/// How two timelines differ.
#[derive(Clone, Debug)]
pub struct Differences {
    /// The differences, sorted by organization, aspect, and time.
    pub all: Vec<Difference>,
    /// The plans that are edited, with all who have them, changed or not.
    pub plans: Vec<PlanEdit>,
    /// Why the comparison ends where it ends.
    pub end: End,
    /// The organizations' time zones and names for people, by the new timeline where it has them.
    pub organizations: BTreeMap<Arc<str>, (Tz, Option<String>)>,
}

impl Differences {
    /// How two timelines of the same moments differ.
    #[must_use]
    pub fn between(old: &Timeline, new: &Timeline) -> Self {
        let (old_tracks, new_tracks) = (Tracks::of(old), Tracks::of(new));
        let keys: BTreeSet<_> = old_tracks.0.keys().chain(new_tracks.0.keys()).collect();
        let end = earlier(old.end, new.end);
        let mut all = Vec::new();
        for key in keys {
            let pair = Pair::of(key, &old_tracks, &new_tracks);
            let departures = [old, new].into_iter().filter_map(|timeline| timeline.departures.get(&key.0));
            let from = departures.map(|departure| departure.from).max();
            let from = from.unwrap_or_else(|| new.from.first(Tz::UTC));
            pair.compare(from, end, key, &mut all);
        }
        let departures = old.departures.iter().chain(&new.departures);
        let organizations = departures
            .map(|(name, departure)| (Arc::clone(name), (departure.zone, departure.display_name.clone())))
            .collect();
        Self { all, plans: Vec::new(), end, organizations }
    }
}

/// What was left out of one of the two cannot be compared.
fn earlier(old: End, new: End) -> End {
    match (old, new) {
        (End::TooMuch(one, _), End::TooMuch(other, _)) if one <= other => old,
        (End::TooMuch(..), End::Nothing | End::Asked(_)) => old,
        (_, new) => new,
    }
}

type Key = (Arc<str>, Aspect);
/// The states of an aspect, each from its moment on.
type AspectTrack = Vec<(Instant, AspectState)>;

/// The tracks of one aspect in both timelines, with those of the holding that it is a value of.
struct Pair<'a> {
    tracks: [&'a [(Instant, AspectState)]; 2],
    holdings: Option<[&'a [(Instant, AspectState)]; 2]>,
}

impl<'a> Pair<'a> {
    fn of(key: &Key, old: &'a Tracks, new: &'a Tracks) -> Self {
        let of = |key: &Key| [old, new].map(|tracks| tracks.0.get(key).map(Vec::as_slice).unwrap_or_default());
        let (organization, aspect) = key;
        let holdings = match aspect {
            Aspect::Value(definition, ..) => {
                Some(of(&(Arc::clone(organization), Aspect::Holding(Arc::clone(definition)))))
            }
            Aspect::Holding(_) | Aspect::Object(_) => None,
        };
        Self { tracks: of(key), holdings }
    }

    /// What is not held by both has no values to be compared.
    fn at(&self, at: Instant) -> [AspectState; 2] {
        let is_told = |track: &[(Instant, AspectState)]| matches!(state(track, at), AspectState::Entitled(_));
        let is_held = |[old, new]: [&[(Instant, AspectState)]; 2]| is_told(old) && is_told(new);
        if self.holdings.is_none_or(is_held) {
            return self.tracks.map(|track| state(track, at));
        }
        [AspectState::Nothing, AspectState::Nothing]
    }

    fn compare(&self, from: Instant, end: End, (organization, aspect): &Key, all: &mut Vec<Difference>) {
        let tracks = self.tracks.iter().chain(self.holdings.iter().flatten());
        let mut moments: BTreeSet<Instant> =
            tracks.flat_map(|track| track.iter().map(|(at, _)| *at)).filter(|at| *at > from).chain([from]).collect();
        if let End::TooMuch(limit, _) = end {
            moments.split_off(&limit);
        }
        let mut open: Option<Difference> = None;
        for at in moments {
            let [before, after] = self.at(at);
            let goes_on = |open: &Difference| open.before.is_told_as(&before) && open.after.is_told_as(&after);
            if before != after && open.as_ref().is_some_and(goes_on) {
                continue;
            }
            all.extend(open.take().map(|open| Difference { until: Bound::At(at), ..open }));
            open = (before != after).then(|| Difference {
                organization: Arc::clone(organization),
                aspect: aspect.clone(),
                from: at,
                until: Bound::Never,
                before,
                after,
            });
        }
        all.extend(open);
    }
}

fn state(track: &[(Instant, AspectState)], at: Instant) -> AspectState {
    let last = track.iter().rev().find(|(since, _)| *since <= at);
    last.map_or(AspectState::Nothing, |(_, state)| state.clone())
}

/// The states of every aspect.
struct Tracks(BTreeMap<Key, AspectTrack>);

impl Tracks {
    fn of(timeline: &Timeline) -> Self {
        let mut tracks = Self(BTreeMap::new());
        for (organization, departure) in &timeline.departures {
            tracks.depart(organization, departure, departure.from);
        }
        for step in &timeline.steps {
            tracks.step(step);
        }
        tracks
    }

    fn depart(&mut self, organization: &Arc<str>, departure: &Departure, at: Instant) {
        for (definition, held) in &departure.held {
            self.hold(organization, definition, None, held, at);
        }
        for (key, present) in &departure.objects {
            let state = if present.is_over() {
                AspectState::Retained
            } else {
                AspectState::Content(present.content.as_deref().map(mark))
            };
            self.set(organization, Aspect::Object(key.clone()), state, at);
        }
    }

    fn step(&mut self, step: &TimelineStep) {
        for (definition, (before, after)) in &step.holdings {
            self.hold(&step.organization, definition, Some(before), after, step.at);
        }
        for change in &step.objects {
            let state = match change.action {
                ObjectAction::Withdrawn => AspectState::Nothing,
                ObjectAction::Retained => AspectState::Retained,
                ObjectAction::Delivered | ObjectAction::Changed => {
                    AspectState::Content(change.content.as_deref().map(mark))
                }
            };
            self.set(&step.organization, Aspect::Object(change.key.clone()), state, step.at);
        }
    }

    fn hold(
        &mut self,
        organization: &Arc<str>,
        definition: &Arc<str>,
        before: Option<&HoldingState>,
        after: &HoldingState,
        at: Instant,
    ) {
        let state = if after.is_untold {
            AspectState::Untold
        } else if after.entitled {
            AspectState::Entitled(after.amount.clone().map(|amount| (amount, after.unit.clone())))
        } else {
            AspectState::Nothing
        };
        self.set(organization, Aspect::Holding(Arc::clone(definition)), state, at);
        let gone = before.map(|before| values(&before.facets)).unwrap_or_default();
        let there = values(&after.facets);
        let gone = gone.into_keys().map(|key| (key, AspectState::Nothing));
        let all: BTreeMap<_, _> =
            gone.chain(there.into_iter().map(|(key, value)| (key, AspectState::Value(value)))).collect();
        for ((facet, field), state) in all {
            self.set(organization, Aspect::Value(Arc::clone(definition), facet, field), state, at);
        }
    }

    fn set(&mut self, organization: &Arc<str>, aspect: Aspect, state: AspectState, at: Instant) {
        let track = self.0.entry((Arc::clone(organization), aspect)).or_default();
        if track.last().is_none_or(|(_, last)| *last != state) {
            track.push((at, state));
        }
    }
}

fn values(facets: &FacetFields) -> BTreeMap<(String, String), Value> {
    let mut values = BTreeMap::new();
    for (facet, fields) in facets {
        each_value(fields, &mut |path, value| {
            values.insert((facet.clone(), joined(path)), value.clone());
        });
    }
    values
}

/// What tells two contents apart: labels and annotations, with the hash of the data among them, and a Secret's type. Which grant an object
/// is made for is nothing that a client gets.
fn mark(content: &ObjectContent) -> String {
    let names_source = |key: &str| SourceKind::ALL.iter().any(|kind| kind.annotation() == key);
    let annotations = content.annotations.iter().filter(|(key, _)| !names_source(key));
    let marks: Vec<String> =
        content.labels.iter().chain(annotations).map(|(key, value)| format!("{key}={value}")).collect();
    let type_ = content.data.secret_type().map(str::to_owned);
    marks.into_iter().chain(type_).collect::<Vec<_>>().join("\n")
}
