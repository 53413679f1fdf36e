//! What the API server has recorded about the writers of an object: `metadata.managedFields`.

use super::output::FIELD_MANAGER;
use crate::evaluation::{object::OWN_PREFIX, plan::Authorship};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ObjectMeta;
use serde_json::Value;
use std::collections::BTreeSet;

/// The keys that the operator has set, and that nobody else has set since.
#[derive(Debug, Default)]
pub struct Handwriting {
    /// Whether it has set anything at all, as far as that was recorded.
    is_there: bool,
    /// Keys of labels.
    pub labels: BTreeSet<String>,
    /// Keys of annotations.
    pub annotations: BTreeSet<String>,
    /// Keys of data.
    data: BTreeSet<String>,
    /// Keys of labels and annotations that are the operator's, and that others have set.
    forged: BTreeSet<String>,
}

impl Handwriting {
    /// Reads an object's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let mut all = Self::default();
        for entry in metadata.managed_fields.iter().flatten() {
            let labels = keys_under(entry, &["f:metadata", "f:labels"]);
            let annotations = keys_under(entry, &["f:metadata", "f:annotations"]);
            if entry.manager.as_deref() == Some(FIELD_MANAGER) {
                all.is_there = true;
                all.labels.extend(labels);
                all.annotations.extend(annotations);
                all.data.extend(keys_under(entry, &["f:data"]));
            } else {
                let both = labels.into_iter().chain(annotations);
                all.forged.extend(both.filter(|key| key.starts_with(OWN_PREFIX)));
            }
        }
        all
    }

    /// How much of the object is the operator's, which has those keys of data.
    pub fn authorship<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Authorship {
        match (self.is_there, keys.into_iter().all(|key| self.data.contains(key))) {
            (false, _) => Authorship::Unknown,
            (true, false) => Authorship::Part,
            (true, true) => Authorship::Whole,
        }
    }

    /// Whether a label or annotation of the operator's may be believed: nobody else has set it. Where nothing was recorded of
    /// it, what is there holds.
    pub fn vouches_for(&self, key: &str) -> bool {
        self.labels.contains(key) || self.annotations.contains(key) || !self.forged.contains(key)
    }
}

/// The keys below a field in an entry, which names each of them as `f:<name>`.
fn keys_under(entry: &ManagedFieldsEntry, path: &[&str]) -> Vec<String> {
    let root = entry.fields_v1.as_ref().map(|fields| &fields.0);
    let found = path.iter().try_fold(root, |at, field| Some(at?.get(field))).flatten();
    let keys = found.and_then(Value::as_object).into_iter().flatten();
    keys.filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::Handwriting;
    use crate::evaluation::plan::Authorship;
    use kube::api::ObjectMeta;
    use rstest::rstest;
    use serde_json::json;

    fn read(manager: &str) -> Handwriting {
        let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:entitlements.dev/in-force": {}}}, "f:data": {".": {}, "f:k": {}, "f:l": {}}});
        let entry = json!({"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let metadata: ObjectMeta = serde_json::from_value(json!({"managedFields": [entry]})).unwrap();
        Handwriting::of(&metadata)
    }

    #[rstest]
    #[case::all("entitlement-operator", &["k", "l"], Authorship::Whole)]
    #[case::less("entitlement-operator", &["k"], Authorship::Whole)]
    #[case::others_too("entitlement-operator", &["k", "theirs"], Authorship::Part)]
    #[case::nothing("kubectl", &["k", "l"], Authorship::Unknown)]
    fn who_wrote_it_is_known(#[case] manager: &str, #[case] keys: &[&str], #[case] expected: Authorship) {
        assert_eq!(read(manager).authorship(keys.iter().copied()), expected);
    }

    #[test]
    fn a_mark_that_another_has_set_is_not_believed() {
        let key = "entitlements.dev/in-force";
        assert!(read("entitlement-operator").vouches_for(key));
        assert!(!read("kubectl").vouches_for(key));
        assert!(Handwriting::default().vouches_for(key));
        assert!(read("kubectl").vouches_for("entitlements.dev/on-end"));
    }
}
