//! What an error message quotes of a text that could not be read.

/// How many characters of a text a message shows: enough to find it, and no more than fits a line.
const LONGEST: usize = 40;

/// The beginning of `text`, with an ellipsis where something is left out. Show it with `{:?}`,
/// which also makes control characters harmless.
pub(super) fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let mut beginning: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        beginning.push('…');
    }
    beginning
}
