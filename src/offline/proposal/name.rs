//! Names that nothing has yet.

use super::Unclear;
use crate::core::{excerpt::first_bytes, source::SourceKind};

/// The most characters of such a name.
const LONGEST: usize = 63;

/// The name, with a number behind it where it is taken; cut where it is too long.
pub fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let first = cut(wanted, LONGEST);
    if !is_taken(&first) {
        return first;
    }
    let mut number: u64 = 2;
    loop {
        let suffix = format!("-{number}");
        let name = format!("{}{suffix}", cut(wanted, LONGEST - suffix.len()));
        if !is_taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// The name of what follows another in a year: the other's with that year in place of its own.
pub fn free_name_of_year(before: &str, year: i32, is_taken: impl Fn(&str) -> bool) -> String {
    let suffix = format!("-{year:04}");
    free_name(&format!("{}{suffix}", cut(without_year(before), LONGEST - suffix.len())), is_taken)
}

/// A name without the year at its end, and without the number behind that.
fn without_year(name: &str) -> &str {
    let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let of_year = |name: &'_ str| {
        let (rest, year) = name.rsplit_once('-')?;
        (is_number(year, 4..=4) && !rest.is_empty()).then_some(rest.len())
    };
    let numbered = name.rsplit_once('-').filter(|(_, number)| is_number(number, 1..=2));
    let length = of_year(name).or_else(|| of_year(numbered?.0));
    length.map_or(name, |length| first_bytes(name, length))
}

/// Says that a name is taken, if it is.
///
/// # Errors
/// If it is.
pub fn check_free(kind: SourceKind, namespace: &str, name: &str, is_taken: bool) -> Result<(), Unclear> {
    if !is_taken {
        return Ok(());
    }
    Err(Unclear::Impossible(format!(
        "there is a {} {namespace}/{name} already, and none is overwritten: give another --name, or leave it out",
        kind.noun()
    )))
}

/// A beginning that can be the beginning of a name, and a name.
fn cut(name: &str, length: usize) -> String {
    first_bytes(name, length).trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{free_name, free_name_of_year};
    use crate::core::name::dns_label;
    use rstest::rstest;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["a-b", "a-b-2", "a-b-3"];
        let is_taken = |count: usize| move |name: &str| taken[..count].contains(&name);
        assert_eq!(free_name("a-b", is_taken(0)), "a-b");
        assert_eq!(free_name("a-b", is_taken(1)), "a-b-2");
        assert_eq!(free_name("a-b", is_taken(3)), "a-b-4");
    }

    #[test]
    fn a_name_is_never_too_long() {
        for length in [1, 61, 62, 63, 64, 127] {
            let wanted = format!("{}-{}", "a".repeat(length), "b".repeat(40));
            let first = free_name(&wanted, |_| false);
            let second = free_name(&wanted, |name| name == first);
            for name in [&first, &second] {
                assert!(dns_label(name).is_ok(), "{name}");
            }
            assert!(second.ends_with("-2"), "{second}");
        }
        assert_eq!(free_name(&format!("{}-b", "a".repeat(62)), |_| false), "a".repeat(62));
    }

    #[rstest]
    #[case::first("acme-seats", "acme-seats-2028")]
    #[case::of_a_year("acme-seats-2027", "acme-seats-2028")]
    #[case::second_of_a_year("acme-seats-2027-2", "acme-seats-2028")]
    #[case::of_a_month("acme-seats-2027-12", "acme-seats-2028")]
    #[case::numbered("acme-seats-2", "acme-seats-2-2028")]
    #[case::of_a_number("acme-seats-20271", "acme-seats-20271-2028")]
    #[case::is_a_year("2027", "2027-2028")]
    #[case::taken("taken", "taken-2028-2")]
    #[case::renews_one_of_the_same_year("taken-2028", "taken-2028-2")]
    fn what_follows_is_called_by_its_year(#[case] before: &str, #[case] expected: &str) {
        assert_eq!(free_name_of_year(before, 2028, |name| name == "taken-2028"), expected);
    }

    #[test]
    fn the_year_of_a_long_name_is_kept() {
        for length in [57, 58, 59, 62, 63, 200] {
            let name = free_name_of_year(&"a".repeat(length), 2028, |_| false);
            assert!(dns_label(&name).is_ok() && name.ends_with("a-2028"), "{name}");
        }
        assert_eq!(
            free_name_of_year(&format!("{}.b", "a".repeat(57)), 2028, |_| false),
            format!("{}-2028", "a".repeat(57))
        );
    }
}
