//! What kubectl prints, without what is different each time: ages, times of the test, UIDs, versions.

use crate::harness::DEADLINE;
use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use std::{env, fmt::Write as _, sync::LazyLock, time::Duration};

use super::golden::{assert_golden, expected};

/// A screen of these commands, each with what it prints, once it is as the file has it.
pub fn assert_screen(name: &str, commands: &[&[&str]], run: impl Fn(&[&str]) -> String) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        // For the operator to come to rest: here there is nothing yet to wait for.
        std::thread::sleep(Duration::from_secs(5));
        assert_golden(name, &screen(commands, &run));
        return;
    }
    let expected = expected(name);
    crate::wait::eventually(DEADLINE, name, || {
        let found = screen(commands, &run);
        if found == expected { Ok(()) } else { Err(found) }
    });
}

fn screen(commands: &[&[&str]], run: &impl Fn(&[&str]) -> String) -> String {
    let mut screen = String::new();
    for command in commands {
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(screen, "$ kubectl {}\n{}", words.join(" "), steady(&run(command)).trim_end());
        screen.push('\n');
    }
    screen
}

fn quoted(word: &str) -> String {
    if word.contains('{') { format!("'{word}'") } else { word.to_owned() }
}

/// A text without what is different each time.
fn steady(text: &str) -> String {
    static UID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
    static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new("Resource Version:( +)[0-9]+").unwrap());
    let text = UID.replace_all(text, "…");
    let text = VERSION.replace_all(&text, "Resource Version:$1…");
    let text = without_times(&text);
    let (described, events) = text.split_once("\nEvents:").map_or((text.as_str(), None), |(one, two)| (one, Some(two)));
    let tables: Vec<String> = described.split("\n\n").map(table).collect();
    let mut steady = tables.join("\n\n");
    if let Some(events) = events {
        let _ = write!(steady, "\nEvents:{}", without_ages(events));
    }
    steady
}

/// Without the times of about now.
fn without_times(text: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z").unwrap());
    let of_now = |found: &regex::Captures| {
        let time = DateTime::parse_from_rfc3339(&found[0]).unwrap().to_utc();
        if (Utc::now() - time).abs() < TimeDelta::days(1) { "…".to_owned() } else { found[0].to_owned() }
    };
    TIME.replace_all(text, of_now).into_owned()
}

/// A table of `kubectl get` without ages; any other text as it is.
fn table(text: &str) -> String {
    static CELL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\S+ *").unwrap());
    let Some(head) = text.lines().next().filter(|line| line.split_whitespace().any(|word| word == "AGE")) else {
        return text.to_owned();
    };
    let starts: Vec<usize> = CELL.find_iter(head).map(|cell| cell.start()).collect();
    let cells = |line: &str| -> Vec<String> {
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        starts
            .iter()
            .zip(ends)
            .map(|(start, end)| line.get(*start..end.min(line.len())).unwrap_or("").trim().to_owned())
            .collect()
    };
    let mut rows: Vec<Vec<String>> = text.lines().map(cells).collect();
    let age = rows[0].iter().position(|cell| cell == "AGE").unwrap();
    for row in rows.iter_mut().skip(1) {
        "…".clone_into(&mut row[age]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..starts.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Events of one second come in any order, and columns are as wide as the ages.
fn without_ages(events: &str) -> String {
    static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(" {2,}").unwrap());
    static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"  [0-9]+[smh]([0-9]+[sm])?  ").unwrap());
    let lines = events.lines().map(|line| AGE.replace(&GAP.replace_all(line, "  "), "  …  ").into_owned());
    let mut lines: Vec<String> = lines.filter(|line| !line.contains("----")).collect();
    if let Some(events) = lines.get_mut(2..) {
        events.sort();
    }
    lines.join("\n")
}
