//! `timeline`.

use super::{assert_golden, code, run, run_with_input, text};
use serde_json::{Value, json};

const FROM: &str = "2026-11-25";

fn service(arguments: &[&str]) -> std::process::Output {
    run(&[&["timeline", "-f", "service", "--from", FROM], arguments].concat())
}

#[test]
fn everything_to_come_is_told_in_order() {
    let output = service(&[]);
    assert_eq!(code(&output), 1);
    assert_golden("service.stderr", &output.stderr);
    assert_golden("service.timeline", &output.stdout);
    let output = service(&["-o", "json"]);
    assert_golden("service.timeline.json", &output.stdout);
}

#[test]
fn a_timeline_ends_where_it_is_asked_to() {
    let output = service(&["--to", "2027-01-01", "--organization", "acme"]);
    let table = text(&output.stdout);
    assert!(
        table.ends_with(
            "\nNothing else changes by time alone up to the end of 2027-01-01. Days are those of Europe/Berlin.\n"
        ),
        "{table}"
    );
    assert!(table.contains("acme-support-2027: Waiting → Active") && !table.contains("globex"), "{table}");
    let output = service(&["--to", "2026-11-26", "--organization", "acme", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["end"], json!({"reason": "Asked", "at": "2026-11-26T22:59:59Z", "day": "2026-11-26"}));
    assert_eq!(json["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn a_timeline_that_is_too_long_says_so() {
    let output = service(&["--limit", "4"]);
    let table = text(&output.stdout);
    assert!(
        table.ends_with("\nThis is not all: what happens from 2026-12-31 15:00 UTC on is left out, as it is too much. Ask for one --organization, for what is before --to TIME, or for more with --limit. Days are those of each client: Asia/Tokyo (globex), Europe/Berlin (acme).\n"),
        "{table}"
    );
    let output = service(&["--limit", "4", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["end"], json!({"reason": "TooMuch", "at": "2026-12-31T15:00:00Z"}));
    assert_eq!(json["steps"].as_array().unwrap().len(), 4);
}

#[test]
fn where_nothing_changes_that_is_told() {
    let output = run_with_input(&["timeline", "-f", "-", "--to", "+90d"], "");
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).starts_with("Nothing changes by time alone up to 2"), "{}", text(&output.stdout));
}

#[test]
fn a_calendar_holds_ends_and_notices() {
    let output = service(&["-o", "ics"]);
    assert_golden("service.ics", &output.stdout);
}

#[test]
fn a_difference_is_told_as_a_comment() {
    let output = run(&["timeline", "--diff", "service", "service-next", "--from", FROM]);
    assert_eq!(code(&output), 1);
    assert_golden("service-next.stderr", &output.stderr);
    assert_golden("service.difference.md", &output.stdout);
    let output = run(&["timeline", "--diff", "service", "service-next", "--from", FROM, "-o", "json"]);
    assert_golden("service.difference.json", &output.stdout);
}

#[test]
fn no_difference_is_told_too() {
    let output = run(&["timeline", "--diff", "clients", "clients", "--from", FROM, "--to", "2027-02-01"]);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stdout), "Clients get the same as before until the end of 2027-02-01.\n");
    let output = run(&["timeline", "--diff", "clients", "clients", "--from", FROM, "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["differences"], json!([]));
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        (
            &["--to", "2026-01-01"][..],
            "entitlement-operator: --to is before --from, or before now: give a later --to or an earlier --from\n",
        ),
        (&["--organization", "acne"], "entitlement-operator: there is no organization acne: did you mean acme?\n"),
        (
            &["--organization", "initech"],
            "entitlement-operator: there is no organization initech: there is acme, globex\n",
        ),
    ] {
        let output = service(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""));
        assert!(text(&output.stderr).ends_with(expected), "{}", text(&output.stderr));
    }
    let output = run(&["timeline", "--diff", "service", "service-next", "-o", "ics"]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        text(&output.stderr),
        "entitlement-operator: a difference is no calendar: use --diff with -o table or -o json\n"
    );
    for arguments in [
        &["timeline", "--diff", "service", "absent"][..],
        &["timeline", "--diff", "service"],
        &["timeline", "-f", "service", "--from", "+90x"],
        &["timeline", "-f", "service", "--diff", "service", "service-next"],
    ] {
        let output = run(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{arguments:?}");
    }
}

/// One day begins at another moment for each client.
#[test]
fn a_day_is_each_clients_own() {
    let at = |organization: &str, time: &str| {
        let arguments =
            ["timeline", "-f", "service", "--from", "2026-12-31", "--to", "2026-12-31", "--organization", organization];
        let output = run(&arguments);
        let all = text(&output.stdout);
        assert!(all.contains(time), "{all}");
    };
    at("acme", "Nothing else changes by time alone up to the end of 2026-12-31. Days are those of Europe/Berlin.\n");
    at("globex", "Nothing else changes by time alone up to the end of 2026-12-31. Days are those of Asia/Tokyo.\n");
    let output = run(&["timeline", "-f", "service", "--from", "2026-12-31", "--to", "2027-01-01"]);
    assert_golden("service.day.timeline", &output.stdout);
    let output = run(&["timeline", "-f", "service", "--from", "2026-12-31", "--to", "2027-01-01", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["from"], &json["end"]["day"]), (&"2026-12-31".into(), &"2027-01-01".into()));
    assert_eq!(json["end"]["at"], "2027-01-01T22:59:59Z");
    assert_eq!(
        json["organizations"],
        serde_json::json!({
            "acme": {"timeZone": "Europe/Berlin", "from": "2026-12-30T23:00:00Z"},
            "globex": {"timeZone": "Asia/Tokyo", "from": "2026-12-30T15:00:00Z"},
        })
    );
}

/// What happens during the last day is shown, and nothing of the next one.
#[test]
fn the_last_day_is_looked_at_to_its_end() {
    let organization = |zone: &str| {
        format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: a}}\nspec: {{timeZone: {zone}, namespaces: [a]}}\n"
        )
    };
    let grant = |name: &str, start: &str| {
        format!(
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}, namespace: entitlements}}\nspec: {{organization: a, definition: seats, start: \"{start}\"}}\n"
        )
    };
    for (zone, late, next) in [
        ("Europe/Berlin", "2027-02-01T22:59:59Z", "2027-02-01T23:00:00Z"),
        ("America/New_York", "2027-02-02T04:59:59Z", "2027-02-02T05:00:00Z"),
    ] {
        let grants =
            [grant("day", "2027-02-01"), grant("late", late), grant("next", next), grant("after", "2027-02-02")];
        let manifests = format!("{}{}", organization(zone), grants.concat());
        let arguments = ["timeline", "-f", "-", "service/catalogue.yaml", "--from", "2027-02-01", "--to", "2027-02-01"];
        let output = run_with_input(&[&arguments[..], &["-o", "json"]].concat(), &manifests);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let steps = json["steps"].as_array().unwrap();
        let names: Vec<&str> = steps
            .iter()
            .flat_map(|step| step["instances"].as_array().unwrap())
            .map(|one| one["instance"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["entitlements/late"], "{zone}: {json:#}");
    }
}

/// An object that comes without a creationTimestamp is made at the moment that is looked at, which is the client's.
#[test]
fn what_is_made_on_a_day_is_made_where_the_client_is() {
    let client = |name: &str, zone: &str| {
        format!(
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec: {{timeZone: {zone}, namespaces: [{name}]}}\n---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}, namespace: entitlements}}\nspec: {{organization: {name}, definition: support}}\n"
        )
    };
    let manifests = [client("east", "Pacific/Auckland"), client("west", "America/New_York")].concat();
    let output = run_with_input(
        &["render", "-f", "-", "service/catalogue.yaml", "--at", "2026-12-01", "-o", "json"],
        &manifests,
    );
    let last = text(&output.stderr).lines().last().unwrap();
    assert_eq!(
        (code(&output), last),
        (0, "Days are those of each client: America/New_York (west), Pacific/Auckland (east).")
    );
    let rendered: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| {
        let items = rendered["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["kind"] == "EntitlementInstance" && item["metadata"]["name"] == name);
        let status = &found.unwrap()["status"];
        (status["phase"].as_str().unwrap().to_owned(), status["start"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("east"), ("Active".to_owned(), "2026-11-30T11:00:00Z".to_owned()));
    assert_eq!(of("west"), ("Active".to_owned(), "2026-12-01T05:00:00Z".to_owned()));
}

#[test]
fn minutes_and_months_are_told_apart() {
    let output = run(&["timeline", "-f", "service", "--to", "+1m"]);
    assert_eq!((code(&output), text(&output.stdout)), (2, ""));
    assert!(
        text(&output.stderr).contains("+1m may be minutes or months: write +1min or +1mo"),
        "{}",
        text(&output.stderr)
    );
}

/// A time zone that nobody knows is UTC, and the finding says so.
#[test]
fn an_unknown_time_zone_is_utc() {
    let organization = "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: a}\nspec: {timeZone: Europe/Belin, namespaces: [a]}\n";
    let output = run_with_input(&["timeline", "-f", "-", "--from", "2026-12-01", "--to", "9999-12-31"], organization);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("InvalidTimeZone"), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "Nothing changes by time alone up to the end of 9999-12-31. Days are those of UTC.\n"
    );
}

/// What is wrong with others is nothing that the answer says, nor its exit code.
#[test]
fn one_organization_is_told_nothing_of_others() {
    let output = service(&["--organization", "acme"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert!(!text(&output.stdout).contains("globex"));
    let output = service(&["--organization", "globex"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("Duplicate") && !text(&output.stderr).contains("acme"));
}
