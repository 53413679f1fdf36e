//! What a terminal can do and a file or a pipe cannot.

use super::text::COLUMNS;
use crate::core::excerpt::steers;
use std::{
    env,
    io::{self, IsTerminal},
};

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// To be found at a glance.
    Strong,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// What is in force.
    Good,
    /// What is not, or is wrong.
    Bad,
    /// What matters less.
    Quiet,
    /// What only leads the eye.
    Faint,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// As a terminal shows them.
    Colours,
    /// Plain text.
    Plain,
}

impl Palette {
    /// Colours where standard error is a terminal that has them, and nobody asks for none (<https://no-color.org>).
    #[must_use]
    pub fn of_standard_error() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    /// Colours where standard output is such a terminal.
    #[must_use]
    pub fn of_standard_output() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    fn of(is_terminal: bool) -> Self {
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if is_terminal && !is_refused { Self::Colours } else { Self::Plain }
    }

    /// A text in a tone.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Error => "1;31",
            Tone::Warning => "1;33",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Quiet => "2",
            Tone::Faint => "34",
        };
        match self {
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// How many columns standard output has: what `COLUMNS` says, else the terminal; absent where it is none.
#[must_use]
pub fn columns_of_standard_output() -> Option<usize> {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    if let Some(columns) = said.filter(|columns| *columns > 0) {
        return Some(columns);
    }
    let output = io::stdout();
    if !output.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&output).ok();
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    Some(columns.unwrap_or(COLUMNS))
}

/// A text that cannot steer a terminal: `\u{9b}` stands for such a character.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}
