//! What a grant states of its facets, whether it can be used, and its secret values.

use super::{SecretSources, Snapshot, standing};
use crate::{
    api::facet_fields::{FacetFields, SecretFacet},
    core::{
        definition::Definition,
        facets::{
            SecretFields, Statement, check_names, check_size, check_source, check_values, complete, doubts,
            supplied_secrets,
        },
        grant::Grant,
        lifecycle::Verdict,
        namespace::{Lack, NamespaceAccess},
        problem::Problem,
        reason::ReasonCode,
        schema::Violation,
        secret::Secret,
    },
};
use std::sync::Arc;

/// Whether what a grant states can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It can; what of it is hardly meant.
    Valid(Vec<Violation>),
    /// It cannot, and why.
    Invalid(Vec<Violation>),
    /// No definition says so.
    Unknown,
}

impl Validity {
    /// What is wrong.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            Self::Valid(_) | Self::Unknown => &[],
        }
    }
}

/// What is wrong, as one text.
#[must_use]
pub fn sentences(violations: &[Violation]) -> String {
    violations.iter().map(|violation| violation.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// Where a grant names the sources of its secret values.
const SECRETS: &str = "/spec/secretFacets";

/// There is no such source, or it cannot be used.
fn not_found(message: String) -> Problem {
    Problem::new(ReasonCode::SecretNotFound, message).at(SECRETS)
}

/// The facets of one grant.
#[derive(Clone, Debug)]
pub struct GrantFacets {
    /// Whether what it states now can be used.
    pub validity: Validity,
    /// What serves: what it states, else what it stated last that was valid; absent where there never was such.
    pub statement: Option<Statement>,
    /// The next value of `status.facets`.
    pub remembered: Option<Arc<FacetFields>>,
    /// Secret values.
    pub secrets: SecretFields,
    /// Secret fields whose source is missing, unusable or not seen.
    pub missing: Vec<(SecretFacet, Problem)>,
}

impl GrantFacets {
    /// The facets of a grant, as the amendments (by index) that are in force have them.
    #[must_use]
    pub fn of(snapshot: &Snapshot, definition: Option<&Definition>, grant: &Grant, amendments: &[usize]) -> Self {
        Self::of_statement(snapshot, definition, grant, Statement::of(grant, amendments))
    }

    /// The facets of a grant, of whose facets that is stated.
    #[must_use]
    pub fn of_statement(
        snapshot: &Snapshot,
        definition: Option<&Definition>,
        grant: &Grant,
        stated: Statement,
    ) -> Self {
        let remembered = grant.remembered.facets.clone();
        let Some(definition) = definition else {
            return Self {
                validity: Validity::Unknown,
                statement: None,
                remembered,
                secrets: SecretFields::new(),
                missing: Vec::new(),
            };
        };
        let remembered = remembered.map(|facets| without_secrets(definition, facets));
        let (secrets, missing, mut problems) = secrets(definition, grant, snapshot);
        let merged = stated.merged();
        problems.extend(stated_problems(definition, grant, &merged));
        if problems.is_empty() {
            let is_worth_remembering = !definition.facets.is_empty() || !merged.is_empty();
            return Self {
                validity: Validity::Valid(doubts(definition, &merged)),
                statement: Some(stated),
                remembered: is_worth_remembering.then(|| shared(merged, grant)),
                secrets,
                missing,
            };
        }
        let statement = remembered.clone().map(Statement::remembered);
        Self { validity: Validity::Invalid(problems), statement, remembered, secrets, missing }
    }
}

/// Most grants are not amended, and then it is what they state: that need not be kept twice.
fn shared(merged: FacetFields, grant: &Grant) -> Arc<FacetFields> {
    if merged == *grant.facets { Arc::clone(&grant.facets) } else { Arc::new(merged) }
}

/// What was no secret when it was recorded may be one by now, or somebody else may have written it there.
fn without_secrets(definition: &Definition, mut facets: Arc<FacetFields>) -> Arc<FacetFields> {
    let is_secret = |name: &str, field: &str| {
        definition.facets.get(name).is_some_and(|facet| facet.schema.secret_fields().contains(field))
    };
    let mut stated = facets.iter().flat_map(|(name, fields)| fields.keys().map(move |field| (name, field)));
    if stated.any(|(name, field)| is_secret(name, field)) {
        for (name, fields) in Arc::make_mut(&mut facets) {
            fields.retain(|field, _| !is_secret(name, field));
        }
    }
    facets
}

/// The amendments (by index) in force that have facets.
#[must_use]
pub fn effective(grant: &Grant, verdict: &Verdict) -> Vec<usize> {
    verdict.effective().filter(|index| grant.amendments.get(*index).is_some_and(|one| one.facets.is_some())).collect()
}

fn stated_problems(definition: &Definition, grant: &Grant, merged: &FacetFields) -> Vec<Violation> {
    if let Err(too_large) = check_size(merged) {
        return too_large;
    }
    let names = check_names(definition, merged, grant);
    let values = complete(definition, &std::iter::once(merged))
        .and_then(|values| check_values(definition, &values, &supplied_secrets(grant)));
    [names, values].into_iter().filter_map(Result::err).flatten().collect()
}

type SecretsFound = (SecretFields, Vec<(SecretFacet, Problem)>, Vec<Violation>);

fn secrets(definition: &Definition, grant: &Grant, snapshot: &Snapshot) -> SecretsFound {
    let mut found = SecretsFound::default();
    for source in &grant.secret_facets {
        let Some(facet) = definition.facets.get(source.facet.as_str()) else { continue };
        if !facet.schema.secret_fields().contains(&source.field) {
            continue;
        }
        if let Err(violation) = check_source(source) {
            found.1.push((source.clone(), not_found(violation.message.clone())));
            found.2.push(violation);
            continue;
        }
        if let Some(unseen) = unseen(grant, source, snapshot) {
            found.1.push((source.clone(), unseen));
            continue;
        }
        let value = match value(grant, source, &snapshot.secrets) {
            Ok(value) => value,
            Err(message) => {
                found.1.push((source.clone(), not_found(message)));
                continue;
            }
        };
        if let Err(violations) = facet.schema.validate_secret(&source.facet, &source.field, &value) {
            found.1.push((source.clone(), not_found(sentences(&violations))));
            found.2.extend(violations);
            continue;
        }
        found.0.entry(source.facet.clone()).or_default().insert(source.field.clone(), value);
    }
    found
}

/// What may not be read is not missing for that.
fn unseen(grant: &Grant, source: &SecretFacet, snapshot: &Snapshot) -> Option<Problem> {
    let (namespace, name) = (&grant.id.source.namespace, &source.secret_key_ref.name);
    let access = snapshot.namespaces.get(namespace).map(|facts| facts.access);
    if let Some(NamespaceAccess::NoSecrets(Lack::NotServed)) = access {
        let Problem { reason, message, .. } = standing::without_secrets(namespace, Lack::NotServed);
        let message = format!("facets.{}.{}: the Secret {name} is not read: {message}", source.facet, source.field);
        return Some(Problem::new(reason, message).at(SECRETS));
    }
    let is_unseen = snapshot.unseen.contains(&(Arc::clone(namespace), name.as_str().into()));
    is_unseen.then(|| {
        let message = format!(
            "facets.{}.{}: the Secret {namespace}/{name} was not seen, as you may not read it: whether there is a value, and what is made of it, is not known",
            source.facet, source.field
        );
        Problem::new(ReasonCode::SecretNotSeen, message).at(SECRETS)
    })
}

fn value(grant: &Grant, source: &SecretFacet, sources: &SecretSources) -> Result<Secret<String>, String> {
    let reference = &source.secret_key_ref;
    let namespace = &grant.id.source.namespace;
    let field = format!("facets.{}.{}", source.facet, source.field);
    let key = (namespace.clone(), reference.name.as_str().into());
    let data = sources
        .get(&key)
        .ok_or_else(|| format!("{field}: there is no Secret {} in namespace {namespace}: make it", reference.name))?;
    let bytes = data.get(&reference.key).ok_or_else(|| {
        format!("{field}: the Secret {namespace}/{} has no key {}: add it", reference.name, reference.key)
    })?;
    let text = std::str::from_utf8(bytes.expose_secret()).map_err(|_| {
        format!("{field}: key {} of the Secret {namespace}/{} is not UTF-8 text, which a facet holds: store it encoded, such as in base64", reference.key, reference.name)
    })?;
    Ok(Secret::new(text.to_owned()))
}
