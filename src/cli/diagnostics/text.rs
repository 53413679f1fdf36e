//! Findings as a compiler prints them: the place, the mistake, the line, and a mark below it.

use super::{
    excerpt::Excerpts,
    finding::{Finding, Severity},
};
use crate::{
    cli::terminal::{Palette, Tone, harmless},
    core::excerpt::elided_after_characters,
};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// The most that is shown of a line, in columns.
const MAX_WIDTH: usize = 120;
/// What is shown of a long line before what is meant, in characters.
const LEAD: usize = 40;
/// What a tab is shown as: its width depends on the terminal, and the mark must stand right.
const TAB: &str = "    ";

/// Writes all findings, and how many there are if there are several.
///
/// # Errors
/// When the output does not take them.
pub fn say_all(
    output: &mut dyn Write,
    findings: &[Finding],
    left_out: usize,
    excerpts: &Excerpts,
    palette: Palette,
) -> io::Result<()> {
    for finding in findings {
        output.write_all(finding_text(finding, excerpts.line(finding), palette).as_bytes())?;
    }
    if findings.len() > 1 {
        writeln!(output, "{}", tally(findings, left_out))?;
    }
    Ok(())
}

fn tally(findings: &[Finding], left_out: usize) -> String {
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let count = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    let left_out = (left_out > 0).then(|| format!("{left_out} more not shown"));
    let parts = [count(findings.len() - warnings, "error"), count(warnings, "warning"), left_out];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn finding_text(finding: &Finding, line: Option<&str>, palette: Palette) -> String {
    let tone = if finding.severity == Severity::Warning { Tone::Warning } else { Tone::Error };
    let sentence = harmless(&finding.to_string());
    let place = harmless(&finding.location.to_string());
    let rest = sentence.strip_prefix(&place).unwrap_or(&sentence);
    let mut text = format!("{}{rest}\n", palette.paint(Tone::Strong, &place));
    if let (Some(line), Some(span)) = (line, finding.location.span) {
        let marked = Marked::new(line, span.begin.column, span.length);
        let number = span.begin.line.to_string();
        let margin = " ".repeat(number.len());
        let bar = palette.paint(Tone::Faint, "|");
        let mark = palette.paint(tone, &marked.mark(hint(finding).as_deref()));
        let number = palette.paint(Tone::Faint, &number);
        for part in [
            &margin,
            " ",
            &bar,
            "\n",
            &number,
            " ",
            &bar,
            " ",
            &marked.line,
            "\n",
            &margin,
            " ",
            &bar,
            " ",
            &mark,
            "\n",
        ] {
            text.push_str(part);
        }
    }
    text
}

/// What the sentence does not say already.
fn hint(finding: &Finding) -> Option<String> {
    let suggestion = finding.suggestion.as_ref()?;
    (!finding.message.contains("did you mean")).then(|| format!("did you mean {}?", harmless(suggestion)))
}

/// A line, and which part of it is meant.
struct Marked {
    line: String,
    /// Columns before the part.
    before: usize,
    /// Columns of the part.
    width: usize,
}

impl Marked {
    fn new(line: &str, column: u32, length: u32) -> Self {
        let begin = usize::try_from(column.saturating_sub(1)).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or_default();
        let cut = begin.saturating_sub(LEAD);
        let is_long = line.chars().count() > MAX_WIDTH;
        let skipped = if is_long { cut } else { 0 };
        let shown = |text: String| harmless(&text).replace('\t', TAB);
        let before = shown(line.chars().take(begin).skip(skipped).collect());
        let part = shown(line.chars().skip(begin).take(length.min(MAX_WIDTH)).collect());
        let after = shown(line.chars().skip(begin + length.min(MAX_WIDTH)).take(MAX_WIDTH).collect());
        let lead = if skipped > 0 { "…" } else { "" };
        let mut whole = format!("{lead}{before}{part}{after}");
        if is_long {
            whole = elided_after_characters(whole, MAX_WIDTH);
        }
        let before = lead.width() + before.width();
        Self { width: part.width().clamp(1, MAX_WIDTH.saturating_sub(before).max(1)), before, line: whole }
    }

    fn mark(&self, hint: Option<&str>) -> String {
        let hint = hint.map(|hint| format!(" {hint}")).unwrap_or_default();
        format!("{}{}{hint}", " ".repeat(self.before), "^".repeat(self.width))
    }
}
