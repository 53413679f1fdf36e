//! Which objects go, once the writes are through.

use super::{Delivery, Owner, Scene};
use crate::{
    core::grant::GrantId,
    evaluation::{
        Evaluation,
        object::{ObjectKey, Wish},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// An object that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which object.
    pub key: ObjectKey,
    /// The grant that it was made for.
    pub instance: Option<GrantId>,
}

/// The organization's own objects that nothing asks for any more, wherever they are, in the order of the objects.
///
/// `deliveries` is what came of the writes: while an object of a grant could not be delivered, what the grant has beside it
/// in that namespace stays, as it may be the same thing under its former name. An error never withdraws; that a namespace
/// is no longer the organization's does.
#[must_use]
pub fn removals(
    evaluation: &Evaluation,
    owner: &Owner,
    scene: &Scene,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> Vec<Removal> {
    let unfinished = unfinished(evaluation, deliveries);
    let stays = |key: &ObjectKey, id: &GrantId| {
        let is_kept = evaluation.kept.contains(id) || scene.unreadable.contains(id);
        owner.namespaces.contains(&key.namespace) && (is_kept || unfinished.contains(&(id, &*key.namespace)))
    };
    scene
        .observed
        .iter()
        .filter(|(key, observed)| {
            observed.is_of(owner) && !observed.is_terminating && !evaluation.objects.contains_key(key)
        })
        .filter(|(key, observed)| !observed.instance.as_ref().is_some_and(|id| stays(key, id)))
        .map(|(key, observed)| Removal { key: key.clone(), instance: observed.instance.clone() })
        .collect()
}

/// Grants with an object that is not known to be as it should be, with the object's namespace.
fn unfinished<'a>(
    evaluation: &'a Evaluation,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> BTreeSet<(&'a GrantId, &'a str)> {
    evaluation
        .objects
        .iter()
        .filter(|(key, desired)| matches!(desired.wish, Wish::Keep) || deliveries.get(key) != Some(&Delivery::Done))
        .filter_map(|(key, desired)| Some((desired.grant.as_ref()?, &*key.namespace)))
        .collect()
}
