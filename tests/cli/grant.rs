//! More or less for a client, in one line: the manifest, and what the client gets otherwise.

use super::{assert_golden, code, run, text};
use std::fmt::Write;

const AT: &str = "2026-11-03T09:00:00+01:00";

/// A screen: what is typed, what goes to standard output, what to standard error, and how it ends.
fn screen(line: &str) -> String {
    let words = words(line);
    let output = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut screen = format!("$ entitlement-operator {line}\n{}", text(&output.stdout));
    for line in text(&output.stderr).lines() {
        writeln!(screen, "! {line}").unwrap();
    }
    if code(&output) != 0 {
        writeln!(screen, "(exit code {})", code(&output)).unwrap();
    }
    screen
}

/// The words of a line, of which those in single quotes are one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let split = |(index, part): (usize, &str)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    };
    let mut words: Vec<String> = Vec::new();
    for (index, part) in parts {
        let is_glued = index % 2 == 1 && line.split('\'').nth(index - 1).is_some_and(|before| before.ends_with('='));
        let mut new = split((index, part));
        if is_glued && !new.is_empty() {
            let rest = new.remove(0);
            words.last_mut().unwrap().push_str(&rest);
        }
        words.extend(new);
    }
    words
}

fn assert_screens(name: &str, lines: &[&str]) {
    let screens: Vec<String> = lines.iter().map(|line| screen(&format!("{line} -f service --at {AT}"))).collect();
    assert_golden(name, screens.join("\n").as_bytes());
}

#[test]
fn a_grant_shows_what_the_client_gets_by_it() {
    assert_screens(
        "grants.txt",
        &[
            "grant acme seats --amount 50 --to 2027-03-31 --reason 'order 4711'",
            "grant 'globex, k' seats --from +1mo --to never --amount 2.5",
            "grant globex backup --set backup.region=us --set backup.retention=90 --secret backup.password=globex/key",
            "grant acme support --renews acme-support-2027 --draft",
            "grant globex backup --draft",
        ],
    );
}

#[test]
fn what_would_be_refused_is_neither_printed_nor_made() {
    assert_screens(
        "grants.refused.txt",
        &[
            "grant acme streaming",
            "grant acme seats --from 2027-01-01 --to 2026-12-31",
            "grant acme streaming --amount 3 --renews acme-streaming",
            "grant globex backup --set backup.region=moon --set backup.retention=many --secret backup.password=globex/key",
            "grant acme seats -n sales",
            "grant acme seats --name acme-seats",
            "extend acme-support --to 2027-12-31 --from 2027-06-01",
        ],
    );
}

#[test]
fn wrong_usage_is_told_and_no_secret_is_repeated() {
    let lines = [
        "grant acme backup --set backup.password=hunter2",
        "grant acme backup --set password=hunter2",
        "grant acme backup --set bakcup.password=hunter2",
        "grant acme backup --set backup.pasword=hunter2",
        "grant acme backup --secret backup.password=hunter2",
        "grant nobody seats",
        "grant acme seets",
        "suspend acme-sea",
        "suspend acme-seats -n default",
        "suspend acme-sea -n default",
        "extend acme-seats --to 2026-01-31",
        "extend acme-streaming --to 2030-12-31",
    ];
    assert_screens("grants.usage.txt", &lines);
    for line in lines {
        let said = screen(&format!("{line} -f service --at {AT}")).replace(line, "");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn changes_show_what_the_client_gets_by_them() {
    assert_screens(
        "grants.changed.txt",
        &[
            "suspend acme-backup --reason 'unpaid'",
            "resume acme-streaming",
            "resume acme-backup",
            "cancel acme-seats-more --reason 'contract ended'",
            "extend entitlements/acme-support --to 2027-03-31",
            "extend acme-seats --to +90d --reason 'late, order 4711'",
            "extend globex-streaming --to never",
        ],
    );
}

#[test]
fn a_renewal_follows_with_all_that_is_stated_now() {
    assert_screens(
        "grants.renewed.txt",
        &[
            "renew acme-backup --reason 'order 4712'",
            "renew acme-seats-more --to 2028-12-31 --name acme-seats-big",
            "renew acme-seats",
            "renew ent/acme-support-2027",
        ],
    );
    // Where the value of a secret field comes from is told, and never the value.
    let said = screen(&format!("renew acme-backup -f service --at {AT}"));
    assert!(said.contains("secretKeyRef") && !said.contains("hunter2222"), "{said}");
}

#[test]
fn what_cannot_be_renewed_is_told() {
    assert_screens(
        "grants.renewed.refused.txt",
        &[
            "renew acme-streaming",
            "renew acme-support",
            "renew globex-streaming-again",
            "renew acme-sea",
            "renew acme-seats -n default",
            "renew subscription/acme-seats",
            "renew acme-seats --plan business",
            "renew acme-seats --name acme-backup",
            "renew acme-backup --to 2026-12-31",
        ],
    );
}

#[test]
fn a_name_that_there_is_twice_is_asked_for() {
    let both = "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {name: acme-seats, namespace: sales}\nspec: {organization: acme, definition: seats}\n";
    let arguments = ["suspend", "acme-seats", "-f", "service", "-f", "-"];
    let output = super::run_with_input(&arguments, both);
    assert_eq!(code(&output), 2);
    assert_eq!(
        text(&output.stderr).lines().last().unwrap(),
        "entitlement-operator: there are several grants acme-seats: give one of entitlements/acme-seats, sales/acme-seats"
    );
}

#[test]
fn what_an_option_took_is_told_where_it_is_missing() {
    let output = run(&["explain", "-f", "service", "acme"]);
    assert_eq!(code(&output), 2);
    let said = text(&output.stderr);
    let tip = "tip: -f takes all that follows it, acme too: write acme before -f, or behind -- (-f PATH -- acme)";
    assert!(said.contains("<ORGANIZATION>") && said.contains(tip), "{said}");
}

#[test]
fn a_day_that_there_is_not_is_told_with_how_one_is_written() {
    for (wrong, why) in [
        ("31.12.2026", "it does not have the form of one"),
        ("2026-1-1", "it does not have the form of one"),
        ("2026-02-30", "there is no such day, time of day or offset"),
        ("today", "it does not have the form of one"),
    ] {
        let output = run(&["explain", "acme", "-f", "service", "--at", wrong]);
        assert_eq!(code(&output), 2);
        let said = text(&output.stderr);
        let expected =
            format!("{wrong:?} is no date or time: {why}; write a date such as 2027-01-31, or an RFC 3339 time");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn nothing_is_written_from_files() {
    for subcommand in ["grant acme seats", "suspend acme-seats", "extend acme-seats --to 2030-01-01"] {
        let arguments: Vec<&str> = subcommand.split(' ').chain(["-f", "service", "--apply"]).collect();
        let output = run(&arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{subcommand}");
        assert!(text(&output.stderr).contains("--apply"), "{}", text(&output.stderr));
    }
}

#[test]
fn which_cluster_is_said_only_where_one_is_looked_at() {
    let output = run(&["validate", "-f", "service", "--context", "there"]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        text(&output.stderr),
        "entitlement-operator: with -f no cluster is looked at: leave out what says which one, or add --with-cluster\n"
    );
    let output = run(&["validate", "-f", "service", "--with-cluster"]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("no cluster is configured"), "{}", text(&output.stderr));
}
