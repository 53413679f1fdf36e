//! A line on the terminal that shows the progress of work, if it takes longer than a moment.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line changes in a second at most.
const RATE: u8 = 10;

/// How far work has come.
pub struct Progress {
    what: &'static str,
    shown_from: Instant,
    bar: ProgressBar,
    /// Where the bar is to be drawn, until it is.
    target: Option<ProgressDrawTarget>,
}

impl Progress {
    /// On standard error, if that is a terminal.
    #[must_use]
    pub fn on_terminal(what: &'static str) -> Self {
        Self::new(what, PATIENCE, ProgressDrawTarget::stderr_with_hz(RATE))
    }

    fn new(what: &'static str, patience: Duration, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Self { what, shown_from: Instant::now() + patience, bar, target: Some(target) }
    }

    /// Shows that `done` of `total` is done.
    pub fn step(&mut self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.show("{msg} [{bar:30}] {pos} of {len}");
    }

    /// Shows that `done` is done, of an unknown total.
    pub fn count(&mut self, done: usize) {
        self.bar.set_position(done as u64);
        self.show("{msg} {pos}");
    }

    fn show(&mut self, template: &str) {
        if Instant::now() < self.shown_from {
            return;
        }
        let Some(target) = self.target.take() else { return };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.set_style(style.progress_chars("#-"));
        self.bar.set_message(self.what);
        self.bar.set_draw_target(target);
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Progress, ProgressDrawTarget};
    use indicatif::InMemoryTerm;

    /// What a terminal shows once the work has been done so far, and once it has ended.
    fn screens(patience: Duration, work: impl FnOnce(&mut Progress)) -> (String, String) {
        let terminal = InMemoryTerm::new(5, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let mut progress = Progress::new("evaluating", patience, target);
        work(&mut progress);
        let during = terminal.contents();
        drop(progress);
        (during, terminal.contents())
    }

    #[test]
    fn work_of_a_moment_shows_nothing() {
        let screens = screens(Duration::from_hours(1), |progress| progress.step(1, 10));
        assert_eq!(screens, (String::new(), String::new()));
    }

    #[test]
    fn long_work_shows_a_line_and_takes_it_away() {
        let (during, after) = screens(Duration::ZERO, |progress| progress.step(5, 10));
        assert_eq!(during, "evaluating [###############---------------] 5 of 10");
        assert_eq!(after, "");
    }

    #[test]
    fn work_of_unknown_size_is_counted() {
        let (during, after) = screens(Duration::ZERO, |progress| progress.count(1234));
        assert_eq!(during, "evaluating 1234");
        assert_eq!(after, "");
    }
}
