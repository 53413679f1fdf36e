//! What the API server's refusals mean, and what may be said about them.

use crate::{
    api::entitlement_definition::OutputKind, connection::Cause, core::excerpt::first_characters, metrics::ERROR,
};
use kube::{Error, core::Status};
use std::fmt::Display;

/// Longer ones are cut.
const MAX_MESSAGE_CHARS: usize = 512;

/// Why working on something did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileFailure {
    /// What was known is outdated, and the news is under way.
    #[error("what was known was outdated")]
    Outdated,
    /// There is more to do than fits into one go.
    #[error("there is more to do")]
    More,
    /// Nothing has failed, but what may fail was put off until it is quiet.
    #[error("some of it was put off")]
    PutOff,
    /// Something failed, with what is said in the log.
    #[error("{0}")]
    Failed(String),
    /// The API server will not take it as it is, with what is said in the log.
    #[error("{0}")]
    Refused(String),
}

impl ReconcileFailure {
    /// How it counts in `controller_runtime_reconcile_total`.
    pub fn metric_label(&self) -> &'static str {
        match self {
            Self::Outdated | Self::More | Self::PutOff => "requeue",
            Self::Failed(_) | Self::Refused(_) => ERROR,
        }
    }

    /// The failure of an action that the API server refused.
    pub fn of(what: impl Display, refusal: &RequestRefusal) -> Self {
        let text = format!("{what}: {refusal}");
        if matches!(refusal, RequestRefusal::Invalid(_)) { Self::Refused(text) } else { Self::Failed(text) }
    }
}

/// Why a request was not granted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefusal {
    /// An object of the name is there already.
    #[error("an object of that name is there already")]
    Exists,
    /// The object is not the one, or not in the state, that was meant.
    #[error("the object has changed in the meantime")]
    Changed,
    /// There is no such object.
    #[error("there is no such object")]
    Gone,
    /// The namespace does not exist or is terminating.
    #[error("the namespace does not exist or is terminating")]
    NamespaceMissing,
    /// Not within what the organization may reach. A mistake of the operator, if it ever happens.
    #[error("{0} is outside of what the organization may reach")]
    OutOfScope(String),
    /// It will not be granted as it is, whoever asks and whenever.
    #[error("{0}")]
    Invalid(String),
    /// Something stands in its way, such as a quota or a right that is missing.
    #[error("{0}")]
    Denied(String),
    /// It may be granted later.
    #[error("{0}")]
    Unavailable(String),
}

impl RequestRefusal {
    /// Reads the error of a request about an output. Of Secrets nothing is said that might quote what they hold.
    pub fn of_output(error: &Error, kind: OutputKind) -> Self {
        Self::read(error, kind == OutputKind::ConfigMap)
    }

    /// Reads the error of any other request.
    pub fn of(error: &Error) -> Self {
        Self::read(error, true)
    }

    fn read(error: &Error, may_quote: bool) -> Self {
        let Error::Api(status) = error else {
            return Self::Unavailable(if may_quote {
                cut(&Cause::of(error).to_string())
            } else {
                "the API server could not be asked".to_owned()
            });
        };
        if is_of_missing_namespace(status) {
            return Self::NamespaceMissing;
        }
        if status.is_already_exists() {
            return Self::Exists;
        }
        let said = if may_quote { cut(&status.message) } else { describe(status) };
        // By the code: the reason is missing where a kind is not installed, or something other than the API server answers.
        match status.code {
            404 => Self::Gone,
            409 => Self::Changed,
            400 | 413 | 422 => Self::Invalid(said),
            408 | 429 | 500.. => Self::Unavailable(said),
            _ => Self::Denied(said),
        }
    }
}

/// Without anything that was sent.
fn describe(status: &Status) -> String {
    let fields = status.details.iter().flat_map(|details| &details.causes).map(|cause| cause.field.as_str());
    let fields: Vec<_> = fields.filter(|field| !field.is_empty()).collect();
    let place = if fields.is_empty() { String::new() } else { format!(" because of {}", fields.join(", ")) };
    cut(&format!("the API server refused it{place}: {} ({})", status.reason, status.code))
}

fn is_of_missing_namespace(status: &Status) -> bool {
    let Some(details) = &status.details else { return false };
    let is_terminating = details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating");
    is_terminating || (status.code == 404 && details.kind == "namespaces")
}

fn cut(text: &str) -> String {
    first_characters(text, MAX_MESSAGE_CHARS).to_owned()
}

#[cfg(test)]
mod tests {
    use super::RequestRefusal;
    use crate::api::entitlement_definition::OutputKind;
    use kube::{Error, core::Status};
    use serde_json::json;

    fn read(kind: OutputKind, status: serde_json::Value) -> RequestRefusal {
        RequestRefusal::of_output(&Error::Api(serde_json::from_value::<Status>(status).unwrap().boxed()), kind)
    }

    #[test]
    fn refusals_are_told_apart() {
        let config_map = |status| read(OutputKind::ConfigMap, status);
        assert_eq!(config_map(json!({"code": 409, "reason": "AlreadyExists", "message": ""})), RequestRefusal::Exists);
        assert_eq!(config_map(json!({"code": 409, "reason": "Conflict", "message": ""})), RequestRefusal::Changed);
        assert_eq!(
            config_map(
                json!({"code": 404, "reason": "NotFound", "message": "", "details": {"kind": "configmaps", "name": "a"}})
            ),
            RequestRefusal::Gone
        );
        assert_eq!(
            config_map(
                json!({"code": 404, "reason": "NotFound", "message": "", "details": {"kind": "namespaces", "name": "a"}})
            ),
            RequestRefusal::NamespaceMissing
        );
        assert_eq!(
            config_map(
                json!({"code": 403, "reason": "Forbidden", "message": "", "details": {"causes": [{"reason": "NamespaceTerminating"}]}})
            ),
            RequestRefusal::NamespaceMissing
        );
        assert_eq!(
            config_map(json!({"code": 403, "reason": "Forbidden", "message": "exceeded quota"})),
            RequestRefusal::Denied("exceeded quota".to_owned())
        );
        for code in [400, 413, 422] {
            let status = json!({"code": code, "reason": "Any", "message": "no such name"});
            assert_eq!(config_map(status), RequestRefusal::Invalid("no such name".to_owned()));
        }
        assert_eq!(
            config_map(json!({"code": 503, "reason": "ServiceUnavailable", "message": "later"})),
            RequestRefusal::Unavailable("later".to_owned())
        );
    }

    #[test]
    fn of_secrets_only_the_field_is_named() {
        let refusal = read(
            OutputKind::Secret,
            json!({"code": 422, "reason": "Invalid", "message": "hunter2", "details": {"causes": [{"field": "data[a b]", "message": "hunter2"}]}}),
        );
        assert_eq!(
            refusal,
            RequestRefusal::Invalid("the API server refused it because of data[a b]: Invalid (422)".to_owned())
        );
    }
}
