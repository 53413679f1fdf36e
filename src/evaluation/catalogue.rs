//! The catalogue: each definition as it is now, and the last valid state of it, which serves.

use super::object::{DEFINITION, MANAGED_BY, MANAGER};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{definition::Definition, schema::canonical_hash},
    render::output::{self, CompiledOutput},
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

pub use crate::core::definition::Problem;

/// All that a definition is made of: what a revision of it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The definition's spec.
    pub spec: EntitlementDefinitionSpec,
    /// The schemas of the FacetDefinitions that it refers to, by name.
    #[serde(default)]
    pub facets: BTreeMap<String, Value>,
}

impl Source {
    /// A definition's spec with the schemas that it refers to.
    ///
    /// # Errors
    /// `FacetNotFound` where it refers to a FacetDefinition that does not exist.
    pub fn gather(
        spec: &EntitlementDefinitionSpec,
        schema_of: impl Fn(&str) -> Option<Value>,
    ) -> Result<Self, Problem> {
        let mut facets = BTreeMap::new();
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
}

impl CatalogueEntry {
    /// A definition that exists and is valid.
    #[must_use]
    pub fn valid(compiled: CompiledDefinition) -> Self {
        Self { present: Present::Valid, serving: Some(Arc::new(compiled)), revision: None }
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
}

impl Revision {
    /// Reads an object; None if it is not one of the operator's.
    #[must_use]
    pub fn read(object: ControllerRevision) -> Option<Self> {
        let name = object.metadata.name.as_deref().unwrap_or_default().into();
        let labels = object.metadata.labels?;
        if labels.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
            return None;
        }
        let definition = labels.get(DEFINITION)?.as_str().into();
        let data = object.data.map(|data| data.0).unwrap_or_default();
        Some(Self { name, definition, number: object.revision, data })
    }
}

/// A state of a definition that was kept and can serve.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What serves.
    pub serving: Arc<CompiledDefinition>,
    /// Of its source.
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
