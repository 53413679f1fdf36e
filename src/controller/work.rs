//! What is worked on: what it is called, and how one of each is brought up to date.

use super::{
    context::ControllerContext, definition, facet, failure::ReconcileFailure, grant_source, organization, plan, source,
    usage_report, world::SecretName,
};
use crate::core::{source::SourceId, usage::report::ReportId};
use std::{fmt, sync::Arc};

/// Something that can be worked on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkItem {
    /// An organization, with all its grants.
    Organization(Arc<str>),
    /// A definition: what serves, its revisions, its status.
    Definition(Arc<str>),
    /// A plan: what serves, its revisions, its status.
    Plan(Arc<str>),
    /// A facet definition's status.
    Facet(Arc<str>),
    /// A Secret that grants take values from.
    Source(SecretName),
    /// A source of grants whose existence alone is known, and that its organization allows now.
    GrantSource(SourceId),
    /// A report of usage: what counts of it, and its status.
    UsageReport(ReportId),
}

/// An object that its organization does not let be named from its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BarredObject {
    /// A source of grants.
    Source(SourceId),
    /// A report of usage.
    Report(ReportId),
}

impl fmt::Display for BarredObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(id) => id.fmt(formatter),
            Self::Report(id) => write!(formatter, "usage {id}"),
        }
    }
}

impl fmt::Display for WorkItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(name) => write!(formatter, "organization {name}"),
            Self::Definition(name) => write!(formatter, "definition {name}"),
            Self::Plan(name) => write!(formatter, "plan {name}"),
            Self::Facet(name) => write!(formatter, "facet definition {name}"),
            Self::Source((namespace, name)) => write!(formatter, "Secret {namespace}/{name}"),
            Self::GrantSource(id) => write!(formatter, "{} {id}", id.kind.noun()),
            Self::UsageReport(id) => write!(formatter, "usage {id}"),
        }
    }
}

impl WorkItem {
    /// What brings it up to date, in metrics.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Definition(_) => "definition",
            Self::Plan(_) => "plan",
            Self::Facet(_) => "facet",
            Self::Source(_) => "source",
            Self::GrantSource(id) => id.kind.field(),
            Self::UsageReport(_) => "usage",
        }
    }

    /// The organization that it is.
    pub fn organization(&self) -> Option<&str> {
        match self {
            Self::Organization(name) => Some(name),
            Self::Definition(_)
            | Self::Plan(_)
            | Self::Facet(_)
            | Self::Source(_)
            | Self::GrantSource(_)
            | Self::UsageReport(_) => None,
        }
    }

    /// Brings it up to date.
    pub async fn bring_up_to_date(&self, context: &ControllerContext) -> Result<(), ReconcileFailure> {
        match self {
            Self::Organization(name) => organization::reconcile(context, name).await,
            Self::Definition(name) => definition::reconcile(context, name).await,
            Self::Plan(name) => plan::reconcile(context, name).await,
            Self::Facet(name) => facet::reconcile(context, name).await,
            Self::Source(key) => source::reconcile(context, key).await,
            Self::GrantSource(id) => grant_source::read_again(context, id).await,
            Self::UsageReport(id) => usage_report::reconcile(context, id).await,
        }
    }

    /// Makes of it what a replica that stands by needs: it answers the questions of the webhook as the one that works does. Nothing is
    /// written, and all of it is done anew when this replica works.
    pub async fn make_ready(&self, context: &ControllerContext) -> Result<(), ReconcileFailure> {
        match self {
            Self::Definition(name) => definition::make_ready(context, name).await,
            Self::Plan(name) => plan::make_ready(context, name).await,
            Self::Source(key) => source::reconcile(context, key).await,
            Self::GrantSource(id) => grant_source::read_again(context, id).await,
            Self::UsageReport(id) => usage_report::make_ready(context, id).await,
            Self::Organization(_) | Self::Facet(_) => Ok(()),
        }
    }
}
