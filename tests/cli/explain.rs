//! `explain`.

use super::{GOLDEN, assert_golden, code, run, run_with_input, text};
use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

const AT: &str = "2026-11-25";

fn service(arguments: &[&str]) -> std::process::Output {
    run(&[&["explain"], arguments, &["-f", "service", "--at", AT]].concat())
}

/// The most columns of a line; the texts here have no wide characters.
fn columns(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn all_that_an_organization_holds_is_one_table() {
    for organization in ["acme", "globex"] {
        let output = service(&[organization]);
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        assert_golden(&format!("service.{organization}.table"), &output.stdout);
    }
    let output = service(&["acme", "-o", "json"]);
    assert_golden("service.acme.explained.json", &output.stdout);
}

#[test]
fn all_of_it_is_explained_in_detail() {
    for organization in ["acme", "globex"] {
        let output = service(&[organization, "--all"]);
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        assert_golden(&format!("service.{organization}.explained"), &output.stdout);
        assert!(columns(text(&output.stdout)) <= 80);
    }
    let both = service(&["acme", "seats", "--all"]);
    assert_eq!(code(&both), 2);
}

/// A client in a time zone, with an entitlement for each way in which one can stand.
fn desk(zone: &str, columns: &str, arguments: &[&str]) -> String {
    let client = fs::read_to_string(Path::new(GOLDEN).join("desk/client.yaml")).unwrap().replace("ZONE", zone);
    let mut child = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args([&["explain", "nordwind"], arguments, &["-f", "desk/catalogue.yaml", "-"]].concat())
        .args(["--at", "2026-11-20T08:00:00Z"])
        .current_dir(GOLDEN)
        .env("COLUMNS", columns)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(client.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    text(&output.stdout).to_owned()
}

#[test]
fn a_table_is_as_wide_as_the_terminal() {
    for width in ["60", "80", "120", "200"] {
        let table = desk("Europe/Berlin", width, &[]);
        assert_golden(&format!("desk.{width}.table"), table.as_bytes());
        let widest = table.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= width.parse().unwrap(), "{widest} > {width}");
    }
    assert_golden("desk.80.explained", desk("Europe/Berlin", "80", &["--all"]).as_bytes());
    assert_golden("desk.json", desk("Europe/Berlin", "80", &["-o", "json"]).as_bytes());
}

#[test]
fn days_are_those_of_the_client() {
    for (zone, name) in [("UTC", "utc"), ("Pacific/Auckland", "auckland"), ("America/New_York", "new-york")] {
        assert_golden(&format!("desk.{name}.table"), desk(zone, "120", &[]).as_bytes());
    }
}

/// An organization with so many entitlements, half of which had others before.
fn many(count: usize) -> String {
    let mut manifests = "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: many}\nspec: {timeZone: Europe/Berlin, namespaces: [many]}\n".to_owned();
    for index in 0..count {
        let name = format!("entitlement-{index:03}");
        writeln!(
            manifests,
            "---\n{{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementDefinition, metadata: {{name: {name}}}, spec: {{type: Quantity, unit: seats, amount: 250, term: P1Y, gracePeriod: P14D}}}}\n---\n{{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementInstance, metadata: {{name: many-{index:03}, namespace: entitlements}}, spec: {{organization: many, definition: {name}, start: \"2026-02-01\"}}}}"
        )
        .unwrap();
    }
    manifests
}

#[test]
fn two_hundred_entitlements_are_three_screens() {
    let output = run_with_input(&["explain", "many", "-f", "-", "--at", AT], &many(200));
    let table = text(&output.stdout);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert_eq!(table.lines().count(), 204, "{table}");
    assert_eq!(
        table.lines().nth(203),
        Some("entitlement-199   250 seats   2026-02-01   2027-01-31    grace to 2027-02-14")
    );
    assert!(columns(table) <= 80);
}

#[test]
fn who_has_nothing_is_told_so() {
    let organization =
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: new}\nspec: {namespaces: [new]}\n";
    let output = run_with_input(&["explain", "new", "-f", "-", "service/catalogue.yaml", "--at", AT], organization);
    assert_eq!(code(&output), 0);
    assert_eq!(
        text(&output.stdout),
        "new\nat 2026-11-25 00:00 UTC; all times are those of UTC\n\nIt has no grant at all.\n\nnot held: backup, seats, streaming, support\n"
    );
}

/// Whatever was, nothing of it is left, or all of it is suspended.
#[test]
fn an_organization_that_gets_nothing_is_told_so() {
    let all = fs::read_to_string(Path::new(GOLDEN).join("service/acme.yaml")).unwrap();
    let output = run_with_input(&["explain", "acme", "-f", "-", "service/catalogue.yaml", "--at", "2040-01-01"], &all);
    assert_golden("service.acme.over.table", &output.stdout);
    let suspended = all.replace("timeZone: Europe/Berlin,", "timeZone: Europe/Berlin, suspended: true,");
    let output = run_with_input(&["explain", "acme", "-f", "-", "service/catalogue.yaml", "--at", AT], &suspended);
    assert_golden("service.acme.suspended.table", &output.stdout);
}

#[test]
fn one_entitlement_is_explained_at_another_time() {
    let output = run(&["explain", "acme", "seats", "-f", "service", "--at", "2026-10-31"]);
    assert_golden("service.acme.seats.explained", &output.stdout);
    let output = run(&["explain", "acme", "backup", "-f", "service", "--at", "2027-01-10"]);
    assert_golden("service.acme.backup.explained", &output.stdout);
}

#[test]
fn what_was_never_granted_is_told() {
    let output = service(&["globex", "backup"]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).ends_with("\nIt has no grant of backup, and had none that is still on record.\n"));
}

/// People know a client by other names than the cluster.
#[test]
fn an_organization_is_found_by_its_names() {
    let by_name = service(&["acme"]).stdout;
    for called in ["Acme GmbH", "ACME", "acme gmbh", "ac"] {
        let output = service(&[called]);
        assert_eq!((code(&output), text(&output.stdout)), (0, text(&by_name)), "{called}");
    }
}

#[test]
fn of_several_that_may_be_meant_each_is_told() {
    let organization = |name: &str, shown: &str| {
        format!(
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec: {{displayName: \"{shown}\", namespaces: [{name}]}}\n"
        )
    };
    let manifests: String = (0..12).map(|index| organization(&format!("acme-{index}"), "Acme")).collect();
    let output = run_with_input(&["explain", "acme", "-f", "-", "--at", AT], &manifests);
    assert_eq!((code(&output), text(&output.stdout)), (2, ""));
    assert_eq!(
        text(&output.stderr),
        "entitlement-operator: acme may be any of acme-0 (Acme), acme-1 (Acme), acme-10 (Acme), acme-11 (Acme), acme-2 (Acme), acme-3 (Acme), acme-4 (Acme), acme-5 (Acme), acme-6 (Acme), acme-7 (Acme), and 2 more: give one of these names\n"
    );
}

#[test]
fn where_another_client_is_called_so_too_it_is_said() {
    let organization = |name: &str, shown: &str| {
        format!(
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec: {{displayName: \"{shown}\", namespaces: [{name}]}}\n"
        )
    };
    let manifests = organization("acme", "Acme GmbH") + &organization("initech", "acme");
    let output = run_with_input(&["explain", "acme", "-f", "-", "--at", AT], &manifests);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).starts_with("Acme GmbH (acme)\n"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "note: this is acme; initech (acme) is called so, too: ask who is meant\n");
}

#[test]
fn an_unknown_name_has_a_suggestion() {
    for (arguments, expected) in [
        (&["acne"][..], "there is no organization acne: did you mean acme?"),
        (&["Acme Gmhb"], "there is no organization Acme Gmhb: did you mean acme (Acme GmbH)?"),
        (&["initech"], "there is no organization initech: there is acme, globex"),
        (&["acme", "seets"], "there is no definition seets: did you mean seats?"),
        (&["acme", "x"], "there is no definition x: there is backup, seats, streaming, support"),
    ] {
        let output = service(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""));
        assert_eq!(text(&output.stderr), format!("entitlement-operator: {expected}\n"));
    }
}

/// What a terminal shows.
fn on_a_terminal(environment: &[(&str, &str)]) -> String {
    let script = "import os, pty, sys\npty.spawn(sys.argv[1:], lambda fd: os.read(fd, 65536))";
    let output = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_entitlement-operator"), "explain", "acme", "seats"])
        .args(["-f", "service", "--at", AT])
        .current_dir(GOLDEN)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let plain = text(&service(&["acme", "seats"]).stdout).to_owned();
    assert!(!plain.contains('\u{1b}'));
    let coloured = on_a_terminal(&[]);
    assert!(coloured.starts_with("\u{1b}[1mAcme GmbH (acme)\u{1b}[0m\n"), "{coloured:?}");
    assert_eq!(on_a_terminal(&[("NO_COLOR", "1")]), plain);
    assert_eq!(on_a_terminal(&[("TERM", "dumb")]), plain);
    assert_eq!(on_a_terminal(&[("NO_COLOR", "")]), coloured);
}

/// What `explain` says of manifests in 2026-07, as a table and in detail.
fn told(grants: &str) -> [String; 2] {
    let manifests = format!(
        "apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {{name: acme}}
spec: {{timeZone: Asia/Tokyo, namespaces: [acme]}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {{name: seats}}
spec: {{type: Quantity, unit: seats, amount: 10}}
{grants}"
    );
    let of = |more: &[&str]| {
        let arguments = [&["explain", "acme", "-f", "-", "--at", "2026-07-01T00:00:00Z"], more].concat();
        text(&run_with_input(&arguments, &manifests).stdout).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    [of(&[]), of(&["--all"])]
}

fn grant(name: &str, spec: &str, status: &str) -> String {
    format!(
        "---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {{name: {name}, namespace: entitlements}}
spec: {{organization: acme, definition: seats, {spec}}}
status: {status}
"
    )
}

#[test]
fn a_renewal_after_a_gap_is_told() {
    let a = grant("a", "start: \"2026-01-01\", end: \"2026-07-31\"", "{}");
    for (more, next, contract, passes) in [
        ("renews: a, start: \"2026-09-01\"", "ends, renewed from 2026-09-01", "b renews it from 2026-09-01", false),
        ("renews: a, suspended: true", "ends, its renewal is suspended", "b, which renews it, is suspended", false),
        ("renews: a", "renewed to 2027-02-28", "with what follows it is delivered until", true),
        ("state: Draft", "ends, not renewed", "nothing follows it", false),
    ] {
        let [table, detail] = told(&[a.clone(), grant("b", more, "{}")].concat());
        assert!(table.contains(next), "{next}: {table}");
        assert!(detail.contains(contract), "{contract}: {detail}");
        assert_eq!(detail.contains("a passes to b"), passes, "{more}: {detail}");
    }
}

/// The organization has another time zone now.
#[test]
fn a_contract_ends_on_the_day_that_was_agreed() {
    let record = "{accepted: {timeZone: UTC, start: \"2026-01-01\", end: \"2026-12-31\", chain: {name: a, uid: u, since: \"2026-01-01T00:00:00Z\", day: 1}}}";
    let [table, _] = told(&grant("a", "start: \"2026-01-01\", end: \"2026-12-31\"", record));
    assert!(table.contains("10 seats") && table.contains(" 2026-12-31 "), "{table}");
}
