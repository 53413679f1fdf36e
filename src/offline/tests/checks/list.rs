//! All that an organization holds, in numbers.

use super::scene::CheckScene;
use crate::{
    core::calendar::parse_instant,
    evaluation::{
        check::{EntitlementList, flag_now, flags_now, handles},
        decision::{decide, decide_alone},
        memo::Memo,
    },
};
use serde_json::json;

#[test]
fn the_entries_of_the_summary_have_numbers() {
    let scene = CheckScene::monthly()
        .define("sso", &json!({"type": "Feature"}))
        .define("later", &json!({}))
        .define("never", &json!({}))
        .grant("a", &json!({"amount": 10}))
        .grant("b", &json!({"definition": "sso"}))
        .grant("c", &json!({"definition": "later", "start": "2027-06-01"}))
        .used(&["2027-01-10 3"]);
    let snapshot = scene.0.snapshots(&scene.0.catalogue()).remove(0);
    let decision = decide(&snapshot, parse_instant("2027-01-20T00:00:00Z").unwrap());
    let list = serde_json::to_value(EntitlementList::of(&decision, &mut Memo::default())).unwrap();
    let entry = |display_name: &str, type_: &str, unit: Option<&str>, amount: Option<&str>, from: &str| {
        json!({
            "entitled": from.starts_with("2027-01"), "displayName": display_name, "type": type_, "unit": unit,
            "amount": amount, "validFrom": format!("{from}T00:00:00Z"), "validUntil": null, "end": null, "facets": {},
        })
    };
    let mut units = entry("units", "Quantity", Some("units"), Some("10"), "2027-01-01");
    units["usage"] = json!({
        "allotted": "10", "used": "3", "remaining": "7", "overage": "0", "excess": "0",
        "resetsAt": "2027-02-01T00:00:00Z", "state": "Ok",
    });
    let expected = json!({
        "organization": "acme", "at": "2027-01-20T00:00:00Z",
        "entitlements": {
            "later": entry("later", "Quantity", Some("units"), Some("0"), "2027-06-01"),
            "sso": entry("sso", "Feature", None, None, "2027-01-01"),
            "units": units,
        },
    });
    assert_eq!(list, expected);
}

#[test]
fn a_flag_alone_says_what_all_of_them_do() {
    let scene = CheckScene::monthly()
        .define("sso", &json!({"type": "Feature"}))
        .define("later", &json!({}))
        .define("over", &json!({}))
        .define("never", &json!({}))
        .grant("a", &json!({"amount": 10}))
        .grant("b", &json!({"definition": "sso"}))
        .grant("c", &json!({"definition": "later", "start": "2027-06-01"}))
        .grant("d", &json!({"definition": "over", "end": "2027-01-05"}))
        .grant("e", &json!({"definition": "gone"}))
        .used(&["2027-01-10 10"]);
    let catalogue = scene.0.catalogue();
    let snapshot = scene.0.snapshots(&catalogue).remove(0);
    let now = parse_instant("2027-01-20T00:00:00Z").unwrap();
    let offers = &snapshot.offers;
    let all = flags_now(&decide(&snapshot, now), offers);
    let one = |key: &str| {
        let mut flags = handles(key)
            .filter_map(|handle| flag_now(&decide_alone(&snapshot, &handle.into(), now), offers, handle, key));
        flags.next()
    };
    assert_eq!(all.keys().collect::<Vec<_>>(), ["later", "sso", "units", "units.allowed"]);
    for (key, value) in &all {
        assert_eq!(one(key).as_ref(), Some(value), "{key}");
    }
    for key in ["gone", "seets", "units.facet", ".allowed", "", "allowed"] {
        assert_eq!((one(key), all.get(key)), (None, None), "{key}");
    }
}
