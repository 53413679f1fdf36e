//! Objects in tenants' namespaces: what they should hold, how they are named, and how they are recognised.

use crate::{
    api::entitlement_definition::OutputKind,
    core::{
        grant::GrantId,
        secret::Secret,
        source::{SourceId, SourceKind},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// Label whose value is [`MANAGER`] on every object that the operator made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "entitlement-operator";
/// Label: the organization that the object was made for.
pub const ORGANIZATION: &str = "entitlements.dev/organization";
/// Label: the definition that the object was made by; absent on a summary.
pub const DEFINITION: &str = "entitlements.dev/definition";
/// The label with the plan of a revision.
pub const PLAN: &str = "entitlements.dev/plan";
/// The annotation of a revision with what is no part of it and is kept current beside it.
pub const BESIDE: &str = "entitlements.dev/beside";
/// The annotation of a revision that has served for all who had taken an earlier one, with the number that it had then.
pub const FOR_EVERYONE: &str = "entitlements.dev/for-everyone";
/// Annotation: the object's own `namespace/name`. One that names another is a copy, and somebody else's.
pub const OBJECT: &str = "entitlements.dev/object";
/// Annotation: hash of the object's data.
pub const CONTENT_HASH: &str = "entitlements.dev/content-hash";
/// Annotation: [`RETAIN`] on an object that is to outlive its grant. It stands on the object, as the grant, the output and the
/// definition may be gone when it has to be known.
pub const ON_END: &str = "entitlements.dev/on-end";
/// The value of [`ON_END`].
pub const RETAIN: &str = "Retain";
/// Label: [`OVER`] on an object that has outlived its grant.
pub const IN_FORCE: &str = "entitlements.dev/in-force";
/// The value of [`IN_FORCE`].
pub const OVER: &str = "false";
/// Keys of labels and annotations that are the operator's, whoever wrote them.
pub const OWN_PREFIX: &str = "entitlements.dev/";

/// Which object: kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `ConfigMap` or `Secret`.
    pub kind: OutputKind,
    /// The namespace, one of the organization's.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl ObjectKey {
    /// The value of [`OBJECT`] on it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// The data of an object. Its kind follows from the variant.
#[derive(Clone, Debug)]
pub enum ObjectData {
    /// The data of a ConfigMap: never a secret value.
    ConfigMap(BTreeMap<String, String>),
    /// The data of a Secret.
    Secret(SecretData),
}

/// The data of a Secret, and its type, which can never change.
#[derive(Clone, Debug)]
pub struct SecretData {
    /// Its type, such as `Opaque`.
    pub type_: Arc<str>,
    /// Its values, by key.
    pub values: BTreeMap<String, Secret<Vec<u8>>>,
}

impl ObjectData {
    /// The type of a Secret; a ConfigMap has none.
    #[must_use]
    pub fn secret_type(&self) -> Option<&str> {
        match self {
            Self::ConfigMap(_) => None,
            Self::Secret(data) => Some(&data.type_),
        }
    }
}

/// What an object should be.
#[derive(Clone, Debug)]
pub struct ObjectContent {
    /// All labels that the operator sets.
    pub labels: BTreeMap<String, String>,
    /// All annotations that the operator sets, the content hash among them, but for [`OBJECT`], in which the objects differ
    /// that share this content.
    pub annotations: BTreeMap<String, String>,
    /// The data, whole: what else is found there is drift.
    pub data: ObjectData,
}

impl ObjectContent {
    /// All annotations of the object of that name.
    #[must_use]
    pub fn annotations_at(&self, key: &ObjectKey) -> BTreeMap<String, String> {
        let mut annotations = self.annotations.clone();
        annotations.insert(OBJECT.to_owned(), key.place());
        annotations
    }
}

/// What is to become of an object.
#[derive(Clone, Debug)]
pub enum Wish {
    /// It holds just this.
    Write(Arc<ObjectContent>),
    /// It stays as it is, should it exist: what it would hold can't be told now (a Secret source is missing, values do not
    /// render). An error never withdraws.
    Keep,
    /// It stays as it is, as it would have so many bytes of data, which is more than Kubernetes takes. They are not kept in
    /// memory.
    Refuse(usize),
}

/// What an object says that it was made for: by an annotation the source, by a label the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The source.
    pub source: SourceId,
    /// The definition, where the label is there and believed. It can be taken off, and what is marked anew lacks it.
    pub definition: Option<Arc<str>>,
}

impl Attribution {
    /// What labels and annotations say. A label counts as far as it is believed: whoever may edit the object could else have
    /// it taken for that of another grant.
    #[must_use]
    pub fn of(
        labels: Option<&BTreeMap<String, String>>,
        annotations: Option<&BTreeMap<String, String>>,
        is_believed: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let source = Self::source_in(annotations?)?;
        let definition = labels.and_then(|labels| labels.get(DEFINITION)).filter(|_| is_believed(DEFINITION));
        Some(Self { source, definition: definition.map(|definition| definition.as_str().into()) })
    }

    /// The grant of an object whose source alone is known.
    #[must_use]
    pub fn to_source(source: SourceId) -> Self {
        Self { source, definition: None }
    }

    /// The source that annotations name.
    #[must_use]
    pub fn source_in(annotations: &BTreeMap<String, String>) -> Option<SourceId> {
        SourceKind::ALL.iter().find_map(|kind| SourceId::read(*kind, annotations.get(kind.annotation())?))
    }

    /// The grants that it may mean, of those that are known: the one that the label tells or, where it tells none of them, any
    /// of the source.
    #[must_use]
    pub fn among<'a>(&self, known: &BTreeSet<&'a GrantId>) -> Vec<&'a GrantId> {
        let of = |definition: Arc<str>| GrantId { source: self.source.clone(), definition };
        if let Some(told) = self.definition.clone().and_then(|definition| known.get(&of(definition))) {
            return vec![told];
        }
        let from = of("".into());
        known.range::<GrantId, _>(&from..).copied().take_while(|id| id.source == self.source).collect()
    }
}

/// An object that should exist.
#[derive(Clone, Debug)]
pub struct DesiredObject {
    /// The grant that it is for; absent for the organization's summary.
    pub grant: Option<GrantId>,
    /// What is to become of it.
    pub wish: Wish,
    /// It is kept when nothing asks for it any more (`onEnd: Retain`).
    pub is_retained: bool,
}
