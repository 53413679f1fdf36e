//! Whether two contents are the same, without keeping them.

use std::{
    hash::{BuildHasher, DefaultHasher, Hasher, RandomState},
    sync::LazyLock,
};

/// Keyed with random values of this process, so that nobody can prepare two contents that look the same, and so that it
/// says nothing about secret bytes.
static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// Stands for a content. It holds within this process only and is never written anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64, u64);

impl Fingerprint {
    /// The fingerprint of key and value pairs, in their order.
    pub fn of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut state = PairsHasher::new();
        for (key, value) in pairs {
            state.add(key.as_bytes());
            state.add(value);
        }
        state.finish()
    }

    /// The fingerprint of a value as JSON writes it. None if it has no JSON form.
    #[must_use]
    pub fn of_json(value: &impl serde::Serialize) -> Option<Self> {
        let json = serde_json::to_vec(value).ok()?;
        Some(Self::of_pairs([("", json.as_slice())]))
    }
}

struct PairsHasher {
    first: DefaultHasher,
    second: DefaultHasher,
}

impl PairsHasher {
    fn new() -> Self {
        let [first, second] = &*KEYS;
        Self { first: first.build_hasher(), second: second.build_hasher() }
    }

    /// Adds a part with its length, so that no two sequences of parts look alike.
    fn add(&mut self, part: &[u8]) {
        for hasher in [&mut self.first, &mut self.second] {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
    }

    fn finish(self) -> Fingerprint {
        Fingerprint(self.first.finish(), self.second.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;
    use serde_json::json;

    #[test]
    fn equal_contents_and_no_others_look_the_same() {
        let of =
            |pairs: &[(&str, &str)]| Fingerprint::of_pairs(pairs.iter().map(|(key, value)| (*key, value.as_bytes())));
        assert_eq!(of(&[("a", "b")]), of(&[("a", "b")]));
        assert_ne!(of(&[("a", "b")]), of(&[("a", "c")]));
        assert_ne!(of(&[("ab", "")]), of(&[("a", "b")]));
        assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("a", "bcd")]));
        assert_ne!(of(&[]), of(&[("", "")]));
    }

    #[test]
    fn json_is_compared_as_written() {
        assert_eq!(Fingerprint::of_json(&json!({"a": 1, "b": [2]})), Fingerprint::of_json(&json!({"b": [2], "a": 1})));
        assert_ne!(Fingerprint::of_json(&json!({"a": 1})), Fingerprint::of_json(&json!({"a": "1"})));
    }
}
