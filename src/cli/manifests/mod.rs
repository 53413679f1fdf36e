//! Manifests: files, folders and standard input, read as kubectl reads them and checked as the API server checks them.
//!
//! | file | what it knows |
//! |---|---|
//! | `source` | files, folders, standard input |
//! | `text` | YAML and JSON documents in a text |
//! | `node` | a value that remembers where it stands |
//! | `path` | the way from an object to a part of it |
//! | `document` | lists, and what an object is |
//! | `structure` | unknown fields, nulls, defaults |
//! | `resource` | the CustomResourceDefinitions as checks |
//! | `secret` | the data of Secrets |

mod document;
mod node;
mod path;
mod resource;
mod secret;
mod source;
mod structure;
mod text;

#[cfg(test)]
mod tests;

pub use node::Place;
pub use path::Path;
pub use resource::UnusableDefinition;

use super::finding::{Finding, Severity};
use crate::{
    core::calendar::Instant,
    offline::{EntitlementKind, Inventory, Subject},
};
use document::{Recognised, objects, recognise};
use node::Node;
use resource::Resources;
use serde::de::DeserializeOwned;
use serde_json::Value;
use source::Source;
use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    path::PathBuf,
    sync::Arc,
};
use structure::Remark;

/// Where an object was read from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The number of the file, in the order in which they were read.
    pub source: usize,
    /// The file.
    pub path: Arc<str>,
    /// The object as it is written.
    pub object: Node,
}

/// An object of one of the operator's kinds, and where it was read from.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it was read from.
    pub origin: Origin,
    /// As the API server would keep it.
    pub value: Value,
}

/// How manifests are read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The moment at which objects without a `creationTimestamp` count as made.
    pub created: Instant,
    /// The namespace of objects that name none.
    pub namespace: Arc<str>,
    /// The operator's own namespace.
    pub operator_namespace: String,
}

/// All that was read.
pub struct Manifests {
    /// The objects that the API server would take.
    pub inventory: Inventory,
    /// Those of the operator's kinds, and where each comes from.
    pub documents: BTreeMap<Subject, Document>,
    /// What the API server would refuse, and warnings.
    pub findings: Vec<Finding>,
    /// What could not be read at all, a sentence for each.
    pub unreadable: Vec<String>,
    /// How many objects of each other kind there were.
    pub ignored: BTreeMap<String, u64>,
}

/// Reads manifests; `input` is what `-` stands for.
///
/// # Errors
/// When the checks cannot be made. What is wrong with the manifests is part of the result.
pub fn read(paths: &[PathBuf], input: &mut dyn Read, options: &ReadOptions) -> Result<Manifests, UnusableDefinition> {
    let (sources, unreadable) = source::read(paths, input);
    let mut reader = Reader {
        resources: Resources::new()?,
        options,
        seen: HashMap::new(),
        manifests: Manifests {
            inventory: Inventory::new(options.created, &options.operator_namespace),
            documents: BTreeMap::new(),
            findings: Vec::new(),
            unreadable,
            ignored: BTreeMap::new(),
        },
    };
    for (index, source) in sources.iter().enumerate() {
        reader.read(index, source);
    }
    Ok(reader.manifests)
}

/// Kind, namespace and name.
type Identity = (String, Option<Arc<str>>, String);

struct Reader<'a> {
    resources: Resources,
    options: &'a ReadOptions,
    /// Where each object stands.
    seen: HashMap<Identity, String>,
    manifests: Manifests,
}

impl Reader<'_> {
    fn read(&mut self, index: usize, source: &Source) {
        let documents = match text::documents(&source.text) {
            Ok(documents) => documents,
            Err(error) => {
                let place = error.place.map_or_else(String::new, |place| format!("{}:{}: ", place.line, place.column));
                let separator = if place.is_empty() { ": " } else { ":" };
                self.manifests.unreadable.push(format!("{}{separator}{place}{}", source.path, error.message));
                return;
            }
        };
        for object in documents.into_iter().flat_map(objects) {
            self.add(Origin { source: index, path: Arc::clone(&source.path), object }, source);
        }
    }

    fn add(&mut self, origin: Origin, source: &Source) {
        match recognise(&origin.object) {
            Recognised::Entitlement(kind) => self.add_entitlement(kind, origin, &source.text),
            Recognised::Secret => self.add_secret(&origin),
            Recognised::Unknown(problem) => {
                let is_placed = stated_namespace(&origin.object).is_some();
                let label = self.label(&origin.object, is_placed);
                let part = Path::fields(&["kind"]);
                let finding = Finding::new(&origin, &part, Severity::Error, &label, "UnknownKind", &problem);
                self.manifests.findings.push(finding);
            }
            Recognised::Other(kind) => *self.manifests.ignored.entry(kind).or_default() += 1,
            // Folders hold much that is not for the cluster, such as the values of Helm charts.
            Recognised::Nothing(_) if source.is_found => {
                *self.manifests.ignored.entry("document that is no object of Kubernetes".to_owned()).or_default() += 1;
            }
            Recognised::Nothing(problem) => {
                self.manifests.unreadable.push(format!("{}:{}: {problem}", origin.path, origin.object.place.line));
            }
        }
    }

    fn add_entitlement(&mut self, kind: EntitlementKind, origin: Origin, text: &str) {
        let label = self.label(&origin.object, kind.is_namespaced());
        let mut checked = self.resources.check(kind, &origin.object, text);
        self.remark(&origin, &label, Severity::Warning, "AmbiguousText", &checked.warnings);
        self.remark(&origin, &label, Severity::Error, "Invalid", &checked.errors);
        let is_new = self.is_new(&origin, kind.is_namespaced());
        if !checked.errors.is_empty() || !is_new {
            return;
        }
        let namespace = self.place_in_namespace(&mut checked.value, kind);
        if let Err(error) = self.add_to_inventory(kind, &checked.value) {
            let remark = Remark { path: Path::default(), message: error.to_string() };
            self.remark(&origin, &label, Severity::Error, "Invalid", &[remark]);
            return;
        }
        let name = checked.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let subject = Subject { kind, namespace, name: name.into() };
        self.manifests.documents.insert(subject, Document { origin, value: checked.value });
    }

    fn add_to_inventory(&mut self, kind: EntitlementKind, value: &Value) -> Result<(), serde_json::Error> {
        let inventory = &mut self.manifests.inventory;
        match kind {
            EntitlementKind::Organization => inventory.add_organization(typed(value)?),
            EntitlementKind::FacetDefinition => inventory.add_facet(typed(value)?),
            EntitlementKind::EntitlementDefinition => inventory.add_definition(typed(value)?),
            EntitlementKind::EntitlementInstance => inventory.add_instance(typed(value)?),
        }
        Ok(())
    }

    fn add_secret(&mut self, origin: &Origin) {
        let label = self.label(&origin.object, true);
        let (name, namespace) = (name(&origin.object).unwrap_or_default(), self.namespace(&origin.object));
        match secret::read(&origin.object) {
            Ok(data) if self.is_new(origin, true) => {
                let key = (namespace, name.into());
                self.manifests.inventory.add_secrets(BTreeMap::from([(key, Arc::new(data))]));
            }
            Ok(_) => {}
            Err(errors) => self.remark(origin, &label, Severity::Error, "Invalid", &errors),
        }
    }

    fn remark(&mut self, origin: &Origin, label: &str, severity: Severity, reason: &str, remarks: &[Remark]) {
        for Remark { path, message } in remarks {
            let part = path.to_string();
            let message = if part.is_empty() { message.clone() } else { format!("{part}: {message}") };
            self.manifests.findings.push(Finding::new(origin, path, severity, label, reason, &message));
        }
    }

    /// Notes an object, unless there is one of its name.
    fn is_new(&mut self, origin: &Origin, is_namespaced: bool) -> bool {
        let object = &origin.object;
        let (Some(kind), Some(name)) = (object.get("kind").and_then(Node::text), name(object)) else { return true };
        let namespace = is_namespaced.then(|| self.namespace(object));
        let here = format!("{}:{}", origin.path, object.place.line);
        let identity = (kind.to_owned(), namespace, name.to_owned());
        if let Some(there) = self.seen.get(&identity) {
            let label = self.label(object, is_namespaced);
            let problem =
                format!("{here}: {label}: it is there twice, also in {there}: remove or rename one of the two");
            self.manifests.unreadable.push(problem);
            return false;
        }
        self.seen.insert(identity, here);
        true
    }

    /// An object that names no namespace lies in the default one; of a kind without namespaces, in none.
    fn place_in_namespace(&self, value: &mut Value, kind: EntitlementKind) -> Option<Arc<str>> {
        let metadata = value.get_mut("metadata").and_then(Value::as_object_mut)?;
        if !kind.is_namespaced() {
            metadata.remove("namespace");
            return None;
        }
        let namespace = metadata.entry("namespace").or_insert_with(|| self.options.namespace.as_ref().into());
        namespace.as_str().map(Arc::from)
    }

    fn namespace(&self, object: &Node) -> Arc<str> {
        stated_namespace(object).map_or_else(|| Arc::clone(&self.options.namespace), Arc::from)
    }

    /// Kind and name of an object, whatever it is.
    fn label(&self, object: &Node, is_namespaced: bool) -> String {
        let kind = object.get("kind").and_then(Node::text).unwrap_or("object");
        match name(object) {
            Some(name) if is_namespaced => format!("{kind} {}/{name}", self.namespace(object)),
            Some(name) => format!("{kind} {name}"),
            None => format!("{kind} without a name"),
        }
    }
}

fn name(object: &Node) -> Option<&str> {
    object.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text)
}

fn stated_namespace(object: &Node) -> Option<&str> {
    object.get("metadata").and_then(|metadata| metadata.get("namespace")).and_then(Node::text)
}

fn typed<K: DeserializeOwned>(value: &Value) -> Result<K, serde_json::Error> {
    K::deserialize(value)
}
