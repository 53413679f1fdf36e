//! Reports what an edit of the catalogue has changed for grants and subscriptions. The edit may be a mistake, and nothing else about
//! them shows it.

use super::{
    announcements,
    context::ControllerContext,
    events,
    failure::ReconcileFailure,
    world::{Edits, OrganizationView, WorkItem},
};
use crate::{
    api::{EntitlementInstance, EntitlementOverride, EntitlementSubscription},
    core::{
        calendar::Instant,
        source::{SourceId, SourceKind},
    },
    evaluation::impact::{Impact, impacts, plan_impacts},
    render::work::Budget,
};
use std::{collections::HashMap, sync::Arc};

/// An event for each source of an organization's grants that is changed by what was edited since it was last brought up to date.
pub async fn tell(
    context: &ControllerContext,
    item: &WorkItem,
    view: OrganizationView,
    edits: Edits,
    now: Instant,
) -> Result<(), ReconcileFailure> {
    let uids: HashMap<SourceId, Arc<str>> =
        view.facts.iter().map(|(id, facts)| (id.clone(), Arc::clone(&facts.uid))).collect();
    let organization = Arc::clone(&view.snapshot.name);
    let thought = context.lanes.run(item, move || notes(&view, &edits, now));
    for (edited, notes) in thought.await? {
        if notes.is_empty() {
            continue;
        }
        tracing::debug!(%edited, %organization, sources = notes.len(), "an edit of the catalogue changes grants");
        for (id, note) in notes {
            let Some(uid) = uids.get(&id) else { continue };
            let about = match id.kind {
                SourceKind::Subscription => {
                    events::reference::<EntitlementSubscription>(Some(&id.namespace), &id.name, uid)
                }
                SourceKind::Instance => events::reference::<EntitlementInstance>(Some(&id.namespace), &id.name, uid),
                SourceKind::Override => events::reference::<EntitlementOverride>(Some(&id.namespace), &id.name, uid),
                #[cfg(test)]
                SourceKind::Bundle => continue,
            };
            context.announcer.announce_one_of_many(about, announcements::of_catalogue_change(note));
        }
    }
    Ok(())
}

type Notes = Vec<(SourceId, String)>;

fn notes(view: &OrganizationView, edits: &Edits, now: Instant) -> Vec<(Arc<str>, Notes)> {
    let mut budget = Budget::default();
    let mut all = Vec::new();
    for (name, before) in &edits.definitions {
        let Some(after) = view.snapshot.catalogue.get(name) else { continue };
        let Some(serving) = after.serving.as_ref() else { continue };
        let changed = impacts(&view.snapshot, name, [before, after], now, &mut budget).grants;
        let note = |impact: &Impact| (impact.id.source.clone(), impact.note(name, serving.terms.unit.as_deref()));
        all.push((Arc::clone(name), changed.iter().filter(|impact| impact.is_any()).map(note).collect()));
    }
    for (name, before) in &edits.plans {
        let Some(after) = view.snapshot.plans.get(name) else { continue };
        let changed = plan_impacts(&view.snapshot, name, [before, after], now, &mut budget);
        all.push((
            Arc::clone(name),
            changed.into_iter().map(|impact| (impact.id.clone(), impact.note(name))).collect(),
        ));
    }
    all
}
