//! One client, one definition `units`, and what the client has and uses of it.

use crate::{
    core::{calendar::parse_instant, usage::allowance::UsageRequest},
    evaluation::{
        check::{CheckAnswer, CheckQuestion, check},
        decision::decide,
        usage::{Heard, MeterFacts},
    },
    offline::{CheckedEntitlement, EntitlementKind, Inventory, When},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The manifests of a client in UTC.
#[derive(Clone, Debug)]
pub struct CheckScene(pub Inventory);

impl CheckScene {
    /// With these fields of the definition.
    pub fn of(definition: &Value) -> Self {
        let mut scene = Self(Inventory::new(parse_instant("2027-01-01T00:00:00Z").unwrap(), "entitlement-operator"));
        scene.add(EntitlementKind::Organization, "acme", &json!({"namespaces": ["acme"]}));
        scene.define("units", definition)
    }

    /// Metered by these rules.
    pub fn metered(usage: &Value) -> Self {
        Self::of(&json!({ "usage": usage }))
    }

    pub fn monthly() -> Self {
        Self::metered(&json!({"mode": "Consumed", "period": "P1M"}))
    }

    pub fn add(&mut self, kind: EntitlementKind, name: &str, spec: &Value) {
        self.0.add(kind, &json!({"metadata": {"name": name, "namespace": "entitlements"}, "spec": spec})).unwrap();
    }

    /// A definition: a Quantity unless it says otherwise.
    pub fn define(mut self, name: &str, more: &Value) -> Self {
        let mut spec = json!({"type": "Quantity", "unit": "units", "amount": 1, "allowMultiple": true});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if spec["type"] == "Feature" {
            let fields = spec.as_object_mut().unwrap();
            fields.retain(|field, _| !["unit", "amount"].contains(&field.as_str()));
        }
        self.add(EntitlementKind::EntitlementDefinition, name, &spec);
        self
    }

    /// A grant since January, unless it says otherwise.
    pub fn grant(mut self, name: &str, more: &Value) -> Self {
        let mut spec = json!({"organization": "acme", "definition": "units", "start": "2027-01-01"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.add(EntitlementKind::EntitlementInstance, name, &spec);
        self
    }

    /// A plan of one line, or an add-on, that gives this much of `units`.
    pub fn plan(mut self, name: &str, amount: u32, more: &Value) -> Self {
        let entries = json!([{"definition": "units", "amount": amount}]);
        let mut spec = json!({"groups": [{"name": "all", "entitlements": entries}]});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if spec["type"] != "AddOn" && spec["product"].is_null() {
            spec["product"] = "all".into();
        }
        self.add(EntitlementKind::EntitlementPlan, name, &spec);
        self
    }

    pub fn subscribes(mut self, plan: &str, more: &Value) -> Self {
        let mut spec = json!({"organization": "acme", "plan": plan, "start": "2027-01-01"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.add(EntitlementKind::EntitlementSubscription, "all", &spec);
        self
    }

    /// What is used: `at amount`, with the channel behind it where it names one.
    pub fn used(mut self, uses: &[&str]) -> Self {
        let register = |(index, one): (usize, &&str)| {
            let mut words = one.split(' ');
            let mut register = json!({"key": format!("use-{index}"), "at": words.next(), "amount": words.next()});
            if let Some(channel) = words.next() {
                register["channel"] = channel.into();
            }
            register
        };
        let registers: Vec<Value> = uses.iter().enumerate().map(register).collect();
        let spec = json!({"organization": "acme", "definition": "units", "registers": registers});
        self.add(EntitlementKind::EntitlementUsage, "use", &spec);
        self
    }

    /// An exception that alice asks for on one day, and bob approves the moment after.
    pub fn exception(mut self, amount: u32, start: &str, end: &str) -> Self {
        let uid = "00000000-0000-4000-8000-000000000001";
        let asked = json!({
            "metadata": {
                "name": "fair", "namespace": "entitlements", "uid": uid,
                "creationTimestamp": format!("{start}T00:00:00Z"),
            },
            "spec": {
                "organization": "acme", "definition": "units", "amount": amount, "start": start, "end": end,
                "reason": "They have a fair in Hamburg", "requestedBy": "alice",
            },
        });
        let approved = json!({
            "metadata": {
                "name": "fair-bob", "namespace": "entitlements", "creationTimestamp": format!("{start}T00:00:01Z"),
            },
            "spec": {
                "override": {"name": "fair", "uid": uid}, "definition": "units", "decision": "Approve",
                "decidedBy": "bob",
            },
        });
        self.0.add(EntitlementKind::EntitlementOverride, &asked).unwrap();
        self.0.add(EntitlementKind::OverrideDecision, &approved).unwrap();
        self
    }

    fn asked(&self, entitlement: &str, at: &str, request: UsageRequest, with_options: bool) -> CheckedEntitlement {
        let when = at.parse().map_or_else(|_| When::At(parse_instant(at).unwrap()), When::On);
        self.0.check("acme", &entitlement.into(), request, when, with_options).unwrap()
    }

    pub fn ask_for(&self, entitlement: &str, at: &str, amount: &str, channel: Option<&str>) -> CheckAnswer {
        let request = UsageRequest { amount: amount.parse().unwrap(), channel };
        self.asked(entitlement, at, request, false).answer
    }

    /// The answer with all that there is to say beside it.
    pub fn checked(&self, at: &str, amount: &str) -> CheckedEntitlement {
        self.asked("units", at, UsageRequest { amount: amount.parse().unwrap(), channel: None }, false)
    }

    /// `yes: Allowed` or `no: Exhausted`
    pub fn ask(&self, at: &str, amount: &str) -> String {
        told(&self.ask_for("units", at, amount, None))
    }

    pub fn ask_by(&self, channel: &str, at: &str, amount: &str) -> String {
        told(&self.ask_for("units", at, amount, Some(channel)))
    }

    /// `Exceeded: 50000 allotted, 180000 used, 0 left, 130000 excess, 0 overage`
    pub fn usage(&self, at: &str) -> String {
        let usage = serde_json::to_value(self.ask_for("units", at, "1", None).usage.unwrap()).unwrap();
        let [state, allotted, used, left, excess, overage] =
            ["state", "allotted", "used", "remaining", "excess", "overage"].map(|field| usage[field].as_str().unwrap());
        format!("{state}: {allotted} allotted, {used} used, {left} left, {excess} excess, {overage} overage")
    }

    /// `AddOn more x 3: 25`
    pub fn options(&self, entitlement: &str, at: &str, amount: &str) -> Option<Vec<String>> {
        let request = UsageRequest { amount: amount.parse().unwrap(), channel: None };
        let options = self.asked(entitlement, at, request, true).answer.options?;
        let shown = options.iter().map(|option| {
            let times = option.quantity.map(|times| format!(" x {times}")).unwrap_or_default();
            let amount = option.amount.as_ref().map(|amount| format!(": {amount}")).unwrap_or_default();
            assert_eq!(option.subscription, "entitlements/all");
            format!("{:?} {}{times}{amount}", option.kind, option.plan)
        });
        Some(shown.collect())
    }

    /// The same question, where this was heard of what is used.
    pub fn ask_hearing(&self, at: &str, heard: Option<Heard>, status: &Value) -> CheckAnswer {
        self.ask_much_hearing(at, "1", heard, status)
    }

    /// The same of so much.
    pub fn ask_much_hearing(&self, at: &str, amount: &str, heard: Option<Heard>, status: &Value) -> CheckAnswer {
        let mut snapshot = self.0.snapshots(&self.0.catalogue()).remove(0);
        let known = snapshot.meters.get("units").map(|facts| MeterFacts::clone(facts));
        let known = known.unwrap_or_else(|| MeterFacts { memory: Arc::default(), ledger: Arc::default(), heard: None });
        snapshot.meters.insert("units".into(), Arc::new(MeterFacts { heard, ..known }));
        let mut organization = crate::api::Organization::clone(snapshot.organization.as_ref().unwrap());
        organization.status = Some(serde_json::from_value(json!({ "usage": status })).unwrap());
        snapshot.organization = Some(Arc::new(organization));
        let decision = decide(&snapshot, parse_instant(at).unwrap());
        let request = UsageRequest { amount: amount.parse().unwrap(), channel: None };
        check(&decision, &CheckQuestion { entitlement: "units", definition: None, request })
    }
}

pub fn told(answer: &CheckAnswer) -> String {
    format!("{}: {}", if answer.allowed { "yes" } else { "no" }, answer.reason)
}
