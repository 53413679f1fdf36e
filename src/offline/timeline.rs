//! Everything that time alone will bring.

use super::{
    Inventory, When,
    namespaces::Objects,
    simulation::Simulation,
    step::{HoldingState, TimelineStep},
    zone_of,
};
use crate::core::calendar::{Instant, Tz};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The first moment.
    pub from: When,
    /// The last moment; absent: as long as anything changes.
    pub to: Option<When>,
    /// After so many steps it is enough.
    pub steps: usize,
    /// After what costs so many evaluations of a grant it is enough.
    pub work: usize,
}

/// Why a timeline ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing changes by time alone any more.
    Nothing,
    /// The moment that was asked for has come.
    Asked(When),
    /// It would be too much: what happens from this moment on is left out.
    TooMuch(Instant, Limit),
}

/// What would be too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The steps.
    Steps,
    /// The evaluations.
    Work,
}

/// An organization as it is at the first moment.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The first moment, by its calendar.
    pub from: Instant,
    /// The time zone in which it reckons.
    pub zone: Tz,
    /// Its name for people.
    pub display_name: Option<String>,
    /// What it holds, by definition.
    pub held: BTreeMap<Arc<str>, HoldingState>,
    /// What lies in its namespaces.
    pub objects: Objects,
}

/// Everything that time alone will bring.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The first moment.
    pub from: When,
    /// Every organization at the first moment.
    pub departures: BTreeMap<Arc<str>, Departure>,
    /// What happens, in order.
    pub steps: Vec<TimelineStep>,
    /// Why it ends there.
    pub end: End,
}

impl Inventory {
    /// Everything that time alone will bring to the organizations that `chooses` chooses, by evaluating each of them at one
    /// moment after the other.
    #[must_use]
    pub fn timeline(&self, bounds: &Bounds, chooses: impl Fn(&str) -> bool) -> Timeline {
        self.timeline_watched(bounds, chooses, &mut |_| {})
    }

    /// The same. `watch` is told how many evaluations were made.
    #[must_use]
    pub fn timeline_watched(
        &self,
        bounds: &Bounds,
        chooses: impl Fn(&str) -> bool,
        watch: &mut dyn FnMut(usize),
    ) -> Timeline {
        self.walk(bounds, chooses, |_| None, watch)
    }

    /// The same of objects that come after those of `old` at its first moment, which is that of the calendar that an organization
    /// has in `old`: what lies in the namespaces then is what that one has left there.
    #[must_use]
    pub fn timeline_after(
        &self,
        old: &Timeline,
        bounds: &Bounds,
        chooses: impl Fn(&str) -> bool,
        watch: &mut dyn FnMut(usize),
    ) -> Timeline {
        self.walk(bounds, chooses, |organization| old.departures.get(organization), watch)
    }

    fn walk<'a>(
        &self,
        bounds: &Bounds,
        chooses: impl Fn(&str) -> bool,
        old: impl Fn(&str) -> Option<&'a Departure>,
        watch: &mut dyn FnMut(usize),
    ) -> Timeline {
        let mut snapshots = self.snapshots(&self.catalogue());
        snapshots.retain(|snapshot| chooses(&snapshot.name));
        let mut walk = Simulator::default();
        for (done, snapshot) in snapshots.into_iter().enumerate() {
            watch(done);
            let zone = zone_of(snapshot.organization.as_deref());
            let old = old(&snapshot.name);
            let from = old.map_or_else(|| bounds.from.first(zone), |old| old.from);
            let left = old.map(|old| old.objects.clone()).unwrap_or_default();
            walk.add(Simulation::start(&snapshot, left, from), (from, bounds.to.map(|to| to.last(zone))));
        }
        let departures = walk.departures();
        let end = walk.go(bounds, watch);
        // Where each client's calendar decides, they do not begin at one moment.
        walk.steps.sort_by_key(|step| step.at);
        Timeline { from: bounds.from, departures, steps: walk.steps, end }
    }
}

/// All organizations, each on its way.
#[derive(Default)]
struct Simulator {
    simulations: Vec<Simulation>,
    /// The first and the last moment of each.
    reaches: Vec<(Instant, Option<Instant>)>,
    queue: BinaryHeap<Reverse<(Instant, usize)>>,
    steps: Vec<TimelineStep>,
    work: usize,
}

impl Simulator {
    fn add(&mut self, (simulation, step): (Simulation, Option<TimelineStep>), reach: (Instant, Option<Instant>)) {
        self.steps.extend(step);
        let index = self.simulations.len();
        self.queue.extend(simulation.next().map(|next| Reverse((next, index))));
        self.simulations.push(simulation);
        self.reaches.push(reach);
    }

    fn departures(&self) -> BTreeMap<Arc<str>, Departure> {
        let departure = |simulation: &Simulation, from| Departure {
            from,
            zone: simulation.zone(),
            display_name: simulation.display_name().map(str::to_owned),
            held: simulation.held(),
            objects: simulation.objects().clone(),
        };
        let simulations = self.simulations.iter().zip(&self.reaches);
        simulations
            .map(|(simulation, (from, _))| (Arc::clone(simulation.name()), departure(simulation, *from)))
            .collect()
    }

    fn go(&mut self, bounds: &Bounds, watch: &mut dyn FnMut(usize)) -> End {
        let mut done = self.simulations.len();
        while let Some(Reverse((at, index))) = self.queue.pop() {
            if self.reaches.get(index).is_some_and(|(_, to)| to.is_some_and(|to| at > to)) {
                continue;
            }
            done += 1;
            watch(done);
            let Some(simulation) = self.simulations.get_mut(index) else { continue };
            self.work = self.work.saturating_add(simulation.cost());
            if self.steps.len() >= bounds.steps {
                return self.leave_off(at, Limit::Steps);
            }
            if self.work > bounds.work {
                return self.leave_off(at, Limit::Work);
            }
            let step = simulation.go_on(at);
            self.queue.extend(simulation.next().map(|next| Reverse((next, index))));
            if !step.is_empty() {
                self.steps.push(step);
            }
        }
        bounds.to.map_or(End::Nothing, End::Asked)
    }

    /// A moment with a missing part is left out as a whole.
    fn leave_off(&mut self, at: Instant, limit: Limit) -> End {
        self.steps.retain(|step| step.at < at);
        End::TooMuch(at, limit)
    }
}
