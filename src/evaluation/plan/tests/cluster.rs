//! Objects as an API server holds them, and an operator that does there what it plans.

use crate::{
    api::entitlement_definition::OnEnd,
    evaluation::{
        delivery::Desired,
        object::{
            Attribution, IN_FORCE, MANAGED_BY, MANAGER, ORGANIZATION, OVER, ObjectContent, ObjectData, ObjectKey,
            SecretData,
        },
        plan::{
            Authorship, Delivery, Edit, Fate, Fingerprint, Marks, Naming, ObjectWrite, Observed, Owner, Scene,
            withdrawals, writes,
        },
    },
};
use std::{collections::BTreeMap, sync::Arc};

pub type Pairs = BTreeMap<String, String>;

/// An object as the API server holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub uid: u64,
    pub version: u64,
    pub controller: Option<String>,
    pub labels: Pairs,
    pub annotations: Pairs,
    pub data: BTreeMap<String, Vec<u8>>,
    pub secret_type: Option<Arc<str>>,
    /// Whether somebody else has labelled it as no longer in force.
    pub is_labelled_by_hand: bool,
}

pub fn bytes(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}

impl Object {
    pub fn observed(&self) -> Observed {
        let marks = |pairs: &Pairs| {
            Marks::new(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())), pairs.keys().cloned())
        };
        Observed {
            uid: self.uid.to_string().into(),
            version: self.version,
            organization: Observed::organization_in(&self.labels).map(Into::into),
            controller: self.controller.as_deref().map(Into::into),
            made_for: Attribution::of(Some(&self.labels), Some(&self.annotations), |_| true),
            fate: Fate::of(Some(&self.labels), Some(&self.annotations), |key| {
                key != IN_FORCE || !self.is_labelled_by_hand
            }),
            naming: Naming::Itself,
            authorship: Authorship::Whole,
            labels: marks(&self.labels),
            annotations: marks(&self.annotations),
            data: Fingerprint::of_pairs(self.data.iter().map(|(key, value)| (key.as_str(), value.as_slice()))),
            keys: self.data.keys().map(|key| key.as_str().into()).collect(),
            has_binary_data: false,
            secret_type: self.secret_type.clone(),
            is_fixed: false,
            is_terminating: false,
            finalizer: None,
        }
    }

    /// Whether it was kept, and is no longer in force.
    pub fn is_over(&self) -> bool {
        self.observed().fate == Fate::Retained
    }

    fn new(version: u64, owner: &Owner, content: &ObjectContent) -> Self {
        Self {
            uid: version,
            version,
            controller: Some(owner.uid().to_string()),
            labels: content.labels.clone(),
            annotations: content.annotations.clone(),
            data: data(content),
            secret_type: content.data.secret_type().map(Into::into),
            is_labelled_by_hand: false,
        }
    }

    fn edit(&mut self, version: u64, owner: &Owner, edit: &Edit, content: &ObjectContent) {
        assert_eq!((self.uid.to_string().as_str(), self.version), (&*edit.uid, edit.version));
        assert_eq!(self.secret_type.as_deref(), content.data.secret_type());
        self.version = version;
        self.labels.retain(|key, _| !edit.drop_labels.contains(key));
        self.labels.extend(content.labels.clone());
        self.annotations.retain(|key, _| !edit.drop_annotations.contains(key));
        self.annotations.extend(content.annotations.clone());
        self.data.retain(|key, _| !edit.drop_keys.contains(key));
        self.data.extend(data(content));
        if edit.takes_over {
            self.controller = Some(owner.uid().to_string());
        }
    }
}

fn data(content: &ObjectContent) -> BTreeMap<String, Vec<u8>> {
    match &content.data {
        ObjectData::ConfigMap(data) => data.iter().map(|(key, text)| (key.clone(), text.as_bytes().to_vec())).collect(),
        ObjectData::Secret(SecretData { values, .. }) => {
            values.iter().map(|(key, value)| (key.clone(), value.expose_secret().clone())).collect()
        }
    }
}

/// All objects that there are.
#[derive(Clone, Default)]
pub struct Cluster {
    pub objects: BTreeMap<ObjectKey, Object>,
    clock: u64,
}

impl Cluster {
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Plans and carries out for one organization, as the shell does. Whether anything changed, and what came of each object.
    pub fn reconcile(&mut self, desired: &Desired, owner: &Owner) -> (bool, BTreeMap<ObjectKey, Delivery>) {
        let scene = self.scene(desired, owner);
        let planned = writes(desired, owner, &scene);
        let mut deliveries = planned.settled;
        let mut changed = !planned.changes.is_empty();
        for (key, change, content) in planned.changes {
            self.carry_out(owner, &key, &change, &content);
            deliveries.insert(key, Delivery::Done);
        }
        for withdrawal in withdrawals(desired, owner, &scene, &deliveries) {
            changed = true;
            match withdrawal.on_end() {
                OnEnd::Delete => drop(self.objects.remove(withdrawal.key())),
                OnEnd::Retain => {
                    let version = self.tick();
                    let object = self.objects.get_mut(withdrawal.key()).unwrap();
                    object.is_labelled_by_hand = false;
                    object.labels.insert(IN_FORCE.to_owned(), OVER.to_owned());
                    object.version = version;
                }
            }
        }
        (changed, deliveries)
    }

    fn scene(&self, desired: &Desired, owner: &Owner) -> Scene {
        let has_label = |object: &Object| object.labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER);
        let concerns = |key: &ObjectKey, object: &Object| {
            object.labels.get(ORGANIZATION).is_some_and(|of| **of == **owner.name())
                || desired.objects.contains_key(key)
        };
        let (known, foreign): (Vec<_>, Vec<_>) = self.objects.iter().partition(|(_, object)| has_label(object));
        let observed = known.into_iter().filter(|(key, object)| concerns(key, object));
        Scene {
            observed: observed.map(|(key, object)| (key.clone(), Arc::new(object.observed()))).collect(),
            foreign: foreign.into_iter().map(|(key, _)| key.clone()).collect(),
            ..Scene::default()
        }
    }

    fn carry_out(&mut self, owner: &Owner, key: &ObjectKey, change: &ObjectWrite, content: &ObjectContent) {
        let version = self.tick();
        match change {
            ObjectWrite::Create => {
                let made = Object::new(version, owner, content);
                assert_eq!(self.objects.insert(key.clone(), made), None, "{key}");
            }
            ObjectWrite::Update(edit) => self.objects.get_mut(key).unwrap().edit(version, owner, edit, content),
            ObjectWrite::Recreate(withdrawal) => {
                let former = self.objects.insert(key.clone(), Object::new(version, owner, content)).unwrap();
                assert_eq!(
                    (former.uid.to_string().as_str(), former.version),
                    (&**withdrawal.uid(), withdrawal.version())
                );
            }
        }
    }
}
