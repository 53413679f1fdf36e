//! The last guard before a request: its address is made of names.
//!
//! The client puts names into URLs as they are, so a name such as `here?x=y` or `../../x` would lead elsewhere, with the
//! operator's rights. Names are checked where they enter ([`crate::core::name`]). A request with any other name is refused
//! here, whoever makes it.

use crate::core::name::{dns_label, dns_subdomain};
use http::{Method, Request};

/// What stands at such an address cannot be asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {0} is not made of names, so nothing is asked for there")]
pub struct Misled(String);

/// The parts of objects that have an address of their own.
const SUBRESOURCES: [&str; 1] = ["status"];
/// The one parameter with which a single object is read.
const READ_PARAMETER: &str = "resourceVersion=";

/// Lets a request pass whose address is made of names.
///
/// # Errors
/// It is not.
pub fn check<B>(request: Request<B>) -> Result<Request<B>, Misled> {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    let is_made_of_names = match of(uri.path()) {
        Address::Object if *request.method() == Method::GET => query.is_empty() || query.starts_with(READ_PARAMETER),
        Address::Object | Address::Objects | Address::Server => true,
        Address::Misled => false,
    };
    // A name with a question mark leads to a second one.
    if is_made_of_names && !query.contains('?') { Ok(request) } else { Err(Misled(uri.to_string())) }
}

/// It is not sent, as nothing may be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} {1} would write, and the operator only reads (--read-only)")]
pub struct WouldWrite(Method, String);

/// What is created to ask a question, and stored nowhere.
const QUESTIONS: [&str; 4] = [
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
];

/// Lets a request pass that changes nothing.
///
/// # Errors
/// It may change something.
pub fn check_reads<B>(request: Request<B>) -> Result<Request<B>, WouldWrite> {
    let is_question = *request.method() == Method::POST && QUESTIONS.contains(&request.uri().path());
    let reads = *request.method() == Method::GET || is_question;
    if reads { Ok(request) } else { Err(WouldWrite(request.method().clone(), request.uri().path().to_owned())) }
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    /// What the server says of itself.
    Server,
    /// All objects of a kind.
    Objects,
    /// One object, or a part of it.
    Object,
    /// None of these.
    Misled,
}

fn of(path: &str) -> Address {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["version" | "healthz" | "livez" | "readyz" | "api" | "apis"] => Address::Server,
        ["api", version, rest @ ..] if is_label(version) => within(rest),
        ["apis", group, version, rest @ ..] if is_subdomain(group) && is_label(version) => within(rest),
        _ => Address::Misled,
    }
}

/// Where a path leads within the version of a group.
fn within(parts: &[&str]) -> Address {
    match parts {
        [] => Address::Server,
        ["namespaces", namespace, rest @ ..] if is_label(namespace) && !rest.is_empty() => in_namespace(rest),
        _ => in_namespace(parts),
    }
}

fn in_namespace(parts: &[&str]) -> Address {
    match parts {
        [plural] if is_label(plural) => Address::Objects,
        [plural, name] if is_label(plural) && is_subdomain(name) => Address::Object,
        [plural, name, part] if is_label(plural) && is_subdomain(name) && SUBRESOURCES.contains(part) => {
            Address::Object
        }
        _ => Address::Misled,
    }
}

fn is_label(text: &str) -> bool {
    dns_label(text).is_ok()
}

fn is_subdomain(text: &str) -> bool {
    dns_subdomain(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::check;
    use http::Request;
    use rstest::rstest;

    fn passes(method: &str, uri: &str) -> bool {
        check(Request::builder().method(method).uri(uri).body(()).unwrap()).is_ok()
    }

    #[rstest]
    #[case("GET", "/version")]
    #[case("GET", "/apis/entitlements.dev/v1alpha1")]
    #[case("GET", "/api/v1/namespaces")]
    #[case("GET", "/api/v1/namespaces?&limit=500&continue=abc%3D")]
    #[case("GET", "/api/v1/namespaces/acme")]
    #[case("GET", "/api/v1/secrets?&watch=true&timeoutSeconds=290&labelSelector=a%3Db")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets?includeObject=None&limit=1")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/acme.db-1")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/acme?resourceVersion=0")]
    #[case("PATCH", "/apis/entitlements.dev/v1alpha1/organizations/acme/status?&fieldManager=entitlement-operator")]
    #[case("DELETE", "/api/v1/namespaces/acme/configmaps/entitlements?")]
    #[case("PUT", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/entitlement-operator?")]
    fn addresses_of_names_pass(#[case] method: &str, #[case] uri: &str) {
        assert!(passes(method, uri), "{method} {uri}");
    }

    #[rstest]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/here?x=y")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/here?watch=1")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/../../kube-system/secrets/token")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/..")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/a%2fb")]
    #[case("GET", "/api/v1/namespaces/entitlements/secrets/a/b")]
    #[case("GET", "/api/v1/namespaces/a/b/secrets/c")]
    #[case("GET", "/api/v1/namespaces/../secrets/c")]
    #[case("GET", "/api/v1/namespaces//secrets")]
    #[case("GET", "/apis/entitlements.dev/v1alpha1/organizations/../../../../api/v1/secrets")]
    #[case("PATCH", "/api/v1/namespaces/acme/configmaps/here?x=y?&fieldManager=entitlement-operator")]
    #[case("POST", "/api/v1/namespaces/acme/serviceaccounts/a/token")]
    #[case("GET", "/metrics")]
    #[case("GET", "/")]
    fn addresses_that_lead_elsewhere_do_not(#[case] method: &str, #[case] uri: &str) {
        assert!(!passes(method, uri), "{method} {uri}");
    }
}
