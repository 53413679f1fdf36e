//! Which facet fields a template could read, known without rendering it.

use std::fmt;

use super::error::TemplateLocation;

/// One place in a template that reads facets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetReference {
    facet: Option<String>,
    field: Option<String>,
    location: TemplateLocation,
}

impl FacetReference {
    /// The reference of a name whose first part is `facets`.
    pub(super) fn of(parts: &[String], location: TemplateLocation) -> Self {
        Self { facet: parts.get(1).cloned(), field: parts.get(2).cloned(), location }
    }

    /// The facet, or nothing where it may be any.
    #[must_use]
    pub fn facet(&self) -> Option<&str> {
        self.facet.as_deref()
    }

    /// The field, or nothing where it may be any.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Where it begins.
    #[must_use]
    pub fn location(&self) -> TemplateLocation {
        self.location
    }

    fn may_read(&self, facet: &str, field: &str) -> bool {
        let is = |named: Option<&str>, name| named.is_none_or(|named| named == name);
        is(self.facet(), facet) && is(self.field(), field)
    }
}

impl fmt::Display for FacetReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location)?;
        match (self.facet(), self.field()) {
            (Some(facet), Some(field)) => write!(f, "facets.{facet}.{field}"),
            (Some(facet), None) => write!(f, "any field of facets.{facet}"),
            (None, _) => f.write_str("any field of any facet"),
        }
    }
}

/// Every place in a template that could read a facet field.
///
/// It is complete: what a template gives, or whether it fails, does not change with the value of a field that
/// [`reading`](Self::reading) does not report. What is not plain from the source counts as any field: a facet or
/// `facets` that is handed on as a whole, looped over or looked into by a computed name.
/// Asking whether `facets` or a facet `is defined` reads no field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FacetReferences(Vec<FacetReference>);

impl FacetReferences {
    pub(super) fn add(&mut self, reference: FacetReference) {
        self.0.push(reference);
    }

    /// All of them, in the order of the source.
    pub fn iter(&self) -> impl Iterator<Item = &FacetReference> {
        self.0.iter()
    }

    /// The first place that could read this field, to refuse or allow it.
    #[must_use]
    pub fn reading(&self, facet: &str, field: &str) -> Option<&FacetReference> {
        self.0.iter().find(|reference| reference.may_read(facet, field))
    }
}
