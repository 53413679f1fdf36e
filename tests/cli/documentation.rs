//! What the documentation and `--help` show is what happens: each example is run, and what comes of it is compared.

use super::{assert_golden, code, playground::Playground, text};
use chrono::{DateTime, TimeDelta, Utc};
use regex::{Captures, Regex};
use std::fmt::Write;

/// Examples that need a cluster, by what tells them: the cluster's tests run them.
const OF_A_CLUSTER: [&str; 3] = ["kubectl apply", "entitlement-operator run", "kubectl get"];
/// Examples that change the machine they are run on.
const OF_A_MACHINE: [&str; 4] = ["~/.local", "${fpath", "~/.config", "/usr/local"];

/// The examples of a `--help`.
fn examples(help: &str) -> Vec<String> {
    let Some(block) = help.split("\nExamples:\n").nth(1) else { return Vec::new() };
    let lines = block.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().to_owned()).collect()
}

fn subcommands(playground: &Playground) -> Vec<String> {
    let output = playground.run("entitlement-operator --help");
    let help = text(&output.stdout);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    commands.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// An output in which nothing depends on when it was made: moments about now, and how long it is to others.
fn timeless(output: &str) -> String {
    let now = Utc::now();
    let moment = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)").unwrap();
    let text = moment.replace_all(output, |found: &Captures| {
        let written = &found[0];
        let is_now = written.parse::<DateTime<Utc>>().is_ok_and(|moment| (moment - now).abs() < TimeDelta::days(1));
        if is_now { "<now>".to_owned() } else { written.to_owned() }
    });
    let span = Regex::new(r"\b(in|for) \d+ (days|months|years)( \d+ (days|months))?\b").unwrap();
    span.replace_all(&text, "$1 <a while>").into_owned()
}

#[test]
fn every_subcommand_has_examples() {
    let playground = Playground::new();
    for subcommand in subcommands(&playground) {
        let output = playground.run(&format!("entitlement-operator {subcommand} --help"));
        assert_eq!(code(&output), 0, "{subcommand}");
        assert!(!examples(text(&output.stdout)).is_empty(), "{subcommand}");
    }
}

#[test]
fn examples_of_the_help_do_what_they_say() {
    let mut found = String::new();
    for subcommand in subcommands(&Playground::new()) {
        let playground = Playground::new();
        let help = playground.run(&format!("entitlement-operator {subcommand} --help"));
        for example in examples(text(&help.stdout)) {
            if OF_A_CLUSTER.iter().chain(&OF_A_MACHINE).any(|sign| example.contains(sign)) {
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
                let written = std::fs::read_to_string(playground.path(file)).unwrap();
                writeln!(found, "({file})\n{}", timeless(&written)).unwrap();
            }
        }
    }
    assert_golden("examples.txt", found.as_bytes());
}

#[test]
fn commands_that_documents_show_print_what_they_show() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md"] {
        let playground = Playground::new();
        let written = std::fs::read_to_string(root.join(document)).unwrap();
        for block in written.split("```console\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            for step in format!("\n{block}").split("\n$ ").skip(1) {
                let (command, shown) = step.split_once('\n').unwrap_or((step, ""));
                if OF_A_CLUSTER.iter().any(|sign| command.contains(sign)) {
                    continue;
                }
                let output = playground.run(command);
                let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
                assert_eq!(printed.trim_end(), shown.trim_end(), "{document}: {command}");
            }
        }
    }
}
