//! Which grants bear on each other.

use super::{super::groups, World};
use crate::core::source::stated::StatedSource;

/// Grants by name, each with the one that it renews, as groups of names.
fn grouped(renewals: &[(&str, &str)], unique: bool) -> Vec<Vec<String>> {
    let mut world = World::new();
    for (name, renewed) in renewals {
        let spec = if renewed.is_empty() { "{}".to_owned() } else { format!("{{renews: {renewed}}}") };
        world.add(name, "2027-01-01", &spec);
    }
    let grants = world.grants();
    let plain: Vec<&StatedSource> = grants.iter().map(|grant| &grant.source).collect();
    let name = |index: usize| plain[index].age.name.to_string();
    groups(&plain, unique).into_iter().map(|group| group.into_iter().map(name).collect()).collect()
}

#[test]
fn all_bear_on_each_other_where_they_compete_for_one_seat() {
    assert_eq!(grouped(&[("a", ""), ("b", ""), ("c", "b")], true), [["a", "b", "c"]]);
}

#[test]
fn otherwise_only_those_that_are_linked_by_renewal() {
    assert_eq!(grouped(&[("a", "")], false), [["a"]]);
    assert_eq!(grouped(&[("a", ""), ("b", "")], false), [["a"], ["b"]]);
    assert_eq!(grouped(&[("a", ""), ("b", "a")], false), [["a", "b"]]);
    let several = [("a", ""), ("b", "d"), ("c", ""), ("d", "a"), ("e", "c"), ("f", "nobody"), ("g", "b"), ("h", "")];
    let expected: [&[&str]; 4] = [&["a", "b", "d", "g"], &["c", "e"], &["f"], &["h"]];
    assert_eq!(grouped(&several, false), expected);
}

#[test]
fn siblings_and_a_cycle_are_one_group_each() {
    let several = [("a", ""), ("b", "a"), ("c", "a"), ("p", "r"), ("q", "p"), ("r", "q")];
    assert_eq!(grouped(&several, false), [["a", "b", "c"], ["p", "q", "r"]]);
}

#[test]
fn a_long_chain_told_from_its_end_is_one_group() {
    let names: Vec<String> = (0..100).map(|number| format!("g{number:02}")).collect();
    let renewals: Vec<(&str, &str)> =
        (0..100).map(|index| (names[index].as_str(), names.get(index + 1).map_or("", String::as_str))).collect();
    assert_eq!(grouped(&renewals, false), [names]);
}
