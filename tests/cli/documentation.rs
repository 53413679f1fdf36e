//! What the documentation and `--help` show is what happens: each example is run, and what comes of it is compared.

use super::{assert_golden, code, playground::Playground, text};
use chrono::{DateTime, TimeDelta, Utc};
use regex::{Captures, Regex};
use std::{fmt::Write, fs, path::Path};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Examples that change the machine they are run on, or show what it makes of something.
const OF_A_MACHINE: [&str; 5] = ["~/.local", "${fpath", "~/.config", "/usr/local", "man -l"];

/// Whether an example needs a cluster: the cluster's tests run these.
fn needs_cluster(example: &str) -> bool {
    let talks_to_one = ["kubectl apply", "kubectl get", "kubectl patch", "entitlement-operator run", "--apply"];
    let looks_at_one =
        ["timeline", "explain", "check", "show", "change", "renew", "approve", "deny", "overrides", "store", "usage"]
            .map(|name| format!("entitlement-operator {name}"));
    talks_to_one.iter().any(|sign| example.contains(sign))
        || (looks_at_one.iter().any(|sign| example.contains(sign.as_str()))
            && ![" -f ", " --diff "].iter().any(|option| example.contains(option)))
}

/// The examples of a `--help`.
fn examples(help: &str) -> Vec<String> {
    let Some(block) = help.split("\nExamples:\n").nth(1) else { return Vec::new() };
    let lines = block.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().to_owned()).collect()
}

fn subcommands(playground: &Playground) -> Vec<String> {
    let output = playground.run("COLUMNS=400 entitlement-operator --help");
    let help = text(&output.stdout);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    commands.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// An output in which nothing depends on when it was made: `<now>` and its like stand for moments that are reckoned from
/// then on, `<a while>` for how long it is to others, and two spaces for the gaps of a table.
fn timeless(output: &str) -> String {
    let moment = Regex::new(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?) ?(Z|[+-]\d\d:\d\d|CET|CEST)").unwrap();
    let text = moment.replace_all(output, |found: &Captures| {
        let offset = match &found[3] {
            "Z" => "+00:00",
            "CET" => "+01:00",
            "CEST" => "+02:00",
            offset => offset,
        };
        let seconds = if found[2].len() < 8 { ":00" } else { "" };
        let moment = format!("{}T{}{seconds}{offset}", &found[1], &found[2]);
        relative(moment.parse().unwrap()).map_or_else(|| found[0].to_owned(), str::to_owned)
    });
    let span = Regex::new(r"\bin \d+ (year|month|day|hour|minute)s?( \d+ (month|day|hour|minute)s?)?").unwrap();
    let text = span.replace_all(&text, "in <a while>");
    let text = Regex::new(r"(\S)  +").unwrap().replace_all(&text, "$1  ").into_owned();
    Regex::new(r"(?m)^ {30,}").unwrap().replace_all(&text, "  ").into_owned()
}

/// The moments that examples reckon from the present one.
fn relative(moment: DateTime<Utc>) -> Option<&'static str> {
    let distance = moment - Utc::now();
    let is_about = |days: i64| (distance - TimeDelta::days(days)).abs() < TimeDelta::minutes(10);
    let known = [(0, "<now>"), (90, "<now + 90 days>"), (-30, "<now - 30 days>")];
    known.into_iter().find(|(days, _)| is_about(*days)).map(|(_, name)| name)
}

#[test]
fn every_subcommand_has_examples() {
    let playground = Playground::new();
    for subcommand in subcommands(&playground) {
        let output = playground.run(&format!("COLUMNS=400 entitlement-operator {subcommand} --help"));
        assert_eq!(code(&output), 0, "{subcommand}");
        assert!(!examples(text(&output.stdout)).is_empty(), "{subcommand}");
    }
}

#[test]
fn examples_of_the_help_do_what_they_say() {
    let mut found = String::new();
    for subcommand in subcommands(&Playground::new()) {
        let playground = Playground::new();
        let help = playground.run(&format!("COLUMNS=400 entitlement-operator {subcommand} --help"));
        for example in examples(text(&help.stdout)) {
            if needs_cluster(&example) || OF_A_MACHINE.iter().any(|sign| example.contains(sign)) {
                continue;
            }
            let output = playground.run(&example);
            writeln!(found, "$ {example}").unwrap();
            found.push_str(&timeless(text(&output.stdout)));
            found.push_str(&timeless(text(&output.stderr)));
            if code(&output) != 0 {
                writeln!(found, "(exit code {})", code(&output)).unwrap();
            }
            if let Some((_, file)) = example.rsplit_once(" > ") {
                let file = file.split_whitespace().next().unwrap();
                let written = fs::read_to_string(playground.path(file)).unwrap();
                writeln!(found, "({file})\n{}", timeless(&written)).unwrap();
            }
        }
    }
    assert_golden("examples.txt", found.as_bytes());
}

/// Some grants of the examples begin when they are applied, and end soon.
#[test]
fn the_examples_have_something_to_come_whenever_they_are_looked_at() {
    let playground = Playground::new();
    let now = Utc::now();
    for years in [0, 1, 10, 50] {
        let from = now + TimeDelta::days(365 * years);
        let line =
            format!("entitlement-operator timeline -f examples -o json --from {}", from.format("%Y-%m-%dT%H:%M:%SZ"));
        let output = playground.run_in(ROOT, &line, &[]);
        let timeline: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let moments = timeline["steps"].as_array().unwrap().iter().map(|step| step["at"].as_str().unwrap());
        let soon = moments.filter(|at| at.parse::<DateTime<Utc>>().unwrap() < from + TimeDelta::weeks(8)).count();
        assert!(code(&output) == 0 && soon >= 3, "{line}: {soon}");
    }
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let commands =
        readme.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|line| line.contains("-f examples "));
    let moments = Regex::new(r" --(from|to|at) \S+").unwrap();
    let soon = Regex::new(r"in (\d+ days|1 month)").unwrap();
    let mut run = 0;
    for command in commands {
        let output = playground.run_in(ROOT, &moments.replace_all(command, ""), &[]);
        assert_eq!(code(&output), 0, "{command}");
        assert!(soon.is_match(text(&output.stdout)), "{command}");
        run += 1;
    }
    assert!(run > 0, "the README says nothing of the examples");
}

#[test]
fn the_pages_show_what_their_commands_print() {
    let playground = Playground::new();
    for (page, least) in [
        ("README.md", 4),
        ("docs/checks.md", 5),
        ("docs/command.md", 6),
        ("docs/subscriptions.md", 4),
        ("docs/usage.md", 7),
    ] {
        let run = run_as_shown(&playground, page);
        assert!(run >= least, "{page} has lost its examples: {run}");
    }
}

/// Runs the examples of a page, and says how many there are.
fn run_as_shown(playground: &Playground, page: &str) -> usize {
    let text_of_page = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
    let mut run = 0;
    for block in text_of_page.split("```console\n").skip(1) {
        let block = block.split("```\n").next().unwrap();
        for example in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, shown) = example.split_once('\n').unwrap();
            let is_kubectls_own = command.starts_with("kubectl ") && !command.starts_with("kubectl entitlements");
            if is_kubectls_own || needs_cluster(command) {
                continue;
            }
            let output = playground.run_in(ROOT, command, &[]);
            let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(printed.trim_end(), shown.trim_end(), "{page}: {command}");
            run += 1;
        }
    }
    run
}
