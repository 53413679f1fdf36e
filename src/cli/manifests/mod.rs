//! Manifests: files, folders, and standard input, read as kubectl reads them and checked as the API server checks them.
//!
//! | file | what it knows |
//! |---|---|
//! | `source` | files, folders, standard input |
//! | `text` | YAML and JSON documents in a text |
//! | `yaml`, `scalar` | YAML as kubectl reads it |
//! | `json` | JSON |
//! | `places` | lines, columns, and bytes of a text |
//! | `node` | a value that remembers its place |
//! | `path` | the way from an object to a part of it |
//! | `document` | lists, and the kind of an object |
//! | `structure` | unknown fields, nulls, defaults |
//! | `change` | manifests that come after others, and what those lock |
//! | `layers` | manifests on top of others |
//! | `resource`, `rules` | the CustomResourceDefinitions as checks |
//! | `parallel` | work shared among threads |
//! | `secret` | the data of Secrets |

mod change;
mod document;
mod json;
mod layers;
mod node;
mod parallel;
mod path;
mod places;
mod resource;
mod rules;
mod scalar;
mod secret;
mod source;
mod structure;
mod text;
mod yaml;

#[cfg(test)]
mod tests;

pub use node::{Content, Node, TextSpan};
pub use path::{Aim, Path, Rewrite};
pub use resource::UnusableDefinition;
pub use secret::SecretValues;
pub use source::STANDARD_INPUT;
use text::MAX_VALUES;

use super::diagnostics::{Excerpt, Finding, IN_CLUSTER, Label, MAX_FINDINGS, Severity, SourceLocation};
use crate::offline::{EntitlementKind, Inventory, Subject, When};
use document::{Recognised, objects, recognise};
use resource::Resources;
use serde_json::Value;
use source::Source;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use structure::{Remark, Structured};
use text::Chunk;

/// Where an object was read from.
#[derive(Clone, Debug)]
pub struct DocumentOrigin {
    /// The number of the file, in the order in which they were read.
    pub source: usize,
    /// The file.
    pub path: Arc<str>,
    /// The object as it is written.
    pub object: Arc<Node>,
}

impl DocumentOrigin {
    /// The place of an object in a cluster, which is in no file.
    #[must_use]
    pub fn in_cluster() -> Self {
        Self { source: 0, path: IN_CLUSTER.into(), object: Arc::new(Node::nowhere()) }
    }

    /// Whether it is that of an object in a cluster.
    #[must_use]
    pub fn is_in_cluster(&self) -> bool {
        self.object.is_nowhere()
    }

    /// Where a part of the object stands.
    #[must_use]
    pub fn location(&self, part: &Path, aim: Aim) -> SourceLocation {
        let span = (!self.is_in_cluster()).then(|| part.span(&self.object, aim));
        SourceLocation { source: self.source, path: Arc::clone(&self.path), span }
    }
}

/// An object of one of the operator's kinds, and where it was read from.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it was read from.
    pub origin: DocumentOrigin,
    /// As the API server would keep it.
    pub value: Value,
}

/// How manifests are read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The moment at which objects without a `creationTimestamp` count as made.
    pub created: When,
    /// The namespace of objects that name none.
    pub namespace: Arc<str>,
    /// The operator's own namespace.
    pub operator_namespace: String,
}

/// What is counted as ignored that has no kind.
pub const NO_OBJECT: &str = "document that is no object of Kubernetes";

/// All that was read.
pub struct Manifests {
    /// The objects that the API server would take.
    pub inventory: Inventory,
    /// Those of the operator's kinds, and where each comes from.
    pub documents: BTreeMap<Subject, Document>,
    /// Those of the operator's kinds that the API server would refuse.
    pub refused: BTreeSet<Subject>,
    /// What could not be read, what the API server would refuse, and warnings.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub left_out: usize,
    /// How many objects of each other kind there were, and under [`NO_OBJECT`] how many documents that are none.
    pub ignored: BTreeMap<String, u64>,
    /// The texts.
    pub sources: Vec<Source>,
    /// What is wrong with what they are laid over, which is no news ([`Finding::gist`]).
    pub known: BTreeSet<String>,
}

/// Why manifests cannot be read, whatever they are.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The generated CustomResourceDefinitions are wrong.
    #[error(transparent)]
    Definition(#[from] UnusableDefinition),
    /// A thread failed, or could not be made.
    #[error("the manifests cannot be read: a thread failed, or the system allows no more of them")]
    Threads,
}

/// Reads manifests; `input` is what `-` stands for.
///
/// # Errors
/// When the checks cannot be made. What is wrong with the manifests is part of the result.
pub fn read(paths: &[PathBuf], input: &mut dyn Read, options: &ReadOptions) -> Result<Manifests, ReadError> {
    let (sources, unreadable) = source::read(paths, input);
    let mut reader = ManifestReader {
        options,
        seen: HashMap::new(),
        manifests: Manifests {
            inventory: Inventory::new(options.created, &options.operator_namespace),
            documents: BTreeMap::new(),
            refused: BTreeSet::new(),
            findings: unreadable.into_iter().map(unreadable_source).collect(),
            left_out: 0,
            ignored: BTreeMap::new(),
            sources: Vec::new(),
            known: BTreeSet::new(),
        },
    };
    let objects = reader.parse(&sources)?;
    let resources = Resources::new()?;
    let examined = parallel::map(&objects, |object| resources.examine(object)).ok_or(ReadError::Threads)?;
    for (found, examined) in objects.iter().zip(examined) {
        let source = sources.get(found.origin.source);
        reader.add(&found.origin, examined, source.is_some_and(|source| source.is_found));
    }
    let mut manifests = reader.manifests;
    manifests.sources = sources;
    Ok(manifests)
}

/// Kind, namespace and name.
type ObjectIdentity = (String, Option<Arc<str>>, String);

/// An object, as it was found.
struct FoundObject<'a> {
    origin: DocumentOrigin,
    chunk: Chunk<'a>,
}

/// What an object is, and what the API server would say to it.
enum Examined {
    Entitlement(EntitlementKind, Structured),
    Secret(Result<SecretValues, Vec<Remark>>),
    Unknown(String),
    Other(String),
    Nothing(&'static str),
}

impl Resources {
    fn examine(&self, found: &FoundObject) -> Examined {
        let object = &found.origin.object;
        match recognise(object) {
            Recognised::Entitlement(kind) => Examined::Entitlement(kind, self.check(kind, object, found.chunk.text)),
            Recognised::Secret => Examined::Secret(secret::read(object)),
            Recognised::Unknown(problem) => Examined::Unknown(problem),
            Recognised::Other(kind) => Examined::Other(kind),
            Recognised::Nothing(problem) => Examined::Nothing(problem),
        }
    }
}

struct ManifestReader<'a> {
    options: &'a ReadOptions,
    /// Where each object stands.
    seen: HashMap<ObjectIdentity, String>,
    manifests: Manifests,
}

impl ManifestReader<'_> {
    /// All objects of the texts, in their order.
    fn parse<'a>(&mut self, sources: &'a [Source]) -> Result<Vec<FoundObject<'a>>, ReadError> {
        let of_source = |(index, source): (usize, &'a Source)| {
            text::chunks(&source.text).into_iter().map(move |chunk| (index, chunk))
        };
        let chunks: Vec<(usize, Chunk)> = sources.iter().enumerate().flat_map(of_source).collect();
        let values = AtomicUsize::new(0);
        let parse = |(_, chunk): &(usize, Chunk)| {
            if values.load(Ordering::Relaxed) > MAX_VALUES {
                return Ok(Vec::new());
            }
            let documents = text::read(*chunk)?;
            values.fetch_add(documents.iter().map(Node::count).sum(), Ordering::Relaxed);
            Ok(documents)
        };
        let parsed = parallel::map(&chunks, parse).ok_or(ReadError::Threads)?;
        if values.into_inner() > MAX_VALUES {
            let message = format!("the manifests have more than {MAX_VALUES} values: name fewer");
            self.find(unreadable_source((source::all_paths(sources), message)));
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(chunks.len());
        for ((source, chunk), documents) in chunks.into_iter().zip(parsed) {
            let Some(path) = sources.get(source).map(|source| &source.path) else { continue };
            let origin = |object| DocumentOrigin { source, path: Arc::clone(path), object: Arc::new(object) };
            match documents {
                Ok(documents) => {
                    let objects = documents.into_iter().flat_map(objects);
                    found.extend(objects.map(|object| FoundObject { origin: origin(object), chunk }));
                }
                Err(error) => self.find(unreadable_text(source, path, chunk, error)),
            }
        }
        Ok(found)
    }

    fn find(&mut self, finding: Finding) {
        if self.manifests.findings.len() < MAX_FINDINGS {
            self.manifests.findings.push(finding);
        } else {
            self.manifests.left_out += 1;
        }
    }

    fn add(&mut self, origin: &DocumentOrigin, examined: Examined, is_found: bool) {
        let object = &origin.object;
        match examined {
            Examined::Entitlement(kind, checked) => self.add_entitlement(kind, origin, checked),
            Examined::Secret(data) => self.add_secret(origin, data),
            Examined::Unknown(problem) => {
                let label = self.label(object, stated_namespace(object).is_some());
                let remark = Remark::new(Path::fields(&["kind"]), problem);
                let finding = finding(origin, Some(label), Severity::Error, "UnknownKind", &remark);
                self.find(Finding { field: String::new(), message: remark.message, ..finding });
            }
            Examined::Other(kind) => *self.manifests.ignored.entry(kind).or_default() += 1,
            // Folders hold much that is not for the cluster, such as the values of Helm charts.
            Examined::Nothing(_) if is_found => {
                *self.manifests.ignored.entry(NO_OBJECT.to_owned()).or_default() += 1;
            }
            Examined::Nothing(problem) => {
                let remark = Remark::new(Path::default(), problem);
                self.find(finding(origin, None, Severity::Unreadable, "NoObject", &remark));
            }
        }
    }

    fn add_entitlement(&mut self, kind: EntitlementKind, origin: &DocumentOrigin, mut checked: Structured) {
        let label = self.label(&origin.object, kind.is_namespaced());
        self.remark(origin, &label, Severity::Warning, "AmbiguousText", &checked.warnings);
        self.remark(origin, &label, Severity::Warning, "NullDropped", &checked.nulls);
        self.remark(origin, &label, Severity::Error, "Invalid", &checked.errors);
        let is_new = self.is_new(origin, kind.is_namespaced());
        if let (false, Some(name)) = (checked.errors.is_empty(), &label.name) {
            self.manifests.refused.insert(Subject {
                kind,
                namespace: label.namespace.clone(),
                name: name.as_str().into(),
            });
        }
        if !checked.errors.is_empty() || !is_new {
            return;
        }
        let namespace = self.place_in_namespace(&mut checked.value, kind);
        if let Err(error) = self.manifests.inventory.add(kind, &checked.value) {
            let remark = Remark::new(Path::default(), error.to_string());
            self.remark(origin, &label, Severity::Error, "Invalid", &[remark]);
            return;
        }
        let name = checked.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let subject = Subject { kind, namespace, name: name.into() };
        self.manifests.documents.insert(subject, Document { origin: origin.clone(), value: checked.value });
    }

    fn add_secret(&mut self, origin: &DocumentOrigin, data: Result<SecretValues, Vec<Remark>>) {
        let label = self.label(&origin.object, true);
        let (name, namespace) = (name(&origin.object).unwrap_or_default(), self.namespace(&origin.object));
        match data {
            Ok(data) if self.is_new(origin, true) => {
                let key = (namespace, name.into());
                self.manifests.inventory.add_secrets(BTreeMap::from([(key, Arc::new(data))]));
            }
            Ok(_) => {}
            Err(errors) => self.remark(origin, &label, Severity::Error, "Invalid", &errors),
        }
    }

    fn remark(&mut self, origin: &DocumentOrigin, label: &Label, severity: Severity, reason: &str, remarks: &[Remark]) {
        for remark in remarks {
            self.find(finding(origin, Some(label.clone()), severity, reason, remark));
        }
    }

    /// Notes an object, unless there is one of its name.
    fn is_new(&mut self, origin: &DocumentOrigin, is_namespaced: bool) -> bool {
        let object = &origin.object;
        let (Some(kind), Some(name)) = (object.get("kind").and_then(Node::text), name(object)) else { return true };
        let namespace = is_namespaced.then(|| self.namespace(object));
        let part = Path::fields(&["metadata", "name"]);
        let identity = (kind.to_owned(), namespace, name.to_owned());
        if let Some(there) = self.seen.get(&identity) {
            let message = format!("it is there twice, also in {there}: remove or rename one of the two");
            let label = self.label(object, is_namespaced);
            let twice = finding(origin, Some(label), Severity::Unreadable, "Twice", &Remark::new(part, ""));
            self.find(Finding { message, ..twice });
            return false;
        }
        let begin = part.span(object, Aim::Value).begin;
        self.seen.insert(identity, format!("{}:{}:{}", origin.path, begin.line, begin.column));
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
    fn label(&self, object: &Node, is_namespaced: bool) -> Label {
        Label {
            kind: object.get("kind").and_then(Node::text).unwrap_or("object").to_owned(),
            namespace: is_namespaced.then(|| self.namespace(object)),
            name: name(object).map(str::to_owned),
        }
    }
}

fn finding(
    origin: &DocumentOrigin,
    label: Option<Label>,
    severity: Severity,
    reason: &str,
    remark: &Remark,
) -> Finding {
    let field = remark.path.to_string();
    let is_secret = matches!(recognise(&origin.object), Recognised::Secret);
    Finding {
        location: origin.location(&remark.path, remark.aim),
        severity,
        label,
        reason: reason.to_owned(),
        message: if field.is_empty() { remark.message.clone() } else { format!("{field}: {}", remark.message) },
        field,
        suggestion: remark.suggestion.clone(),
        rewrite: remark.suggestion.as_ref().and_then(|text| remark.path.rewrite(&origin.object, remark.aim, text)),
        excerpt: if is_secret { Excerpt::Nothing } else { Excerpt::LineOf(Arc::clone(&origin.object)) },
    }
}

/// A file that cannot be read.
fn unreadable_source((path, message): source::UnreadableSource) -> Finding {
    Finding {
        location: SourceLocation { source: usize::MAX, path, span: None },
        severity: Severity::Unreadable,
        label: None,
        reason: "Unreadable".to_owned(),
        field: String::new(),
        message,
        suggestion: None,
        rewrite: None,
        excerpt: Excerpt::Nothing,
    }
}

/// A part of a file that is neither YAML nor JSON.
fn unreadable_text(source: usize, path: &Arc<str>, chunk: Chunk, error: text::UnreadableText) -> Finding {
    // What cannot be read could be a Secret as well as not.
    let excerpt = if chunk.text.contains("Secret") { Excerpt::Nothing } else { Excerpt::Line };
    Finding {
        location: SourceLocation { source, path: Arc::clone(path), span: error.span },
        severity: Severity::Unreadable,
        reason: "Syntax".to_owned(),
        excerpt,
        ..unreadable_source((Arc::clone(path), error.message))
    }
}

fn name(object: &Node) -> Option<&str> {
    object.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text)
}

fn stated_namespace(object: &Node) -> Option<&str> {
    object.get("metadata").and_then(|metadata| metadata.get("namespace")).and_then(Node::text)
}
