//! Reports what an edit of the catalogue has changed for grants. The edit may be a mistake, and nothing else about a grant shows
//! it.

use super::{
    announcements,
    context::ControllerContext,
    events,
    failure::ReconcileFailure,
    world::{Edits, OrganizationView, WorkItem},
};
use crate::{
    api::EntitlementInstance,
    core::{calendar::Instant, grant::GrantId, source::SourceId},
    evaluation::impact::{Impact, impacts},
    render::work::Budget,
};
use std::{collections::HashMap, sync::Arc};

/// An event for each grant of an organization that is changed by what was edited since it was last brought up to date.
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
    for (definition, notes) in thought.await? {
        if notes.is_empty() {
            continue;
        }
        tracing::debug!(%definition, %organization, grants = notes.len(), "an edit of the definition changes grants");
        for (id, note) in notes {
            let Some(uid) = uids.get(&id.source) else { continue };
            let about = events::reference::<EntitlementInstance>(Some(&id.source.namespace), &id.source.name, uid);
            context.announcer.announce_one_of_many(about, announcements::of_catalogue_change(note));
        }
    }
    Ok(())
}

type Notes = Vec<(GrantId, String)>;

fn notes(view: &OrganizationView, edits: &Edits, now: Instant) -> Vec<(Arc<str>, Notes)> {
    let mut budget = Budget::default();
    let of = |(name, before): (&Arc<str>, &Arc<_>)| {
        let after = view.snapshot.catalogue.get(name)?;
        let serving = after.serving.as_ref()?;
        let changed = impacts(&view.snapshot, name, [before, after], now, &mut budget).grants;
        let note = |impact: &Impact| (impact.id.clone(), impact.note(name, serving.terms.unit.as_deref()));
        Some((Arc::clone(name), changed.iter().filter(|impact| impact.is_any()).map(note).collect()))
    };
    edits.iter().filter_map(of).collect()
}
