//! Secrets that grants take values from.

use super::{
    node::{Content, Node},
    path::Path,
    structure::Remark,
};
use crate::core::secret::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::collections::BTreeMap;

/// The data of one Secret.
pub type SecretValues = BTreeMap<String, Secret<Vec<u8>>>;

/// Reads `data` and `stringData`. The latter wins, as in the API server. No message shows a value.
///
/// # Errors
/// Each value that the API server would refuse.
pub fn read(object: &Node) -> Result<SecretValues, Vec<Remark>> {
    let mut data = SecretValues::new();
    let mut errors = Vec::new();
    for (field, decode) in [("data", decoded as Decode), ("stringData", plain as Decode)] {
        for entry in object.get(field).map(Node::fields).unwrap_or_default() {
            match decode(&entry.value) {
                Ok(value) => drop(data.insert(entry.key.name.clone(), Secret::new(value))),
                Err(message) => errors.push(Remark::new(Path::fields(&[field, &entry.key.name]), message)),
            }
        }
    }
    if errors.is_empty() { Ok(data) } else { Err(errors) }
}

type Decode = fn(&Node) -> Result<Vec<u8>, &'static str>;

fn decoded(value: &Node) -> Result<Vec<u8>, &'static str> {
    // The decoder of the API server passes over line breaks, which long values are written with.
    let text: String = string(value)?.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    BASE64_STANDARD.decode(text).map_err(|_| "the value is not base64: encode it, or give it under stringData as it is")
}

fn plain(value: &Node) -> Result<Vec<u8>, &'static str> {
    string(value).map(|text| text.as_bytes().to_vec())
}

fn string(value: &Node) -> Result<&str, &'static str> {
    match &value.content {
        Content::Text(text) => Ok(text),
        Content::Null => Ok(""),
        Content::Boolean(_) | Content::Number(_) | Content::List(_) | Content::Fields(_) => {
            Err("the value is not a text: put it in quotes")
        }
    }
}
