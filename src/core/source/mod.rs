//! Where grants come from: the objects that have a lifecycle and yield grants.
//!
//! Each kind of source has a file here, with pure functions from such an object to its grants, and one entry in the list below.
//! Everything after this knows grants only.

#[cfg(test)]
pub mod bundle;
pub mod instance;
pub mod overrides;
pub mod stated;
pub mod subscription;

use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{borrow::Cow, fmt, sync::Arc};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

macro_rules! kinds {
    ($($(#[cfg($condition:meta)])? $kind:ident: $word:literal, $field:literal, $noun:literal;)+) => {
        /// The kinds of sources. The lesser one is the older of two sources that were made at the same moment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SourceKind {
            $(
                $(#[cfg($condition)])?
                #[doc = concat!("`", $word, "`")]
                $kind,
            )+
        }

        impl SourceKind {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$($(#[cfg($condition)])? Self::$kind,)+];

            /// Its word for people.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(#[cfg($condition)])? Self::$kind => $word,)+
                }
            }

            /// The field by which a source is named, where it is told what something comes from.
            #[must_use]
            pub const fn field(self) -> &'static str {
                match self {
                    $($(#[cfg($condition)])? Self::$kind => $field,)+
                }
            }

            /// What one of it is called in sentences.
            #[must_use]
            pub const fn noun(self) -> &'static str {
                match self {
                    $($(#[cfg($condition)])? Self::$kind => $noun,)+
                }
            }

            /// The annotation by which a delivered object names its source, as `namespace/name`.
            #[must_use]
            pub const fn annotation(self) -> &'static str {
                match self {
                    $($(#[cfg($condition)])? Self::$kind => concat!("entitlements.dev/", $field),)+
                }
            }
        }
    };
}

// The list of kinds, in the order of age among sources that are equally old otherwise: the word for people, the field, and the word in
// sentences.
kinds! {
    Instance: "Instance", "instance", "grant";
    Subscription: "Subscription", "subscription", "subscription";
    Override: "Override", "override", "override";
    #[cfg(test)]
    Bundle: "Bundle", "bundle", "bundle";
}

impl Serialize for SourceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Which source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// Its kind.
    pub kind: SourceKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl SourceId {
    /// The source of that kind, namespace and name.
    #[must_use]
    pub fn new(kind: SourceKind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The instance of that namespace and name.
    #[must_use]
    pub fn instance(namespace: &str, name: &str) -> Self {
        Self::new(SourceKind::Instance, namespace, name)
    }

    /// The source of that name that has the same kind and namespace.
    #[must_use]
    pub fn beside(&self, name: Arc<str>) -> Self {
        Self { kind: self.kind, namespace: Arc::clone(&self.namespace), name }
    }

    /// Reads `namespace/name`.
    #[must_use]
    pub fn read(kind: SourceKind, text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        Some(Self::new(kind, namespace, name))
    }
}

impl fmt::Display for SourceId {
    /// `namespace/name`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

impl Serialize for SourceId {
    /// One field that is named for the kind, with `namespace/name`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.kind.field(), &self.to_string())?;
        map.end()
    }
}

impl ToSchema for SourceId {
    fn name() -> Cow<'static, str> {
        "Source".into()
    }
}

impl PartialSchema for SourceId {
    fn schema() -> RefOr<Schema> {
        let fields = SourceKind::ALL.iter().fold(ObjectBuilder::new(), |fields, kind| {
            let name = ObjectBuilder::new().schema_type(Type::String);
            fields.property(kind.field(), name.description(Some(format!("The {}: `namespace/name`.", kind.noun()))))
        });
        fields.description(Some("One object, by the field of its kind.")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceId, SourceKind};
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn each_kind_has_an_annotation_and_a_word_of_its_own() {
        let all = || SourceKind::ALL.iter();
        let annotations: BTreeSet<&str> = all().map(|kind| kind.annotation()).collect();
        assert!(annotations.iter().all(|annotation| annotation.starts_with("entitlements.dev/")));
        let words: BTreeSet<&str> = all().map(|kind| kind.as_str()).collect();
        assert_eq!((annotations.len(), words.len()), (all().len(), all().len()));
        assert!(SourceKind::ALL.is_sorted());
    }

    #[test]
    fn a_source_is_written_and_read_as_namespace_and_name() {
        let source = SourceId::instance("entitlements", "acme-seats");
        assert_eq!(source.to_string(), "entitlements/acme-seats");
        assert_eq!(SourceId::read(SourceKind::Instance, "entitlements/acme-seats"), Some(source.clone()));
        assert_eq!(SourceId::read(SourceKind::Instance, "acme-seats"), None);
        assert_eq!(source.beside("next".into()), SourceId::instance("entitlements", "next"));
        assert_eq!(serde_json::to_value(&source).unwrap(), json!({"instance": "entitlements/acme-seats"}));
    }
}
