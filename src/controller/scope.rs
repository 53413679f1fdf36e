//! The only way into tenants' namespaces. It takes the organization, and refuses a namespace that is not its own. To delete or
//! change anything elsewhere takes a [`Withdrawal`] or a [`Ground`], and only the plan makes these.

use super::{
    failure::RequestRefusal,
    gate::Gate,
    guarded::Guarded,
    handwriting::Handwriting,
    output::{FIELD_MANAGER, OutputObject, controller, fate, is_of, yields},
    world::{FormerMarks, SourcePermission},
};
use crate::{
    api::{GROUP, VERSION, entitlement_definition::OutputKind},
    core::source::{SourceId, SourceKind},
    evaluation::{
        object::{
            Attribution, IN_FORCE, MANAGED_BY, MANAGER, OBJECT, ON_END, ORGANIZATION, OVER, ObjectContent, ObjectKey,
            RETAIN,
        },
        plan::{Authorship, Edit, Fate, Ground, Naming, Observed, Owner, Withdrawal},
    },
};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Resource,
    api::{DeleteParams, ListParams, ObjectMeta, PartialObjectMeta, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The most objects that are listed at once.
const PAGE: u32 = 500;

/// What may be written and read for one organization.
pub struct OrganizationScope {
    gate: Arc<Gate>,
    owner: Owner,
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing.
    Nobody,
    /// An object that the operator made for the organization, or one that yields to it.
    Own,
    /// Any other.
    Foreign,
}

/// What became of an object that was deleted.
#[derive(Debug)]
pub enum Deleted {
    /// It is gone.
    Gone,
    /// Somebody's finalizer holds it.
    Held(Box<Observed>),
}

/// An object that the operator wrote, and that lacks its label.
#[derive(Debug)]
pub struct UnlabelledObject {
    /// Its UID.
    pub uid: Arc<str>,
    /// The UID of its controlling owner, where that is an organization.
    pub controller: Option<Arc<str>>,
    /// The source that its annotation names.
    pub source: Option<SourceId>,
    /// What is to become of it.
    pub fate: Fate,
}

impl UnlabelledObject {
    /// None if it was not the operator that made it, or if it is a copy.
    fn of(metadata: &ObjectMeta, key: &ObjectKey) -> Option<Self> {
        let handwriting = Handwriting::of(metadata);
        let annotations = metadata.annotations.as_ref();
        let is_written = handwriting.authorship([]) != Authorship::Unknown;
        (is_written && Naming::of(annotations, key) == Naming::Itself).then(|| Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            controller: controller(metadata).map(Into::into),
            source: annotations.and_then(Attribution::source_in),
            fate: fate(metadata, &handwriting),
        })
    }
}

impl OrganizationScope {
    /// The scope of an organization.
    pub fn new(gate: Arc<Gate>, owner: Owner) -> Self {
        Self { gate, owner }
    }

    fn admit(&self, key: &ObjectKey) -> Result<(), RequestRefusal> {
        let may = self.owner.owns(&key.namespace) && self.owner.reaches(key.kind, &key.namespace);
        if may { Ok(()) } else { Err(RequestRefusal::OutOfScope(key.to_string())) }
    }

    /// Makes an object.
    pub async fn create(&self, key: &ObjectKey, content: &ObjectContent) -> Result<Observed, RequestRefusal> {
        self.admit(key)?;
        match key.kind {
            OutputKind::ConfigMap => self.make_as::<ConfigMap>(key, content, false).await,
            OutputKind::Secret => self.make_as::<Secret>(key, content, false).await,
        }
    }

    /// Whether the API server would make an object whose name is taken: it looks at all else first.
    pub async fn try_out(&self, key: &ObjectKey, content: &ObjectContent) -> Result<(), RequestRefusal> {
        self.admit(key)?;
        let tried = match key.kind {
            OutputKind::ConfigMap => self.make_as::<ConfigMap>(key, content, true).await,
            OutputKind::Secret => self.make_as::<Secret>(key, content, true).await,
        };
        match tried {
            Ok(_) | Err(RequestRefusal::Exists) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Puts an object right, if it is still the one that was seen.
    pub async fn update(
        &self,
        key: &ObjectKey,
        content: &ObjectContent,
        edit: &Edit,
    ) -> Result<Observed, RequestRefusal> {
        self.admit(key)?;
        match key.kind {
            OutputKind::ConfigMap => self.update_as::<ConfigMap>(key, content, edit).await,
            OutputKind::Secret => self.update_as::<Secret>(key, content, edit).await,
        }
    }

    /// Looks at what stands at a name, without its data.
    pub async fn inspect(&self, key: &ObjectKey) -> Result<Occupant, RequestRefusal> {
        self.admit(key)?;
        match key.kind {
            OutputKind::ConfigMap => self.inspect_as::<ConfigMap>(key).await,
            OutputKind::Secret => self.inspect_as::<Secret>(key).await,
        }
    }

    /// Deletes an object, if it is still the one that was seen.
    pub async fn withdraw(&self, withdrawal: &Withdrawal) -> Result<Deleted, RequestRefusal> {
        match withdrawal.key().kind {
            OutputKind::ConfigMap => self.delete_as::<ConfigMap>(withdrawal).await,
            OutputKind::Secret => self.delete_as::<Secret>(withdrawal).await,
        }
    }

    /// Labels an object as no longer in force, if it is still the one that was seen. Nothing else of it changes.
    pub async fn retain(&self, withdrawal: &Withdrawal) -> Result<Observed, RequestRefusal> {
        let patch = json!({"metadata": {
            "uid": withdrawal.uid(),
            "resourceVersion": withdrawal.version().to_string(),
            "labels": {IN_FORCE: OVER},
        }});
        let (key, ground) = (withdrawal.key(), withdrawal.ground());
        match key.kind {
            OutputKind::ConfigMap => self.patch_as::<ConfigMap>(ground.namespace(), key, patch).await,
            OutputKind::Secret => self.patch_as::<Secret>(ground.namespace(), key, patch).await,
        }
    }

    /// Marks an object anew as what it was, if it is there still; None if it is not. Nothing else of it changes.
    pub async fn mark(
        &self,
        ground: &Ground,
        key: &ObjectKey,
        origin: &FormerMarks,
    ) -> Result<Option<Observed>, RequestRefusal> {
        match key.kind {
            OutputKind::ConfigMap => self.mark_as::<ConfigMap>(ground, key, origin).await,
            OutputKind::Secret => self.mark_as::<Secret>(ground, key, origin).await,
        }
    }

    async fn mark_as<K: OutputObject>(
        &self,
        ground: &Ground,
        key: &ObjectKey,
        origin: &FormerMarks,
    ) -> Result<Option<Observed>, RequestRefusal> {
        let found = self.metadata_at::<K>(ground.namespace(), key).await?;
        let Some(found) = found.filter(|found| found.uid.as_deref() == Some(&*origin.uid)) else {
            return Ok(None);
        };
        let patch = self.marks(key, origin, found.resource_version.as_deref());
        self.patch_as::<K>(ground.namespace(), key, patch).await.map(Some)
    }

    fn marks(&self, key: &ObjectKey, origin: &FormerMarks, version: Option<&str>) -> Value {
        let mut annotations = BTreeMap::from([
            (OBJECT, Some(key.place())),
            (ON_END, (origin.fate != Fate::Delete).then(|| RETAIN.to_owned())),
        ]);
        for kind in SourceKind::ALL {
            let source = origin.source.as_ref().filter(|source| source.kind == *kind);
            annotations.insert(kind.annotation(), source.map(ToString::to_string));
        }
        json!({"metadata": {
            "uid": origin.uid,
            "resourceVersion": version,
            "labels": {
                MANAGED_BY: MANAGER,
                ORGANIZATION: self.owner.name(),
                IN_FORCE: (origin.fate == Fate::Retained).then_some(OVER),
            },
            "annotations": annotations,
            "ownerReferences": [self.owner_reference()],
        }})
    }

    /// Objects in a namespace that the operator wrote, and that the watch does not show since they lack its label.
    pub async fn search(&self, ground: &Ground) -> Result<Vec<(ObjectKey, UnlabelledObject)>, RequestRefusal> {
        let mut found = self.search_as::<ConfigMap>(ground).await?;
        if self.owner.reaches(OutputKind::Secret, ground.namespace()) {
            found.extend(self.search_as::<Secret>(ground).await?);
        }
        Ok(found)
    }

    async fn search_as<K: OutputObject>(
        &self,
        ground: &Ground,
    ) -> Result<Vec<(ObjectKey, UnlabelledObject)>, RequestRefusal> {
        let api = self.metadata_in::<K>(ground.namespace());
        let mut parameters = ListParams::default().labels(&format!("{MANAGED_BY}!={MANAGER}")).limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = {
                let _pass = self.gate.enter().await;
                api.list(&parameters).await.map_err(|error| RequestRefusal::of_output(&error, K::KIND))?
            };
            found.extend(page.items.into_iter().filter_map(|object| {
                let metadata = object.into_metadata();
                let key = K::key_of(&metadata);
                Some((key.clone(), UnlabelledObject::of(&metadata, &key)?))
            }));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// For keys that were admitted.
    fn api<K: OutputObject>(&self, key: &ObjectKey) -> Api<K> {
        Api::namespaced(self.gate.client(), &key.namespace)
    }

    fn metadata_in<K: OutputObject>(&self, namespace: &str) -> Api<Guarded<PartialObjectMeta<K>>> {
        Api::namespaced(self.gate.client(), namespace)
    }

    async fn metadata_at<K: OutputObject>(
        &self,
        namespace: &str,
        key: &ObjectKey,
    ) -> Result<Option<ObjectMeta>, RequestRefusal> {
        let _pass = self.gate.enter().await;
        let found = self.metadata_in::<K>(namespace).get_opt(&key.name).await;
        let found = found.map_err(|error| RequestRefusal::of_output(&error, key.kind))?;
        Ok(found.map(Guarded::into_metadata))
    }

    async fn make_as<K: OutputObject>(
        &self,
        key: &ObjectKey,
        content: &ObjectContent,
        dry_run: bool,
    ) -> Result<Observed, RequestRefusal> {
        let metadata = ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            labels: Some(content.labels.clone()),
            annotations: Some(content.annotations_at(key)),
            owner_references: Some(vec![self.owner_reference()]),
            ..ObjectMeta::default()
        };
        let object = K::with_data(metadata, &content.data);
        let parameters = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let _pass = self.gate.enter().await;
        let created = self.api::<K>(key).create(&parameters, &object).await;
        created.map(|object| object.observed()).map_err(|error| RequestRefusal::of_output(&error, key.kind))
    }

    /// The cluster's garbage collector deletes the object when the organization goes. Deleting the organization does not wait
    /// for that, so `blockOwnerDeletion`, which needs a permission of its own, is left out.
    fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "Organization".to_owned(),
            name: self.owner.name().to_string(),
            uid: self.owner.uid().to_string(),
            controller: Some(true),
            block_owner_deletion: None,
        }
    }

    async fn update_as<K: OutputObject>(
        &self,
        key: &ObjectKey,
        content: &ObjectContent,
        edit: &Edit,
    ) -> Result<Observed, RequestRefusal> {
        let owner = edit.takes_over.then(|| self.owner_reference());
        self.patch_as::<K>(&key.namespace, key, merge_patch::<K>(key, content, edit, owner)).await
    }

    async fn patch_as<K: OutputObject>(
        &self,
        namespace: &str,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Observed, RequestRefusal> {
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api: Api<Guarded<K>> = Api::namespaced(self.gate.client(), namespace);
        let _pass = self.gate.enter().await;
        let updated = api.patch(&key.name, &parameters, &Patch::Merge(patch)).await;
        observed(updated.map_err(|error| RequestRefusal::of_output(&error, key.kind))?)
    }

    async fn inspect_as<K: OutputObject>(&self, key: &ObjectKey) -> Result<Occupant, RequestRefusal> {
        let Some(found) = self.metadata_at::<K>(&key.namespace, key).await? else {
            return Ok(Occupant::Nobody);
        };
        let is_own = is_of(&found, key, &self.owner) || yields(&found, key);
        Ok(if is_own { Occupant::Own } else { Occupant::Foreign })
    }

    async fn delete_as<K: OutputObject>(&self, withdrawal: &Withdrawal) -> Result<Deleted, RequestRefusal> {
        let preconditions = Preconditions {
            uid: Some(withdrawal.uid().to_string()),
            resource_version: Some(withdrawal.version().to_string()),
        };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api: Api<Guarded<K>> = Api::namespaced(self.gate.client(), withdrawal.ground().namespace());
        let _pass = self.gate.enter().await;
        let answer = api.delete(&withdrawal.key().name, &parameters).await;
        let left = answer.map_err(|error| RequestRefusal::of_output(&error, K::KIND))?.left();
        let held =
            left.filter(|object| object.meta().finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty()));
        held.map_or(Ok(Deleted::Gone), |object| Ok(Deleted::Held(Box::new(observed(object)?))))
    }
}

/// Without why one can't be read, which may quote what a Secret holds.
fn observed<K: OutputObject>(Guarded(object): Guarded<K>) -> Result<Observed, RequestRefusal> {
    let unread = |_| RequestRefusal::Unavailable("what the API server has of it cannot be read".to_owned());
    object.map(|object| object.observed()).map_err(unread)
}

/// Everything that the object should have, and null for what goes. What others have added beside it stays.
fn merge_patch<K: OutputObject>(
    key: &ObjectKey,
    content: &ObjectContent,
    edit: &Edit,
    owner: Option<OwnerReference>,
) -> Value {
    let data = serde_json::to_value(K::with_data(ObjectMeta::default(), &content.data)).unwrap_or_default();
    let mut data = data.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    data.extend(nulls(&edit.drop_keys));
    let with_nulls = |pairs: &BTreeMap<String, String>, dropped: &[String]| {
        let pairs = pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        pairs.chain(nulls(dropped)).collect::<Map<_, _>>()
    };
    let mut metadata = json!({
        "uid": edit.uid,
        "resourceVersion": edit.version.to_string(),
        "labels": with_nulls(&content.labels, &edit.drop_labels),
        "annotations": with_nulls(&content.annotations_at(key), &edit.drop_annotations),
    });
    if let (Some(owner), Some(metadata)) = (owner, metadata.as_object_mut()) {
        metadata.insert("ownerReferences".to_owned(), json!([owner]));
    }
    let mut patch = json!({"metadata": metadata, "data": data});
    if edit.drop_binary_data
        && let Some(patch) = patch.as_object_mut()
    {
        patch.insert("binaryData".to_owned(), Value::Null);
    }
    patch
}

fn nulls(keys: &[String]) -> impl Iterator<Item = (String, Value)> {
    keys.iter().map(|key| (key.clone(), Value::Null))
}

/// Reads a source Secret; None if there is no such. Only what the permission names can be read.
pub async fn read_source(gate: &Gate, permission: &SourcePermission) -> Result<Option<Secret>, RequestRefusal> {
    let api: Api<Secret> = Api::namespaced(gate.reader(), permission.namespace());
    let _pass = gate.enter_to_read().await;
    api.get_opt(permission.name()).await.map_err(|error| RequestRefusal::of_output(&error, OutputKind::Secret))
}
