//! What the schemas allow, the types read, and write without loss.

use super::{
    EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
    EntitlementUsage, FacetDefinition, Organization, OverrideDecision, crd,
};
use kube::{CustomResourceExt, Resource};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::{BoxedStrategy, Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
    sample::select,
    string::string_regex,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::LazyLock,
};

/// Values that a schema allows, but for what its rules say of several fields.
fn values(schema: &Value) -> BoxedStrategy<Value> {
    // A kind may have no status.
    if schema.is_null() {
        return Just(Value::Null).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        let texts = select(vec!["2.5", "Unlimited", "0", "007.50"]).prop_map(Value::from);
        return prop_oneof![(0..999_999_999_999_999_i64).prop_map(Value::from), texts].boxed();
    }
    if let Some(words) = schema["enum"].as_array() {
        return select(words.clone()).boxed();
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => integers(schema),
        "string" => texts(schema),
        "array" => lists(schema),
        "object" => objects(schema),
        other => panic!("no values of type {other}"),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "bounds are whole numbers")]
fn integers(schema: &Value) -> BoxedStrategy<Value> {
    let bound = |name: &str, otherwise: i64| schema[name].as_f64().map_or(otherwise, |bound| bound as i64);
    (bound("minimum", i64::from(i32::MIN))..=bound("maximum", i64::from(i32::MAX))).prop_map(Value::from).boxed()
}

fn texts(schema: &Value) -> BoxedStrategy<Value> {
    let rule = schema["x-kubernetes-validations"][0]["message"].as_str().unwrap_or_default();
    if rule.starts_with("must be a date") {
        return select(vec!["2027-01-31", "9999-12-31", "2027-01-31T09:00:00Z", "2027-01-31T09:00:00+01:00"])
            .prop_map(Value::from)
            .boxed();
    }
    if rule.starts_with("must be an ISO 8601 duration") {
        return select(vec!["P1Y", "P1Y2M3W4DT5H6M7S", "PT12H", "P0D"]).prop_map(Value::from).boxed();
    }
    let length = |name: &str| schema[name].as_u64().map(|length| usize::try_from(length).unwrap());
    let (least, most) = (length("minLength").unwrap_or(0), length("maxLength").unwrap_or(usize::MAX));
    let pattern = match schema["pattern"].as_str() {
        Some(pattern) => pattern.trim_start_matches('^').trim_end_matches('$').replace(['*', '+'], "{1,3}"),
        None => format!("[ -~äß]{{{least},{}}}", least.max(most.min(12))),
    };
    let fits = move |text: &String| (least..=most).contains(&text.chars().count());
    string_regex(&pattern).unwrap().prop_filter("too long", fits).prop_map(Value::from).boxed()
}

fn lists(schema: &Value) -> BoxedStrategy<Value> {
    let keys: Vec<String> = match schema["x-kubernetes-list-map-keys"].as_array() {
        Some(keys) => keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect(),
        None => Vec::new(),
    };
    let is_set = schema["x-kubernetes-list-type"] == "set";
    vec(values(&schema["items"]), 0..3)
        .prop_map(move |mut items| {
            let mut seen = BTreeSet::new();
            items.retain(|item| {
                let key: Vec<String> = keys.iter().map(|key| item[key].to_string()).collect();
                match (key.is_empty(), is_set) {
                    (false, _) => seen.insert(key),
                    (true, true) => seen.insert(vec![item.to_string()]),
                    (true, false) => true,
                }
            });
            Value::Array(items)
        })
        .boxed()
}

fn objects(schema: &Value) -> BoxedStrategy<Value> {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return whatever();
    }
    if schema["additionalProperties"].is_object() {
        return btree_map("[a-z]{1,6}", values(&schema["additionalProperties"]), 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
            .boxed();
    }
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
    let mut all = Just(Map::new()).boxed();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.contains(name.as_str());
        let value = if is_required { values(field).prop_map(Some).boxed() } else { option::of(values(field)).boxed() };
        let name = name.clone();
        all = (all, value)
            .prop_map(move |(mut fields, value)| {
                fields.extend(value.map(|value| (name.clone(), value)));
                fields
            })
            .boxed();
    }
    all.prop_map(Value::Object).boxed()
}

/// Objects of fields that no schema knows.
fn whatever() -> BoxedStrategy<Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~ä]{0,6}".prop_map(Value::from),
    ];
    let nested = plain.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..2).prop_map(Value::from),
            btree_map("[a-zA-Z]{1,4}", inner, 0..2).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    btree_map("[a-zA-Z]{1,4}", nested, 0..3).prop_map(|fields| Value::Object(fields.into_iter().collect())).boxed()
}

/// The schema of a part of a kind.
fn schema<K: CustomResourceExt>(part: &str) -> Value {
    static ALL: LazyLock<Vec<Value>> =
        LazyLock::new(|| crd::all().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect());
    let found = ALL.iter().find(|crd| crd["metadata"]["name"] == K::crd_name()).unwrap();
    found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part].clone()
}

/// With the defaults that the API server fills in.
fn defaulted(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = field.get("default") {
                    fields.entry(name.clone()).or_insert_with(|| default.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    defaulted(field, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| defaulted(&schema["items"], item)),
        _ => {}
    }
}

/// What has no fields and no items, by where it stands; but for what is the same as nothing.
fn leaves(value: &Value, place: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{place}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| leaves(item, &format!("{place}/{index}"), found));
        }
        leaf if [json!(false), json!(0), json!("")].contains(leaf) => {}
        leaf => drop(found.insert(place.to_owned(), leaf.clone())),
    }
}

fn all_leaves(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    leaves(value, "", &mut found);
    found
}

/// Reads and writes an object, as though the API server had filled in its defaults and as though it had not.
fn goes_round<K>(spec: &Value, status: &Value)
where
    K: Resource<DynamicType = ()> + CustomResourceExt + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let mut bare = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": "a"}, "spec": spec,
    });
    if !status.is_null() {
        bare["status"] = status.clone();
    }
    let kept = |mut object: Value| {
        for (part, value) in object.as_object_mut().into_iter().flatten() {
            if ["spec", "status"].contains(&part.as_str()) {
                defaulted(&schema::<K>(part), value);
            }
        }
        object
    };
    let read: K = serde_json::from_value(bare.clone()).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(serde_json::from_value::<K>(written.clone()).unwrap(), read, "{bare:#}");
    let (full, written) = (kept(bare), kept(written));
    assert_eq!(all_leaves(&written), all_leaves(&full), "{full:#}");
    assert_eq!(serde_json::from_value::<K>(full).unwrap(), read);
}

macro_rules! kinds {
    ($($name:ident: $kind:ty;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(256))]
            $(
                #[test]
                fn $name(spec in values(&schema::<$kind>("spec")), status in values(&schema::<$kind>("status"))) {
                    goes_round::<$kind>(&spec, &status);
                }
            )+
        }

        #[test]
        fn each_kind_is_told_to_go_round() {
            let told: BTreeSet<&str> = [$(<$kind>::crd_name()),+].into();
            let all: Vec<_> = crd::all().into_iter().filter_map(|crd| crd.metadata.name).collect();
            assert_eq!(told, all.iter().map(String::as_str).collect());
        }
    };
}

kinds! {
    an_organization_goes_round: Organization;
    a_facet_goes_round: FacetDefinition;
    a_definition_goes_round: EntitlementDefinition;
    a_plan_goes_round: EntitlementPlan;
    an_instance_goes_round: EntitlementInstance;
    a_subscription_goes_round: EntitlementSubscription;
    an_override_goes_round: EntitlementOverride;
    a_decision_goes_round: OverrideDecision;
    a_report_of_usage_goes_round: EntitlementUsage;
}
