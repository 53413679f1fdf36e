//! Which objects go, or are kept as no longer in force, once the writes are through.

use super::{Delivery, Fate, Observed, Owner, Scene};
use crate::{
    api::entitlement_definition::OnEnd,
    core::grant::GrantId,
    evaluation::{
        Evaluation,
        object::{ObjectKey, Wish},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// An object that is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which object.
    pub key: ObjectKey,
    /// The grant that it was made for.
    pub instance: Option<GrantId>,
    /// Whether it is deleted, or kept and labelled as no longer in force.
    pub on_end: OnEnd,
}

/// The organization's own objects that nothing asks for any more, wherever they are, in the order of the objects.
///
/// `deliveries` is what came of the writes: while an object of a grant could not be delivered, what the grant has beside it
/// in that namespace stays, as it may be the same thing under its former name. An error never withdraws; that a namespace
/// is no longer the organization's does. What is kept already as no longer in force is left as it is.
#[must_use]
pub fn withdrawals(
    evaluation: &Evaluation,
    owner: &Owner,
    scene: &Scene,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> Vec<Withdrawal> {
    let unfinished = unfinished(evaluation, deliveries);
    let stays = |key: &ObjectKey, id: &GrantId| {
        let is_kept = evaluation.kept.contains(id) || scene.unreadable.contains(id);
        owner.namespaces.contains(&key.namespace) && (is_kept || unfinished.contains(&(id, &*key.namespace)))
    };
    let is_unwanted = |key: &ObjectKey, observed: &Observed| {
        observed.is_of(owner) && !observed.is_terminating && !evaluation.objects.contains_key(key)
    };
    scene
        .observed
        .iter()
        .filter(|(key, observed)| is_unwanted(key, observed))
        .filter(|(key, observed)| !observed.instance.as_ref().is_some_and(|id| stays(key, id)))
        .filter_map(|(key, observed)| {
            let on_end = match observed.fate {
                Fate::Delete => OnEnd::Delete,
                Fate::Retain => OnEnd::Retain,
                Fate::Retained => return None,
            };
            Some(Withdrawal { key: key.clone(), instance: observed.instance.clone(), on_end })
        })
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
