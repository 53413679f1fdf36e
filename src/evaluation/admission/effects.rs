//! What a change does to grants that are held and to what is delivered for them, as warnings.

use crate::{
    core::{amount::Amount, grant::GrantId},
    evaluation::impact::{Impacts, ObjectChanges, ValueChange, count, verb},
    render::work::{Budget, MAX_OF_GRANT},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Of each kind of change, so many are told one by one: those that concern the most grants.
const MOST_TOLD: usize = 3;
/// Characters of a name and its values that are told, so that a whole warning is short enough to be shown.
const MOST_OF_VALUE: usize = 180;

/// Grants whose outputs are filled while someone waits.
pub const MOST_FILLED: usize = 2000;

/// The work that filling outputs may be for one request.
pub fn budget() -> Budget {
    Budget::of(2 * MAX_OF_GRANT)
}

/// What an edit of the catalogue changes in grants.
#[derive(Debug, Default)]
pub struct Effects {
    /// By unit, before and after: how many grants in force, and how many others.
    amounts: BTreeMap<(Option<String>, Amount, Amount), (usize, usize)>,
    /// The grants, and their organizations.
    values: BTreeMap<(String, ValueChange), (usize, BTreeSet<Arc<str>>)>,
    objects: ObjectChanges,
    invalid: Option<(usize, GrantId, String)>,
    /// The objects of some grants were not looked at.
    lacks_objects: bool,
    /// Grants that were not looked at.
    unseen: usize,
    /// Of so many.
    live: usize,
    /// Grants whose outputs were filled.
    filled: usize,
}

impl Effects {
    /// Of a definition that has so many grants, of which some can't be looked at.
    pub fn of(live: usize, unseen: usize) -> Self {
        Self { live, unseen, ..Self::default() }
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
                let counts = self.amounts.entry((unit.map(str::to_owned), before, after)).or_default();
                if impact.in_force {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                }
            }
            for change in impact.values {
                let (grants, organizations) = self.values.entry(change).or_default();
                *grants += 1;
                organizations.insert(Arc::clone(organization));
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
        all.sort_by_key(|(_, (in_force, others))| std::cmp::Reverse(in_force + others));
        let sentence =
            |((unit, before, after), (in_force, others)): &(&(Option<String>, Amount, Amount), &(usize, usize))| {
                let change = format!("from {before} to {after} {}", unit.as_deref().unwrap_or_default());
                let change = change.trim_end();
                match (in_force, others) {
                    (0, others) => format!(
                        "{least}{} not in force now {} {change}",
                        count(*others, "grant"),
                        if *others == 1 { "changes" } else { "change" }
                    ),
                    (in_force, others) => {
                        let more = if *others > 0 { format!(", and {others} not in force now") } else { String::new() };
                        let noun = if *in_force == 1 { "grant in force changes" } else { "grants in force change" };
                        format!("{least}{in_force} {noun} {change}{more}")
                    }
                }
            };
        let mut warnings: Vec<String> = all.iter().take(MOST_TOLD).map(sentence).collect();
        let rest = all.iter().skip(MOST_TOLD).map(|(_, (in_force, others))| in_force + others);
        let (ways, grants) = rest.fold((0, 0), |(ways, sum): (usize, usize), grants| (ways + 1, sum + grants));
        if ways > 0 {
            warnings.push(format!(
                "and the amounts of {} more change in {}",
                count(grants, "grant"),
                count(ways, "other way")
            ));
        }
        warnings
    }

    fn of_values(&self, least: &str) -> Vec<String> {
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_by_key(|(_, (grants, _))| std::cmp::Reverse(*grants));
        let sentence =
            |((name, change), (grants, organizations)): &(&(String, ValueChange), &(usize, BTreeSet<Arc<str>>))| {
                let what = cut(format!("{name} {}", change.sentence()));
                format!(
                    "{what} for {least}{} of {}",
                    count(*grants, "grant"),
                    count(organizations.len(), "organization")
                )
            };
        let mut warnings: Vec<String> = all.iter().take(MOST_TOLD).map(sentence).collect();
        if let Some(more) = all.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            let word = if more == 1 { "value changes" } else { "values change" };
            warnings.push(format!("and {more} more {word}"));
        }
        warnings
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST_OF_VALUE) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
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
    let example = namespaces.keys().next().map(|namespace| namespace.to_string()).unwrap_or_default();
    vec![sentence(&format!("{} namespaces, such as {example}", namespaces.len()), &all)]
}
