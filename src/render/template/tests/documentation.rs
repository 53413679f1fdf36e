//! `docs/templates.md` says what is true: its examples are run, its lists compared.

use serde_json::Value;

use super::super::environment::{FILTERS, FUNCTIONS, TESTS};
use super::super::{
    FUEL, MAX_DEPTH, MAX_EXPRESSION, MAX_ITEMS, MAX_LITERAL, MAX_LITERAL_DEPTH, MAX_NESTING, MAX_OUTPUT, MAX_SOURCE,
};
use super::render;
use crate::render::work::{MAX_OF_EVALUATION, MAX_OF_GRANT};

const DOCUMENT: &str = include_str!("../../../../docs/templates.md");

/// The fenced blocks: the language of each, and its text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = DOCUMENT.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .map(|(language, text)| (language, text.strip_suffix('\n').unwrap()))
        .collect()
}

fn section(title: &str) -> &'static str {
    let after = DOCUMENT.split_once(&format!("\n## {title}\n")).unwrap().1;
    after.split("\n## ").next().unwrap()
}

/// The first cell of each row of the first table in a section.
fn names_in_table(title: &str) -> Vec<&'static str> {
    section(title).lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn each_example_gives_what_is_shown() {
    let blocks = blocks();
    assert_eq!(blocks[0].0, "json");
    let context: Value = serde_json::from_str(blocks[0].1).unwrap();
    let examples: Vec<_> = blocks[1..].chunks_exact(2).collect();
    assert_eq!(examples.len() * 2 + 1, blocks.len());
    for example in examples {
        let [("jinja", source), (expected, text)] = example else { panic!("{example:?} is no example") };
        let shown = match render(source, &context) {
            Ok(text) => ("text", text),
            Err(error) => ("error", error.to_string()),
        };
        assert_eq!((shown.0, shown.1.as_str()), (*expected, *text), "{source}");
    }
}

#[test]
fn each_filter_has_its_section_with_an_example() {
    let sections = section("Filters").split("\n### `").skip(1);
    let names: Vec<&str> =
        sections.filter(|text| text.contains("```jinja\n")).map(|text| text.split('`').next().unwrap()).collect();
    assert_eq!(names, FILTERS);
    for name in FILTERS {
        let part = section("Filters").split(&format!("\n### `{name}`\n")).nth(1).unwrap();
        assert!(part.split("```").nth(1).unwrap().contains(&format!("| {name}")), "the example of {name} uses it");
    }
}

#[test]
fn each_test_and_function_is_listed() {
    assert_eq!(names_in_table("Tests"), TESTS);
    assert!(FUNCTIONS.iter().all(|name| section("Expressions").contains(&format!("| `{name}("))));
}

#[test]
fn the_limits_are_those_of_the_code() {
    let rows = [
        format!("source | {} bytes", grouped(MAX_SOURCE)),
        format!("output, and any text on the way | {} bytes", grouped(MAX_OUTPUT)),
        format!("work | {} steps; one is about one operation, or 64 bytes of text", grouped(FUEL.try_into().unwrap())),
        format!("depth of an expression | {MAX_EXPRESSION} steps; one is a name or an operator, an open bracket is 16"),
        format!("depth of statements | {MAX_NESTING}"),
        format!("depth of loops and macro calls while running | {MAX_DEPTH}; a macro call counts as 6"),
        format!(
            "values in one list or map that a template builds | {}, {MAX_LITERAL_DEPTH} deep",
            grouped(MAX_LITERAL)
        ),
        format!("items of `range` and `split` | {}", grouped(MAX_ITEMS)),
    ];
    let table: Vec<&str> = section("Limits").lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(table, rows.map(|row| format!("| {row} |")));
}

#[test]
fn the_budgets_are_those_of_the_code() {
    for limit in [MAX_OF_GRANT, MAX_OF_EVALUATION] {
        assert!(section("Limits").contains(&format!("{} steps", grouped(limit.try_into().unwrap()))));
    }
}

/// A number with a comma between each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(groups.join(&b","[..])).unwrap()
}
