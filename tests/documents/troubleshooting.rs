//! docs/troubleshooting.md has an entry for every reason, and for nothing else.

use super::{first_cells, quoted, read};
use entitlement_operator::core::reason::ReasonCode;
use std::collections::BTreeMap;

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
