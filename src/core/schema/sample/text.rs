//! A text that meets a format, patterns, and limits of its length.

use serde_json::Value;

use super::pattern::{TextVariant, along};
use super::rules::ValueRules;

/// Characters that a length is followed up to.
const MAX_LENGTH: u64 = 4_096;
/// What texts are made of where nothing else is asked for.
const WORD: &str = "sample";

/// The text of one try; the first is right except for odd combinations of rules.
pub(super) fn text(rules: &ValueRules, tries: usize, turn: usize) -> String {
    let texts = texts(rules, turn);
    texts.get(tries.min(texts.len().saturating_sub(1))).cloned().unwrap_or_default()
}

fn texts(rules: &ValueRules, turn: usize) -> Vec<String> {
    let least = usize::try_from(rules.most("minLength").unwrap_or(0).min(MAX_LENGTH)).unwrap_or_default();
    let most = usize::try_from(rules.least("maxLength").unwrap_or(MAX_LENGTH)).unwrap_or(usize::MAX);
    let patterns: Vec<&str> = rules.each("pattern").filter_map(Value::as_str).collect();
    let mut texts = Vec::new();
    if patterns.is_empty() {
        texts.extend(
            rules.find("format").and_then(Value::as_str).into_iter().flat_map(|format| formatted(format, least)),
        );
    }
    texts.extend(patterns.iter().flat_map(|pattern| by_pattern(pattern, least, most, turn)));
    if !patterns.is_empty() {
        texts.extend(
            rules.find("format").and_then(Value::as_str).into_iter().flat_map(|format| formatted(format, least)),
        );
    }
    if texts.is_empty() {
        texts.push(word(least, most, turn));
    }
    texts
}

/// A text that a pattern matches.
pub(super) fn matching(pattern: &str, turn: usize) -> Option<String> {
    along(pattern, TextVariant { spare: 0, optional: true, choice: turn })
}

/// Texts along a pattern. What is optional is there, but where the length leaves no room for it.
fn by_pattern(pattern: &str, least: usize, most: usize, turn: usize) -> Vec<String> {
    let course = |spare, optional| along(pattern, TextVariant { spare, optional, choice: turn });
    let length = |text: &String| text.chars().count();
    let mut texts: Vec<String> = [course(0, true), course(0, false)].into_iter().flatten().collect();
    for text in texts.clone() {
        let missing = least.saturating_sub(length(&text));
        if missing > 0 {
            texts.extend((0..4).filter_map(|less| course(missing.saturating_sub(less), true)));
            texts.extend((0..4).filter_map(|less| course(missing.saturating_sub(less), false)));
            // What a pattern does not speak of may follow, or go before.
            texts.push(format!("{text}{}", "a".repeat(missing)));
            texts.push(format!("{}{text}", "a".repeat(missing)));
        }
    }
    texts.extend((1..5).filter_map(|choice| along(pattern, TextVariant { spare: choice, optional: true, choice })));
    texts.sort_by_key(|text| !(least..=most).contains(&length(text)));
    texts.dedup();
    texts
}

fn word(least: usize, most: usize, turn: usize) -> String {
    let length = least.max(WORD.len()).min(most);
    let number = if turn == 0 { String::new() } else { turn.to_string() };
    let kept = length.saturating_sub(number.len());
    let kept = if length == WORD.len() && most > length { length } else { kept };
    WORD.chars().cycle().take(kept).chain(number.chars()).collect()
}

/// Examples of a format, the second as long as is asked for.
fn formatted(format: &str, least: usize) -> Vec<String> {
    let Some((example, before, filler)) = example(format) else { return Vec::new() };
    let missing = least.saturating_sub(example.chars().count());
    if missing == 0 {
        return vec![example.to_owned()];
    }
    let (head, tail) = example.split_at(example.find(before).unwrap_or(example.len()));
    vec![[head, &filler.repeat(missing), tail].concat()]
}

/// An example, what it can be made longer before, and by what.
fn example(format: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let example = match format {
        "date" => ("2027-01-31", "", ""),
        "date-time" => ("2027-01-31T12:00:00.0Z", "Z", "0"),
        "time" => ("12:00:00Z", "Z", ""),
        "duration" => ("P1D", "1D", "0"),
        "email" | "idn-email" => ("name@example.com", "@", "e"),
        "hostname" | "idn-hostname" => ("example.com", "example", "a."),
        "ipv4" => ("192.0.2.1", "", ""),
        "ipv6" => ("2001:db8::1", "", ""),
        "uri" | "iri" | "uri-reference" | "iri-reference" | "uri-template" => ("https://example.com/", "\n", "a"),
        "uuid" => ("123e4567-e89b-12d3-a456-426614174000", "", ""),
        "json-pointer" => ("/sample", "\n", "a"),
        "relative-json-pointer" => ("0", "\n", "/a"),
        "regex" => ("sample", "\n", "a"),
        _ => return None,
    };
    Some(example)
}
