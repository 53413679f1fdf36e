//! The objects in the namespaces of one organization, where the operator does what it plans and every write succeeds.

use super::step::{ObjectAction, ObjectChange};
use crate::{
    api::entitlement_definition::OnEnd,
    core::{grant::GrantId, source::SourceId},
    evaluation::{
        delivery::Desired,
        object::{Attribution, DesiredObject, ObjectContent, ObjectKey, Wish},
        plan::{Delivery, Fate, Observed, Owner, Scene, Withdrawal, withdrawals, writes},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// An object that lies in a namespace.
#[derive(Clone, Debug)]
pub struct PresentObject {
    /// The grant that it is made for; absent for the summary.
    pub grant: Option<GrantId>,
    /// What it holds, a summary without its data; absent where that cannot be told, such as for want of a Secret.
    pub content: Option<Arc<ObjectContent>>,
    /// What becomes, or has become, of it when nothing asks for it any more.
    fate: Fate,
}

impl PresentObject {
    /// Whether it is kept as no longer in force.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.fate == Fate::Retained
    }

    fn made_for(&self) -> Option<Attribution> {
        let GrantId { source, definition } = self.grant.clone()?;
        Some(Attribution { source, definition: Some(definition) })
    }

    /// What the operator sees of it.
    fn observed(&self, owner: &Owner) -> Observed {
        match &self.content {
            Some(content) if self.is_over() => Observed::retained(owner, content),
            Some(content) => Observed::written(owner, content),
            None => Observed::untold(owner, self.made_for(), self.fate),
        }
    }
}

/// The objects in namespaces.
pub type Objects = BTreeMap<ObjectKey, PresentObject>;

/// The namespaces of one organization.
pub struct Namespaces {
    owner: Owner,
    objects: Objects,
    /// What the operator sees of each.
    observed: BTreeMap<ObjectKey, Arc<Observed>>,
    of_sources: HashMap<SourceId, BTreeSet<ObjectKey>>,
}

impl Namespaces {
    /// As they were left by whoever was there before.
    #[must_use]
    pub fn new(owner: Owner, left: Objects) -> Self {
        let mut namespaces =
            Self { owner, objects: Objects::new(), observed: BTreeMap::new(), of_sources: HashMap::new() };
        for (key, object) in left {
            namespaces.place(key, object);
        }
        namespaces
    }

    /// What lies there.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The objects that are made for grants of a source.
    pub fn of_source(&self, source: &SourceId) -> impl Iterator<Item = &ObjectKey> {
        self.of_sources.get(source).into_iter().flatten()
    }

    /// The source of the grant that an object is made for.
    #[must_use]
    pub fn source_of(&self, key: &ObjectKey) -> Option<&SourceId> {
        Some(&self.objects.get(key)?.grant.as_ref()?.source)
    }

    /// Does what the operator does with these objects and those that are desired, and returns what that changes.
    ///
    /// What is to stay as it is may be there already, for all that is known: so it is, from now on.
    pub fn settle(&mut self, desired: &Desired, keys: &BTreeSet<ObjectKey>) -> Vec<ObjectChange> {
        let keys = keys.iter().chain(desired.objects.keys());
        let observed = keys.filter_map(|key| Some((key.clone(), Arc::clone(self.observed.get(key)?))));
        let scene = Scene { observed: observed.collect(), ..Scene::default() };
        let planned = writes(desired, &self.owner, &scene);
        let mut deliveries = planned.settled;
        let mut changes: Vec<ObjectChange> = Vec::new();
        for (key, _, content) in planned.changes {
            deliveries.insert(key.clone(), Delivery::Done);
            let grant = desired.objects.get(&key).and_then(|object| object.grant.clone());
            changes.push(self.write(key, grant, content));
        }
        let withdrawals = withdrawals(desired, &self.owner, &scene, &deliveries);
        changes.extend(withdrawals.iter().filter_map(|withdrawal| self.withdraw(withdrawal)));
        changes.extend(desired.objects.iter().filter_map(|(key, object)| self.suppose(key, object)));
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes
    }

    fn write(&mut self, key: ObjectKey, grant: Option<GrantId>, content: Arc<ObjectContent>) -> ObjectChange {
        let is_there = self.objects.get(&key).is_some_and(|object| !object.is_over());
        let action = if is_there { ObjectAction::Changed } else { ObjectAction::Delivered };
        let fate = Fate::of(Some(&content.labels), Some(&content.annotations), |_| true);
        self.place(key.clone(), PresentObject { grant: grant.clone(), content: Some(Arc::clone(&content)), fate });
        ObjectChange { key, action, grant, content: Some(content) }
    }

    fn suppose(&mut self, key: &ObjectKey, desired: &DesiredObject) -> Option<ObjectChange> {
        if !matches!(desired.wish, Wish::Keep) || self.objects.contains_key(key) {
            return None;
        }
        let grant = desired.grant.clone();
        let fate = if desired.is_retained { Fate::Retain } else { Fate::Delete };
        self.place(key.clone(), PresentObject { grant: grant.clone(), content: None, fate });
        Some(ObjectChange { key: key.clone(), action: ObjectAction::Delivered, grant, content: None })
    }

    fn withdraw(&mut self, withdrawal: &Withdrawal) -> Option<ObjectChange> {
        let key = withdrawal.key();
        let object = self.displace(key)?;
        let PresentObject { grant, content, .. } = object.clone();
        let action = match withdrawal.on_end() {
            OnEnd::Delete => ObjectAction::Withdrawn,
            OnEnd::Retain => {
                self.place(key.clone(), PresentObject { fate: Fate::Retained, ..object });
                ObjectAction::Retained
            }
        };
        Some(ObjectChange { key: key.clone(), action, grant, content })
    }

    fn place(&mut self, key: ObjectKey, object: PresentObject) {
        self.displace(&key);
        if let Some(grant) = &object.grant {
            self.of_sources.entry(grant.source.clone()).or_default().insert(key.clone());
        }
        self.observed.insert(key.clone(), Arc::new(object.observed(&self.owner)));
        self.objects.insert(key, object);
    }

    fn displace(&mut self, key: &ObjectKey) -> Option<PresentObject> {
        self.observed.remove(key);
        let object = self.objects.remove(key)?;
        if let Some(of_source) = object.grant.as_ref().and_then(|grant| self.of_sources.get_mut(&grant.source)) {
            of_source.remove(key);
        }
        Some(object)
    }
}
