//! In which namespaces an organization's objects are, and which objects are its own although they do not say so.

use super::{FormerMarks, World};
use crate::{
    api::Organization,
    core::namespace::{NamespaceAccess, is_reserved},
    evaluation::{
        object::ObjectKey,
        plan::{Authorship, Naming, Observed, Owner},
    },
};
use std::{collections::BTreeSet, sync::Arc};

impl World {
    /// Whose objects those of an organization are, and where they may lie.
    pub(super) fn owner(&self, name: &Arc<str>, organization: &Organization) -> Owner {
        let listed = organization.spec.namespaces.iter().map(|namespace| Arc::from(namespace.as_str()));
        let own = listed.filter(|namespace| self.tenancy.claimants(namespace).next() == Some(name));
        let own: BTreeSet<Arc<str>> = own.collect();
        let uid: Arc<str> = organization.metadata.uid.as_deref().unwrap_or_default().into();
        let new = |remembered: BTreeSet<Arc<str>>| {
            let all = own.iter().chain(&remembered);
            let access: Vec<_> = all.map(|namespace| (Arc::clone(namespace), self.reach.access(namespace))).collect();
            Owner::new(Arc::clone(name), Arc::clone(&uid), own.clone(), remembered, &self.operator_namespace)
                .with_access(access)
        };
        match self.tenancy.remembered(name) {
            Some(remembered) => new(remembered.clone()),
            None => new(self.first_seen(&new(own.clone()))),
        }
    }

    /// Where an organization has objects that has no memory of it, since a former version served it: in its own namespaces,
    /// and where objects of it lie that are the operator's work as a whole. Somebody who marks an object that is there as the
    /// organization's gets nothing withdrawn by that.
    fn first_seen(&self, owner: &Owner) -> BTreeSet<Arc<str>> {
        let objects = self.outputs.of_organization(owner.name());
        let is_its = |observed: &Observed| observed.is_of(owner) && observed.authorship == Authorship::Whole;
        let elsewhere = objects.into_iter().filter(|(_, observed)| is_its(observed)).map(|(key, _)| key.namespace);
        let own = owner.namespaces().iter().filter(|namespace| self.tenancy.is_present(namespace)).cloned();
        own.chain(elsewhere).collect()
    }

    /// Namespaces in which the organization has objects that are not withdrawn, as far as it had objects there.
    pub fn places(&self, owner: &Owner) -> BTreeSet<Arc<str>> {
        let is_searched = self.searched.contains(owner.name());
        let found = self.outputs.places(owner);
        // What is not seen is not gone.
        let is_unseen = |namespace: &str| self.reach.access(namespace) != NamespaceAccess::Full;
        let is_left = |namespace: &&Arc<str>| !is_searched || found.contains(*namespace) || is_unseen(namespace);
        owner.remembered().iter().filter(is_left).cloned().collect()
    }

    /// All objects of the organization are known, whatever they are marked as.
    pub fn searched(&mut self, owner: &Owner) {
        self.searched.insert(Arc::clone(owner.name()));
        // Where it has nothing any more, it need not be remembered any longer.
        if owner.remembered().iter().any(|namespace| !owner.owns(namespace)) {
            self.touch_organization(owner.name());
        }
    }

    /// The operator has made an object in a namespace in which the organization has objects, and its marks are gone. Whose it
    /// was, its owner says, if it has one: what is of an organization that is gone is the garbage collector's.
    pub fn found_stray(&mut self, owner: &Owner, key: ObjectKey, controller: Option<&str>, origin: FormerMarks) {
        let is_its = match controller {
            None => owner.owns(&key.namespace),
            Some(uid) if *uid == **owner.uid() => true,
            Some(uid) => owner.owns(&key.namespace) && self.is_elsewhere(uid, &key.namespace),
        };
        if is_its {
            self.outputs.strays.add(owner.name(), key, origin);
            self.touch_organization(owner.name());
        }
    }

    /// Whether that is the UID of an organization which has nothing in the namespace.
    fn is_elsewhere(&self, uid: &str, namespace: &str) -> bool {
        self.tenancy.of_uid(uid).is_some_and(|(name, organization)| {
            let is_listed = organization.spec.namespaces.iter().any(|listed| listed == namespace);
            let is_remembered = self.tenancy.remembered(name).is_none_or(|all| all.contains(namespace));
            !is_listed && !is_remembered
        })
    }

    /// Among what was there when the operator started: what it has made, and what is marked as something else now.
    pub(super) fn find_misplaced(&mut self) {
        let is_suspect =
            |observed: &Observed| observed.authorship != Authorship::Unknown && observed.naming == Naming::Itself;
        let suspects = self.outputs.all().filter(|(_, observed)| is_suspect(observed));
        let misplaced: Vec<_> = suspects
            .filter(|(key, _)| !is_reserved(&key.namespace, &self.operator_namespace))
            .filter_map(|(key, observed)| {
                let claimant = self.tenancy.claimants(&key.namespace).next()?;
                let organization = self.tenancy.get(claimant)?;
                let is_its = observed.organization.as_ref() == Some(claimant);
                if is_its && observed.controller.as_deref() == organization.metadata.uid.as_deref() {
                    return None;
                }
                let owner = self.owner(claimant, organization);
                let of_another = observed.organization.as_ref().filter(|name| *name != claimant);
                let is_of_another = of_another.is_some_and(|name| {
                    self.tenancy.get(name).is_some_and(|organization| observed.is_of(&self.owner(name, organization)))
                        && self.tenancy.remembered(name).is_none_or(|all| all.contains(&key.namespace))
                });
                let origin = FormerMarks {
                    uid: Arc::clone(&observed.uid),
                    controller: Arc::clone(owner.uid()),
                    source: observed.source().cloned(),
                    fate: observed.fate,
                };
                (!is_of_another).then(|| (owner, key.clone(), observed.controller.clone(), origin))
            })
            .collect();
        for (owner, key, controller, origin) in misplaced {
            self.found_stray(&owner, key, controller.as_deref(), origin);
        }
    }

    /// The objects whose marks are to be put on again. One that is marked as it was, that a grant asks for as it is, or that
    /// has gone over to the organization which has the namespace now, is none any more.
    pub fn strays(&mut self, owner: &Owner, is_wanted: impl Fn(&ObjectKey) -> bool) -> Vec<(ObjectKey, FormerMarks)> {
        let all = self.outputs.strays.of(owner.name()).map(|(key, origin)| (key.clone(), origin.clone()));
        let (strays, settled): (Vec<_>, Vec<_>) = all
            .collect::<Vec<_>>()
            .into_iter()
            .partition(|(key, origin)| self.is_stray(owner, key, origin, is_wanted(key)));
        for (key, _) in settled {
            self.outputs.strays.settle(owner.name(), &key);
        }
        strays
    }

    fn is_stray(&self, owner: &Owner, key: &ObjectKey, origin: &FormerMarks, is_wanted: bool) -> bool {
        if origin.controller != *owner.uid()
            || owner.ground(&key.namespace).is_none()
            || !self.tenancy.is_present(&key.namespace)
        {
            return false;
        }
        let Some(observed) = self.outputs.get(key).filter(|observed| observed.uid == origin.uid) else { return true };
        if observed.is_of(owner) {
            return !is_wanted && (observed.fate != origin.fate || observed.source() != origin.source.as_ref());
        }
        let claimant = self.tenancy.claimants(&key.namespace).next();
        let successor = claimant
            .filter(|name| *name != owner.name())
            .and_then(|name| Some(self.owner(name, self.tenancy.get(name)?)));
        successor.is_none_or(|successor| !observed.is_of(&successor))
    }

    /// An object that was to be marked again is gone.
    pub fn stray_is_gone(&mut self, owner: &Owner, key: &ObjectKey) {
        self.outputs.strays.settle(owner.name(), key);
    }

    /// The organization is gone, and what it had is the garbage collector's.
    pub fn forget_organization(&mut self, organization: &str) {
        self.outputs.forget_foreign(organization);
        self.outputs.strays.forget(organization);
        self.searched.remove(organization);
    }
}
