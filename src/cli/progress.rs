//! A line on the terminal that says how far work has come, where it takes longer than a moment.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line changes at most.
const PAUSE: Duration = Duration::from_millis(100);
/// How many columns the bar has.
const WIDTH: usize = 30;

/// How far work has come.
pub struct Progress<W: Write> {
    what: &'static str,
    /// Absent where nobody would see it.
    output: Option<W>,
    began: Instant,
    /// How long after the beginning the line was written last.
    said: Option<Duration>,
}

impl Progress<io::Stderr> {
    /// On standard error, if that is a terminal.
    #[must_use]
    pub fn on_terminal(what: &'static str) -> Self {
        let output = io::stderr();
        Self::new(what, output.is_terminal().then_some(output))
    }
}

impl<W: Write> Progress<W> {
    fn new(what: &'static str, output: Option<W>) -> Self {
        Self { what, output, began: Instant::now(), said: None }
    }

    /// So much is done of so much.
    pub fn step(&mut self, done: usize, total: usize) {
        if self.output.is_some() {
            self.step_after(self.began.elapsed(), done, Some(total));
        }
    }

    /// So much is done, of nobody knows how much.
    pub fn count(&mut self, done: usize) {
        if self.output.is_some() {
            self.step_after(self.began.elapsed(), done, None);
        }
    }

    fn step_after(&mut self, elapsed: Duration, done: usize, total: Option<usize>) {
        let is_soon = self.said.is_some_and(|said| elapsed < said + PAUSE);
        let Some(output) = self.output.as_mut().filter(|_| elapsed >= PATIENCE && !is_soon) else { return };
        self.said = Some(elapsed);
        let state = match total {
            Some(total) => format!("[{}] {done} of {total}", bar(done, total)),
            None => done.to_string(),
        };
        // A terminal that takes nothing more is no reason to stop working.
        let _ = write!(output, "\r\x1b[K{} {state}", self.what).and_then(|()| output.flush());
    }
}

fn bar(done: usize, total: usize) -> String {
    let filled = (WIDTH * done).checked_div(total).unwrap_or_default().min(WIDTH);
    format!("{}{}", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let (Some(_), Some(output)) = (self.said, &mut self.output) {
            let _ = write!(output, "\r\x1b[K").and_then(|()| output.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Progress};

    fn written(steps: &[(u64, usize)]) -> String {
        let mut bytes = Vec::new();
        let mut progress = Progress::new("evaluating", Some(&mut bytes));
        for (milliseconds, done) in steps {
            progress.step_after(Duration::from_millis(*milliseconds), *done, Some(10));
        }
        drop(progress);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn work_of_a_moment_shows_nothing() {
        assert_eq!(written(&[(0, 1), (999, 9)]), "");
    }

    #[test]
    fn long_work_shows_a_line_and_takes_it_away() {
        let half = "\r\x1b[Kevaluating [###############---------------] 5 of 10";
        let end = "\r\x1b[Kevaluating [##############################] 10 of 10";
        assert_eq!(written(&[(1000, 5), (1099, 6), (1100, 10)]), format!("{half}{end}\r\x1b[K"));
    }

    #[test]
    fn work_of_unknown_size_is_counted() {
        let mut bytes = Vec::new();
        let mut progress = Progress::new("evaluations made", Some(&mut bytes));
        progress.step_after(Duration::from_secs(2), 1234, None);
        drop(progress);
        assert_eq!(String::from_utf8(bytes).unwrap(), "\r\x1b[Kevaluations made 1234\r\x1b[K");
    }
}
