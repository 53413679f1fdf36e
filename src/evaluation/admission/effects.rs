//! What a change does to grants that are held and to their objects, as warnings.

use crate::{
    core::{amount::Amount, excerpt::elided_after_characters, grant::GrantId},
    evaluation::impact::{Impacts, ObjectChanges, ValueChange, count, verb},
    render::work::{Budget, MAX_OF_GRANT},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How many changes of each kind are named: those that concern the most grants.
const MOST_TOLD: usize = 3;
/// Characters of a name and its values that are told, so that a whole warning is short enough to be shown.
const MOST_OF_VALUE: usize = 180;

/// Grants whose outputs are filled while someone waits.
pub const MOST_FILLED: usize = 2000;

/// The work that filling outputs may be for one request.
pub fn budget() -> Budget {
    Budget::of(2 * MAX_OF_GRANT)
}

/// An amount before and after, of that unit.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AmountChange {
    unit: Option<String>,
    before: Amount,
    after: Amount,
}

/// Grants for which an amount changes.
#[derive(Debug, Default)]
struct Amounts {
    in_force: usize,
    others: usize,
}

impl Amounts {
    fn all(&self) -> usize {
        self.in_force + self.others
    }

    fn sentence(&self, AmountChange { unit, before, after }: &AmountChange, least: &str) -> String {
        let change = format!("from {before} to {after} {}", unit.as_deref().unwrap_or_default());
        let change = change.trim_end();
        match self {
            Self { in_force: 0, others: 1 } => format!("{least}1 grant not in force now changes {change}"),
            Self { in_force: 0, others } => format!("{least}{others} grants not in force now change {change}"),
            Self { in_force, others } => {
                let noun = if *in_force == 1 { "grant in force changes" } else { "grants in force change" };
                let more = if *others > 0 { format!(", and {others} not in force now") } else { String::new() };
                format!("{least}{in_force} {noun} {change}{more}")
            }
        }
    }
}

/// Grants for which a value changes.
#[derive(Debug, Default)]
struct ValueEffects {
    grants: usize,
    organizations: BTreeSet<Arc<str>>,
}

impl ValueEffects {
    fn sentence(&self, name: &str, change: &ValueChange, least: &str) -> String {
        let what = elided_after_characters(format!("{name} {}", change.sentence()), MOST_OF_VALUE);
        let (grants, organizations) = (count(self.grants, "grant"), count(self.organizations.len(), "organization"));
        format!("{what} for {least}{grants} of {organizations}")
    }
}

/// What an edit of the catalogue changes in grants.
#[derive(Debug, Default)]
pub struct Effects {
    amounts: BTreeMap<AmountChange, Amounts>,
    /// Changed values, by facet and way.
    values: BTreeMap<(String, ValueChange), ValueEffects>,
    objects: ObjectChanges,
    invalid: Option<(usize, GrantId, String)>,
    /// The objects of some grants were not looked at.
    lacks_objects: bool,
    /// Grants that were not looked at.
    unseen: usize,
    /// How many grants there are.
    live: usize,
    /// Grants whose outputs were filled.
    filled: usize,
}

impl Effects {
    /// The effects on a definition with `live` grants; `unseen` of them can't be looked at.
    pub fn of(live: usize, unseen: usize) -> Self {
        Self { unseen, live, ..Self::default() }
    }

    /// Whether the outputs of so many grants more may be filled.
    pub fn may_fill(&mut self, grants: usize) -> bool {
        let filled = self.filled.saturating_add(grants);
        let may = filled <= MOST_FILLED;
        if may {
            self.filled = filled;
        }
        may
    }

    /// Adds what becomes of the grants of an organization. What a Secret holds that can't be seen is another only where what
    /// fills it is.
    pub fn add(&mut self, organization: &Arc<str>, unit: Option<&str>, impacts: Impacts, has_other_outputs: bool) {
        self.lacks_objects |= impacts.lacks_objects;
        for mut impact in impacts.grants {
            if !has_other_outputs && impact.amount.is_none() && impact.values.is_empty() {
                impact.objects.unseen.clear();
            }
            if let Some((before, after)) = impact.amount {
                let change = AmountChange { unit: unit.map(str::to_owned), before, after };
                let grants = self.amounts.entry(change).or_default();
                let count = if impact.in_force { &mut grants.in_force } else { &mut grants.others };
                *count += 1;
            }
            for change in impact.values {
                let values = self.values.entry(change).or_default();
                values.grants += 1;
                values.organizations.insert(Arc::clone(organization));
            }
            if let Some(problem) = impact.invalid {
                self.invalid.get_or_insert((0, impact.id, problem)).0 += 1;
            }
            self.objects.extend(impact.objects);
        }
    }

    /// All of it, the most important first.
    pub fn warnings(self) -> Vec<String> {
        let least = if self.unseen > 0 { "at least " } else { "" };
        let mut warnings = self.of_amounts(least);
        warnings.extend(self.of_values(least));
        let least = if self.lacks_objects { "at least " } else { least };
        warnings.extend(of_objects(&self.objects, least));
        if let Some((grants, example, problem)) = &self.invalid {
            let those = super::some_of(*grants, "grant", example);
            warnings.push(format!("this makes facets invalid, whose last valid values go on, of {those}: {problem}"));
        }
        if self.unseen > 0 {
            let seen = self.live.saturating_sub(self.unseen);
            warnings.push(format!("this was looked at for {seen} of {}", count(self.live, "grant")));
        }
        warnings
    }

    fn of_amounts(&self, least: &str) -> Vec<String> {
        let mut all: Vec<_> = self.amounts.iter().collect();
        all.sort_by_key(|(_, grants)| std::cmp::Reverse(grants.all()));
        let told = all.iter().take(MOST_TOLD);
        let mut warnings: Vec<String> = told.map(|(change, grants)| grants.sentence(change, least)).collect();
        let rest: Vec<usize> = all.iter().skip(MOST_TOLD).map(|(_, grants)| grants.all()).collect();
        if !rest.is_empty() {
            let (grants, ways) = (count(rest.iter().sum(), "grant"), count(rest.len(), "other way"));
            warnings.push(format!("and the amounts of {grants} more change in {ways}"));
        }
        warnings
    }

    fn of_values(&self, least: &str) -> Vec<String> {
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_by_key(|(_, values)| std::cmp::Reverse(values.grants));
        let told = all.iter().take(MOST_TOLD);
        let mut warnings: Vec<String> =
            told.map(|((name, change), values)| values.sentence(name, change, least)).collect();
        match all.len().saturating_sub(MOST_TOLD) {
            0 => {}
            1 => warnings.push("and 1 more value changes".to_owned()),
            more => warnings.push(format!("and {more} more values change")),
        }
        warnings
    }
}

/// `12 objects in 4 namespaces change; 5 objects in 2 namespaces are withdrawn`
fn of_objects(objects: &ObjectChanges, least: &str) -> Option<String> {
    let known = objects.all().filter(|(objects, _)| !objects.is_empty());
    let mut parts: Vec<String> = known
        .map(|(objects, words)| {
            let namespaces: BTreeSet<&Arc<str>> = objects.iter().map(|key| &key.namespace).collect();
            let number = count(objects.len(), "object");
            format!("{least}{number} in {} {}", count(namespaces.len(), "namespace"), verb(objects, words))
        })
        .collect();
    if !objects.unseen.is_empty() {
        parts.push(format!(
            "what becomes of {} is not looked at, as a review knows no secret",
            count(objects.unseen.len(), "Secret")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What is withdrawn in which namespaces: `5 objects of 3 grants are withdrawn in acme-staging`.
pub fn of_withdrawal(changes: &BTreeMap<GrantId, ObjectChanges>) -> Vec<String> {
    #[derive(Default)]
    struct Of<'a> {
        grants: BTreeSet<&'a GrantId>,
        withdrawn: usize,
        kept: usize,
    }
    let mut namespaces: BTreeMap<&Arc<str>, Of> = BTreeMap::new();
    for (grant, objects) in changes {
        for key in &objects.withdrawn {
            let of = namespaces.entry(&key.namespace).or_default();
            of.withdrawn += 1;
            of.grants.insert(grant);
        }
        for key in &objects.kept {
            let of = namespaces.entry(&key.namespace).or_default();
            of.kept += 1;
            of.grants.insert(grant);
        }
    }
    let sentence = |place: &str, of: &Of| {
        let grants = count(of.grants.len(), "grant");
        let is = |number: usize, one: &'static str, several: &'static str| if number == 1 { one } else { several };
        let kept = is(of.kept, "is kept, as no longer in force", "are kept, as no longer in force");
        match (of.withdrawn, of.kept) {
            (0, number) => format!("{} of {grants} {kept} in {place}", count(number, "object")),
            (number, rest) => {
                let rest = if rest > 0 { format!(", and {rest} {kept}") } else { String::new() };
                format!(
                    "{} of {grants} {} withdrawn in {place}{rest}",
                    count(number, "object"),
                    is(number, "is", "are")
                )
            }
        }
    };
    if namespaces.len() <= MOST_TOLD {
        return namespaces.iter().map(|(namespace, of)| sentence(namespace, of)).collect();
    }
    let mut all = Of::default();
    for of in namespaces.values() {
        all.grants.extend(&of.grants);
        all.withdrawn += of.withdrawn;
        all.kept += of.kept;
    }
    let example = namespaces.keys().next().map(ToString::to_string).unwrap_or_default();
    vec![sentence(&format!("{} namespaces, such as {example}", namespaces.len()), &all)]
}
