//! All that an organization holds, in numbers.

use super::scene::CheckScene;
use crate::{
    core::calendar::parse_instant,
    evaluation::{check::EntitlementList, decision::decide, memo::Memo},
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
