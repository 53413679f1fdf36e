//! The help, on terminals of several widths.

use super::{assert_golden, playground::Playground, text};
use unicode_width::UnicodeWidthStr;

fn help(playground: &Playground, columns: usize, subcommand: &str) -> String {
    let output = playground.run(&format!("COLUMNS={columns} entitlement-operator {subcommand} --help"));
    text(&output.stdout).to_owned()
}

#[test]
fn the_help_is_as_wide_as_the_terminal() {
    let playground = Playground::new();
    for columns in [60, 120] {
        for name in ["grant", "extend"] {
            assert_golden(&format!("{name}.help.{columns}"), help(&playground, columns, name).as_bytes());
        }
    }
}

#[test]
fn no_line_of_the_help_is_wider_than_the_terminal() {
    let playground = Playground::new();
    let all = help(&playground, 200, "");
    let commands = all.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().map(|line| line.split_whitespace().next().unwrap());
    for name in names.chain([""]) {
        for columns in [60, 80, 120, 200] {
            for line in help(&playground, columns, name).lines() {
                // A word that is longer than the line stays whole.
                let is_one_word = line.split_whitespace().nth(1).is_none();
                let is_heading = line.ends_with(':') && !line.starts_with(' ');
                assert!(
                    line.width() <= columns || is_one_word || is_heading || line.starts_with("Usage: "),
                    "{name} at {columns}: {line}"
                );
            }
        }
    }
}
