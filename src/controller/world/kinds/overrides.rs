//! Overrides.

use super::{
    News, WatchedKind,
    source::{self, watched_source},
};
use crate::{
    api::EntitlementOverride,
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{
            World,
            kept::{SourceObject, WholeSource},
            store::Reading,
        },
    },
    core::{
        served::{NamespaceSet, ServedNamespaces},
        source::SourceId,
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{borrow::Cow, sync::Arc};

watched_source!(EntitlementOverride);
