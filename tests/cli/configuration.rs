//! The operator's settings: flags, the variables that do the same, and what is said where one is wrong.

use super::{code, text};
use std::{
    fmt::Write,
    fs,
    process::{Command, Output},
};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let variables = variables.iter().map(|(name, value)| (format!("ENTITLEMENT_OPERATOR_{name}"), *value));
    Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .arg("run")
        .args(arguments)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("RUST_LOG")
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env("HOME", "/nonexistent")
        .envs(variables)
        .output()
        .unwrap()
}

/// What is said where the operator does not start for it.
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let said = text(&output.stderr).to_owned();
    assert_eq!((code(&output), text(&output.stdout), said.lines().count()), (2, "", 1), "{arguments:?}: {said}");
    said.strip_prefix("entitlement-operator: ").unwrap().trim_end().to_owned()
}

/// What is said of settings that are right: it gets as far as the cluster, and there is none.
fn taken(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let said = text(&output.stderr).to_owned();
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("entitlement-operator: no cluster is configured ("), "{said}");
    said
}

#[test]
fn a_wrong_value_is_one_sentence_about_which_and_what_to_write() {
    let label = "must be at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
    for (flag, variable, value, wrong) in [
        ("concurrency", "CONCURRENCY", "many", "which it cannot be: it is no whole number; write a value such as 64, the default".to_owned()),
        ("concurrency", "CONCURRENCY", "0", "which it cannot be: 0 is not in 1..=1024; write a value such as 64, the default".to_owned()),
        ("log-format", "LOG_FORMAT", "xml", "write text or json".to_owned()),
        (
            "organization-bytes",
            "ORGANIZATION_BYTES",
            "lots",
            "which it cannot be: a size is a whole number of bytes, or of Ki, Mi or Gi of them, such as 33554432 or 32Mi; write a value such as 32Mi, the default".to_owned(),
        ),
        (
            "api-address",
            "API_ADDRESS",
            "localhost:9444",
            "which it cannot be: write an IP address and a port, such as 127.0.0.1:9444".to_owned(),
        ),
        (
            "webhook-address",
            "WEBHOOK_ADDRESS",
            "127.0.0.1",
            "which it cannot be: write an IP address and a port, such as 0.0.0.0:9443".to_owned(),
        ),
        (
            "http-address",
            "HTTP_ADDRESS",
            "localhost:8080",
            "which it cannot be: it is an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, or off; write a value such as 0.0.0.0:8080, the default".to_owned(),
        ),
        ("namespaces", "NAMESPACES", "a,B", format!("which it cannot be: {label}")),
        ("secret-namespaces", "SECRET_NAMESPACES", "a,,b", format!("which it cannot be: {label}")),
    ] {
        let shown = value.split(',').find(|part| !"a".contains(part) || part.is_empty()).unwrap_or(value);
        let separator = if wrong.starts_with("which") { ", " } else { ": " };
        let expected = format!("is \"{shown}\"{separator}{wrong}");
        assert_eq!(refused(&[&format!("--{flag}={value}")], &[]), format!("--{flag} {expected}"));
        assert_eq!(refused(&[&format!("--{flag}"), value], &[(variable, "ignored")]), format!("--{flag} {expected}"));
        assert_eq!(refused(&[], &[(variable, value)]), format!("ENTITLEMENT_OPERATOR_{variable} {expected}"));
    }
    assert_eq!(refused(&[], &[("READ_ONLY", "yes")]), "ENTITLEMENT_OPERATOR_READ_ONLY is \"yes\": write true or false");
}

#[test]
fn what_does_not_go_together_is_refused() {
    assert_eq!(
        refused(&["--namespaces=acme"], &[("SECRET_NAMESPACES", "acme,globex")]),
        "--secret-namespaces names globex, which --namespaces leaves out: name it there too, or leave it out of --secret-namespaces"
    );
    assert_eq!(
        refused(&["--namespaces=acme,billing", "--namespace=billing"], &[]),
        "--namespaces names billing, the operator's own namespace, which it serves no client in and has its own rights in: leave it out"
    );
    assert_eq!(
        refused(&["--read-only"], &[("WEBHOOK_SERVICE", "entitlement-operator")]),
        "--read-only serves no webhook, which has to be written to the cluster: leave out --read-only, or whatever asks for the webhook"
    );
}

#[test]
fn the_flag_wins_over_the_variable_and_an_empty_one_is_none() {
    taken(&["--concurrency=8", "--log-format=text"], &[("CONCURRENCY", "many"), ("LOG_FORMAT", "xml")]);
    taken(&[], &[("CONCURRENCY", ""), ("LOG_FORMAT", ""), ("NAMESPACES", ""), ("READ_ONLY", "")]);
    taken(&[], &[("READ_ONLY", "true"), ("WEBHOOK_ALLOW_MISSING", "false"), ("SECRET_NAMESPACES", "a,b")]);
    // What other programs know counts where nothing else is said.
    let with_filter = |arguments: &[&str], own: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        command.arg("run").args(arguments).env("RUST_LOG", "info,==").env("ENTITLEMENT_OPERATOR_LOG_FILTER", own);
        let output = command.env("KUBECONFIG", "/nonexistent").env("HOME", "/nonexistent").output().unwrap();
        code(&output)
    };
    assert_eq!(
        [with_filter(&[], ""), with_filter(&[], "warn"), with_filter(&["--log-filter=warn"], "info,==")],
        [2, 1, 1]
    );
}

#[test]
fn the_address_of_a_store_is_never_shown() {
    let given = "mysql://me:hunter2@db/usage";
    let wrong = "a store is sqlite:///absolute/path.db or postgres://user:password@host:port/database";
    assert_eq!(refused(&["--store", given], &[]), format!("--store cannot be used: {wrong}"));
    assert_eq!(refused(&[], &[("STORE", given)]), format!("ENTITLEMENT_OPERATOR_STORE cannot be used: {wrong}"));
}

#[test]
fn a_variable_that_nothing_reads_is_warned_of() {
    let said = taken(&[], &[("NAMESPCES", "a"), ("SERVICE_HOST", "10.0.0.1"), ("PORT_443_TCP", "tcp://10.0.0.1:443")]);
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(
        warnings[0].ends_with(
            "the environment variable ENTITLEMENT_OPERATOR_NAMESPCES is none of the operator's, and does nothing: did you mean ENTITLEMENT_OPERATOR_NAMESPACES?"
        ),
        "{said}"
    );
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");

/// A flag as the help shows it.
#[derive(Default)]
struct Flag {
    name: String,
    variable: String,
    default: String,
    meaning: String,
}

/// The flags in the help, with the first paragraph of what it says of each.
fn flags(help: &str) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut is_first_paragraph = false;
    for line in help.lines() {
        let text = line.trim();
        let is_flag = line.starts_with("      --") || line.starts_with("  -");
        if is_flag {
            let name = text.split_once("--").map(|(_, name)| format!("--{name}")).unwrap_or_default();
            flags.push(Flag { name, ..Flag::default() });
            is_first_paragraph = true;
            continue;
        }
        let Some(flag) = flags.last_mut().filter(|_| line.starts_with("          ") || text.is_empty()) else {
            continue;
        };
        let within = |start: &str| text.strip_prefix(start).and_then(|rest| rest.strip_suffix(']'));
        if let Some(variable) = within("[env: ") {
            variable.clone_into(&mut flag.variable);
        } else if let Some(default) = within("[default: ") {
            default.clone_into(&mut flag.default);
        } else if text.is_empty() {
            is_first_paragraph &= flag.meaning.is_empty();
        } else if is_first_paragraph {
            let separator = if flag.meaning.is_empty() { "" } else { " " };
            flag.meaning = format!("{}{separator}{text}", flag.meaning);
        }
    }
    for flag in &mut flags {
        // Where the default is no value, the text says it.
        if let Some((meaning, default)) = flag.meaning.clone().split_once(" [default: ") {
            meaning.clone_into(&mut flag.meaning);
            default.trim_end_matches(']').clone_into(&mut flag.default);
        } else if !flag.default.is_empty() {
            flag.default = format!("`{}`", flag.default);
        }
    }
    flags.retain(|flag| flag.name != "--help");
    flags
}

#[test]
fn the_page_has_every_flag_as_the_help_shows_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args(["run", "--help"])
        .env("COLUMNS", "1000")
        .env_remove("RUST_LOG")
        .env_remove("TZDIR")
        .output()
        .unwrap();
    let flags = flags(text(&output.stdout));
    assert!(flags.len() > 15);
    let mut table = "| flag | variable | default | what it says |\n|---|---|---|---|\n".to_owned();
    for Flag { name, variable, default, meaning } in &flags {
        let expected = name.trim_start_matches('-').split(' ').next().unwrap().replace('-', "_").to_uppercase();
        assert_eq!(*variable, format!("ENTITLEMENT_OPERATOR_{expected}"));
        assert!(!meaning.is_empty(), "{name}");
        let meaning = meaning.replace('|', "\\|");
        writeln!(table, "| `{name}` | `{variable}` | {default} | {meaning} |").unwrap();
    }
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once("<!-- flags -->\n").unwrap();
    let (shown, after) = rest.split_once("<!-- end of flags -->\n").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, format!("{before}<!-- flags -->\n{table}<!-- end of flags -->\n{after}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "renew it with UPDATE_GOLDEN=1 cargo test --test cli configuration");
}
