//! What plans come to, and what is said of those that come to nothing.

use super::{MAX_DEPTH, MAX_ENTITLEMENTS, Plan, PlanAmount, PlanContext, resolve};
use crate::{
    api::{EntitlementDefinitionSpec, EntitlementPlanSpec},
    core::{definition::Definition, problem::Problem, reason::ReasonCode},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A catalogue of plans that are as they are written.
#[derive(Debug, Default)]
struct Written {
    plans: BTreeMap<String, Result<EntitlementPlanSpec, ReasonCode>>,
    definitions: BTreeMap<String, Result<Definition, ReasonCode>>,
}

impl PlanContext for Written {
    fn plan(&self, name: &str) -> Option<Result<&EntitlementPlanSpec, ReasonCode>> {
        self.plans.get(name).map(|plan| plan.as_ref().map_err(|reason| *reason))
    }

    fn definition(&self, name: &str) -> Option<Result<&Definition, ReasonCode>> {
        self.definitions.get(name).map(|definition| definition.as_ref().map_err(|reason| *reason))
    }
}

impl Written {
    /// Seats, which are counted; sso and support, which are Features; a definition with facets, and one that is not ready.
    fn new() -> Self {
        let mut written = Self::default();
        for (name, spec) in [
            ("seats", json!({"type": "Quantity", "unit": "seats", "amount": 10})),
            ("streams", json!({"type": "Quantity", "unit": "streams", "amount": "Unlimited"})),
            ("sso", json!({"type": "Feature"})),
            ("support", json!({"type": "Feature"})),
            (
                "backup",
                json!({"type": "Feature", "facets": [{"name": "backup", "values": {"region": "eu"}, "schema": {
                    "type": "object",
                    "required": ["bucket"],
                    "properties": {
                        "bucket": {"type": "string"},
                        "region": {"type": "string"},
                        "retention": {"type": "integer", "maximum": 365},
                        "class": {"type": "string"},
                        "password": {"type": "string", "writeOnly": true},
                    },
                    "maxProperties": 3,
                }}]}),
            ),
        ] {
            let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
            written.definitions.insert(name.to_owned(), Ok(Definition::read(name, &spec, &BTreeMap::new()).unwrap()));
        }
        written.definitions.insert("broken".to_owned(), Err(ReasonCode::InvalidSchema));
        written
    }

    fn with(mut self, name: &str, spec: Value) -> Self {
        self.plans.insert(name.to_owned(), Ok(serde_json::from_value(spec).unwrap()));
        self
    }

    fn resolve(&self, name: &str) -> Result<Plan, Vec<Problem>> {
        resolve(name, self.plans[name].as_ref().unwrap(), self)
    }

    /// `reason pointer: message` of each problem.
    fn wrong(&self, name: &str) -> Vec<String> {
        let problems = self.resolve(name).unwrap_err();
        problems.iter().map(|one| format!("{} {}: {}", one.reason, one.pointer, one.message)).collect()
    }

    /// `definition amount from plan/group` of each entry.
    fn entries(&self, name: &str) -> Vec<String> {
        let plan = self.resolve(name).unwrap();
        plan.entries
            .iter()
            .map(|entry| {
                let amount = match entry.amount {
                    PlanAmount::None => "-".to_owned(),
                    PlanAmount::Stated(amount) => amount.to_string(),
                    PlanAmount::Preset(amount) => format!("({amount})"),
                };
                format!("{} {amount} from {}/{}", entry.definition, entry.plan, entry.group)
            })
            .collect()
    }
}

fn giving(entitlements: impl Into<Value>) -> Value {
    json!({"groups": [{"name": "base", "entitlements": entitlements.into()}]})
}

fn including(includes: &[&str], entitlements: Value) -> Value {
    let mut plan = giving(entitlements);
    plan["includes"] = json!(includes);
    plan
}

#[test]
fn a_tier_has_what_it_includes_and_its_own_replaces_that_as_a_whole() {
    let written = Written::new()
        .with(
            "basic",
            giving(json!([
                {"definition": "seats", "amount": 10},
                {"definition": "sso"},
                {"definition": "backup", "facets": {"backup": {"bucket": "basic", "retention": 7}}},
            ])),
        )
        .with(
            "pro",
            json!({"includes": ["basic"], "groups": [
                {"name": "team", "entitlements": [{"definition": "seats", "amount": 50}]},
                {"name": "data", "entitlements": [
                    {"definition": "streams"}, {"definition": "backup", "facets": {"backup": {"bucket": "pro"}}},
                ]},
            ]}),
        )
        .with("max", including(&["pro"], json!([{"definition": "streams", "amount": "2.50"}])));
    assert_eq!(
        written.entries("pro"),
        [
            "seats 50 from pro/team",
            "sso - from basic/base",
            "backup - from pro/data",
            "streams (Unlimited) from pro/data"
        ]
    );
    assert_eq!(
        written.entries("max"),
        ["seats 50 from pro/team", "sso - from basic/base", "backup - from pro/data", "streams 2.5 from max/base"]
    );
    let pro = written.resolve("pro").unwrap();
    assert_eq!(json!(*pro.entry("backup").unwrap().facets), json!({"backup": {"bucket": "pro"}}));
    assert_eq!(pro.entry("support"), None);
}

#[test]
fn of_two_that_are_included_the_later_one_counts() {
    let seats = |amount: u32| giving(json!([{"definition": "seats", "amount": amount}]));
    let written = Written::new()
        .with("a", seats(1))
        .with("b", seats(2))
        .with("ab", json!({"includes": ["a", "b"]}))
        .with("ba", json!({"includes": ["b", "a"]}))
        // By way of `ba`, `a` counts, and by way of itself `b` does after it.
        .with("both", json!({"includes": ["ba", "b"]}));
    for (plan, expected) in
        [("ab", "seats 2 from b/base"), ("ba", "seats 1 from a/base"), ("both", "seats 2 from b/base")]
    {
        assert_eq!(written.entries(plan), [expected]);
    }
}

#[test]
fn a_plan_is_read_with_how_it_is_sold() {
    let written = Written::new()
        .with(
            "pro",
            json!({
                "displayName": "Pro", "product": "video", "addOns": ["seats", "storage"], "term": "P1Y",
                "gracePeriod": "P7D", "renewalNotices": ["P30D"], "rollout": "Everyone", "retired": true,
            }),
        )
        .with("plain", json!({"gracePeriod": "PT0S", "product": ""}))
        .with("many", json!({"product": "video", "allowMultiple": true}))
        .with("seats", json!({"type": "AddOn"}));
    let plan = |name: &str| written.resolve(name).unwrap();
    let pro = plan("pro");
    let text = |duration: Option<crate::core::calendar::CalendarDuration>| duration.map(|one| one.to_string());
    assert_eq!((text(pro.term).as_deref(), text(pro.grace).as_deref()), (Some("P1Y"), Some("P7D")));
    assert_eq!(pro.notices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["P30D"]);
    assert_eq!(pro.add_ons.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["seats", "storage"]);
    assert!(pro.retired && pro.rollout == crate::api::entitlement_definition::Rollout::Everyone);
    let line = |name: &str| plan(name).line().map(ToString::to_string);
    assert_eq!(["pro", "plain", "many"].map(line), [Some("video".to_owned()), Some("plain".to_owned()), None]);
    assert_eq!((plan("plain").grace, plan("plain").notices.len(), plan("seats").notices.len()), (None, 3, 0));
}

#[rstest]
#[case::include_not_found(
    json!({"includes": ["basic", "gone"]}),
    &["IncludeNotFound /includes/1: there is no plan gone: make it, or take it out of includes"]
)]
#[case::include_unreadable(
    json!({"includes": ["garbled"]}),
    &["IncludeNotReady /includes/0: the plan garbled is not ready (Unreadable): mend it first"]
)]
#[case::include_not_ready(
    json!({"includes": ["unready"]}),
    &["IncludeNotReady /includes/0: the plan unready is not ready (DefinitionNotFound): mend it first"]
)]
#[case::include_of_an_add_on(
    json!({"includes": ["extra"]}),
    &["IncludeNotReady /includes/0: extra is an AddOn, and only plans can be included: name it in addOns, or list what it gives under groups"]
)]
#[case::include_of_itself(
    json!({"includes": ["plan"]}),
    &["IncludeCycle /includes/0: plan includes plan: take one of them out of includes"]
)]
#[case::twice_in_one_group(
    giving(json!([{"definition": "sso"}, {"definition": "seats"}, {"definition": "sso"}])),
    &["DuplicateEntitlement /groups/0/entitlements/2/definition: sso is in the group base already, and a plan gives it once: take one of the two out"]
)]
#[case::twice_in_two_groups(
    json!({"groups": [
        {"name": "a", "entitlements": [{"definition": "sso"}]}, {"name": "b", "entitlements": [{"definition": "sso"}]},
    ]}),
    &["DuplicateEntitlement /groups/1/entitlements/0/definition: sso is in the group a already, and a plan gives it once: take one of the two out"]
)]
#[case::definition_not_found(
    giving(json!([{"definition": "gone"}])),
    &["DefinitionNotFound /groups/0/entitlements/0/definition: gone: there is no definition of that name: make it, or take the entitlement out"]
)]
#[case::definition_not_ready(
    giving(json!([{"definition": "broken"}])),
    &["DefinitionNotReady /groups/0/entitlements/0/definition: broken: the definition is not ready (InvalidSchema): mend it first"]
)]
#[case::amount_of_a_feature(
    giving(json!([{"definition": "sso", "amount": 1}])),
    &["InvalidAmount /groups/0/entitlements/0/amount: sso: it is a Feature, which is on or off: remove amount"]
)]
#[case::unreadable_amount(
    giving(json!([{"definition": "seats", "amount": "many"}])),
    &["InvalidAmount /groups/0/entitlements/0/amount: seats: amount \"many\" cannot be read: write a whole number of at most 15 digits, a decimal in quotes such as \"2.5\" with at most 9 digits behind the point, or Unlimited"]
)]
#[case::unknown_facet(
    giving(json!([{"definition": "backup", "facets": {"restore": {}}}, {"definition": "sso", "facets": {"x": {}}}])),
    &[
        "InvalidFacets /groups/0/entitlements/0/facets/restore: backup: facets.restore: definition backup has no such facet; it has backup",
        "InvalidFacets /groups/0/entitlements/1/facets/x: sso: facets.x: definition sso has no facets",
    ]
)]
#[case::value_against_the_schema(
    giving(json!([{"definition": "backup", "facets": {"backup": {"region": "us", "retention": 400}}}])),
    &["InvalidFacets /groups/0/entitlements/0/facets/backup/retention: backup: facets.backup.retention: 400 is more than the maximum 365"]
)]
#[case::secret_field(
    giving(json!([{"definition": "backup", "facets": {"backup": {"password": "hunter2"}}}])),
    &["InvalidFacets /groups/0/entitlements/0/facets/backup/password: backup: facets.backup.password is a secret field: each client gives it under secretFacets"]
)]
#[case::durations(
    json!({"term": "PT0S", "gracePeriod": "a week", "renewalNotices": ["P1D", "-P1D"]}),
    &[
        "InvalidDuration /term: term: a term of no time would never be in force; leave it out for a perpetual grant",
        "InvalidDuration /gracePeriod: gracePeriod: \"a week\" is no duration: it does not begin with P; write an ISO 8601 duration such as P1Y, P1M15D or PT12H",
        "InvalidDuration /renewalNotices: renewalNotices: \"-P1D\" is no duration: a sign is not allowed; write an ISO 8601 duration such as P1Y, P1M15D or PT12H",
    ]
)]
#[case::all_by_the_order_of_the_reasons(
    json!({"term": "soon", "includes": ["extra", "gone"], "groups": [{"name": "base", "entitlements": [
        {"definition": "seats", "amount": -1, "facets": {"x": {}}}, {"definition": "gone"}, {"definition": "seats"},
    ]}]}),
    &[
        "IncludeNotFound /includes/1: there is no plan gone: make it, or take it out of includes",
        "IncludeNotReady /includes/0: extra is an AddOn, and only plans can be included: name it in addOns, or list what it gives under groups",
        "DuplicateEntitlement /groups/0/entitlements/2/definition: seats is in the group base already, and a plan gives it once: take one of the two out",
        "DefinitionNotFound /groups/0/entitlements/1/definition: gone: there is no definition of that name: make it, or take the entitlement out",
        "InvalidAmount /groups/0/entitlements/0/amount: seats: amount \"-1\" cannot be read: write a whole number of at most 15 digits, a decimal in quotes such as \"2.5\" with at most 9 digits behind the point, or Unlimited",
        "InvalidFacets /groups/0/entitlements/0/facets/x: seats: facets.x: definition seats has no facets",
        "InvalidDuration /term: term: \"soon\" is no duration: it does not begin with P; write an ISO 8601 duration such as P1Y, P1M15D or PT12H",
    ]
)]
fn what_cannot_be_sold_says_why_and_where(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut written = Written::new()
        .with("basic", giving(json!([{"definition": "seats"}])))
        .with("extra", json!({"type": "AddOn"}))
        .with("unready", giving(json!([{"definition": "gone"}])))
        .with("plan", spec);
    written.plans.insert("garbled".to_owned(), Err(ReasonCode::Unreadable));
    assert_eq!(written.wrong("plan"), expected);
}

/// The preset is one of the three that there may be.
#[test]
fn what_a_plan_sets_stands_over_the_presets() {
    let facets = |fields: Value| giving(json!([{"definition": "backup", "facets": {"backup": fields}}]));
    let written = Written::new()
        .with("two", facets(json!({"bucket": "b", "class": "c"})))
        .with("over", facets(json!({"bucket": "b", "class": "c", "region": "us"})))
        .with("three", facets(json!({"bucket": "b", "class": "c", "retention": 7})));
    assert!(written.resolve("two").is_ok() && written.resolve("over").is_ok());
    let problem = &written.resolve("three").unwrap_err()[0];
    assert_eq!(
        (problem.reason, &*problem.pointer),
        (ReasonCode::InvalidFacets, "/groups/0/entitlements/0/facets/backup")
    );
}

#[test]
fn a_way_that_comes_back_is_shown_to_each_on_it_and_to_nobody_else() {
    let written = Written::new()
        .with("a", json!({"includes": ["leaf", "b"]}))
        .with("b", json!({"includes": ["c"]}))
        .with("c", json!({"includes": ["a"]}))
        .with("leaf", giving(json!([{"definition": "sso"}])))
        .with("above", json!({"includes": ["leaf", "b"]}));
    let cycle =
        |place: u32, way: &str| format!("IncludeCycle /includes/{place}: {way}: take one of them out of includes");
    assert_eq!(written.wrong("a"), [cycle(1, "a includes b, which includes c, which includes a")]);
    assert_eq!(written.wrong("b"), [cycle(0, "b includes c, which includes a, which includes b")]);
    let expected = "IncludeNotReady /includes/1: the plan b is not ready (IncludeCycle): mend it first";
    assert_eq!(written.wrong("above"), [expected]);
    assert_eq!(written.entries("leaf"), ["sso - from leaf/base"]);
}

#[test]
fn a_long_way_that_comes_back_is_shown_from_both_its_ends() {
    let mut written = Written::new();
    for number in 0..30 {
        written = written.with(&format!("p{number}"), json!({"includes": [format!("p{}", (number + 1) % 30)]}));
    }
    let middle = "p3, which includes p4, which includes …, which includes p27, which includes p28, which includes p29";
    let expected = format!(
        "IncludeCycle /includes/0: p0 includes p1, which includes p2, which includes {middle}, which includes p0: take one of them out of includes"
    );
    assert_eq!(written.wrong("p0"), [expected]);
}

/// What a plan includes may stand on seven others; what stands on eight is ready, and can be included by none.
#[test]
fn plans_may_include_others_eight_deep() {
    let mut written = Written::new().with("p0", giving(json!([{"definition": "sso"}])));
    for number in 1..=2000 {
        written = written.with(&format!("p{number}"), json!({"includes": [format!("p{}", number - 1), "p0"]}));
    }
    assert_eq!(written.entries(&format!("p{MAX_DEPTH}")), ["sso - from p0/base"]);
    let nine = written.wrong("p9");
    assert_eq!(
        nine,
        [
            "IncludeNotReady /includes/0: p8 stands on 8 others already, and plans may include others at most 8 deep: include one of those below it, and list the rest under groups"
        ]
    );
    let expected = "IncludeNotReady /includes/0: the plan p1999 is not ready (IncludeNotReady): mend it first";
    assert_eq!(written.wrong("p2000"), [expected]);
}

#[test]
fn a_plan_gives_at_most_512_definitions() {
    let mut written = Written::new();
    let sso = written.definitions["sso"].clone();
    let names: Vec<String> = (0..=MAX_ENTITLEMENTS).map(|number| format!("d{number}")).collect();
    for name in &names {
        written.definitions.insert(name.clone(), sso.clone());
    }
    let entitlements =
        |names: &[String]| json!(names.iter().map(|name| json!({"definition": name})).collect::<Vec<_>>());
    let written = written
        .with("basic", giving(entitlements(&names[..MAX_ENTITLEMENTS])))
        .with("same", including(&["basic"], entitlements(&names[1..200])))
        .with("more", including(&["basic"], entitlements(&names[MAX_ENTITLEMENTS..])));
    assert_eq!(written.entries("same").len(), MAX_ENTITLEMENTS);
    assert_eq!(
        written.wrong("more"),
        [
            "TooManyEntitlements /groups: it gives 513 entitlements with those of the plans that it includes, and at most 512 can be: take some out, or put them into add-ons"
        ]
    );
}

#[test]
fn a_plan_is_at_most_512_kib() {
    let backup = |bytes: usize| json!([{"definition": "backup", "facets": {"backup": {"bucket": "x".repeat(bytes)}}}]);
    let written = Written::new().with("fits", giving(backup(523_000))).with("large", giving(backup(525_000)));
    assert_eq!(written.entries("fits").len(), 1);
    let wrong = written.wrong("large");
    assert!(wrong[0].starts_with("TooManyEntitlements /groups: its entitlements come to 5251"), "{wrong:?}");
}

/// Many plans that each include many, which has more ways through it than could be walked.
#[test]
fn each_plan_is_read_once_on_however_many_ways_it_is_included() {
    let mut written = Written::new();
    for level in 0..=MAX_DEPTH {
        for number in 0..16 {
            let below: Vec<String> =
                (0..16).filter(|_| level > 0).map(|one| format!("p{}-{one}", level.max(1) - 1)).collect();
            let spec =
                json!({"includes": below, "groups": [{"name": "base", "entitlements": [{"definition": "sso"}]}]});
            written = written.with(&format!("p{level}-{number}"), spec);
        }
    }
    assert_eq!(written.entries("p8-3"), ["sso - from p8-3/base"]);
}

const PLANS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const DEFINITIONS: [&str; 4] = ["seats", "streams", "sso", "gone"];

/// A plan of few names, so that they meet: what it includes, what it gives with which amount, and whether it is an add-on.
type Draft = (Vec<usize>, Vec<(usize, Option<u32>)>, bool);

fn drafts() -> impl Strategy<Value = Vec<Option<Draft>>> {
    let entitlement = (prop_oneof![20 => 0..3_usize, 1 => Just(3)], proptest::option::of(0..9_u32));
    let draft = (
        proptest::collection::vec(0..PLANS.len(), 0..3),
        proptest::collection::vec(entitlement, 0..3),
        prop::bool::weighted(0.08),
    );
    proptest::collection::vec(proptest::option::weighted(0.95, draft), PLANS.len())
}

/// What a plan gives, and how many stand below it.
type Given = (Vec<(usize, Option<u32>)>, usize);

/// The contract, read plainly: what each plan gives, or that it is not ready.
fn plainly(drafts: &[Option<Draft>], plan: usize, above: &[usize]) -> Option<Given> {
    let (includes, own, _) = drafts[plan].as_ref()?;
    if above.contains(&plan) {
        return None;
    }
    let mut given: Vec<(usize, Option<u32>)> = Vec::new();
    let mut put = |entry: (usize, Option<u32>)| match given.iter_mut().find(|(definition, _)| *definition == entry.0) {
        Some(before) => *before = entry,
        None => given.push(entry),
    };
    let mut height = 0;
    for include in includes {
        let (entries, below) = plainly(drafts, *include, &[above, &[plan]].concat())?;
        let is_add_on = drafts[*include].as_ref().is_some_and(|(.., is_add_on)| *is_add_on);
        height = height.max(below + 1);
        if is_add_on || height > MAX_DEPTH {
            return None;
        }
        entries.into_iter().for_each(&mut put);
    }
    let names: BTreeSet<usize> = own.iter().map(|(definition, _)| *definition).collect();
    let is_valid = names.len() == own.len()
        && own.iter().all(|(definition, amount)| *definition < 2 || (*definition == 2 && amount.is_none()));
    own.iter().copied().for_each(&mut put);
    is_valid.then_some((given, height))
}

proptest! {
    #[test]
    fn plans_come_to_what_the_contract_says(drafts in drafts()) {
        let mut written = Written::new();
        for (name, draft) in PLANS.iter().zip(&drafts) {
            let Some((includes, own, is_add_on)) = draft else { continue };
            let includes: Vec<&str> = includes.iter().map(|index| PLANS[*index]).collect();
            let entitlement = |(definition, amount): &(usize, Option<u32>)| {
                let mut entitlement = json!({"definition": DEFINITIONS[*definition]});
                if let Some(amount) = amount {
                    entitlement["amount"] = json!(amount);
                }
                entitlement
            };
            let mut spec = including(&includes, own.iter().map(entitlement).collect());
            spec["type"] = json!(if *is_add_on { "AddOn" } else { "Plan" });
            written = written.with(name, spec);
        }
        for (index, name) in PLANS.iter().enumerate().filter(|(index, _)| drafts[*index].is_some()) {
            let got = written.resolve(name).ok().map(|plan| {
                let given = |entry: &super::PlanEntry| (entry.definition.to_string(), entry.amount);
                plan.entries.iter().map(given).collect::<Vec<_>>()
            });
            let expected = plainly(&drafts, index, &[]).map(|(entries, _)| {
                let given = |(definition, amount): (usize, Option<u32>)| {
                    let name = DEFINITIONS[definition].to_owned();
                    let preset = written.definitions[&name].as_ref().unwrap().amount;
                    let stated = amount.map(|amount| PlanAmount::Stated(crate::core::amount::Amount::Limited(amount.into())));
                    (name, stated.or(preset.map(PlanAmount::Preset)).unwrap_or(PlanAmount::None))
                };
                entries.into_iter().map(given).collect::<Vec<_>>()
            });
            prop_assert_eq!(got, expected, "{}", name);
        }
    }
}
