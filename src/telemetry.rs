//! Sets up the log: text or JSON on standard error, never with a secret value.

use crate::{
    core::excerpt,
    traces::{TraceExport, is_traced},
};
use std::fmt::{self, Debug};
use tracing::{Level, Metadata, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt,
    filter::{FilterFn, LevelFilter},
    fmt::format::{Writer, debug_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter can't be read.
    #[error(
        "the log filter {filter:?} can't be read: {problem}; write a level such as info, or directives such as info,kube=debug"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The log of this process has been set up already.
    #[error("the log has been set up already")]
    SetUpTwice,
}

/// Sets up the log of the process, and what takes in its spans, where these are sent somewhere. `filter` has the syntax of `RUST_LOG`, such as `info` or `info,kube=debug`.
///
/// # Errors
/// When the filter can't be read, or the log has been set up already.
pub fn init(format: LogFormat, filter: &str, colours: bool, traces: Option<&TraceExport>) -> Result<(), LogError> {
    let levels = read_filter(filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match format {
        LogFormat::Text => lines.fmt_fields(debug_fn(write_field).delimited(" ")).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let libraries = asks_for_libraries(filter);
    // Lines say by themselves what they are about.
    let is_told = move |metadata: &Metadata<'_>| {
        quotes_no_body(metadata) && !is_traced(metadata) && (libraries || is_own(metadata))
    };
    let lines = lines.with_filter(FilterFn::new(is_told)).with_filter(levels);
    let registry = tracing_subscriber::registry().with(traces.map(TraceExport::layer)).with(lines);
    registry.try_init().map_err(|_| LogError::SetUpTwice)
}

/// A bare name is a target to the library, of which all is logged and nothing else: a mistyped level would silence the log.
fn read_filter(filter: &str) -> Result<EnvFilter, LogError> {
    let unreadable = |problem: String| LogError::Filter { filter: filter.to_owned(), problem };
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let bare = filter.split(',').filter(|word| !word.is_empty() && !word.contains(['=', '[', '{', '}', ']']));
    if let Some(word) = bare.into_iter().find(|word| !is_level(word)) {
        return Err(unreadable(format!(
            "{word:?} is no level (error, warn, info, debug, trace, off); for all of a target write {word}=trace"
        )));
    }
    EnvFilter::builder().parse(filter).map_err(|problem| unreadable(problem.to_string()))
}

/// Writes a field of a line for people. Whatever it holds, it begins no line of its own: names and messages that come from the
/// cluster could else tell of what never happened.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    if field.name() == "message" {
        return write!(writer, "{}", lines_of_one(&text));
    }
    write!(writer, "{}={}", field.name(), visible(&text))
}

/// A message of several lines, such as a list of what is missing: all but the first are set in, so that none looks as though it
/// were the next in the log.
fn lines_of_one(message: &str) -> String {
    let mut lines = message.split('\n');
    let mut shown = visible(lines.next().unwrap_or_default());
    for line in lines {
        let is_set_in = line.starts_with("- ") || line.starts_with("    ");
        shown.push_str(if is_set_in { "\n" } else { "\n    " });
        shown.push_str(&visible(line));
    }
    shown
}

/// A text without what steers a terminal or ends a line.
fn visible(text: &str) -> String {
    let steers = |character: char| character.is_control() || excerpt::steers(character);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The client's core logs whole answers that it can't read, and the details of refusals, in which a Secret's content may be.
/// What it has to say comes back as errors, which are logged by those who know what may be said.
fn quotes_no_body(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() || metadata.target() != "kube_client::client"
}

/// What libraries have to say comes back as errors, too, and is told in plain words by whoever made the request. So they are
/// heard only where somebody asks for details, or names one.
fn asks_for_libraries(filter: &str) -> bool {
    let is_of_operator = |directive: &str| {
        let directive = directive.trim();
        directive.is_empty()
            || directive.starts_with(env!("CARGO_CRATE_NAME"))
            || directive.parse::<Level>().is_ok_and(|level| level <= Level::INFO)
            || directive.eq_ignore_ascii_case("off")
    };
    !filter.split(',').all(is_of_operator)
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
}

#[cfg(test)]
mod tests {
    use super::{asks_for_libraries, debug_fn, read_filter, write_field};
    use rstest::rstest;
    use serde_json::Value;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::{field::MakeExt, layer::SubscriberExt};

    #[rstest]
    #[case::level("info", "")]
    #[case::capitals("WARN", "")]
    #[case::off("off", "")]
    #[case::several("info,kube=debug,entitlement_operator::controller=trace", "")]
    #[case::span("warn,[request]=debug", "")]
    #[case::mistyped(
        "verbose",
        "\"verbose\" is no level (error, warn, info, debug, trace, off); for all of a target write verbose=trace"
    )]
    #[case::among_others("kube=debug,inof", "\"inof\" is no level")]
    #[case::unreadable("info,==", "can't be read")]
    fn a_filter_names_levels_and_targets_with_one(#[case] filter: &str, #[case] refusal: &str) {
        match read_filter(filter) {
            Ok(_) => assert_eq!(refusal, ""),
            Err(error) => assert!(!refusal.is_empty() && error.to_string().contains(refusal), "{error}"),
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written, as text and as JSON, without the time.
    fn written(tell: impl Fn()) -> (String, Value) {
        let (text, json) = (Written::default(), Written::default());
        let (for_text, for_json) = (text.clone(), json.clone());
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).without_time();
        let lines = lines.with_writer(move || for_text.clone()).fmt_fields(debug_fn(write_field).delimited(" "));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), &tell);
        let lines = tracing_subscriber::fmt::layer().without_time().with_writer(move || for_json.clone());
        let lines = lines.json().flatten_event(true);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), &tell);
        let read = |written: Written| String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let json = read(json);
        assert_eq!(json.lines().count(), 1, "{json}");
        (read(text), serde_json::from_str(&json).unwrap())
    }

    const TARGET: &str = "entitlement_operator::telemetry::tests";

    #[test]
    fn nothing_that_is_told_begins_a_line_of_its_own() {
        let forged = "acme\n2026-01-01T00:00:00Z  INFO x: \u{1b}[2Jforged\u{2028}\u{9b}\u{2066}";
        let (text, json) = written(|| tracing::info!(organization = %forged, name = forged, "about {forged}"));
        assert_eq!(
            text,
            " INFO entitlement_operator::telemetry::tests: about acme\n    2026-01-01T00:00:00Z  INFO x: \\u{1b}[2Jforged\\u{2028}\\u{9b}\\u{2066} \
             organization=acme\\n2026-01-01T00:00:00Z  INFO x: \\u{1b}[2Jforged\\u{2028}\\u{9b}\\u{2066} \
             name=\"acme\\n2026-01-01T00:00:00Z  INFO x: \\u{1b}[2Jforged\\u{2028}\\u{9b}\\u{2066}\"\n"
        );
        let about = format!("about {forged}");
        let expected = serde_json::json!({"level": "INFO", "target": TARGET, "message": about, "organization": forged, "name": forged});
        assert_eq!(json, expected);
    }

    #[test]
    fn a_list_stays_one() {
        let list = "it waits:\n- a right\n    a command\nelse";
        let (text, _) = written(|| tracing::warn!("{list}"));
        assert_eq!(
            text,
            " WARN entitlement_operator::telemetry::tests: it waits:\n- a right\n    a command\n    else\n"
        );
    }

    #[rstest]
    #[case("", false)]
    #[case("info", false)]
    #[case("WARN", false)]
    #[case("off", false)]
    #[case("info,entitlement_operator=debug", false)]
    #[case("entitlement_operator::controller=trace", false)]
    #[case("debug", true)]
    #[case("trace", true)]
    #[case("info, kube=debug", true)]
    #[case("info,kube_runtime=warn", true)]
    fn libraries_are_heard_where_somebody_asks_for_them(#[case] filter: &str, #[case] expected: bool) {
        assert_eq!(asks_for_libraries(filter), expected, "{filter}");
    }
}
