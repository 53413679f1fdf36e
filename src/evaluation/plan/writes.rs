//! Which objects are made and put right.

use super::{Delivery, Observed, Owner, Scene, Withdrawal, known};
use crate::{
    core::grant::GrantId,
    evaluation::{
        delivery::Desired,
        object::{Attribution, DesiredObject, ObjectContent, ObjectData, ObjectKey, Wish},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use crate::render::output::MAX_DATA_BYTES;

/// How an object that is there is put right, on the condition that it is still the one that was seen.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The UID that it must have.
    pub uid: Arc<str>,
    /// The resourceVersion that it must have.
    pub version: u64,
    /// Labels that go.
    pub drop_labels: Vec<String>,
    /// Annotations that go.
    pub drop_annotations: Vec<String>,
    /// Data keys that go.
    pub drop_keys: Vec<String>,
    /// Its `binaryData` goes.
    pub drop_binary_data: bool,
    /// It was another organization's, and gets this one as its owner.
    pub takes_over: bool,
}

/// One write.
#[derive(Clone, Debug)]
pub enum ObjectWrite {
    /// Nothing is there: it is made.
    Create,
    /// It is there, but otherwise than it should be.
    Update(Edit),
    /// It is there and can't be changed (immutable, or a Secret of another type): it is deleted and made anew.
    Recreate(Withdrawal),
}

/// All writes of an organization, at most one for each object, in the order of the objects.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// What to do with which object, and what it should hold then.
    pub changes: Vec<(ObjectKey, ObjectWrite, Arc<ObjectContent>)>,
    /// What is known already, without a write.
    pub settled: BTreeMap<ObjectKey, Delivery>,
}

/// What has to be written so that everything desired is there.
///
/// A part of an organization is planned as the whole is, as long as the part has all that its objects go by: of each source
/// that one of them is made for, all grants, all that these ask for, and whether what is present for them stays.
#[must_use]
pub fn writes(all: &Desired, owner: &Owner, scene: &Scene) -> Writes {
    let summary_is_kept = lacks_a_grant(owner, scene);
    let known = if all.kept.is_empty() { BTreeSet::new() } else { known(all) };
    let is_kept_for_another = |key: &ObjectKey, desired: &DesiredObject| {
        let made_for = scene.observed.get(key).and_then(|observed| observed.made_for.as_ref());
        made_for.is_some_and(|made_for| {
            is_kept_for_another(all, &known, desired, made_for) || has_unreadable_part(all, desired, made_for, scene)
        })
    };
    let mut writes = Writes::default();
    for (key, desired) in &all.objects {
        let decision = match &desired.wish {
            Wish::Keep => Err(Delivery::Kept),
            Wish::Refuse(bytes) => Err(Delivery::TooLarge(*bytes)),
            Wish::Write(_) if scene.contested.contains(key) => Err(Delivery::Contested),
            Wish::Write(_) if desired.grant.is_none() && summary_is_kept => Err(Delivery::Kept),
            Wish::Write(_) if is_kept_for_another(key, desired) => Err(Delivery::Kept),
            Wish::Write(content) => decide(key, content, owner, scene).map(|change| (change, content)),
        };
        match decision {
            Ok((change, content)) => writes.changes.push((key.clone(), change, Arc::clone(content))),
            Err(delivery) => drop(writes.settled.insert(key.clone(), delivery)),
        }
    }
    writes
}

/// Whether what stands there stays as it is for a grant that may not be able to say now that it is its.
fn is_kept_for_another(
    all: &Desired,
    known: &BTreeSet<&GrantId>,
    desired: &DesiredObject,
    made_for: &Attribution,
) -> bool {
    let is_another = |holder: &&GrantId| desired.grant.as_ref() != Some(*holder) && all.kept.contains(*holder);
    let is_of_others = |definition: &Arc<str>| {
        all.kept_shared.contains(definition) && definition_of(desired).is_none_or(|own| own != definition)
    };
    made_for.among(known).iter().any(is_another) || made_for.definition.as_ref().is_some_and(is_of_others)
}

/// Whether the object is one that several grants have together, and was made for one of them that can't be read now: without what
/// that one gives it would be wrong.
fn has_unreadable_part(all: &Desired, desired: &DesiredObject, made_for: &Attribution, scene: &Scene) -> bool {
    let is_of = |definition: &Arc<str>| made_for.definition.as_ref().is_none_or(|told| told == definition);
    scene.unreadable.contains(&made_for.source)
        && definition_of(desired).is_some_and(|definition| all.shared.contains(definition) && is_of(definition))
}

fn definition_of(desired: &DesiredObject) -> Option<&Arc<str>> {
    desired.grant.as_ref().map(|grant| &grant.definition)
}

/// Whether something is delivered for a grant that can't be read. A summary that leaves it out would be wrong.
fn lacks_a_grant(owner: &Owner, scene: &Scene) -> bool {
    !scene.unreadable.is_empty()
        && scene.observed.values().any(|observed| {
            observed.is_of(owner) && observed.source().is_some_and(|source| scene.unreadable.contains(source))
        })
}

fn decide(key: &ObjectKey, content: &ObjectContent, owner: &Owner, scene: &Scene) -> Result<ObjectWrite, Delivery> {
    let bytes = data_bytes(&content.data);
    if bytes > MAX_DATA_BYTES {
        return Err(Delivery::TooLarge(bytes));
    }
    let Some(observed) = scene.observed.get(key) else {
        return if scene.foreign.contains(key) { Err(Delivery::Conflict) } else { Ok(ObjectWrite::Create) };
    };
    if !observed.is_of(owner) && !observed.yields() {
        return Err(Delivery::Conflict);
    }
    if observed.is_terminating {
        return Err(Delivery::Failed(observed.held_back()));
    }
    if observed.is_fixed || !observed.has_type_of(&content.data) {
        return Withdrawal::making_room(owner, key, observed).map(ObjectWrite::Recreate).ok_or(Delivery::Conflict);
    }
    let takes_over = !observed.is_of(owner);
    if observed.is_as(content) && !takes_over {
        return Err(Delivery::Done);
    }
    Ok(ObjectWrite::Update(Edit { takes_over, ..edit(observed, content) }))
}

fn edit(observed: &Observed, content: &ObjectContent) -> Edit {
    let has_key = |key: &str| match &content.data {
        ObjectData::ConfigMap(data) => data.contains_key(key),
        ObjectData::Secret(data) => data.values.contains_key(key),
    };
    Edit {
        uid: Arc::clone(&observed.uid),
        version: observed.version,
        drop_labels: observed.labels.outdated(&content.labels),
        drop_annotations: observed.annotations.outdated(&content.annotations),
        drop_keys: observed.keys.iter().filter(|key| !has_key(key)).map(ToString::to_string).collect(),
        drop_binary_data: observed.has_binary_data,
        takes_over: false,
    }
}

/// The bytes of all values.
#[must_use]
pub fn data_bytes(data: &ObjectData) -> usize {
    match data {
        ObjectData::ConfigMap(data) => data.values().map(String::len).sum(),
        ObjectData::Secret(data) => data.values.values().map(|value| value.expose_secret().len()).sum(),
    }
}
