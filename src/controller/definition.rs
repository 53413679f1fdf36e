//! Brings one definition up to date: the state that serves, the revisions that keep it, and its status.

use super::{
    announcements, clock,
    context::Context,
    events,
    failure::ReconcileFailure,
    guarded::Guarded,
    revisions, status,
    world::{DefinitionView, Served, WorkItem, kinds::named},
};
use crate::core::{belief::History, problem::Problem};
use crate::{
    api::{
        EntitlementDefinition, EntitlementDefinitionStatus, conditions::READY, entitlement_definition::InstanceCounts,
    },
    evaluation::{
        catalogue::{CatalogueEntry, CompiledDefinition, Kept, Present, Source, history, newest_valid, revision_name},
        conditions::Conditions,
        status::{
            definition::definition_status,
            grants::{InvalidGrants, KnownGrants},
        },
    },
};
use kube::Api;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Brings a definition up to date.
pub async fn reconcile(context: &Context, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let (view, counts, invalid) = context.world(|world| world.definition(name));
    let view = Arc::new(view);
    let result = bring_up_to_date(context, name, &view, counts, &invalid).await;
    if result.is_err() {
        context.world(|world| world.outdate_definition(name));
    }
    result
}

async fn bring_up_to_date(
    context: &Context,
    name: &Arc<str>,
    view: &Arc<DefinitionView>,
    counts: InstanceCounts,
    invalid: &InvalidGrants,
) -> Result<(), ReconcileFailure> {
    let exists = view.definition.is_some() || view.unreadable.is_some();
    if !exists && counts.total == 0 {
        return clear_away(context, name, view).await;
    }
    if !exists && view.revisions.is_empty() && view.served.is_none() {
        return Ok(());
    }
    let (served, kept) = match &view.served {
        Some(served) if !view.is_stale => (served.clone(), Ok(())),
        _ => renew(context, name, view).await?,
    };
    let pruned = revisions::prune(context, view, served.entry.revision.as_deref()).await;
    let said = match &view.definition {
        Some(definition) => {
            let status = status_of(context, name, definition, &served.entry, counts, invalid, &kept);
            write_status(context, name, definition, &status).await
        }
        None => Ok(()),
    };
    kept.and(pruned).and(said)
}

/// A definition that is gone and that no grant names.
async fn clear_away(context: &Context, name: &Arc<str>, view: &DefinitionView) -> Result<(), ReconcileFailure> {
    context.world(|world| world.drop_definition(name));
    revisions::delete(context, &view.revisions).await
}

/// What can serve.
enum Made {
    /// The definition as it is now; of which source, with its hash. And what served when the operator was last there, where it
    /// was edited since.
    Present(Box<Source>, Arc<str>, Arc<CompiledDefinition>, Option<Served>),
    /// What was valid last.
    Last(Served),
}

/// Makes what serves out of the definition as it is now, or else out of its newest revision. The revision is kept first;
/// where that fails, what serves is kept in memory alone.
async fn renew(
    context: &Context,
    name: &Arc<str>,
    view: &Arc<DefinitionView>,
) -> Result<(Served, Result<(), ReconcileFailure>), ReconcileFailure> {
    let item = WorkItem::Definition(Arc::clone(name));
    let (of, from) = (Arc::clone(name), Arc::clone(view));
    let (served, kept) = match context.lanes.run(&item, move || make(&of, &from)).await? {
        Made::Last(served) => (served, Ok(())),
        Made::Present(source, hash, serving, before) => {
            if let Some(before) = before {
                context.world(|world| world.serve(name, before));
            }
            let (revision, kept) = match revisions::keep(context, name, view, &source, &hash).await {
                Ok(revision) => (Some(revision), Ok(())),
                Err(failure) => (None, Err(failure)),
            };
            let history = history_of(view, Some(&serving));
            let entry = CatalogueEntry { present: Present::Valid, serving: Some(serving), revision, history };
            (Served { entry: Arc::new(entry), hash: Some(hash), version: view.version }, kept)
        }
    };
    context.world(|world| world.serve(name, served.clone()));
    Ok((served, kept))
}

fn make(name: &str, view: &DefinitionView) -> Made {
    let made = present_state(name, view).and_then(|(source, hash)| {
        let serving = compiled(name, view, &source, &hash).map_err(Present::Invalid)?;
        let before = if view.served.is_none() { edited_meanwhile(name, view, &hash) } else { None };
        Ok(Made::Present(Box::new(source), hash, serving, before))
    });
    made.unwrap_or_else(|present| Made::Last(last_valid(name, view, present)))
}

fn present_state(name: &str, view: &DefinitionView) -> Result<(Source, Arc<str>), Present> {
    if let Some(error) = &view.unreadable {
        let message = format!("the definition {name} can't be read: {error}");
        return Err(Present::Invalid(Problem::new("Unreadable", message)));
    }
    let Some(definition) = &view.definition else { return Err(Present::Missing) };
    if let Some((facet, error)) = view.unreadable_facets.first_key_value() {
        let message = format!("the facet definition {facet} can't be read: {error}");
        return Err(Present::Invalid(Problem::new("Unreadable", message)));
    }
    let source = Source::gather(&definition.spec, |facet| Some(Arc::clone(&view.facets.get(facet)?.spec.schema)))
        .map_err(Present::Invalid)?;
    let hash = source.hash().into();
    Ok((source, hash))
}

/// What serves already, if it was made of the same and is valid; else it is made.
fn compiled(
    name: &str,
    view: &DefinitionView,
    source: &Source,
    hash: &Arc<str>,
) -> Result<Arc<CompiledDefinition>, Problem> {
    // What serves although it is invalid may have been valid once only.
    if let Some(served) = &view.served
        && served.hash.as_ref() == Some(hash)
        && served.entry.present == Present::Valid
        && let Some(serving) = &served.entry.serving
    {
        return Ok(Arc::clone(serving));
    }
    contained(|| CompiledDefinition::compile(name, source))
}

/// A definition that makes a library panic is invalid, and harms no other.
fn contained(
    compile: impl FnOnce() -> Result<CompiledDefinition, Problem>,
) -> Result<Arc<CompiledDefinition>, Problem> {
    let broken = |_| {
        Err(Problem::new(
            "InternalError",
            "the definition can't be compiled: see the log of the operator, and report it".to_owned(),
        ))
    };
    catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(broken).map(Arc::new)
}

/// What the newest revision keeps, where that is not what the definition is now.
fn edited_meanwhile(name: &str, view: &DefinitionView, hash: &str) -> Option<Served> {
    let newest = view.revisions.last().filter(|newest| *newest.name != *revision_name(name, hash))?;
    let compile = |source: &Source| contained(|| CompiledDefinition::compile_kept(name, source));
    let Kept { serving, hash, revision } = newest_valid(std::iter::once(newest.as_ref()), compile)?;
    let history = history_of(view, Some(&serving));
    let entry = CatalogueEntry { present: Present::Valid, serving: Some(serving), revision: Some(revision), history };
    Some(Served { entry: Arc::new(entry), hash: Some(hash), version: view.version })
}

/// What served up to now, or else the newest revision that can be read.
fn last_valid(name: &str, view: &DefinitionView, present: Present) -> Served {
    if let Some(served) = view.served.as_ref().filter(|served| served.entry.serving.is_some()) {
        let history = history_of(view, served.entry.serving.as_ref());
        let entry = CatalogueEntry { present, history, ..CatalogueEntry::clone(&served.entry) };
        return Served { entry: Arc::new(entry), hash: served.hash.clone(), version: view.version };
    }
    let revisions = view.revisions.iter().map(AsRef::as_ref);
    let kept = newest_valid(revisions, |source| contained(|| CompiledDefinition::compile_kept(name, source)));
    let (serving, hash, revision) = match kept {
        Some(Kept { serving, hash, revision }) => (Some(serving), Some(hash), Some(revision)),
        None => (None, None, None),
    };
    let history = history_of(view, serving.as_ref());
    let entry = CatalogueEntry { present, serving, revision, history };
    Served { entry: Arc::new(entry), hash, version: view.version }
}

/// What the definition has given: by the revisions that there were before what serves was kept, and by that itself.
fn history_of(view: &DefinitionView, serving: Option<&Arc<CompiledDefinition>>) -> Arc<History> {
    let definition = view.definition.as_ref().map(|definition| &definition.metadata);
    let revisions = view.revisions.iter().map(AsRef::as_ref);
    history(definition, serving.map(|serving| &serving.terms), revisions)
}

/// The status. While many grants come or change, what is said of them waits.
fn status_of(
    context: &Context,
    name: &Arc<str>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    counts: InstanceCounts,
    invalid: &InvalidGrants,
    kept: &Result<(), ReconcileFailure>,
) -> EntitlementDefinitionStatus {
    let now = clock::now();
    let item = WorkItem::Definition(Arc::clone(name));
    let wait = context.world(|world| world.wait_for_quiet(&item));
    let (counts, grants) = match (wait, &definition.status) {
        (None, _) => (counts, KnownGrants::Counted(invalid)),
        (Some(_), before) => {
            (before.as_ref().map(|before| before.instances).unwrap_or_default(), KnownGrants::Unsettled)
        }
    };
    if let Some(wait) = wait {
        context.queue.add_after(item, wait);
    }
    let mut status = definition_status(definition, entry, counts, grants, now);
    if let Err(failure) = kept {
        let message = format!("the definition serves, but the operator's next start would not know it: {failure}");
        let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let mut conditions = Conditions::after(before, status.observed_generation, now);
        conditions.set(READY, false, "RevisionNotKept", message);
        status.conditions.retain(|condition| condition.type_ != READY);
        status.conditions.splice(..0, conditions.into_vec());
    }
    status
}

async fn write_status(
    context: &Context,
    name: &Arc<str>,
    definition: &EntitlementDefinition,
    said: &EntitlementDefinitionStatus,
) -> Result<(), ReconcileFailure> {
    if definition.status.as_ref() == Some(said) {
        return Ok(());
    }
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let uid = definition.metadata.uid.as_deref().unwrap_or_default();
    let api: Api<Guarded<EntitlementDefinition>> = Api::all(context.gate.client());
    let _writing = context.writing.begin(WorkItem::Definition(Arc::clone(name)));
    let written = status::write(&context.gate, &api, name, uid, said).await;
    let written =
        written.map_err(|refusal| ReconcileFailure::of(status::unwritten::<EntitlementDefinition>(name), &refusal))?;
    let Some(written) = written else { return Ok(()) };
    let written = named(written);
    context.world(|world| world.wrote_definition(written));
    for notice in announcements::of_catalogue(before, &said.conditions) {
        context.announcer.announce(events::reference::<EntitlementDefinition>(None, name, uid), notice);
    }
    Ok(())
}
