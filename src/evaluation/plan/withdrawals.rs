//! Which objects go, or are kept as no longer in force, once the writes are through.

use super::{Authorship, Delivery, Fate, Ground, Naming, Observed, Owner, Scene, Stuck, known};
use crate::{
    api::entitlement_definition::OnEnd,
    core::grant::GrantId,
    evaluation::{
        delivery::Desired,
        object::{Attribution, ObjectKey, Wish},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An object that is withdrawn, as it was seen. There is none but of an object that is the organization's own, or yields to
/// it, in a namespace in which it has or had objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    ground: Ground,
    key: ObjectKey,
    uid: Arc<str>,
    version: u64,
    made_for: Option<Attribution>,
    on_end: OnEnd,
}

impl Withdrawal {
    /// The withdrawal of an object that nothing asks for.
    fn of_unwanted(owner: &Owner, key: &ObjectKey, observed: &Observed) -> Option<Self> {
        let on_end = match observed.fate {
            Fate::Delete => OnEnd::Delete,
            Fate::Retain => OnEnd::Retain,
            Fate::Retained => return None,
        };
        let is_its = observed.is_of(owner) && observed.is_original();
        is_its.then(|| Self::of(owner, key, observed, on_end)).flatten()
    }

    /// The withdrawal of an object that is to be made anew.
    pub(super) fn making_room(owner: &Owner, key: &ObjectKey, observed: &Observed) -> Option<Self> {
        let is_its = observed.is_of(owner) || (observed.yields() && owner.owns(&key.namespace));
        (is_its && observed.is_original()).then(|| Self::of(owner, key, observed, OnEnd::Delete)).flatten()
    }

    fn of(owner: &Owner, key: &ObjectKey, observed: &Observed, on_end: OnEnd) -> Option<Self> {
        owner.reaches(key.kind, &key.namespace).then_some(())?;
        Some(Self {
            ground: owner.ground(&key.namespace)?,
            key: key.clone(),
            uid: Arc::clone(&observed.uid),
            version: observed.version,
            made_for: observed.made_for.clone(),
            on_end,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Which object.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The UID that it must have.
    #[must_use]
    pub fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    /// The resourceVersion that it must have.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What it says that it was made for.
    #[must_use]
    pub fn made_for(&self) -> Option<&Attribution> {
        self.made_for.as_ref()
    }

    /// Whether it is deleted, or kept and labelled as no longer in force.
    #[must_use]
    pub fn on_end(&self) -> OnEnd {
        self.on_end
    }
}

/// The organization's own objects that nothing asks for any more, wherever it has or had objects, in the order of the objects.
///
/// `deliveries` is what came of the writes: while an object of a grant could not be delivered, what the grant has beside it
/// in that namespace stays, as it may be the same thing under its former name. An error never withdraws; that a namespace
/// is no longer the organization's does. What several grants have together is one thing, whichever of them it was made for: it
/// stays until what is asked for in its place is there. What is kept already as no longer in force is left as it is.
#[must_use]
pub fn withdrawals(
    desired: &Desired,
    owner: &Owner,
    scene: &Scene,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> Vec<Withdrawal> {
    unwanted(desired, owner, scene, deliveries)
        .filter(|(key, observed)| !observed.is_terminating && !scene.contested.contains(key))
        .filter_map(|(key, observed)| Withdrawal::of_unwanted(owner, key, observed))
        .collect()
}

/// The organization's own objects that nothing asks for any more, and that can't be withdrawn now.
#[must_use]
pub fn pending(
    desired: &Desired,
    owner: &Owner,
    scene: &Scene,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> Vec<Stuck> {
    unwanted(desired, owner, scene, deliveries)
        .filter(|(key, observed)| observed.fate == Fate::Delete && owner.ground(&key.namespace).is_some())
        .filter_map(|(key, observed)| {
            let made_for = observed.made_for.clone();
            if observed.is_terminating {
                return observed.is_of(owner).then(|| Stuck::held(made_for, key, observed));
            }
            if scene.contested.contains(key) {
                return observed.is_of(owner).then(|| Stuck::contested(made_for, key));
            }
            let is_disguised = observed.naming == Naming::Another && observed.authorship == Authorship::Whole;
            is_disguised.then(|| {
                let message = format!("{key} is as the operator made it, but says that it is a copy of another object, and is left alone: delete it, or take the operator's labels off");
                Stuck::new(made_for, message)
            })
        })
        .collect()
}

/// Everything with the marks of the organization that nothing asks for, and that does not stay for another reason.
fn unwanted<'a>(
    desired: &'a Desired,
    owner: &'a Owner,
    scene: &'a Scene,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> impl Iterator<Item = (&'a ObjectKey, &'a Observed)> {
    let keeping = Keeping::of(desired, deliveries);
    let stays = move |key: &ObjectKey, made_for: &Attribution| {
        let is_kept = || scene.unreadable.contains(&made_for.source) || keeping.keeps(made_for, &key.namespace);
        owner.owns(&key.namespace) && is_kept()
    };
    let marked = scene.observed.iter().filter(|(_, observed)| observed.is_marked_for(owner));
    marked
        .filter(|(key, _)| !desired.objects.contains_key(key))
        .filter(move |(key, observed)| !observed.made_for.as_ref().is_some_and(|made_for| stays(key, made_for)))
        .map(|(key, observed)| (key, &**observed))
}

/// The grants for which what is present stays.
struct Keeping<'a> {
    known: BTreeSet<&'a GrantId>,
    kept: &'a BTreeSet<GrantId>,
    unfinished: BTreeSet<(&'a GrantId, &'a str)>,
    kept_shared: &'a BTreeSet<Arc<str>>,
    /// The definitions of which the grants have such an object together, with its namespace.
    unfinished_shared: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Keeping<'a> {
    fn of(desired: &'a Desired, deliveries: &BTreeMap<ObjectKey, Delivery>) -> Self {
        let unfinished = unfinished(desired, deliveries);
        let shared = unfinished.iter().filter(|(grant, _)| desired.shared.contains(&grant.definition));
        Self {
            known: known(desired),
            kept: &desired.kept,
            kept_shared: &desired.kept_shared,
            unfinished_shared: shared.map(|(grant, namespace)| (&*grant.definition, *namespace)).collect(),
            unfinished,
        }
    }

    /// Whether an object in a namespace stays. One that does not tell which grant of its source it was made for stays as long
    /// as any of them keeps something there.
    fn keeps(&self, made_for: &Attribution, namespace: &str) -> bool {
        let keeps = |grant: &GrantId| self.kept.contains(grant) || self.unfinished.contains(&(grant, namespace));
        let grants = made_for.among(&self.known);
        grants.iter().copied().any(keeps) || self.keeps_shared(made_for, &grants, namespace)
    }

    /// The same of what the grants of a definition have together. What does not tell its definition may be of any that its source
    /// grants or, where that is gone, of any at all.
    fn keeps_shared(&self, made_for: &Attribution, grants: &[&GrantId], namespace: &str) -> bool {
        let stays = |definition: &str| {
            self.kept_shared.contains(definition) || self.unfinished_shared.contains(&(definition, namespace))
        };
        match &made_for.definition {
            Some(definition) => stays(definition),
            None if grants.is_empty() => {
                let is_here = |(_, of): &(&str, &str)| *of == namespace;
                !self.kept_shared.is_empty() || self.unfinished_shared.iter().any(is_here)
            }
            None => grants.iter().any(|grant| stays(&grant.definition)),
        }
    }
}

/// Grants with an object that is not known to be as it should be, with the object's namespace.
fn unfinished<'a>(
    desired: &'a Desired,
    deliveries: &BTreeMap<ObjectKey, Delivery>,
) -> BTreeSet<(&'a GrantId, &'a str)> {
    desired
        .objects
        .iter()
        .filter(|(key, object)| matches!(object.wish, Wish::Keep) || deliveries.get(key) != Some(&Delivery::Done))
        .filter_map(|(key, object)| Some((object.grant.as_ref()?, &*key.namespace)))
        .collect()
}
