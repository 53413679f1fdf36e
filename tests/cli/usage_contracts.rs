//! What is used and what is left of the contracts that people have to reckon with, each told by manifests.

use super::usage::said;
use rstest::rstest;
use serde_json::{Value, json};

/// One client, one metered definition, and what the client has and uses of it.
struct Contract {
    objects: Vec<Value>,
}

impl Contract {
    /// A definition with these fields, of a client in this time zone.
    fn of(zone: &str, definition: &Value) -> Self {
        let mut spec = json!({"type": "Quantity", "unit": "units", "amount": 1, "allowMultiple": true});
        spec.as_object_mut().unwrap().extend(definition.as_object().unwrap().clone());
        let organization = json!({"timeZone": zone, "namespaces": ["acme"]});
        let objects = vec![
            object("Organization", "acme", None, organization),
            object("EntitlementDefinition", "units", None, spec),
        ];
        Self { objects }
    }

    /// The same of a client in UTC, with these rules of use alone.
    fn metered(usage: &Value) -> Self {
        Self::of("UTC", &json!({ "usage": usage }))
    }

    fn monthly() -> Self {
        Self::metered(&json!({"mode": "Consumed", "period": "P1M"}))
    }

    fn grant(self, name: &str, more: &Value) -> Self {
        let mut spec = json!({"organization": "acme", "definition": "units"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.with("EntitlementInstance", name, spec)
    }

    fn plan(mut self, name: &str, amount: u32) -> Self {
        let entries = json!([{"definition": "units", "amount": amount}]);
        let mut spec = json!({"product": "all", "groups": [{"name": "all", "entitlements": entries}]});
        spec["addOns"] = json!(["more"]);
        self.objects.push(object("EntitlementPlan", name, None, spec));
        self
    }

    fn add_on(mut self, amount: u32) -> Self {
        let groups = json!([{"name": "all", "entitlements": [{"definition": "units", "amount": amount}]}]);
        self.objects.push(object("EntitlementPlan", "more", None, json!({"type": "AddOn", "groups": groups})));
        self
    }

    fn subscribes(self, plan: &str, more: &Value) -> Self {
        let mut spec = json!({"organization": "acme", "plan": plan, "start": "2027-01-01"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.with("EntitlementSubscription", "all", spec)
    }

    /// An exception that alice asks for on one day, and bob approves the moment after.
    fn exception(mut self, amount: &Value, start: &str, end: &str) -> Self {
        let uid = "00000000-0000-4000-8000-000000000001";
        let spec = json!({
            "organization": "acme", "definition": "units", "amount": amount, "start": start, "end": end,
            "reason": "They have a fair in Hamburg", "requestedBy": "alice",
        });
        let mut asked = object("EntitlementOverride", "fair", Some("entitlements"), spec);
        asked["metadata"]["uid"] = uid.into();
        asked["metadata"]["creationTimestamp"] = format!("{start}T00:00:00Z").into();
        let decision = json!({
            "override": {"name": "fair", "uid": uid}, "definition": "units", "decision": "Approve", "decidedBy": "bob",
        });
        let mut approved = object("OverrideDecision", "fair-bob", Some("entitlements"), decision);
        approved["metadata"]["creationTimestamp"] = format!("{start}T00:00:01Z").into();
        self.objects.extend([asked, approved]);
        self
    }

    /// What is used: `at amount`, with the channel behind it where it names one.
    fn used(self, uses: &[&str]) -> Self {
        let registers: Vec<Value> = uses.iter().enumerate().map(|(index, one)| register(index, one)).collect();
        self.with(
            "EntitlementUsage",
            "use",
            json!({"organization": "acme", "definition": "units", "registers": registers}),
        )
    }

    fn with(mut self, kind: &str, name: &str, spec: Value) -> Self {
        self.objects.retain(|known| (&known["kind"], &known["metadata"]["name"]) != (&kind.into(), &name.into()));
        self.objects.push(object(kind, name, Some("entitlements"), spec));
        self
    }

    /// What is told of its use at a moment; null where nothing is held.
    fn usage(&self, at: &str) -> Value {
        let manifests = json!({"apiVersion": "v1", "kind": "List", "items": self.objects}).to_string();
        let told = said(&["explain", "acme", "units", "--at", at, "-o", "json", "-f", "-"], &manifests);
        serde_json::from_str::<Value>(&told).unwrap()["entitlements"][0]["usage"].clone()
    }

    /// `Ok: 100 allotted, 90 used, 10 left, 0 excess, 0 overage, new at 2027-02-01T00:00:00Z`
    fn told(&self, at: &str) -> String {
        let usage = self.usage(at);
        if usage.is_null() {
            return "nothing is held".to_owned();
        }
        let [state, allotted, used, left, excess, overage] =
            ["state", "allotted", "used", "remaining", "excess", "overage"].map(|field| usage[field].as_str().unwrap());
        let new = usage["resetsAt"].as_str().map(|at| format!(", new at {at}")).unwrap_or_default();
        assert_eq!(usage["allowed"], !["Exceeded", "Exhausted"].contains(&state), "{usage}");
        format!("{state}: {allotted} allotted, {used} used, {left} left, {excess} excess, {overage} overage{new}")
    }

    /// `a 30, b 0`: what was taken of what each grant gives, and what was carried over.
    fn taken(&self, at: &str) -> String {
        let usage = self.usage(at);
        let blocks = usage["blocks"].as_array().unwrap().iter().map(|block| {
            let part = block["part"].as_str().map_or("carried over", |part| part.rsplit('/').next().unwrap());
            format!("{part} {}", block["taken"].as_str().unwrap())
        });
        blocks.collect::<Vec<_>>().join(", ")
    }
}

fn object(kind: &str, name: &str, namespace: Option<&str>, spec: Value) -> Value {
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let mut object = json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata});
    object["spec"] = spec;
    object
}

fn register(index: usize, one: &str) -> Value {
    let mut words = one.split(' ');
    let mut register = json!({"key": format!("use-{index}"), "at": words.next(), "amount": words.next()});
    if let Some(channel) = words.next() {
        register["channel"] = channel.into();
    }
    register
}

#[test]
fn a_smaller_plan_takes_nothing_back_and_a_top_up_counts_at_once() {
    let smaller = json!({"amendments": [{"name": "smaller", "effective": "2027-01-20", "plan": "small"}]});
    let contract = Contract::monthly().add_on(1).plan("large", 200_000).plan("small", 50_000);
    let contract = contract.subscribes("large", &smaller).used(&["2027-01-10 180000"]);
    let new = "new at 2027-02-01T00:00:00Z";
    assert_eq!(
        contract.told("2027-01-19"),
        format!("Warning: 200000 allotted, 180000 used, 20000 left, 0 excess, 0 overage, {new}")
    );
    assert_eq!(
        contract.told("2027-01-20"),
        format!("Exceeded: 50000 allotted, 180000 used, 0 left, 130000 excess, 0 overage, {new}")
    );
    assert_eq!(
        contract.told("2027-02-01"),
        "Ok: 50000 allotted, 0 used, 50000 left, 0 excess, 0 overage, new at 2027-03-01T00:00:00Z"
    );
    let topped_up = contract.grant("top-up", &json!({"amount": 100_000, "start": "2027-01-21"}));
    assert_eq!(
        topped_up.told("2027-01-21"),
        format!("Warning: 150000 allotted, 180000 used, 100000 left, 130000 excess, 0 overage, {new}")
    );
    assert_eq!(
        topped_up.told("2027-02-01"),
        "Ok: 150000 allotted, 0 used, 150000 left, 0 excess, 0 overage, new at 2027-03-01T00:00:00Z"
    );
}

#[test]
fn a_larger_plan_counts_at_once_and_resets_as_before() {
    let larger = json!({"amendments": [{"name": "larger", "effective": "2027-01-20", "plan": "large"}]});
    let contract = Contract::monthly().add_on(1).plan("large", 550_000).plan("small", 50_000);
    let contract = contract.subscribes("small", &larger).used(&["2027-01-10 3"]);
    for (at, told) in
        [("2027-01-19", "50000 allotted, 3 used, 49997"), ("2027-01-20", "550000 allotted, 3 used, 549997")]
    {
        let expected = format!("Ok: {told} left, 0 excess, 0 overage, new at 2027-02-01T00:00:00Z");
        assert_eq!(contract.told(at), expected);
    }
}

#[rstest]
#[case::as_it_is(json!([]), "Overage: 10 allotted, 10 used, 0 left, 0 excess, 10 overage")]
#[case::raised_to_20(json!([["2027-01-15", 20]]), "Warning: 20 allotted, 20 used, 0 left, 0 excess, 0 overage")]
#[case::raised_to_15(json!([["2027-01-15", 15]]), "Overage: 15 allotted, 15 used, 0 left, 0 excess, 5 overage")]
#[case::then_to_40(
    json!([["2027-01-15", 15], ["2027-01-16", 40]]),
    "Ok: 40 allotted, 20 used, 20 left, 0 excess, 0 overage"
)]
fn raising_an_amount_absorbs_overage(#[case] changes: Value, #[case] expected: &str) {
    let contract = Contract::metered(&json!({"mode": "Consumed", "period": "P1M", "limit": "Soft"}));
    let contract = contract.grant("a", &amended(10, &changes)).used(&["2027-01-10 20"]);
    assert_eq!(contract.told("2027-01-20"), format!("{expected}, new at 2027-02-01T00:00:00Z"));
}

/// What a grant states that has an amount from January on, and then others.
fn amended(amount: u32, changes: &Value) -> Value {
    let change = |(index, change): (usize, &Value)| json!({"name": format!("change-{index}"), "effective": change[0], "amount": change[1]});
    let amendments: Vec<Value> = changes.as_array().unwrap().iter().enumerate().map(change).collect();
    json!({"amount": amount, "start": "2027-01-01", "amendments": amendments})
}

#[test]
fn down_and_up_on_one_day_changes_nothing() {
    let changes = json!([["2027-01-15T10:00:00Z", 10], ["2027-01-15T12:00:00Z", 100]]);
    let contract = Contract::monthly().grant("a", &amended(100, &changes)).used(&["2027-01-10 90"]);
    for (at, told) in [
        ("2027-01-15T11:00:00Z", "Exceeded: 10 allotted, 90 used, 0 left, 80 excess, 0 overage"),
        ("2027-01-15T12:00:00Z", "Warning: 100 allotted, 90 used, 10 left, 0 excess, 0 overage"),
    ] {
        assert_eq!(contract.told(at), format!("{told}, new at 2027-02-01T00:00:00Z"));
    }
}

#[test]
fn an_exception_takes_of_the_overage_first() {
    let contract = Contract::monthly().grant("a", &json!({"amount": 100, "start": "2027-01-01"}));
    let contract = contract.used(&["2027-01-10 150"]).exception(&60.into(), "2027-01-20", "2027-02-10");
    for (at, told) in [
        ("2027-01-19", "Exceeded: 100 allotted, 100 used, 0 left, 0 excess, 50 overage"),
        ("2027-01-21", "Warning: 160 allotted, 150 used, 10 left, 0 excess, 0 overage"),
    ] {
        assert_eq!(contract.told(at), format!("{told}, new at 2027-02-01T00:00:00Z"));
    }
}

#[test]
fn what_an_add_on_gave_goes_with_what_was_used_of_it() {
    let add_ons = json!({"addOns": [{"name": "more", "plan": "more", "end": "2027-01-14"}]});
    let contract = Contract::monthly().add_on(50).plan("basic", 100).subscribes("basic", &add_ons);
    let contract = contract.used(&["2027-01-05 70", "2027-01-14 50"]);
    for (at, told) in [
        ("2027-01-14", "Warning: 150 allotted, 120 used, 30 left, 0 excess, 0 overage"),
        ("2027-01-15", "Ok: 100 allotted, 70 used, 30 left, 0 excess, 0 overage"),
    ] {
        assert_eq!(contract.told(at), format!("{told}, new at 2027-02-01T00:00:00Z"));
    }
}

#[test]
fn without_a_period_each_allotment_is_for_its_whole_time() {
    let contract = Contract::metered(&json!({"mode": "Consumed"}))
        .grant("a", &json!({"amount": 50, "start": "2027-01-01", "end": "2027-01-31"}))
        .grant("b", &json!({"amount": 100, "start": "2027-01-01"}))
        .grant("c", &json!({"amount": 30, "start": "2027-01-01", "end": "2027-12-31", "priority": 10}))
        .used(&["2027-01-10 60"]);
    assert_eq!(contract.taken("2027-01-10"), "c 30, a 30, b 0");
    assert_eq!(contract.told("2027-01-10"), "Ok: 180 allotted, 60 used, 120 left, 0 excess, 0 overage");
    assert_eq!(contract.told("2027-02-01"), "Ok: 130 allotted, 30 used, 100 left, 0 excess, 0 overage");
    let late = contract.used(&["2027-01-10 60", "2027-01-15 20"]);
    assert_eq!(late.taken("2027-01-31"), "c 30, a 50, b 0");
    assert_eq!(late.told("2027-02-01"), "Ok: 130 allotted, 30 used, 100 left, 0 excess, 0 overage");
}

#[rstest]
#[case::an_amount(json!(500), "700")]
#[case::a_percentage(json!("50%"), "600")]
fn what_is_left_is_usable_in_the_next_period_too(#[case] carry_over: Value, #[case] left: &str) {
    let contract = Contract::metered(&json!({"mode": "Consumed", "period": "P1M", "carryOver": carry_over}));
    let contract = contract.grant("a", &json!({"amount": 400, "start": "2027-01-01"}));
    let contract = contract.used(&["2027-01-10 100", "2027-02-10 100"]);
    assert_eq!(contract.usage("2027-02-01")["remaining"], left);
    assert_eq!(contract.taken("2027-02-11"), "a 100, carried over 0");
    assert_eq!(contract.usage("2027-03-01")["remaining"], left);
}

#[test]
fn what_is_used_while_anything_is_unlimited_is_taken_from_nothing() {
    let contract = Contract::monthly().grant("a", &json!({"amount": 100, "start": "2027-03-01"}));
    let contract = contract.exception(&"Unlimited".into(), "2027-03-10", "2027-03-11");
    let contract = contract.used(&["2027-03-05 90", "2027-03-11 500"]);
    for (at, told) in [
        ("2027-03-11", "Ok: Unlimited allotted, 90 used, Unlimited left, 0 excess, 0 overage"),
        ("2027-03-12", "Warning: 100 allotted, 90 used, 10 left, 0 excess, 0 overage"),
    ] {
        assert_eq!(contract.told(at), format!("{told}, new at 2027-04-01T00:00:00Z"));
    }
}

#[rstest]
#[case("Europe/Berlin", "2027-01-31", "2027-02-01", "2027-02-27T23:00:00Z")]
#[case("Europe/Berlin", "2027-01-31", "2027-02-28", "2027-03-30T22:00:00Z")]
#[case("Europe/Berlin", "2027-01-31", "2027-03-31", "2027-04-29T22:00:00Z")]
#[case("Europe/Berlin", "2027-01-31", "2027-04-30", "2027-05-30T22:00:00Z")]
#[case("Europe/Berlin", "2027-01-31", "2027-05-31", "2027-06-29T22:00:00Z")]
#[case::a_midnight_that_the_clocks_skip("America/Santiago", "2027-08-05", "2027-08-10", "2027-09-05T04:00:00Z")]
fn periods_count_from_the_first_day_where_the_client_is(
    #[case] zone: &str,
    #[case] start: &str,
    #[case] at: &str,
    #[case] expected: &str,
) {
    let usage = json!({"mode": "Consumed", "period": "P1M"});
    let contract = Contract::of(zone, &json!({ "usage": usage })).grant("a", &json!({"amount": 5, "start": start}));
    assert_eq!(contract.usage(at)["resetsAt"], expected);
}

#[test]
fn seats_beyond_a_smaller_plan_are_excess() {
    let smaller = json!({"amendments": [{"name": "smaller", "effective": "2027-01-20", "plan": "small"}]});
    let contract = Contract::metered(&json!({"mode": "Held"})).add_on(1).plan("large", 25).plan("small", 5);
    let contract = contract.subscribes("large", &smaller).used(&["2027-01-02 25"]);
    assert_eq!(contract.told("2027-01-19"), "Exhausted: 25 allotted, 25 used, 0 left, 0 excess, 0 overage");
    assert_eq!(contract.told("2027-01-20"), "Exceeded: 5 allotted, 25 used, 0 left, 20 excess, 0 overage");
    let given_back = contract.used(&["2027-01-02 4"]);
    assert_eq!(given_back.told("2027-01-20"), "Warning: 5 allotted, 4 used, 1 left, 0 excess, 0 overage");
}

#[rstest]
#[case::others_are_of_the_total("Allow", "Warning: 100 allotted, 85 used, 15 left", ["20", "60"])]
#[case::others_are_not_covered("Refuse", "Warning: 100 allotted, 80 used, 20 left", ["20", "60"])]
fn channels_have_caps_inside_the_total(
    #[case] other_channels: &str,
    #[case] expected: &str,
    #[case] by_channel: [&str; 2],
) {
    let channels = json!([{"name": "phone", "amount": 80}, {"name": "email", "amount": 20}]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "channels": channels, "otherChannels": other_channels});
    let contract = Contract::metered(&usage).grant("a", &json!({"amount": 100, "start": "2027-01-01"}));
    let contract = contract.used(&["2027-01-10 60 phone", "2027-01-11 20 email", "2027-01-12 5 chat"]);
    let told = contract.usage("2027-01-13");
    assert!(contract.told("2027-01-13").starts_with(expected), "{told}");
    let expected = json!([
        {"name": "email", "used": by_channel[0], "cap": "20"},
        {"name": "phone", "used": by_channel[1], "cap": "80"},
    ]);
    assert_eq!(told["channels"], expected);
}

#[test]
fn support_by_cases() {
    let contract = |cases: usize| {
        let uses: Vec<String> = (1..=cases).map(|day| format!("2027-01-{day:02} 1")).collect();
        let uses: Vec<&str> = uses.iter().map(String::as_str).collect();
        Contract::monthly().grant("a", &json!({"amount": 10, "start": "2027-01-01"})).used(&uses)
    };
    let new = "new at 2027-02-01T00:00:00Z";
    for (cases, told) in [
        (9, "Warning: 10 allotted, 9 used, 1 left, 0 excess, 0 overage"),
        (10, "Exhausted: 10 allotted, 10 used, 0 left, 0 excess, 0 overage"),
        (11, "Exceeded: 10 allotted, 10 used, 0 left, 0 excess, 1 overage"),
    ] {
        assert_eq!(contract(cases).told("2027-01-20"), format!("{told}, {new}"));
    }
}

#[rstest]
#[case("0", "10")]
#[case("0.5", "9.5")]
#[case("0.75", "9.25")]
fn support_by_hours(#[case] comes_to: &str, #[case] left: &str) {
    let contract = Contract::monthly().grant("a", &json!({"amount": 10, "start": "2027-01-01"}));
    let contract = contract.used(&[&format!("2027-01-10 {comes_to}")]);
    assert_eq!(contract.usage("2027-01-20")["remaining"], left);
}

#[test]
fn what_was_used_of_what_is_cancelled_goes_with_it() {
    let contract = Contract::monthly()
        .grant("a", &json!({"amount": 100, "start": "2027-01-01", "state": "Cancelled"}))
        .grant("b", &json!({"amount": 10, "start": "2027-01-05"}))
        .used(&["2027-01-02 90"]);
    // Manifests do not say what was held before: periods count from what is held now.
    assert_eq!(
        contract.told("2027-01-08"),
        "Ok: 10 allotted, 0 used, 10 left, 0 excess, 0 overage, new at 2027-02-05T00:00:00Z"
    );
}

#[test]
fn of_what_is_suspended_nothing_may_be_used() {
    let contract = Contract::monthly()
        .grant("a", &json!({"amount": 100, "start": "2027-01-01", "suspended": true}))
        .used(&["2027-01-15 7"]);
    assert_eq!(contract.told("2027-01-16"), "nothing is held");
}

#[test]
fn what_ends_before_the_others_takes_first_and_the_period_is_that_of_the_first() {
    let contract = Contract::monthly()
        .grant("a", &json!({"amount": 10, "start": "2027-01-05", "end": "2027-03-19"}))
        .grant("b", &json!({"amount": 1000, "start": "2027-02-10"}))
        .used(&["2027-03-05 1010"]);
    assert_eq!(contract.taken("2027-03-19"), "a 10, b 1000");
    assert_eq!(
        contract.told("2027-03-20"),
        "Exhausted: 1000 allotted, 1000 used, 0 left, 0 excess, 0 overage, new at 2027-04-05T00:00:00Z"
    );
}
