//! Both formats of Prometheus.
//!
//! The library writes `OpenMetrics`. In Prometheus' own text format, which `promtool` and most other scrapers read, a counter is
//! described under its whole name, there are no units, and nothing marks the end.

/// How what is counted is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exposition {
    /// Prometheus' text format.
    Text,
    /// `OpenMetrics`.
    OpenMetrics,
}

/// What begins a line that describes.
const DESCRIPTIONS: [&str; 2] = ["# HELP ", "# TYPE "];
const COUNTER: &str = " counter";

impl Exposition {
    /// What a scraper asks for that accepts these types. Whoever does not ask for `OpenMetrics` gets text.
    #[must_use]
    pub fn accepted_by(accept: Option<&str>) -> Self {
        let mut types = accept.unwrap_or_default().split(',').map(|one| one.split(';'));
        let is_open = types.any(|mut one| {
            let is_it = one.next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/openmetrics-text"));
            is_it && !one.any(|parameter| matches!(parameter.trim(), "q=0" | "q=0.0"))
        });
        if is_open { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// A page of it, from one of `OpenMetrics` without its end.
    #[must_use]
    pub fn of(self, mut page: String) -> String {
        match self {
            Self::OpenMetrics => {
                page.push_str("# EOF\n");
                page
            }
            Self::Text => text(&page),
        }
    }
}

fn text(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + page.len() / 16);
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        // The help comes first, the type right after it.
        let is_of_counter = line.ends_with(COUNTER) || lines.peek().is_some_and(|next| next.ends_with(COUNTER));
        match described(line) {
            _ if line.starts_with("# UNIT ") => continue,
            Some((start, name, rest)) if is_of_counter => {
                text.extend([start, name, "_total ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// The parts of a line that describes: how it begins, the name, and the rest.
fn described(line: &str) -> Option<(&str, &str, &str)> {
    let start = DESCRIPTIONS.into_iter().find(|start| line.starts_with(start))?;
    let (name, rest) = line.strip_prefix(start)?.split_once(' ')?;
    Some((start, name, rest))
}

#[cfg(test)]
mod tests {
    use super::Exposition;
    use rstest::rstest;

    #[rstest]
    #[case(None, Exposition::Text)]
    #[case(Some("*/*"), Exposition::Text)]
    #[case(Some("text/plain;version=0.0.4"), Exposition::Text)]
    #[case(
        Some(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ),
        Exposition::OpenMetrics
    )]
    #[case(Some("text/plain, Application/OpenMetrics-Text"), Exposition::OpenMetrics)]
    #[case(Some("application/openmetrics-text;q=0"), Exposition::Text)]
    #[case(Some("application/openmetrics-textile"), Exposition::Text)]
    #[case(Some(""), Exposition::Text)]
    fn a_scraper_gets_what_it_accepts(#[case] accept: Option<&str>, #[case] expected: Exposition) {
        assert_eq!(Exposition::accepted_by(accept), expected);
    }

    #[test]
    fn in_text_a_counter_is_described_under_its_whole_name() {
        let page = "# HELP a_b Says counter.\n# TYPE a_b counter\na_b_total{c=\"d e\"} 1\n\
            # HELP f_seconds How long.\n# TYPE f_seconds gauge\n# UNIT f_seconds seconds\nf_seconds 2\n"
            .to_owned();
        assert_eq!(
            Exposition::Text.of(page.clone()),
            "# HELP a_b_total Says counter.\n# TYPE a_b_total counter\na_b_total{c=\"d e\"} 1\n\
             # HELP f_seconds How long.\n# TYPE f_seconds gauge\nf_seconds 2\n"
        );
        assert_eq!(Exposition::OpenMetrics.of(page.clone()), format!("{page}# EOF\n"));
    }
}
