//! The calendar of `timeline -o ics`, read by a calendar library.

use super::{output, python, target};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// A client whose name has all that is special to the format, and a grant that is extended.
const MANIFESTS: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec:
  displayName: "Acme, Söhne; \\n & \"Co\": 東京の支店とその他のとても長い名前を持つ支店\u0007\nline"
  timeZone: Europe/Berlin
  namespaces: [acme]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: seats}
spec: {type: Quantity, unit: seats, amount: 5, gracePeriod: P10D, renewalNotices: [P30D]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: acme.seats, namespace: entitlements}
spec:
  organization: acme
  definition: seats
  start: "2026-01-01"
  end: "2026-12-31"
  amendments: [{name: late, effective: "2026-12-15", end: "2027-06-30"}]
"#;

fn calendar(from: &str) -> String {
    let folder = target("manifests");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("calendar.yaml");
    fs::write(&file, MANIFESTS).unwrap();
    output(
        Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
            .args(["timeline", "-o", "ics", "--from", from, "-f"])
            .arg(file),
    )
}

fn read(calendar: &str) -> Vec<Value> {
    let folder = target("documents").join("icalendar");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("ends.ics"), calendar).unwrap();
    let calendars: Vec<Vec<Value>> = serde_json::from_str(&output(python().arg("icalendar").arg(&folder))).unwrap();
    calendars.into_iter().next().unwrap()
}

#[test]
fn ends_and_notices_by_icalendar() {
    let text = calendar("2026-11-01");
    for line in text.split_terminator("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\n', '\r', '\u{7}']), "{line:?}");
    }
    let components = read(&text);
    let client = "Client: Acme, Söhne; \\n & \"Co\": 東京の支店とその他のとても長い名前を持つ支店\u{fffd} line";
    let event = |uid: &str, start: &str, category: &str, summary: &str, told: &str, local: &str| {
        json!({
            "name": "VEVENT",
            "UID": format!("{uid}.entitlements.acme.seats@entitlements.dev"),
            "DTSTAMP": "2026-11-01T00:00:00+00:00",
            "DTSTART": start,
            "CATEGORIES": [category],
            "SUMMARY": format!("acme: seats (acme.seats) {summary}"),
            "DESCRIPTION": format!("{client}\n{told}\nLocal time: {local}"),
            "TRANSP": "TRANSPARENT",
        })
    };
    let stays = "What the client gets stays as it is.";
    let expected = [
        json!({
            "name": "VCALENDAR", "VERSION": "2.0", "METHOD": "PUBLISH", "X-WR-CALNAME": "Ends of entitlements",
            "PRODID": "-//entitlements.dev//entitlement-operator//EN",
        }),
        event(
            "notice-P30D-20270630T220000Z",
            "2027-05-31T22:00:00+00:00",
            "notice",
            "ends 2027-07-01 00:00 CEST",
            "Nothing renews acme.seats yet.",
            "2027-06-01 00:00 CEST",
        ),
        event("end", "2027-06-30T22:00:00+00:00", "end", "ends, with a grace period", stays, "2027-07-01 00:00 CEST"),
        event(
            "withdrawal",
            "2027-07-10T22:00:00+00:00",
            "end",
            "is withdrawn",
            "Before: 5 seats. After: nothing.",
            "2027-07-11 00:00 CEST",
        ),
    ];
    assert_eq!(components.len(), expected.len(), "{components:#?}");
    for (component, expected) in components.iter().zip(&expected) {
        assert_eq!(component, expected);
    }
}

/// So that a calendar that is read again knows its events again.
#[test]
fn identifiers_stay_over_time() {
    let identifiers = |from: &str| -> Vec<String> {
        let all = calendar(from);
        all.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect()
    };
    assert_eq!(identifiers("2026-11-01"), identifiers("2026-12-01"));
}
