//! Arguments that `-f` took by mistake: it takes everything that follows it.

use super::terminal::harmless;
use clap::{
    Error,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::ffi::{OsStr, OsString};

/// Says of an argument that is missing that `-f` may have taken it.
#[must_use]
pub fn told(mut error: Error, words: &[OsString]) -> Error {
    let taken = last_taken(words).filter(|_| error.kind() == ErrorKind::MissingRequiredArgument);
    if let Some(word) = taken.and_then(OsStr::to_str) {
        let word = harmless(word);
        let tip = format!(
            "-f takes all that follows it, {word} too: write {word} before -f, or behind -- (-f PATH -- {word})"
        );
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// The last of several words that one `-f` took.
fn last_taken(words: &[OsString]) -> Option<&OsStr> {
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-") && word != "-";
    let mut parts = words.split(|word| word == "--");
    let options = parts.next()?;
    let after_each = options.iter().enumerate().filter(|(_, word)| *word == "-f" || *word == "--filename");
    let mut taken = after_each.filter_map(|(index, _)| {
        let rest = options.get(index + 1..)?;
        let count = rest.iter().position(is_option).unwrap_or(rest.len());
        rest.get(..count).filter(|values| values.len() > 1)?.last()
    });
    taken.next_back().map(OsString::as_os_str)
}

#[cfg(test)]
mod tests {
    use super::last_taken;
    use rstest::rstest;
    use std::ffi::OsString;

    #[rstest]
    #[case("explain -f a acme", Some("acme"))]
    #[case("explain --filename a b acme -o json", Some("acme"))]
    #[case("explain -f a -f - acme", Some("acme"))]
    #[case("explain -f a", None)]
    #[case("explain -f a -- acme", None)]
    #[case("explain acme -f a", None)]
    #[case("explain -f", None)]
    #[case("explain", None)]
    fn what_an_option_took_is_found(#[case] line: &str, #[case] expected: Option<&str>) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(last_taken(&words).and_then(|word| word.to_str()), expected);
    }
}
