//! docs/troubleshooting.md has an entry for every reason, and for nothing else.

use super::{ROOT, first_cells, quoted, read};
use entitlement_operator::core::reason::ReasonCode;
use regex::Regex;
use std::{collections::BTreeMap, fs};
use walkdir::WalkDir;

/// The sections of a document, by their headings.
fn sections(document: &str) -> BTreeMap<&str, &str> {
    document.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

#[test]
fn every_reason_has_an_entry_and_nothing_else_has() {
    let page = read("docs/troubleshooting.md");
    let sections = sections(&page);
    let entries: Vec<(&str, &str)> =
        sections["Reasons"].split("\n### ").skip(1).filter_map(|entry| entry.split_once('\n')).collect();
    let mut described: Vec<&str> = entries.iter().map(|(reason, _)| *reason).collect();
    assert!(described.is_sorted(), "the entries are in the order of the alphabet");
    for table in ["Before it is applied", "When all is well"] {
        let rows: Vec<&str> = first_cells(sections[table]).flat_map(quoted).collect();
        assert!(rows.is_sorted(), "{table}: the rows are in the order of the alphabet");
        described.extend(rows);
    }
    described.sort_unstable();
    let all: Vec<&str> = ReasonCode::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(described, all);
    for (reason, entry) in entries {
        for part in ["- **Client:** ", "- **Do:** "] {
            assert!(entry.contains(part), "{reason} lacks {part}");
        }
        let advice = entry.split("- **Do:** ").nth(1).unwrap();
        let is_command = |quote: &str| ["kubectl ", "entitlement-operator "].iter().any(|word| quote.starts_with(word));
        assert!(quoted(advice).any(is_command), "{reason} names no command");
    }
}

/// How a message begins and ends, without what differs from one time to the next.
fn fixed_parts(message: &str) -> Vec<&str> {
    let inserted = message.split(['{', '}']).step_by(2);
    inserted.map(str::trim).filter(|part| part.len() > 10).take(1).collect()
}

/// What begins with a value, or is one, is left out: it is the text of a problem that is told elsewhere too.
#[test]
fn every_warning_of_the_log_is_explained() {
    let page = read("docs/troubleshooting.md");
    let call = Regex::new(r#"(?:tracing::(?:warn|error)|warn_of)!\((?:[^;]*?)"([^"{}][^"]*)"\s*\)?[,;\n]"#).unwrap();
    let files = WalkDir::new(format!("{ROOT}/src")).into_iter().map(Result::unwrap);
    let mut found = 0;
    for file in files.filter(|file| file.path().extension().is_some_and(|end| end == "rs")) {
        let text = fs::read_to_string(file.path()).unwrap();
        for message in call.captures_iter(&text) {
            let beginning = fixed_parts(message.get(1).unwrap().as_str());
            found += 1;
            for part in beginning {
                let sentence = part.split([':', ';']).next().unwrap();
                assert!(page.contains(sentence), "{}: {sentence:?} is not explained", file.path().display());
            }
        }
    }
    assert!(found > 12, "{found}");
}
