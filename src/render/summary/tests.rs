use super::{EntitlementSummary, EntrySources, SummaryEntry, SummaryGrant, ValueSource, variable};
use crate::core::facets::LayerNames;
use crate::{
    api::Phase,
    core::{authority::ApiAuthority, source::SourceId},
    render::flags::{FlagCourse, Offer},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn entry(amount: Option<&str>) -> SummaryEntry {
    SummaryEntry {
        entitled: true,
        display_name: "Many".to_owned(),
        type_: "Quantity",
        unit: None,
        amount: amount.map(str::to_owned),
        valid_from: None,
        valid_until: None,
        end: None,
        facets: BTreeMap::new(),
        usage: None,
        sources: None,
        course: FlagCourse::default(),
    }
}

fn summary(entitlements: Vec<(&str, SummaryEntry)>) -> EntitlementSummary {
    let entitlements = entitlements.into_iter().map(|(handle, entry)| (handle.to_owned(), Arc::new(entry))).collect();
    EntitlementSummary {
        organization: "acme".to_owned(),
        entitlements,
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
    }
}

fn names(handle: &str) -> BTreeSet<String> {
    let variables = entry(Some("1")).variables(&variable(handle));
    variables.lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect()
}

#[test]
fn a_variable_is_the_handle_in_upper_case() {
    let entitlements = [("4k-streaming", None), ("max--members", Some("2.5")), ("x", Some("Unlimited"))];
    let entitlements = entitlements.into_iter().map(|(handle, amount)| (handle, entry(amount))).collect();
    let data = summary(entitlements).data();
    let expected = "ENTITLEMENT_4K_STREAMING=true\nENTITLEMENT_MAX__MEMBERS=true\nENTITLEMENT_MAX__MEMBERS_AMOUNT=2.5\nENTITLEMENT_X=true\nENTITLEMENT_X_AMOUNT=Unlimited\n";
    assert_eq!(data["entitlements.env"], expected);
    assert_eq!(data.keys().collect::<Vec<_>>(), ["entitlements.env", "entitlements.json", "flags.json"]);
}

#[rstest]
#[case(ApiAuthority::Absent, None)]
#[case(ApiAuthority::Untold, None)]
#[case(ApiAuthority::Known("-----BEGIN".into()), Some("-----BEGIN"))]
fn the_authority_of_the_api_is_told_where_there_is_one(
    #[case] authority: ApiAuthority,
    #[case] expected: Option<&str>,
) {
    let summary = EntitlementSummary { authority, ..summary(Vec::new()) };
    assert_eq!(summary.data().get("ca.crt").map(String::as_str), expected);
    assert_eq!(summary.data().len(), 3 + usize::from(expected.is_some()));
}

#[test]
fn each_handle_has_a_line() {
    let facets = json!({"backup": {"retention": 90}});
    let first = SummaryEntry {
        display_name: "Managed \"backup\"\n".to_owned(),
        unit: Some("hours".to_owned()),
        valid_from: Some("2026-01-01T00:00:00Z".to_owned()),
        valid_until: Some("2027-01-15T00:00:00Z".to_owned()),
        end: Some("2027-01-01T00:00:00Z".to_owned()),
        facets: serde_json::from_value(facets).unwrap(),
        ..entry(Some("2.5"))
    };
    let source =
        ValueSource { layer: "Instance", source: Some(SourceId::instance("e", "a")), names: LayerNames::default() };
    let fields = BTreeMap::from([("backup".to_owned(), BTreeMap::from([("retention".to_owned(), source)]))]);
    let grant = SummaryGrant {
        source: SourceId::instance("e", "a"),
        phase: Phase::Active,
        amount: None,
        reason: None,
        approved_by: None,
        parts: Vec::new(),
        removed_by: None,
    };
    let second = SummaryEntry { sources: Some(EntrySources { grants: vec![grant], facets: fields }), ..entry(None) };
    assert_eq!(
        summary(vec![("a", first), ("b", second)]).data()["entitlements.json"],
        concat!(
            r#"{"organization":"acme","entitlements":{"#,
            "\n",
            r#""a":{"entitled":true,"displayName":"Managed \"backup\"\n","type":"Quantity","unit":"hours","amount":"2.5","#,
            r#""validFrom":"2026-01-01T00:00:00Z","validUntil":"2027-01-15T00:00:00Z","end":"2027-01-01T00:00:00Z","#,
            r#""facets":{"backup":{"retention":90}}},"#,
            "\n",
            r#""b":{"entitled":true,"displayName":"Many","type":"Quantity","unit":null,"amount":null,"validFrom":null,"validUntil":null,"end":null,"facets":{},"#,
            r#""sources":{"grants":[{"instance":"e/a","phase":"Active","amount":null}],"facets":{"backup":{"retention":{"layer":"Instance","instance":"e/a"}}}}}"#,
            "\n}}\n",
        )
    );
    assert_eq!(summary(Vec::new()).data()["entitlements.json"], "{\"organization\":\"acme\",\"entitlements\":{}}\n");
}

#[test]
fn what_is_offered_has_a_flag_though_it_is_not_held() {
    let offer = |has_amount, has_facets| Offer { has_amount, has_facets, is_metered: false };
    let offers = [("held", offer(true, true)), ("seats", offer(true, false)), ("backup", offer(false, true))];
    let offers = offers.into_iter().map(|(handle, offer)| (handle.into(), offer)).collect();
    let summary = EntitlementSummary { offers: Arc::new(offers), ..summary(vec![("held", entry(Some("1")))]) };
    let data = summary.data();
    let flags: Value = serde_json::from_str(&data["flags.json"]).unwrap();
    let flag = |default: &str, value: Value| json!({"state": "ENABLED", "variants": {default: value}, "defaultVariant": default});
    assert_eq!(
        flags["flags"],
        json!({
            "held": flag("0", json!(0)),
            "seats": flag("0", json!(0)),
            "backup": flag("off", json!(false)),
            "backup.facets": flag("none", json!({})),
        })
    );
    assert!(!data["entitlements.json"].contains("seats") && !data["entitlements.env"].contains("SEATS"));
}

proptest! {
    #[test]
    fn no_two_handles_give_one_variable(
        one in "[a4]([-a4]{0,4}[a4])?(-amount-[a4]|amount)?",
        other in "[a4]([-a4]{0,4}[a4])?(-amount-[a4]|amount)?",
    ) {
        prop_assume!(one != other);
        prop_assert!(names(&one).is_disjoint(&names(&other)));
        for name in names(&one) {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'));
        }
    }
}
