//! Whether the CustomResourceDefinitions of a cluster are those of this version: pure.

use crate::api::{VERSION, crd};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps, JSONSchemaPropsOrArray,
    JSONSchemaPropsOrBool,
};

/// What is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindFlaw {
    /// It is not installed.
    Absent,
    /// The API server does not serve it yet, or not at all; why.
    NotServed(String),
    /// It lacks fields, which would be lost.
    Lacks(Vec<String>),
    /// It has all fields, but other rules, defaults or columns.
    Differs,
}

/// The names of all of them.
pub fn names() -> impl Iterator<Item = String> {
    crd::all().into_iter().filter_map(|crd| crd.metadata.name)
}

/// What is wrong with what a cluster has under that name.
pub fn flaw(name: &str, found: Option<&CustomResourceDefinition>) -> Option<KindFlaw> {
    let wanted = crd::all().into_iter().find(|crd| crd.metadata.name.as_deref() == Some(name))?;
    let Some(found) = found else { return Some(KindFlaw::Absent) };
    let is_served = |version: &&CustomResourceDefinitionVersion| version.name == VERSION && version.served;
    let Some(version) = found.spec.versions.iter().find(is_served) else {
        return Some(KindFlaw::NotServed(format!("it has no version {VERSION}")));
    };
    if let Some(problem) = unestablished(found) {
        return Some(KindFlaw::NotServed(problem));
    }
    let wanted = wanted.spec.versions.iter().find(is_served)?;
    let lacks = lacking(wanted, version);
    if !lacks.is_empty() {
        return Some(KindFlaw::Lacks(lacks));
    }
    // One of a later version may well differ, and is not to be replaced by this one.
    let is_later = !lacking(version, wanted).is_empty();
    (!is_later && !is_same(wanted, version)).then_some(KindFlaw::Differs)
}

fn unestablished(found: &CustomResourceDefinition) -> Option<String> {
    let conditions = found.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut conditions = conditions.filter(|condition| condition.status != "True");
    let failing = conditions.find(|condition| ["NamesAccepted", "Established"].contains(&condition.type_.as_str()));
    failing.map(|condition| condition.message.clone().unwrap_or_else(|| "it is not established yet".to_owned()))
}

fn is_same(wanted: &CustomResourceDefinitionVersion, found: &CustomResourceDefinitionVersion) -> bool {
    wanted.schema == found.schema
        && wanted.additional_printer_columns == found.additional_printer_columns
        && wanted.selectable_fields == found.selectable_fields
}

/// The fields of the one that the other lacks, not those within such.
fn lacking(wanted: &CustomResourceDefinitionVersion, found: &CustomResourceDefinitionVersion) -> Vec<String> {
    fn root(version: &CustomResourceDefinitionVersion) -> Option<&JSONSchemaProps> {
        version.schema.as_ref()?.open_api_v3_schema.as_ref()
    }
    let mut fields = Vec::new();
    match (root(wanted), root(found)) {
        (Some(wanted), Some(found)) => compare("", wanted, found, &mut fields),
        (Some(_), None) => fields.push("its schema".to_owned()),
        (None, _) => {}
    }
    if wanted.subresources.is_some() && found.subresources.is_none() {
        fields.push("its status subresource".to_owned());
    }
    fields
}

fn compare(path: &str, wanted: &JSONSchemaProps, found: &JSONSchemaProps, fields: &mut Vec<String>) {
    if found.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    for (name, wanted) in wanted.properties.iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match found.properties.as_ref().and_then(|properties| properties.get(name)) {
            Some(found) => compare(&path, wanted, found, fields),
            None => fields.push(path),
        }
    }
    if let (Some(JSONSchemaPropsOrArray::Schema(wanted)), Some(JSONSchemaPropsOrArray::Schema(found))) =
        (&wanted.items, &found.items)
    {
        compare(&format!("{path}[]"), wanted, found, fields);
    }
    if let (Some(JSONSchemaPropsOrBool::Schema(wanted)), Some(JSONSchemaPropsOrBool::Schema(found))) =
        (&wanted.additional_properties, &found.additional_properties)
    {
        compare(&format!("{path}.*"), wanted, found, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::{KindFlaw, flaw, names};
    use crate::api::crd;
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    use serde_json::{Value, json};

    const NAME: &str = "entitlementinstances.entitlements.dev";

    /// What is said of the one of this version, once it is changed.
    fn changed(change: impl FnOnce(&mut Value)) -> Option<KindFlaw> {
        let crd = crd::all().into_iter().find(|crd| crd.metadata.name.as_deref() == Some(NAME)).unwrap();
        let mut value = serde_json::to_value(crd).unwrap();
        change(&mut value);
        let found: CustomResourceDefinition = serde_json::from_value(value).unwrap();
        flaw(NAME, Some(&found))
    }

    fn schema(crd: &mut Value) -> &mut Value {
        &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }

    #[test]
    fn those_of_this_version_are_fine() {
        for crd in crd::all() {
            assert_eq!(flaw(crd.metadata.name.as_deref().unwrap(), Some(&crd)), None);
        }
        assert_eq!(names().count(), 9);
        assert_eq!(flaw(NAME, None), Some(KindFlaw::Absent));
    }

    #[test]
    fn an_older_one_loses_fields() {
        let said = changed(|crd| {
            let properties = &mut schema(crd)["properties"];
            properties["status"]["properties"].as_object_mut().unwrap().remove("nextTransition");
            let amendments = &mut properties["spec"]["properties"]["amendments"]["items"]["properties"];
            amendments.as_object_mut().unwrap().remove("effective");
        });
        let lacks = ["spec.amendments[].effective", "status.nextTransition"].map(str::to_owned);
        assert_eq!(said, Some(KindFlaw::Lacks(lacks.to_vec())));
    }

    #[test]
    fn a_later_one_with_more_fields_is_left_alone() {
        let later = |crd: &mut Value| {
            schema(crd)["properties"]["spec"]["properties"]["later"] = json!({"type": "string"});
            schema(crd)["description"] = json!("another");
        };
        assert_eq!(changed(later), None);
        assert_eq!(changed(|crd| schema(crd)["description"] = json!("another")), Some(KindFlaw::Differs));
    }

    #[test]
    fn one_that_is_not_served_says_why() {
        let no_version = Some(KindFlaw::NotServed("it has no version v1alpha1".to_owned()));
        assert_eq!(changed(|crd| crd["spec"]["versions"][0]["name"] = json!("v1")), no_version);
        assert_eq!(changed(|crd| crd["spec"]["versions"][0]["served"] = json!(false)), no_version);
        let names = json!({"acceptedNames": {"kind": "", "plural": ""}, "storedVersions": [], "conditions": [
            {"type": "NamesAccepted", "status": "False", "reason": "ShortNamesConflict", "message": "\"ent\" is already in use"},
        ]});
        let said = changed(|crd| crd["status"] = names);
        assert_eq!(said, Some(KindFlaw::NotServed("\"ent\" is already in use".to_owned())));
    }
}
