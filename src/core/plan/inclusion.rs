//! Which plans one includes, directly or not.

use super::PlanContext;
use crate::api::EntitlementPlanSpec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many plans of a cycle a message names.
const NAMED: usize = 8;

/// A plan, and all that it includes that can be read.
pub struct Inclusions<'a> {
    specs: BTreeMap<&'a str, &'a EntitlementPlanSpec>,
    order: Vec<&'a str>,
    has_cycle: bool,
}

/// How far a plan has been looked at.
#[derive(PartialEq)]
enum Visit {
    Begun,
    Done,
}

impl<'a> Inclusions<'a> {
    /// Of a plan that is as it is given, and with the others as they are in the context.
    pub fn of(name: &'a str, spec: &'a EntitlementPlanSpec, context: &'a impl PlanContext) -> Self {
        let mut found = Self { specs: BTreeMap::from([(name, spec)]), order: Vec::new(), has_cycle: false };
        let mut visits = BTreeMap::from([(name, Visit::Begun)]);
        let mut path = vec![(name, spec.includes.iter())];
        while let Some((plan, includes)) = path.last_mut() {
            let plan = *plan;
            let Some(include) = includes.next() else {
                visits.insert(plan, Visit::Done);
                found.order.push(plan);
                path.pop();
                continue;
            };
            match visits.get(include.as_str()) {
                Some(Visit::Done) => {}
                Some(Visit::Begun) => found.has_cycle = true,
                None => {
                    let Some(Ok(spec)) = context.plan(include) else { continue };
                    found.specs.insert(include, spec);
                    visits.insert(include, Visit::Begun);
                    path.push((include, spec.includes.iter()));
                }
            }
        }
        found
    }

    /// All of them, each behind those that it includes, unless these include it too. The plan itself is the last.
    pub fn order(&self) -> &[&'a str] {
        &self.order
    }

    /// One of them.
    pub fn spec(&self, name: &str) -> Option<&'a EntitlementPlanSpec> {
        self.specs.get(name).copied()
    }

    /// The shortest way on which a plan that includes `first` includes itself.
    pub fn cycle(&self, plan: &'a str, first: &'a str) -> Option<String> {
        if !self.has_cycle {
            return None;
        }
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut seen = BTreeSet::from([first]);
        let mut next = VecDeque::from([first]);
        while let Some(name) = next.pop_front() {
            if name == plan {
                return Some(way(plan, first, &from));
            }
            for include in self.specs.get(name).into_iter().flat_map(|spec| &spec.includes) {
                if seen.insert(include) {
                    from.insert(include, name);
                    next.push_back(include);
                }
            }
        }
        None
    }
}

/// `a includes b, which includes a`.
fn way<'a>(plan: &'a str, first: &'a str, from: &BTreeMap<&'a str, &'a str>) -> String {
    let mut back = vec![plan];
    let mut name = plan;
    while let Some(before) = from.get(name).filter(|_| name != first) {
        back.push(before);
        name = before;
    }
    let mut names: Vec<&str> = back.into_iter().rev().collect();
    if names.len() > NAMED {
        names.splice(NAMED / 2..names.len() - NAMED / 2, ["…"]);
    }
    format!("{plan} includes {}", names.join(", which includes "))
}
