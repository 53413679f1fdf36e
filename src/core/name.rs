//! Names as the API server takes them. Everything that becomes part of a URL or an object is checked here first.
//!
//! The rules are those of `k8s.io/apimachinery/pkg/util/validation`: nothing passes here that the API server would refuse, and
//! nothing is refused here that it would take.

/// The longest DNS label, name part of a key, and label value.
const LABEL: usize = 63;
/// The longest DNS subdomain and data key.
const SUBDOMAIN: usize = 253;

/// Types of Secrets by which the cluster lets their holder in.
const TOKEN_TYPES: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// Why a text is no name of its kind, and what one looks like: `must be …`, to stand behind what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(&'static str);

fn check(is_right: bool, otherwise: &'static str) -> Result<(), InvalidName> {
    if is_right { Ok(()) } else { Err(InvalidName(otherwise)) }
}

/// The name of a namespace, an organization, a definition.
///
/// # Errors
/// It is no DNS label.
pub fn dns_label(name: &str) -> Result<(), InvalidName> {
    let rule = "must be at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
    check(is_dns_label(name), rule)
}

/// The name of an object, such as a Secret, a ConfigMap or an instance.
///
/// # Errors
/// It is no DNS subdomain.
pub fn dns_subdomain(name: &str) -> Result<(), InvalidName> {
    let rule = "must be at most 253 lower-case letters, digits, '-' and '.', and each part between dots must begin and end with \
                a letter or digit";
    check(is_dns_subdomain(name), rule)
}

/// The name of a facet, and of a FacetDefinition.
///
/// # Errors
/// It is no DNS label, or begins with a digit.
pub fn facet(name: &str) -> Result<(), InvalidName> {
    let begins_with_letter = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    let rule = "must be at most 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit";
    check(begins_with_letter && is_dns_label(name), rule)
}

/// The key of a label.
///
/// # Errors
/// It is no qualified name: `name` or `prefix/name`.
pub fn label_key(key: &str) -> Result<(), InvalidName> {
    let rule = "must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, after a DNS \
                subdomain and '/' if it has a prefix, such as example.com/team";
    let is_right = match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_word(name),
        None => is_word(key),
    };
    check(is_right, rule)
}

/// The key of an annotation: that of a label, but that its prefix may have capitals.
///
/// # Errors
/// It is no qualified name.
pub fn annotation_key(key: &str) -> Result<(), InvalidName> {
    label_key(&key.to_ascii_lowercase())
}

/// The value of a label.
///
/// # Errors
/// It is neither empty nor one word.
pub fn label_value(value: &str) -> Result<(), InvalidName> {
    let rule =
        "must be empty, or at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";
    check(value.is_empty() || is_word(value), rule)
}

/// A key in the data of a ConfigMap or a Secret.
///
/// # Errors
/// It could be no name of a file in a volume.
pub fn data_key(key: &str) -> Result<(), InvalidName> {
    let letters = !key.is_empty() && key.bytes().all(is_word_byte);
    check(letters && key.len() <= SUBDOMAIN, "must be 1 to 253 letters, digits, '-', '_' and '.'")?;
    check(key != "." && !key.starts_with(".."), "must not be '.' and must not begin with '..'")
}

/// The type of a Secret. What each type demands of the data is `render`'s to check.
///
/// # Errors
/// It is none, or one by which the cluster lets its holder in.
pub fn secret_type(type_: &str) -> Result<(), InvalidName> {
    let is_text = !type_.is_empty() && type_.len() <= SUBDOMAIN && type_.bytes().all(|byte| byte.is_ascii_graphic());
    check(is_text, "must be 1 to 253 ASCII characters without spaces, such as Opaque or kubernetes.io/tls")?;
    check(
        !TOKEN_TYPES.contains(&type_),
        "must not be kubernetes.io/service-account-token or bootstrap.kubernetes.io/token, as such Secrets give access to the cluster: use another type",
    )
}

/// Whether it is a DNS label (RFC 1123), as names of channels are.
#[must_use]
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= LABEL && is_dns_part(name)
}

/// A part between dots has no bound of its own, as the API server has none for object names.
fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= SUBDOMAIN && name.split('.').all(is_dns_part)
}

fn is_dns_part(part: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    part.bytes().all(is_inner) && has_firm_ends(part)
}

fn is_word(text: &str) -> bool {
    text.len() <= LABEL && text.bytes().all(is_word_byte) && has_firm_ends(text)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// Whether it begins and ends with a letter or digit, and so is not empty.
fn has_firm_ends(text: &str) -> bool {
    let is_firm = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    is_firm(text.as_bytes().first()) && is_firm(text.as_bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    type Rule = fn(&str) -> Result<(), InvalidName>;

    #[rstest]
    #[case(dns_label, &["a", "0", "a-b", "4k-streaming", "a--b"], &["", "-a", "a-", "A", "a.b", "a_b", "a/b", "ä", "a\n", " a"])]
    #[case(dns_subdomain, &["a", "a.b", "0.a-b.c", "here"], &["", ".", "..", "a.", ".a", "a..b", "a.-b", "A", "a_b", "here?x=y", "../../x", "a/b", "a%2fb", "a#b", "a\0"])]
    #[case(facet, &["a", "a-1"], &["", "1a", "a-", "A", "a.b"])]
    #[case(label_key, &["a", "A_b.c", "example.com/Team", "a/b", "1"], &["", "/", "a/", "/a", "a/b/c", "bad key!", "team name", "Example.com/team", "-a", "a-", "_a/b", "a..b/c", "ä"])]
    #[case(annotation_key, &["a", "A_b.c", "example.com/Team", "Example.com/team"], &["", "a/", "/a", "bad/key/x", "team name"])]
    #[case(label_value, &["", "a", "A_b.c", "2027-01-31", "1.5"], &["-a", "a-", ".", "a b", "a/b", "ä", "a\n"])]
    #[case(data_key, &["a", ".a", "A_b-c.d", "-", "_", "a..b"], &["", ".", "..", "...", "..data", "a/b", "a b", "ä"])]
    #[case(secret_type, &["Opaque", "kubernetes.io/tls", "example.com/Any_thing"], &["", "a b", "ä", "a\n", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])]
    fn takes_what_the_api_server_takes(#[case] rule: Rule, #[case] right: &[&str], #[case] wrong: &[&str]) {
        for name in right {
            assert_eq!(rule(name), Ok(()), "{name:?}");
        }
        for name in wrong {
            assert!(rule(name).is_err(), "{name:?}");
        }
    }

    #[rstest]
    #[case(dns_label, "", 63)]
    #[case(dns_subdomain, "", 253)]
    #[case(facet, "", 63)]
    #[case(label_key, "", 63)]
    #[case(label_key, "example.com/", 63)]
    #[case(annotation_key, "example.com/", 63)]
    #[case(label_value, "", 63)]
    #[case(data_key, "", 253)]
    #[case(secret_type, "", 253)]
    fn has_the_length_of_the_api_server(#[case] rule: Rule, #[case] prefix: &str, #[case] longest: usize) {
        assert_eq!(rule(&format!("{prefix}{}", "a".repeat(longest))), Ok(()));
        assert!(rule(&format!("{prefix}{}", "a".repeat(longest + 1))).is_err());
    }

    #[test]
    fn a_prefix_has_the_length_of_a_subdomain() {
        assert_eq!(label_key(&format!("{}/a", "a".repeat(253))), Ok(()));
        assert!(label_key(&format!("{}/a", "a".repeat(254))).is_err());
    }

    #[test]
    fn a_fault_says_what_is_right() {
        let fault = data_key("..data").unwrap_err();
        assert_eq!(fault.to_string(), "must not be '.' and must not begin with '..'");
    }
}
