//! The environment of `run`: every flag has a variable, and the flag wins.
//!
//! It is made from the flags themselves, so that none can lack its own. A variable that is empty counts as absent.

use super::{program::CommandName, terminal::harmless};
use crate::core::schema::wording::closest;
use clap::{
    Arg, ArgAction, Command, Error,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::{
    env,
    error::Error as _,
    ffi::{OsStr, OsString},
};

/// What the variables begin with.
const PREFIX: &str = "ENTITLEMENT_OPERATOR_";
/// The subcommand that they are for.
const RUN: &str = "run";

/// The flags whose values may hold a password, so that none of these is ever shown.
const SECRET: [&str; 1] = ["--store"];

/// The variable of a flag.
fn variable(flag: &str) -> String {
    format!("{PREFIX}{}", flag.replace('-', "_").to_uppercase())
}

fn value_of(name: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The command whose `run` takes what is not on the command line from the environment.
#[must_use]
pub fn read(command: Command) -> Command {
    let everywhere: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommand(RUN, |run| run.args(everywhere).mut_args(from_environment))
}

fn from_environment(arg: Arg) -> Arg {
    let Some(own) = arg.get_long().map(variable) else { return arg };
    // Such as RUST_LOG: what other programs know does the same, where nothing else is said.
    let known_elsewhere = arg.get_env().map(OsStr::to_owned).filter(|other| **other != *own);
    let is_off = |value: &OsString| matches!(arg.get_action(), ArgAction::SetTrue) && value == "false";
    let is_told = env::var_os(&own).is_none_or(|value| !value.is_empty() && !is_off(&value));
    let otherwise = known_elsewhere.and_then(value_of);
    let arg = match is_told {
        true => arg.env(own).hide_env_values(true),
        false => arg.env(Resettable::Reset),
    };
    match otherwise {
        Some(value) => arg.default_value(value).hide_default_value(true),
        None => arg,
    }
}

/// Variables that nothing reads, each with a sentence about it. What Kubernetes sets for a Service is not among them.
#[must_use]
pub fn strangers() -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    told_of_strangers(names.filter(|name| name.starts_with(PREFIX)))
}

fn told_of_strangers(names: impl Iterator<Item = String>) -> Vec<String> {
    let known = variables();
    // They all begin alike, which makes them no more similar.
    let rest = |name: &str| name.get(PREFIX.len()..).unwrap_or_default().to_owned();
    let all: Vec<String> = known.iter().map(|name| rest(name)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut strangers: Vec<String> = names.filter(|name| !known.contains(name) && !is_of_service(name)).collect();
    strangers.sort_unstable();
    let told = strangers.iter().map(|name| {
        let meant =
            closest(&rest(name), &all).map(|meant| format!(": did you mean {PREFIX}{meant}?")).unwrap_or_default();
        format!("the environment variable {} is none of the operator's, and does nothing{meant}", harmless(name))
    });
    told.collect()
}

/// The variables of all flags.
fn variables() -> Vec<String> {
    let command = CommandName::Operator.command();
    let run = command.find_subcommand(RUN);
    run.into_iter().flat_map(Command::get_arguments).filter_map(Arg::get_long).map(variable).collect()
}

/// Whether a variable is one of those by which Kubernetes tells pods of a Service: of a Service entitlement-operator they begin as
/// the operator's do.
fn is_of_service(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_port = |part: &str| {
        let mut parts = part.split('_');
        let is_protocol = |text: Option<&str>| matches!(text, Some("TCP" | "UDP" | "SCTP"));
        let begins = parts.next().is_some_and(is_number) && is_protocol(parts.next());
        begins && matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR")) && parts.next().is_none()
    };
    let ends = |end: &str| rest == end || rest.ends_with(&format!("_{end}"));
    ends("SERVICE_HOST")
        || ends("SERVICE_PORT")
        || ends("PORT")
        || rest.starts_with("SERVICE_PORT_")
        || rest.contains("_SERVICE_PORT_")
        || rest.strip_prefix("PORT_").is_some_and(is_port)
        || rest.split("_PORT_").skip(1).any(is_port)
}

/// What the standard library says of an address without a port, or with a name.
const NO_SOCKET_ADDRESS: &str = "invalid socket address syntax";
/// An address to listen at where there is no default.
const LOOPBACK: &str = "127.0.0.1:9444";

/// One sentence about a value of `run` that cannot be read: which, what is wrong with it, and what to write. None where the error
/// is another.
#[must_use]
pub fn told(error: &Error, words: &[OsString]) -> Option<String> {
    if !words.iter().any(|word| word == RUN)
        || !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue)
    {
        return None;
    }
    let text = |kind: ContextKind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?.split([' ', '=']).next()?;
    let command = CommandName::Operator.command();
    let run = command.find_subcommand(RUN)?;
    let arg = run.get_arguments().find(|arg| arg.get_long() == flag.strip_prefix("--"))?;
    let is_on_command_line = words.iter().any(|word| {
        let rest = word.to_str().and_then(|word| word.strip_prefix(flag));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let subject = if is_on_command_line { flag.to_owned() } else { variable(flag.trim_start_matches('-')) };
    if SECRET.contains(&flag) {
        let wrong = error.source().map(ToString::to_string).unwrap_or_default();
        return Some(format!("{subject} cannot be used: {wrong}"));
    }
    let given = text(ContextKind::InvalidValue).unwrap_or_default();
    let problem = error.source().map(ToString::to_string);
    if problem.as_deref() == Some(NO_SOCKET_ADDRESS) {
        let example = default(arg).unwrap_or(LOOPBACK);
        return Some(format!(
            "{subject} is {}, which it cannot be: write an IP address and a port, such as {example}",
            quoted(given)
        ));
    }
    let wrong = problem.map(|problem| format!(", which it cannot be: {}", in_plain_words(&problem)));
    Some(format!("{subject} is {}{}{}", quoted(given), wrong.unwrap_or_default(), instead(error, arg)))
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", harmless(value))
}

/// What the standard library says of numbers, as a person would.
fn in_plain_words(problem: &str) -> &str {
    match problem {
        "invalid digit found in string" | "cannot parse integer from empty string" => "it is no whole number",
        "number too large to fit in target type" => "it is too large",
        other => other,
    }
}

/// What to write in its place.
fn instead(error: &Error, arg: &Arg) -> String {
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue)
        && let Some((last, others)) = valid.split_last()
    {
        let others = others.join(", ");
        let all = if others.is_empty() { last.clone() } else { format!("{others} or {last}") };
        return format!(": write {all}");
    }
    default(arg).map(|default| format!("; write a value such as {default}, the default")).unwrap_or_default()
}

fn default(arg: &Arg) -> Option<&str> {
    arg.get_default_values().first().and_then(|value| value.to_str())
}

#[cfg(test)]
mod tests {
    use super::{CommandName, RUN, is_of_service, told_of_strangers, variable, variables};
    use rstest::rstest;

    #[test]
    fn every_flag_has_a_variable() {
        let command = CommandName::Operator.command();
        let run = command.find_subcommand(RUN).unwrap();
        for arg in run.get_arguments() {
            let flag = arg.get_long().unwrap();
            assert_eq!(arg.get_env().unwrap().to_str().unwrap(), variable(flag), "{flag}");
        }
        let all = variables();
        for one in ["NAMESPACE", "LOG_FILTER", "WEBHOOK_URL", "SECRET_NAMESPACES", "READ_ONLY", "TIME_ZONES", "AS"] {
            assert!(all.contains(&format!("ENTITLEMENT_OPERATOR_{one}")), "{one}: {all:?}");
        }
    }

    #[test]
    fn no_variable_is_taken_for_one_of_a_service() {
        let taken: Vec<String> = variables().into_iter().filter(|name| is_of_service(name)).collect();
        assert_eq!(taken, Vec::<String>::new(), "Kubernetes may set these for a Service: call the flags otherwise");
    }

    #[rstest]
    #[case("SERVICE_HOST", true)]
    #[case("SERVICE_PORT", true)]
    #[case("SERVICE_PORT_WEBHOOK", true)]
    #[case("PORT", true)]
    #[case("PORT_443_TCP", true)]
    #[case("PORT_443_TCP_ADDR", true)]
    #[case("PORT_443_TCP_PROTO", true)]
    #[case("METRICS_SERVICE_PORT_HTTP", true)]
    #[case("METRICS_PORT_8080_TCP_PORT", true)]
    #[case("WEBHOOK_SERVICE", false)]
    #[case("PORT_HTTP_TCP", false)]
    #[case("PORT_443", false)]
    #[case("PORTS", false)]
    fn what_kubernetes_sets_is_known(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_of_service(&format!("ENTITLEMENT_OPERATOR_{name}")), expected);
    }

    #[test]
    fn a_variable_that_nothing_reads_is_told_with_what_may_be_meant() {
        let names = ["NAMESPCE", "SERVICE_HOST", "NAMESPACE", "FROBNICATE\u{1b}"]
            .map(|name| format!("ENTITLEMENT_OPERATOR_{name}"));
        assert_eq!(
            told_of_strangers(names.into_iter()),
            [
                "the environment variable ENTITLEMENT_OPERATOR_FROBNICATE\\u{1b} is none of the operator's, and does nothing",
                "the environment variable ENTITLEMENT_OPERATOR_NAMESPCE is none of the operator's, and does nothing: did you mean ENTITLEMENT_OPERATOR_NAMESPACE?",
            ]
        );
    }
}
