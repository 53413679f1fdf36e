//! The catalogue: each definition as it is now, and the last valid state of it, which serves.

use super::object::{DEFINITION, MANAGED_BY, MANAGER};
use crate::{
    api::{AmountField, EntitlementDefinitionSpec},
    core::{
        age::created,
        amount::Amount,
        belief::{Durations, History},
        calendar::Instant,
        definition::{Definition, Schemas, grace_of},
        problem::Problem,
        schema::canonical_hash,
    },
    render::{
        flags::Offer,
        output::{self, CompiledOutput},
    },
};
use chrono::TimeDelta;
use k8s_openapi::{api::apps::v1::ControllerRevision, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// All that a definition is made of: what a revision of it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The definition's spec.
    pub spec: EntitlementDefinitionSpec,
    /// The schemas of the FacetDefinitions that it refers to, by name.
    #[serde(default)]
    pub facets: Schemas,
}

impl Source {
    /// A definition's spec with the schemas that it refers to.
    ///
    /// # Errors
    /// `FacetNotFound` where it refers to a FacetDefinition that does not exist.
    pub fn gather(
        spec: &EntitlementDefinitionSpec,
        schema_of: impl Fn(&str) -> Option<Arc<Value>>,
    ) -> Result<Self, Problem> {
        let mut facets = Schemas::new();
        for facet in &spec.facets {
            let Some(name) = &facet.definition else { continue };
            let schema = schema_of(name).ok_or_else(|| {
                let message =
                    format!("facet {}: there is no FacetDefinition {name}: make it, or give a schema here", facet.name);
                Problem::new("FacetNotFound", message)
            })?;
            facets.insert(name.clone(), schema);
        }
        Ok(Self { spec: spec.clone(), facets })
    }

    /// Hash (hexadecimal SHA-256) of the content; equal for equal sources.
    #[must_use]
    pub fn hash(&self) -> String {
        // A source is plain data, which always has JSON.
        hex::encode(canonical_hash(&serde_json::to_value(self).unwrap_or_default()))
    }
}

/// A valid definition, ready to be granted and delivered.
#[derive(Clone, Debug)]
pub struct CompiledDefinition {
    /// What it says of its grants.
    pub terms: Definition,
    /// What is written downstream.
    pub outputs: Vec<CompiledOutput>,
}

impl CompiledDefinition {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// What is wrong, as a condition's reason and message: all that is wrong with the outputs, or the first thing before
    /// them.
    pub fn compile(name: &str, source: &Source) -> Result<Self, Problem> {
        Self::with(Definition::read(name, &source.spec, &source.facets)?, source)
    }

    /// Reads a definition that was valid once, and serves for as long as nothing newer does.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn compile_kept(name: &str, source: &Source) -> Result<Self, Problem> {
        Self::with(Definition::read_kept(name, &source.spec, &source.facets)?, source)
    }

    fn with(terms: Definition, source: &Source) -> Result<Self, Problem> {
        match output::compile(&terms, &source.spec.outputs) {
            Ok(outputs) => Ok(Self { terms, outputs }),
            Err(problems) => Err(Problem::all(problems).unwrap_or_else(|| Problem::new("InvalidOutput", ""))),
        }
    }
}

/// A definition as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// It does not exist (any more).
    Missing,
    /// It cannot be granted as it is.
    Invalid(Problem),
    /// It is what serves.
    Valid,
}

/// A definition as it is now, and the last valid state of it.
#[derive(Clone, Debug)]
pub struct CatalogueEntry {
    /// As it is now.
    pub present: Present,
    /// The last valid state; absent where there never was one.
    pub serving: Option<Arc<CompiledDefinition>>,
    /// The name of the revision that serves.
    pub revision: Option<String>,
    /// What the definition has given to its grants.
    pub history: Arc<History>,
}

impl CatalogueEntry {
    /// What can be held of it now; None where it is not ready.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        let terms = &self.serving.as_ref().filter(|_| self.present == Present::Valid)?.terms;
        Some(Offer { has_amount: terms.amount.is_some(), has_facets: !terms.facets.is_empty() })
    }

    /// A definition that exists and is valid.
    #[must_use]
    pub fn valid(compiled: CompiledDefinition) -> Self {
        Self { present: Present::Valid, serving: Some(Arc::new(compiled)), revision: None, history: Arc::default() }
    }
}

/// How many digits of the hash the name of a revision has.
const HASH_DIGITS: usize = 10;

/// The name of the revision that keeps a definition's source with that hash.
#[must_use]
pub fn revision_name(definition: &str, hash: &str) -> String {
    format!("{definition}-{}", hash.get(..HASH_DIGITS).unwrap_or(hash))
}

/// A kept revision of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its name.
    pub name: Arc<str>,
    /// The definition's name.
    pub definition: Arc<str>,
    /// The highest is the newest.
    pub number: i64,
    /// What the definition was made of.
    pub data: Value,
    /// When it was kept.
    pub made: Option<Instant>,
}

impl Revision {
    /// Reads an object; None if it is not one of the operator's.
    #[must_use]
    pub fn read(object: ControllerRevision) -> Option<Self> {
        let name = object.metadata.name.as_deref().unwrap_or_default().into();
        let made = created(&object.metadata);
        let labels = object.metadata.labels?;
        if labels.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
            return None;
        }
        let definition = labels.get(DEFINITION)?.as_str().into();
        let data = object.data.map(|data| data.0).unwrap_or_default();
        Some(Self { name, definition, number: object.revision, data, made })
    }

    /// What it gave to grants; none where its data is no definition's.
    fn durations(&self) -> Option<Durations> {
        let read = |field: &str| match self.data.get("spec")?.get(field) {
            None | Some(Value::Null) => Some(None),
            Some(text) => text.as_str()?.parse().ok().map(Some),
        };
        Some(Durations { term: read("term")?, grace: grace_of(read("gracePeriod")?) })
    }

    /// The amount that it gave in a unit.
    fn amount(&self, unit: Option<&str>) -> Option<Amount> {
        let spec = self.data.get("spec")?;
        if spec.get("unit").and_then(Value::as_str) != unit {
            return None;
        }
        Amount::read(&AmountField::deserialize(spec.get("amount")?).ok()?).ok()
    }
}

/// How many revisions are kept beside the one that serves.
pub const OLDER_REVISIONS: usize = 10;

/// How much later than a definition its first revision may be kept, to be that of all that it was from the start.
pub const AT_ONCE: TimeDelta = TimeDelta::minutes(1);

/// What a definition has given to its grants, by what serves and by its kept revisions, which stand from the oldest to the
/// newest.
#[must_use]
pub fn history<'a>(
    definition: Option<&ObjectMeta>,
    serving: Option<&Definition>,
    revisions: impl DoubleEndedIterator<Item = &'a Revision> + Clone,
) -> Arc<History> {
    let mut states: Vec<Durations> =
        serving.map(|serving| Durations { term: serving.term, grace: serving.grace }).into_iter().collect();
    for state in revisions.clone().rev().filter_map(Revision::durations) {
        if !states.contains(&state) {
            states.push(state);
        }
    }
    let unit = serving.and_then(|serving| serving.unit.as_deref());
    let mut amounts: Vec<Amount> = serving.and_then(|serving| serving.amount).into_iter().collect();
    for amount in revisions.clone().rev().filter_map(|revision| revision.amount(unit)) {
        if !amounts.contains(&amount) {
            amounts.push(amount);
        }
    }
    let made = definition.and_then(created);
    // What was kept before it was made is of another definition of its name, that is gone.
    let is_second = revisions.clone().any(|revision| revision.made.is_some() && revision.made < made);
    let unedited = definition.filter(|definition| definition.generation == Some(1) && !is_second).and(made);
    // As many as there are at most, and older ones may have been forgotten.
    let is_whole = revisions.clone().count() <= OLDER_REVISIONS;
    let kept = revisions.map(|revision| revision.made).min().flatten().filter(|_| is_whole);
    let kept = kept.map(|kept| made.filter(|made| kept <= *made + AT_ONCE).map_or(kept, |made| made.min(kept)));
    Arc::new(History { states, amounts, since: [unedited, kept].into_iter().flatten().min() })
}

/// A state of a definition that was kept and can serve.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What serves.
    pub serving: Arc<CompiledDefinition>,
    /// The hash of its source.
    pub hash: Arc<str>,
    /// The revision's name.
    pub revision: String,
}

/// The newest revision that can be read, of some that stand from the oldest to the newest.
pub fn newest_valid<'a>(
    revisions: impl DoubleEndedIterator<Item = &'a Revision>,
    compile: impl Fn(&Source) -> Result<Arc<CompiledDefinition>, Problem>,
) -> Option<Kept> {
    let read = |revision: &Revision| {
        let source: Source = serde_json::from_value(revision.data.clone()).ok()?;
        let serving = compile(&source).ok()?;
        let hash: Arc<str> = source.hash().into();
        Some(Kept { serving, hash, revision: revision.name.to_string() })
    };
    revisions.rev().find_map(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn revision(number: i64, made: &str, spec: &Value) -> Revision {
        let object = json!({
            "metadata": {
                "name": format!("seats-{number}"), "creationTimestamp": made,
                "labels": {MANAGED_BY: MANAGER, DEFINITION: "seats"},
            },
            "revision": number,
            "data": {"spec": spec},
        });
        Revision::read(serde_json::from_value(object).unwrap()).unwrap()
    }

    fn told(history: &History) -> (Vec<String>, Option<String>) {
        let text = |duration: Option<crate::core::calendar::CalendarDuration>| {
            duration.map_or("-".to_owned(), |duration| duration.to_string())
        };
        let states = history.states.iter().map(|state| format!("{} {}", text(state.term), text(state.grace)));
        (states.collect(), history.since.map(crate::core::calendar::format_instant))
    }

    fn of(definition: Option<&Value>, revisions: &[Revision]) -> (Vec<String>, Option<String>) {
        let spec = json!({"type": "Feature", "term": "P1Y"});
        let serving = Definition::read("seats", &serde_json::from_value(spec).unwrap(), &BTreeMap::new()).unwrap();
        let metadata = definition.map(|metadata| serde_json::from_value(metadata.clone()).unwrap());
        told(&history(metadata.as_ref(), Some(&serving), revisions.iter()))
    }

    #[test]
    fn a_history_has_what_serves_and_each_kept_state_the_latest_first() {
        let revisions = [
            revision(1, "2026-01-01T00:00:00Z", &json!({"type": "Feature"})),
            revision(2, "2026-02-01T00:00:00Z", &json!({"type": "Feature", "term": "P1M", "gracePeriod": "P7D"})),
            revision(3, "2026-03-01T00:00:00Z", &json!({"type": "Feature", "gracePeriod": "PT0S"})),
            revision(4, "2026-04-01T00:00:00Z", &json!({"type": "Feature", "term": "soon"})),
            revision(5, "2026-05-01T00:00:00Z", &json!({"type": "Feature", "term": "P1Y"})),
        ];
        let (states, since) = of(None, &revisions);
        assert_eq!(states, ["P1Y -", "- -", "P1M P7D"]);
        assert_eq!(since.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    /// A definition that was deleted and made anew has given what the one before it gave, too.
    #[rstest]
    #[case::its_own_from_the_start("2026-01-01T00:00:00Z", &["2026-01-01T00:00:01Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_before_it("2026-01-01T00:00:17Z", &["2026-01-01T00:00:00Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_long_before_it("2026-06-01T00:00:00Z", &["2026-01-01T00:00:00Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_of_which_some_is_forgotten("2026-01-01T00:00:17Z", &["2026-01-01T00:00:00Z"; 12], None)]
    #[case::nothing_kept_yet("2026-01-01T00:00:00Z", &[], Some("2026-01-01T00:00:00Z"))]
    fn what_one_that_is_gone_gave_is_known_as_far_as_it_was_kept(
        #[case] made: &str,
        #[case] kept: &[&str],
        #[case] expected: Option<&str>,
    ) {
        let revisions: Vec<_> =
            (1..).zip(kept).map(|(number, made)| revision(number, made, &json!({"type": "Feature"}))).collect();
        let (_, since) = of(Some(&json!({"generation": 1, "creationTimestamp": made})), &revisions);
        assert_eq!(since.as_deref(), expected);
    }

    #[test]
    fn a_history_has_each_amount_in_the_present_unit() {
        let seats = |amount: Value| json!({"type": "Quantity", "unit": "seats", "amount": amount});
        let revisions = [
            revision(1, "2026-01-01T00:00:00Z", &json!({"type": "Feature"})),
            revision(2, "2026-01-02T00:00:00Z", &json!({"type": "Quantity", "unit": "rooms", "amount": 7})),
            revision(3, "2026-01-03T00:00:00Z", &seats(json!("2.50"))),
            revision(4, "2026-01-04T00:00:00Z", &seats(json!("many"))),
            revision(5, "2026-01-05T00:00:00Z", &seats(json!(10))),
            revision(6, "2026-01-06T00:00:00Z", &seats(json!("Unlimited"))),
        ];
        let of = |spec: Value| {
            let serving = Definition::read("seats", &serde_json::from_value(spec).unwrap(), &BTreeMap::new()).unwrap();
            let amounts = history(None, Some(&serving), revisions.iter()).amounts.clone();
            amounts.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(seats(json!(10))), ["10", "Unlimited", "2.5"]);
        assert_eq!(of(json!({"type": "Feature"})), [""; 0]);
    }

    /// What was kept before there was `rollout` is the same as what is kept now.
    #[test]
    fn a_rollout_that_is_not_stated_makes_no_other_revision() {
        let hash = |spec: Value| {
            let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
            Source::gather(&spec, |_| None).unwrap().hash()
        };
        let before = json!({"spec": {
            "type": "Quantity", "unit": "seats", "amount": 10, "allowMultiple": false, "aggregation": "Sum",
            "renewalNotices": ["P30D"],
        }, "facets": {}});
        let spec = |rollout: Value| {
            let mut spec = before["spec"].clone();
            spec["rollout"] = rollout;
            spec
        };
        assert_eq!(hash(before["spec"].clone()), hex::encode(canonical_hash(&before)));
        assert_eq!(hash(spec(json!("Agreed"))), hash(before["spec"].clone()));
        assert_ne!(hash(spec(json!("Everyone"))), hash(before["spec"].clone()));
    }

    #[rstest]
    #[case::never_edited(json!({"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}), 0, Some("2026-01-01T00:00:00Z"))]
    #[case::never_edited_and_kept(json!({"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}), 1, Some("2026-01-01T00:00:00Z"))]
    #[case::edited_with_all_kept(json!({"generation": 9, "creationTimestamp": "2026-01-01T00:00:00Z"}), 10, Some("2026-01-01T00:00:00Z"))]
    #[case::edited_and_forgotten(json!({"generation": 12, "creationTimestamp": "2026-01-01T00:00:00Z"}), 11, None)]
    #[case::edited_with_none_kept(json!({"generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z"}), 0, None)]
    // The first revision is of 2026-01-01T00:00:30Z.
    #[case::lost_and_kept_anew(json!({"generation": 2, "creationTimestamp": "2025-12-31T00:00:00Z"}), 1, Some("2026-01-01T00:00:30Z"))]
    #[case::made_anew(json!({"generation": 1, "creationTimestamp": "2026-06-01T00:00:00Z"}), 3, Some("2026-01-01T00:00:30Z"))]
    #[case::of_a_file(json!({}), 0, None)]
    fn a_history_knows_since_when_it_is_whole(
        #[case] definition: Value,
        #[case] kept: i64,
        #[case] since: Option<&str>,
    ) {
        let revisions: Vec<Revision> = (0..kept)
            .map(|number| {
                revision(number, &format!("2026-01-{:02}T00:00:30Z", number + 1), &json!({"type": "Feature"}))
            })
            .collect();
        assert_eq!(of(Some(&definition), &revisions).1.as_deref(), since);
    }
}
