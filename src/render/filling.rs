//! What fills the outputs of a definition, prepared once for all of them.

use super::{
    digest::Digest,
    names::Names,
    template::{Ready, TemplateContext},
    work,
};
use crate::{
    api::facet_fields::FacetFields,
    core::{facets::SecretFields, source::SourceKind},
};
use serde::Serialize;
use serde_json::Value;
use std::{borrow::Cow, cell::OnceCell};

/// What is known of one grant, or of all grants together.
pub struct Filling<'a> {
    names: &'a Names<'a>,
    facets: &'a FacetFields,
    secrets: &'a SecretFields,
    plain: OnceCell<Facets<'a>>,
    revealed: OnceCell<Facets<'a>>,
}

/// Facets in the forms in which they are needed.
pub(super) struct Facets<'a> {
    pub(super) fields: Cow<'a, FacetFields>,
    ready: Ready,
    digest: OnceCell<Digest>,
}

#[derive(Serialize)]
struct AllNames<'a> {
    #[serde(flatten)]
    names: &'a Names<'a>,
    facets: &'a Ready,
    output: OutputName<'a>,
}

#[derive(Serialize)]
struct OutputName<'a> {
    name: &'a str,
}

impl<'a> Filling<'a> {
    /// A filling of names, facets without their secret fields, and the secret fields.
    #[must_use]
    pub fn new(names: &'a Names<'a>, facets: &'a FacetFields, secrets: &'a SecretFields) -> Self {
        Self { names, facets, secrets, plain: OnceCell::new(), revealed: OnceCell::new() }
    }

    /// The kind of the grant's source, where one is told.
    pub(super) fn kind(&self) -> Option<SourceKind> {
        self.names.instance.as_ref().map(|instance| instance.kind)
    }

    /// The facets without their secret fields.
    pub(super) fn plain(&self) -> &Facets<'a> {
        self.plain.get_or_init(|| Facets::new(Cow::Borrowed(self.facets)))
    }

    /// The facets with them.
    pub(super) fn revealed(&self) -> &Facets<'a> {
        if self.secrets.is_empty() {
            return self.plain();
        }
        self.revealed.get_or_init(|| {
            let mut revealed = self.facets.clone();
            for (facet, fields) in self.secrets {
                let target = revealed.entry(facet.clone()).or_default();
                for (field, secret) in fields {
                    target.insert(field.clone(), Value::String(secret.expose_secret().clone()));
                }
            }
            Facets::new(Cow::Owned(revealed))
        })
    }

    /// What the templates of an output see.
    pub(super) fn context(&self, output: &str, facets: &Facets) -> TemplateContext {
        TemplateContext::new(&AllNames {
            names: self.names,
            facets: &facets.ready,
            output: OutputName { name: output },
        })
    }

    /// The digest of everything that fills the output.
    pub(super) fn digest(&self, facets: &Facets) -> Digest {
        *facets.digest.get_or_init(|| Digest::of(&(self.names, facets.fields.as_ref())))
    }
}

impl<'a> Facets<'a> {
    fn new(fields: Cow<'a, FacetFields>) -> Self {
        Self { ready: Ready::new(fields.as_ref()), fields, digest: OnceCell::new() }
    }

    /// Some of them, or all.
    pub(super) fn chosen(&self, names: Option<&[String]>) -> Cow<'_, FacetFields> {
        let Some(names) = names else { return Cow::Borrowed(self.fields.as_ref()) };
        Cow::Owned(names.iter().filter_map(|name| Some((name.clone(), self.fields.get(name)?.clone()))).collect())
    }

    /// What it is to hand some of them on.
    pub(super) fn steps(&self, names: Option<&[String]>) -> u64 {
        match names {
            None => work::of_facets(self.fields.values()),
            Some(names) => work::of_facets(names.iter().filter_map(|name| self.fields.get(name))),
        }
    }
}
