//! What is fuzzed, and what must hold whatever comes in.

mod formats;
mod manifests;
mod schema;
mod template;

/// Something that reads what users send.
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// Reads an input, panics where a promise is broken, and says what came of it.
    pub run: fn(&[u8]) -> String,
    /// Words of its language.
    pub tokens: &'static [&'static str],
}

pub const ALL: [Target; 4] = [schema::TARGET, template::TARGET, formats::TARGET, manifests::TARGET];
