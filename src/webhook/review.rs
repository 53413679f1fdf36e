//! The API server's question and the answer (`AdmissionReview`, `admission.k8s.io/v1`).

use crate::evaluation::admission::{Refused, Verdict};
use http::StatusCode;
use kube::core::{
    DynamicObject,
    admission::{AdmissionRequest, AdmissionResponse, AdmissionReview},
    response::StatusSummary,
};

/// Longer warnings are cut by the API server (256 characters).
const MAX_WARNING: usize = 256;
/// More warnings help nobody.
const MAX_WARNINGS: usize = 8;

/// A question.
pub type Request = AdmissionRequest<DynamicObject>;

/// What was sent is no question.
#[derive(Debug, thiserror::Error)]
pub enum NoReview {
    /// It cannot be read.
    #[error("this is no AdmissionReview of admission.k8s.io/v1: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Of another version, or an answer.
    #[error("this is no AdmissionReview of admission.k8s.io/v1 with a request: {kind} of {version}")]
    Other {
        /// Its kind.
        kind: String,
        /// Its API version.
        version: String,
    },
}

/// Reads a question.
///
/// # Errors
/// Where it is none.
pub fn read(body: &[u8]) -> Result<Request, NoReview> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)?;
    let (kind, version) = (review.types.kind.clone(), review.types.api_version.clone());
    let is_known = kind == "AdmissionReview" && version == "admission.k8s.io/v1";
    review.try_into().ok().filter(|_| is_known).ok_or(NoReview::Other { kind, version })
}

/// The answer to a question.
#[must_use]
pub fn answer(request: &Request, verdict: &Verdict) -> AdmissionReview<DynamicObject> {
    let mut response = AdmissionResponse::from(request);
    if let Some(refused) = &verdict.refused {
        response = refuse(response, refused);
    }
    response.warnings = warnings(&verdict.warnings);
    response.into_review()
}

/// The answer to what is no question: a no that says why.
#[must_use]
pub fn broken(problem: &NoReview) -> AdmissionReview<DynamicObject> {
    AdmissionResponse::invalid(problem).into_review()
}

fn refuse(response: AdmissionResponse, refused: &Refused) -> AdmissionResponse {
    let mut response = response.deny(refused);
    response.result.status = Some(StatusSummary::Failure);
    response.result.code = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
    refused.reason.clone_into(&mut response.result.reason);
    response
}

fn warnings(all: &[String]) -> Option<Vec<String>> {
    let mut warnings: Vec<String> = all.iter().take(MAX_WARNINGS).map(|warning| header(warning)).collect();
    if all.len() > MAX_WARNINGS {
        warnings.push(format!("and {} more", all.len() - MAX_WARNINGS));
    }
    (!warnings.is_empty()).then_some(warnings)
}

/// As a header can have it.
fn header(warning: &str) -> String {
    let line: String = warning.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    match line.char_indices().nth(MAX_WARNING) {
        None => line,
        Some(_) => line.chars().take(MAX_WARNING - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{answer, broken, read};
    use crate::evaluation::admission::{Refused, Verdict};
    use serde_json::{Value, json};

    fn question() -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u-1",
                "kind": {"group": "entitlements.dev", "version": "v1alpha1", "kind": "Organization"},
                "resource": {"group": "entitlements.dev", "version": "v1alpha1", "resource": "organizations"},
                "name": "acme",
                "operation": "DELETE",
                "userInfo": {"username": "ann"},
                "object": null,
                "oldObject": {"apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "acme"}},
                "dryRun": true,
            },
        })
    }

    fn answered(verdict: &Verdict) -> Value {
        let request = read(question().to_string().as_bytes()).unwrap();
        serde_json::to_value(answer(&request, verdict)).unwrap()
    }

    #[test]
    fn a_yes_has_the_questions_uid_and_no_more() {
        let expected = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": "u-1", "allowed": true, "status": {}},
        });
        assert_eq!(answered(&Verdict::default()), expected);
    }

    #[test]
    fn a_no_has_the_reason_and_the_sentence() {
        let refused = Some(Refused { reason: "Duplicate", message: "there is one".to_owned() });
        let response = answered(&Verdict { refused, warnings: vec!["beware".to_owned()] })["response"].clone();
        assert_eq!(
            response,
            json!({
                "uid": "u-1",
                "allowed": false,
                "status": {"status": "Failure", "code": 422, "reason": "Duplicate", "message": "Duplicate: there is one"},
                "warnings": ["beware"],
            })
        );
    }

    #[test]
    fn warnings_fit_into_a_header() {
        let mut warnings = vec!["two\nlines".to_owned(), "ä".repeat(300), "ö".repeat(256)];
        warnings.extend((0..8).map(|number| number.to_string()));
        let response = answered(&Verdict { refused: None, warnings })["response"].clone();
        let cut = format!("{}…", "ä".repeat(255));
        assert_eq!(
            response["warnings"],
            json!(["two lines", cut, "ö".repeat(256), "0", "1", "2", "3", "4", "and 3 more"])
        );
    }

    #[test]
    fn what_is_no_question_is_named() {
        let mut other = question();
        other["apiVersion"] = json!("admission.k8s.io/v1beta1");
        let mut without = question();
        without.as_object_mut().unwrap().remove("request");
        for (body, problem) in [
            (
                "{".to_owned(),
                "this is no AdmissionReview of admission.k8s.io/v1: EOF while parsing an object at line 1 column 1",
            ),
            (
                other.to_string(),
                "this is no AdmissionReview of admission.k8s.io/v1 with a request: AdmissionReview of admission.k8s.io/v1beta1",
            ),
            (
                without.to_string(),
                "this is no AdmissionReview of admission.k8s.io/v1 with a request: AdmissionReview of admission.k8s.io/v1",
            ),
        ] {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), problem);
            let answer = serde_json::to_value(broken(&error)).unwrap();
            assert_eq!(answer["response"]["allowed"], false);
            assert_eq!(answer["response"]["status"]["message"], problem);
        }
    }
}
