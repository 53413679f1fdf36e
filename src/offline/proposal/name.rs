//! Names that nothing has yet.

use crate::core::excerpt::first_bytes;

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

/// A beginning that can be the beginning of a name, and a name.
fn cut(name: &str, length: usize) -> String {
    first_bytes(name, length).trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::free_name;
    use crate::core::name::dns_label;

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
}
