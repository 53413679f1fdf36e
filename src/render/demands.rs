//! What Kubernetes demands of the data of a Secret by its type: `ValidateSecret` of its core API.

use serde_json::{Map, Value};
use std::fmt;

/// The type of a Secret that holds anything.
pub const OPAQUE: &str = "Opaque";

/// What a type demands.
#[derive(Debug)]
struct Demand {
    type_: &'static str,
    keys: Keys,
    form: Form,
}

/// Which keys have to be there.
#[derive(Clone, Copy, Debug)]
enum Keys {
    All(&'static [&'static str]),
    Any(&'static [&'static str]),
}

/// What the value of such a key has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Any,
    Filled,
    Object,
}

/// All types that demand anything. Any other is taken as it is.
const DEMANDS: [Demand; 5] = [
    Demand { type_: "kubernetes.io/dockerconfigjson", keys: Keys::All(&[".dockerconfigjson"]), form: Form::Object },
    Demand { type_: "kubernetes.io/dockercfg", keys: Keys::All(&[".dockercfg"]), form: Form::Object },
    Demand { type_: "kubernetes.io/tls", keys: Keys::All(&["tls.crt", "tls.key"]), form: Form::Any },
    Demand { type_: "kubernetes.io/ssh-auth", keys: Keys::All(&["ssh-privatekey"]), form: Form::Filled },
    Demand { type_: "kubernetes.io/basic-auth", keys: Keys::Any(&["username", "password"]), form: Form::Any },
];

/// What is missing or wrong in the data of a Secret of a type. It holds no value, which is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// A key of these that has to be there is not.
    Missing {
        /// The Secret's type.
        type_: &'static str,
        /// The key, or several of which one is enough.
        keys: &'static [&'static str],
    },
    /// The value of a key has to be something else.
    Form {
        /// The Secret's type.
        type_: &'static str,
        /// The key.
        key: &'static str,
        /// What it has to be.
        needed: &'static str,
    },
}

impl Unmet {
    /// The key whose value is not what it has to be.
    #[must_use]
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => None,
            Self::Form { key, .. } => Some(key),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { type_, keys } => {
                let keys = keys.join(" or ");
                write!(formatter, "a Secret of type {type_} needs the key {keys}, and no item fills it: add an item")
            }
            Self::Form { type_, key, needed } => {
                write!(formatter, "the key {key} of a Secret of type {type_} has to hold {needed}: mend what fills it")
            }
        }
    }
}

/// The first key that a Secret of that type needs and does not have.
#[must_use]
pub fn missing(type_: &str, has: impl Fn(&str) -> bool) -> Option<Unmet> {
    let demand = demand(type_)?;
    let keys = match demand.keys {
        Keys::All(keys) => keys.chunks(1).find(|key| !key.iter().any(|key| has(key)))?,
        Keys::Any(keys) if keys.iter().any(|key| has(key)) => return None,
        Keys::Any(keys) => keys,
    };
    Some(Unmet::Missing { type_: demand.type_, keys })
}

/// What is wrong with the value of a key in a Secret of that type.
#[must_use]
pub fn wrong(type_: &str, key: &str, value: &[u8]) -> Option<Unmet> {
    let demand = demand(type_)?;
    let (Keys::All(keys) | Keys::Any(keys)) = demand.keys;
    let key = keys.iter().find(|needed| **needed == key)?;
    let needed = match demand.form {
        Form::Filled if value.is_empty() => "a key, and it is empty",
        Form::Object if !is_object(value) => {
            "one JSON object, such as {\"auths\": {\"registry.example.com\": {\"auth\": \"…\"}}}"
        }
        Form::Any | Form::Filled | Form::Object => return None,
    };
    Some(Unmet::Form { type_: demand.type_, key, needed })
}

fn demand(type_: &str) -> Option<&'static Demand> {
    DEMANDS.iter().find(|demand| demand.type_ == type_)
}

fn is_object(value: &[u8]) -> bool {
    serde_json::from_slice::<Map<String, Value>>(value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{missing, wrong};
    use rstest::rstest;

    #[rstest]
    #[case::any("Opaque", &[], None)]
    #[case::of_others("helm.sh/release.v1", &[], None)]
    #[case::docker("kubernetes.io/dockerconfigjson", &[".dockercfg"], Some(".dockerconfigjson"))]
    #[case::old_docker("kubernetes.io/dockercfg", &[".dockerconfigjson"], Some(".dockercfg"))]
    #[case::certificate("kubernetes.io/tls", &["tls.key"], Some("tls.crt"))]
    #[case::its_key("kubernetes.io/tls", &["tls.crt", "ca.crt"], Some("tls.key"))]
    #[case::both("kubernetes.io/tls", &["tls.crt", "tls.key"], None)]
    #[case::ssh("kubernetes.io/ssh-auth", &["key"], Some("ssh-privatekey"))]
    #[case::neither("kubernetes.io/basic-auth", &["user"], Some("username or password"))]
    #[case::one("kubernetes.io/basic-auth", &["password"], None)]
    fn a_type_needs_its_keys(#[case] type_: &str, #[case] keys: &[&str], #[case] needed: Option<&str>) {
        let unmet = missing(type_, |key| keys.contains(&key)).map(|unmet| unmet.to_string());
        let expected = needed
            .map(|key| format!("a Secret of type {type_} needs the key {key}, and no item fills it: add an item"));
        assert_eq!(unmet, expected);
    }

    #[rstest]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#" {"auths": {"r": {"auth": "eDp5"}}}"#, true)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "{}", true)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "", false)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "hunter2", false)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths": {}"#, false)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", r#"{"auths": {}} x"#, false)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "[]", false)]
    #[case("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "null", false)]
    #[case("kubernetes.io/dockerconfigjson", "other", "hunter2", true)]
    #[case("kubernetes.io/dockercfg", ".dockercfg", "hunter2", false)]
    #[case("kubernetes.io/ssh-auth", "ssh-privatekey", "", false)]
    #[case("kubernetes.io/ssh-auth", "ssh-privatekey", "k", true)]
    #[case("kubernetes.io/tls", "tls.crt", "", true)]
    #[case("kubernetes.io/basic-auth", "password", "", true)]
    #[case("Opaque", ".dockerconfigjson", "", true)]
    fn a_type_demands_a_form(#[case] type_: &str, #[case] key: &str, #[case] value: &str, #[case] is_right: bool) {
        let unmet = wrong(type_, key, value.as_bytes());
        assert_eq!(unmet.is_none(), is_right, "{unmet:?}");
        if let Some(unmet) = unmet {
            assert_eq!(unmet.key(), Some(key));
            assert!(!unmet.to_string().contains("hunter2"), "{unmet}");
        }
    }
}
