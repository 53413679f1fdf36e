//! The calendar of `timeline -o ics`, read by a calendar library.

use super::{output, python};
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
    calendar_of(MANIFESTS, from)
}

fn calendar_of(manifests: &str, from: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calendar.yaml");
    fs::write(&file, manifests).unwrap();
    output(
        Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
            .args(["timeline", "-o", "ics", "--from", from, "-f"])
            .arg(file),
    )
}

fn read(calendar: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ends.ics"), calendar).unwrap();
    let calendars: Vec<Vec<Value>> =
        serde_json::from_str(&output(python().arg("icalendar").arg(folder.path()))).unwrap();
    calendars.into_iter().next().unwrap()
}

#[test]
fn ends_and_notices_by_icalendar() {
    let text = calendar("2026-11-01");
    for line in text.split_terminator("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\n', '\r', '\u{7}']), "{line:?}");
    }
    let components = read(&text);
    let client = "Client: Acme, Söhne; \\n & \"Co\": 東京の支店とその他のとても長い名前を持つ支店\\u{7} line";
    let event = |uid: &str, start: &str, category: &str, summary: &str, told: &str, local: &str| {
        json!({
            "name": "VEVENT",
            "UID": format!("{uid}.entitlements.acme.seats@entitlements.dev"),
            "DTSTAMP": start,
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
            "name": "VCALENDAR", "VERSION": "2.0", "X-WR-CALNAME": "Ends of entitlements",
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

/// So that a calendar that is read again shows as changed what is.
#[test]
fn events_stay_over_time() {
    assert_eq!(calendar("2026-11-01"), calendar("2026-12-01"));
    // The notice of 2027-06-01 is due by now, and that of the next end is not: it is the same event.
    let event = |text: &str| text.split("BEGIN:VEVENT").find(|event| event.contains("UID:notice-")).unwrap().to_owned();
    assert_eq!(event(&calendar("2026-12-01")), event(&calendar("2027-06-05")));
}

#[test]
fn the_end_of_a_suspended_grant_is_there() {
    let suspended =
        MANIFESTS.replace("  definition: seats\n  start", "  definition: seats\n  suspended: true\n  start");
    let text = calendar_of(&suspended, "2026-11-01");
    let components = read(&text);
    let end = components.iter().find(|event| event["UID"] == "end.entitlements.acme.seats@entitlements.dev").unwrap();
    assert_eq!(end["DTSTART"], "2027-06-30T22:00:00+00:00");
    assert_eq!(end["SUMMARY"], "acme: seats (acme.seats) ends, while it is suspended");
}
