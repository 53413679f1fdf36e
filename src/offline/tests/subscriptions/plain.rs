//! An organization, its catalogue and its sources, as the model and the generator see them: plain values, and their manifests.

use crate::core::calendar::{Instant, format_instant, parse_instant};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const ORGANIZATION: &str = "acme";

/// From which sources may give something to the organization.
pub const ALLOWED: &str = "entitlements";

/// A moment: a date is its midnight in UTC.
pub fn at(text: &str) -> Instant {
    match text.parse::<NaiveDate>() {
        Ok(date) => date.and_hms_opt(0, 0, 0).unwrap().and_utc(),
        Err(_) => parse_instant(text).unwrap(),
    }
}

/// All objects that there are at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainWorld {
    pub organization: Option<PlainOrganization>,
    pub definitions: BTreeMap<String, PlainDefinition>,
    pub plans: BTreeMap<String, PlainPlan>,
    pub subscriptions: BTreeMap<String, Made<PlainSubscription>>,
    pub instances: BTreeMap<String, Made<PlainInstance>>,
}

/// The only organization.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainOrganization {
    pub zone: String,
    pub suspended: bool,
}

/// A source with what its metadata says.
#[derive(Clone, Debug, PartialEq)]
pub struct Made<S> {
    pub namespace: String,
    pub at: Instant,
    pub spec: S,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainDefinition {
    /// `Feature`, `Quantity` or `Credit`.
    #[serde(rename = "type")]
    pub type_: String,
    pub amount: Option<String>,
    pub rollout: Option<String>,
    pub aggregation: Option<String>,
    pub allow_multiple: bool,
    /// Not ready, for a reason that is all its own.
    #[serde(skip_serializing)]
    pub broken: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainPlan {
    /// `Plan` or `AddOn`.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    pub product: Option<String>,
    pub includes: Vec<String>,
    pub groups: Vec<PlainGroup>,
    pub add_ons: Vec<String>,
    pub term: Option<String>,
    pub grace_period: Option<String>,
    pub allow_multiple: bool,
    pub rollout: Option<String>,
    pub retired: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainGroup {
    pub name: String,
    pub entitlements: Vec<PlainEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainEntry {
    pub definition: String,
    pub amount: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainSubscription {
    pub plan: String,
    pub state: PlainState,
    pub start: Option<String>,
    pub end: Option<String>,
    pub renews: Option<String>,
    pub suspended: bool,
    pub agreement: Option<String>,
    pub add_ons: Vec<PlainAddOn>,
    pub add: Vec<PlainAdd>,
    pub remove: Vec<PlainRemove>,
    pub amendments: Vec<PlainAmendment>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlainState {
    Draft,
    #[default]
    Active,
    Cancelled,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainAddOn {
    pub name: String,
    pub plan: String,
    pub quantity: Option<u64>,
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainAdd {
    pub name: String,
    pub definition: String,
    pub amount: Option<String>,
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainRemove {
    pub name: String,
    pub definition: String,
    pub start: Option<String>,
    pub end: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainAmendment {
    pub name: String,
    pub effective: String,
    pub plan: Option<String>,
    pub end: Option<String>,
    pub revoked: bool,
}

/// An instance with neither renewal nor amendments: those have a model of their own, in `core::lifecycle`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlainInstance {
    pub definition: String,
    pub amount: Option<String>,
    pub start: Option<String>,
    pub end: Option<String>,
    pub suspended: bool,
}

fn read<T: for<'a> Deserialize<'a>>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

impl PlainWorld {
    /// An organization in a zone, and nothing else.
    pub fn new(zone: &str) -> Self {
        let organization = PlainOrganization { zone: zone.to_owned(), suspended: false };
        Self { organization: Some(organization), ..Self::default() }
    }

    pub fn define(&mut self, name: &str, yaml: &str) -> &mut Self {
        self.definitions.insert(name.to_owned(), read(yaml));
        self
    }

    pub fn plan(&mut self, name: &str, yaml: &str) -> &mut Self {
        self.plans.insert(name.to_owned(), read(yaml));
        self
    }

    /// Adds or replaces a subscription; one that is there keeps the moment at which it was made.
    pub fn subscribe(&mut self, name: &str, made: &str, yaml: &str) -> &mut Self {
        let made = self.subscriptions.get(name).map_or_else(|| at(made), |made| made.at);
        let made = Made { namespace: ALLOWED.to_owned(), at: made, spec: read(yaml) };
        self.subscriptions.insert(name.to_owned(), made);
        self
    }

    pub fn instance(&mut self, name: &str, made: &str, yaml: &str) -> &mut Self {
        let made = Made { namespace: ALLOWED.to_owned(), at: at(made), spec: read(yaml) };
        self.instances.insert(name.to_owned(), made);
        self
    }

    pub fn subscription(&mut self, name: &str) -> &mut PlainSubscription {
        &mut self.subscriptions.get_mut(name).unwrap().spec
    }

    /// The manifests, by kind and without statuses. What has no place in metadata is in the spec.
    pub fn manifests(&self) -> Vec<Value> {
        let mut all = Vec::new();
        if let Some(organization) = &self.organization {
            let spec = json!({
                "timeZone": organization.zone, "suspended": organization.suspended,
                "namespaces": ["acme"], "assignableFrom": [ALLOWED],
            });
            all.push(manifest("Organization", ORGANIZATION, None, &spec));
        }
        for (name, definition) in &self.definitions {
            all.push(manifest("EntitlementDefinition", name, None, &definition.spec()));
        }
        for (name, plan) in &self.plans {
            all.push(manifest("EntitlementPlan", name, None, &json!(plan)));
        }
        for (name, made) in &self.subscriptions {
            all.push(manifest("EntitlementSubscription", name, Some((&made.namespace, made.at)), &made.source()));
        }
        for (name, made) in &self.instances {
            all.push(manifest("EntitlementInstance", name, Some((&made.namespace, made.at)), &made.source()));
        }
        all
    }
}

impl<S: Serialize> Made<S> {
    fn source(&self) -> Value {
        let mut spec = json!(self.spec);
        spec["organization"] = ORGANIZATION.into();
        spec
    }
}

impl PlainDefinition {
    fn spec(&self) -> Value {
        let mut spec = json!(self);
        if self.type_ != "Feature" {
            spec["unit"] = "pieces".into();
        }
        if self.broken {
            spec["facets"] =
                json!([{"name": "broken", "schema": {"type": "object", "properties": {"x": {"type": "nonsense"}}}}]);
        }
        spec
    }
}

fn manifest(kind: &str, name: &str, source: Option<(&str, Instant)>, spec: &Value) -> Value {
    let mut metadata =
        json!({"name": name, "uid": format!("uid-{kind}-{name}"), "creationTimestamp": "2020-01-01T00:00:00Z"});
    if let Some((namespace, made)) = source {
        metadata["namespace"] = namespace.into();
        metadata["creationTimestamp"] = format_instant(made).into();
    }
    json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": without_nulls(spec),
    })
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
