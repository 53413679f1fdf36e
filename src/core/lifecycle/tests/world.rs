//! An organization's grants of one definition, as objects, and what decides on them from outside.

use crate::{
    api::{EntitlementInstance, EntitlementInstanceSpec, EntitlementInstanceStatus, accepted_record::AcceptedRecord},
    core::{
        belief::History,
        calendar::{Instant, parse_instant},
        refusal::Reason,
    },
};
use chrono::NaiveDate;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use std::sync::Arc;

/// A moment: a date is its midnight in UTC.
pub fn at(text: &str) -> Instant {
    match text.parse::<NaiveDate>() {
        Ok(date) => date.and_hms_opt(0, 0, 0).unwrap().and_utc(),
        Err(_) => parse_instant(text).unwrap(),
    }
}

/// A definition's amount.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    pub amount: String,
    /// `rollout: Everyone`
    pub everyone: bool,
}

/// An organization's grants of one definition, with what decides on them from outside. Only their statuses remember anything.
#[derive(Clone, Debug)]
pub struct World {
    pub organization: String,
    pub definition: String,
    pub zone: String,
    pub term: Option<String>,
    pub grace: Option<String>,
    /// The amount as the definition states it; absent for a Feature.
    pub preset: Option<Preset>,
    /// The amount that serves: while the definition is invalid, that of its last valid state.
    pub serving: Option<Preset>,
    pub unique: bool,
    pub suspended: bool,
    /// Why grants of each namespace are refused also once they were accepted.
    pub barred: Option<(&'static str, Reason)>,
    /// What the definition has given, where that is known.
    pub history: Option<Arc<History>>,
    /// Why new grants are refused.
    pub unready: Option<Reason>,
    pub instances: Vec<EntitlementInstance>,
}

impl World {
    pub fn new() -> Self {
        Self {
            organization: "acme".to_owned(),
            definition: "seats".to_owned(),
            zone: "UTC".to_owned(),
            term: None,
            grace: None,
            preset: None,
            serving: None,
            unique: true,
            suspended: false,
            barred: None,
            history: None,
            unready: None,
            instances: Vec::new(),
        }
    }

    pub fn term(mut self, term: &str) -> Self {
        self.term = Some(term.to_owned());
        self
    }

    pub fn grace(mut self, grace: &str) -> Self {
        self.grace = Some(grace.to_owned());
        self
    }

    /// Gives the definition another amount, as it is agreed at acceptance or for everyone.
    pub fn preset(&mut self, amount: &str, everyone: bool) -> &mut Self {
        self.preset = Some(Preset { amount: amount.to_owned(), everyone });
        self.serving.clone_from(&self.preset);
        self
    }

    pub fn amount(mut self, amount: &str) -> Self {
        self.preset(amount, false);
        self
    }

    pub fn zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    pub fn allow_multiple(mut self) -> Self {
        self.unique = false;
        self
    }

    /// Adds a grant that was made at a moment, with a spec in YAML but for organization and definition.
    pub fn add(&mut self, name: &str, made: &str, spec: &str) -> &mut Self {
        let mut spec: serde_json::Value = serde_saphyr::from_str(spec).unwrap();
        spec["organization"] = self.organization.as_str().into();
        spec["definition"] = self.definition.as_str().into();
        let mut instance = EntitlementInstance::new(name, serde_json::from_value(spec).unwrap());
        instance.metadata.namespace = Some("entitlements".to_owned());
        instance.metadata.uid = Some(format!("uid-{name}"));
        instance.metadata.creation_timestamp = Some(Time(Timestamp::from_second(at(made).timestamp()).unwrap()));
        self.instances.push(instance);
        self
    }

    pub fn with(mut self, name: &str, made: &str, spec: &str) -> Self {
        self.add(name, made, spec);
        self
    }

    pub fn instance(&mut self, name: &str) -> &mut EntitlementInstance {
        self.instances.iter_mut().find(|instance| instance.metadata.name.as_deref() == Some(name)).unwrap()
    }

    pub fn delete(&mut self, name: &str) {
        self.instances.retain(|instance| instance.metadata.name.as_deref() != Some(name));
    }

    /// Changes a spec, by fields in YAML; null removes one.
    pub fn edit(&mut self, name: &str, fields: &str) -> &mut Self {
        let fields: serde_json::Value = serde_saphyr::from_str(fields).unwrap();
        let instance = self.instance(name);
        let mut spec = serde_json::to_value(&instance.spec).unwrap();
        for (key, value) in fields.as_object().unwrap() {
            spec[key] = value.clone();
        }
        instance.spec = serde_json::from_value::<EntitlementInstanceSpec>(spec).unwrap();
        self
    }

    pub fn record(&self, name: &str) -> Option<AcceptedRecord> {
        let instance = self.instances.iter().find(|instance| instance.metadata.name.as_deref() == Some(name)).unwrap();
        instance.status.as_ref().and_then(|status| status.accepted.clone())
    }

    pub fn set_record(&mut self, name: &str, record: Option<AcceptedRecord>) {
        self.instance(name).status =
            Some(EntitlementInstanceStatus { accepted: record, ..EntitlementInstanceStatus::default() });
    }
}
