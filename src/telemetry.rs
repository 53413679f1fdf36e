//! Sets up the log: text or JSON on standard error, never with a secret value.

use crate::traces::{TraceExport, is_traced};
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::FilterFn, layer::SubscriberExt, util::SubscriberInitExt};

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
    let unreadable = |problem: tracing_subscriber::filter::ParseError| LogError::Filter {
        filter: filter.to_owned(),
        problem: problem.to_string(),
    };
    let levels = EnvFilter::builder().parse(filter).map_err(unreadable)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
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
    use super::asks_for_libraries;
    use rstest::rstest;

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
