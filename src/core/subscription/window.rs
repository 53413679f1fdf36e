//! When an entry of a subscription counts.

use crate::core::{
    calendar::{Bound, Instant, Nominal, Tz, format_instant},
    source::subscription::StatedWindow,
};

/// The time of a subscription, from its start to the end of its grace, to which all that it gives is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTime {
    /// Its first moment; one that never comes is that of a renewal of what never ends.
    pub start: Bound,
    /// The first moment after it.
    pub over: Bound,
}

/// A half-open span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The first moment.
    pub from: Instant,
    /// The first moment after it.
    pub until: Bound,
}

impl Window {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn has(self, at: Instant) -> bool {
        self.from <= at && !self.until.has_come(at)
    }
}

/// Why a window cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowFault {
    /// A moment of it cannot be read.
    #[error("{field}: {problem}")]
    Unreadable {
        /// `start` or `end`
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// It has no time in it.
    #[error("its end {end} is not after its start {start}: give a later end or an earlier start")]
    Empty {
        /// The first moment.
        start: String,
        /// The first moment after it.
        end: Bound,
    },
}

impl OwnTime {
    /// All of it; none where it has no time in it.
    #[must_use]
    pub fn window(self) -> Option<Window> {
        let from = self.start.at()?;
        (!self.over.has_come(from)).then_some(Window { from, until: self.over })
    }

    /// A window as it is written, cut to this time; none where nothing is left of it, so that it never begins.
    ///
    /// # Errors
    /// Where it cannot be read, or is empty as it is written.
    pub fn cut(self, stated: &StatedWindow, zone: Tz) -> Result<Option<Window>, WindowFault> {
        let (start, end) = read(stated, zone)?;
        let Some(own) = self.window() else { return Ok(None) };
        let from = start.map_or(own.from, |start| start.max(own.from));
        let until = end.map_or(own.until, |end| end.min(own.until));
        Ok((!until.has_come(from)).then_some(Window { from, until }))
    }
}

/// The moments of a window as it is written.
///
/// # Errors
/// Where one cannot be read, or there is no time between them.
pub(super) fn read(stated: &StatedWindow, zone: Tz) -> Result<(Option<Instant>, Option<Bound>), WindowFault> {
    let unreadable = |field, problem: &dyn ToString| WindowFault::Unreadable { field, problem: problem.to_string() };
    let start = stated.start.as_ref().map(|start| start.as_ref().map_err(|error| unreadable("start", error)));
    let end = stated.end.as_ref().map(|end| end.as_ref().map_err(|error| unreadable("end", error)));
    let start = start.transpose()?.map(|moment| Nominal::of_start(*moment, zone).instant());
    let end = end.transpose()?.map(|moment| Nominal::of_end(*moment, zone).instant());
    if let (Some(start), Some(end)) = (start, end)
        && end.has_come(start)
    {
        return Err(WindowFault::Empty { start: format_instant(start), end });
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::{parse_instant, parse_zone};
    use rstest::rstest;

    fn own() -> OwnTime {
        OwnTime {
            start: parse_instant("2027-01-01T00:00:00Z").unwrap().into(),
            over: parse_instant("2028-01-01T00:00:00Z").unwrap().into(),
        }
    }

    #[rstest]
    #[case::with_the_subscription("", "", "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z")]
    #[case::a_day("2027-06-01", "2027-06-03", "2027-05-31T22:00:00Z 2027-06-03T22:00:00Z")]
    #[case::begins_before_it("2026-01-01", "2027-03-09", "2027-01-01T00:00:00Z 2027-03-09T23:00:00Z")]
    #[case::ends_after_it("2027-12-31", "2030-01-01", "2027-12-30T23:00:00Z 2028-01-01T00:00:00Z")]
    #[case::begins_at_its_end("2028-01-01T00:00:00Z", "", "never")]
    #[case::ends_at_its_start("", "2027-01-01T00:00:00Z", "never")]
    #[case::over_before_it("", "2026-06-01", "never")]
    #[case::empty(
        "2027-06-02T00:00:00Z",
        "2027-06-02T00:00:00Z",
        "its end 2027-06-02T00:00:00Z is not after its start 2027-06-02T00:00:00Z: give a later end or an earlier start"
    )]
    fn a_window_is_cut_to_the_subscription(#[case] start: &str, #[case] end: &str, #[case] expected: &str) {
        let read = |text: &str| (!text.is_empty()).then(|| text.parse());
        let stated = StatedWindow { start: read(start), end: read(end) };
        let cut = own().cut(&stated, parse_zone("Europe/Berlin").unwrap());
        let told = match cut {
            Ok(Some(window)) => format!("{} {}", format_instant(window.from), window.until),
            Ok(None) => "never".to_owned(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn a_moment_that_cannot_be_read_is_named_by_its_field() {
        for field in ["start", "end"] {
            let mut stated = StatedWindow::default();
            *(if field == "start" { &mut stated.start } else { &mut stated.end }) = Some("soon".parse());
            let fault = own().cut(&stated, parse_zone("UTC").unwrap()).unwrap_err().to_string();
            assert!(fault.starts_with(&format!("{field}: \"soon\" is no date or time")), "{fault}");
        }
    }
}
