//! Definitions as a kind of the catalogue: what they are made of, and what serves.

use super::{
    entry::{CatalogueEntry, Present},
    history::history,
    kind::{CatalogueKind, Catalogued},
    revision::Revision,
};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{
        belief::History,
        definition::{Definition, Schemas},
        problem::Problem,
        reason::ReasonCode,
    },
    render::{
        flags::Offer,
        output::{self, CompiledOutput},
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// All that a definition is made of: what a revision of it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefinitionState {
    /// The definition's spec.
    pub spec: EntitlementDefinitionSpec,
    /// The schemas of the FacetDefinitions that it refers to, by name.
    #[serde(default)]
    pub facets: Schemas,
}

impl DefinitionState {
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
                Problem::new(ReasonCode::FacetNotFound, message)
            })?;
            facets.insert(name.clone(), schema);
        }
        Ok(Self { spec: spec.clone(), facets })
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
    pub fn compile(name: &str, state: &DefinitionState) -> Result<Self, Problem> {
        Self::with(Definition::read(name, &state.spec, &state.facets)?, state)
    }

    /// Reads a definition that was valid once, and serves for as long as nothing newer does.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn compile_kept(name: &str, state: &DefinitionState) -> Result<Self, Problem> {
        Self::with(Definition::read_kept(name, &state.spec, &state.facets)?, state)
    }

    fn with(terms: Definition, state: &DefinitionState) -> Result<Self, Problem> {
        match output::compile(&terms, &state.spec.outputs) {
            Ok(outputs) => Ok(Self { terms, outputs }),
            Err(problems) => Err(Problem::all(problems).unwrap_or_else(|| Problem::new(ReasonCode::InvalidOutput, ""))),
        }
    }
}

impl Catalogued for CompiledDefinition {
    const KIND: CatalogueKind = CatalogueKind::Definition;

    type State = DefinitionState;
    type History = History;

    fn compile(name: &str, state: &DefinitionState) -> Result<Self, Problem> {
        Self::compile(name, state)
    }

    fn compile_kept(name: &str, state: &DefinitionState) -> Result<Self, Problem> {
        Self::compile_kept(name, state)
    }

    fn history(
        metadata: Option<&ObjectMeta>,
        serving: Option<(&Arc<Self>, Option<&str>)>,
        revisions: &[impl AsRef<Revision>],
    ) -> History {
        history(metadata, serving.map(|(serving, _)| &serving.terms), revisions)
    }
}

impl CatalogueEntry {
    /// What can be held of it now; None where it is not ready.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        let terms = &self.serving.as_ref().filter(|_| self.present == Present::Valid)?.terms;
        Some(Offer {
            has_amount: terms.amount.is_some(),
            has_facets: !terms.facets.is_empty(),
            is_metered: terms.usage.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{core::schema::canonical_hash, evaluation::catalogue::state_hash};
    use serde_json::json;

    /// What was kept before there was `rollout` is the same as what is kept now.
    #[test]
    fn a_rollout_that_is_not_stated_makes_no_other_revision() {
        let hash = |spec: Value| {
            let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
            state_hash(&DefinitionState::gather(&spec, |_| None).unwrap())
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
        assert_eq!(*hash(before["spec"].clone()), *hex::encode(canonical_hash(&before)));
        assert_eq!(hash(spec(json!("Agreed"))), hash(before["spec"].clone()));
        assert_ne!(hash(spec(json!("Everyone"))), hash(before["spec"].clone()));
    }
}
