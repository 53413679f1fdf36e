//! The content hash of a JSON value, independent of the order of its fields.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a value, equal for values that are equal; the order of fields does not count.
#[must_use]
pub fn canonical_hash(value: &Value) -> [u8; 32] {
    let mut hasher = Sha256::new();
    feed(&mut hasher, value);
    hasher.finalize().into()
}

/// Each value is fed as a tag, and its length where it has one, so that no two values give the same bytes.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Number(number) => feed_text(hasher, b"#", &number.to_string()),
        Value::String(text) => feed_text(hasher, b"\"", text),
        Value::Array(items) => {
            feed_length(hasher, b"[", items.len());
            for item in items {
                feed(hasher, item);
            }
        }
        Value::Object(fields) => {
            feed_length(hasher, b"{", fields.len());
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            for (name, field) in sorted {
                feed_text(hasher, b":", name);
                feed(hasher, field);
            }
        }
    }
}

fn feed_text(hasher: &mut Sha256, tag: &[u8], text: &str) {
    feed_length(hasher, tag, text.len());
    hasher.update(text.as_bytes());
}

fn feed_length(hasher: &mut Sha256, tag: &[u8], length: usize) {
    hasher.update(tag);
    hasher.update((length as u64).to_be_bytes());
}
