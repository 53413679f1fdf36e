//! The API server's question and the answer (`AdmissionReview`, `admission.k8s.io/v1`).

use crate::{
    core::{excerpt::within_characters, problem::Problem},
    evaluation::admission::AdmissionVerdict,
};
use http::StatusCode;
use hyper::body::Bytes;
use kube::core::{
    DynamicObject,
    admission::{AdmissionResponse, AdmissionReview},
    response::{Status, StatusSummary},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// Longer warnings are cut by the API server (256 characters).
const MAX_WARNING: usize = 256;
/// More warnings help nobody.
const MAX_WARNINGS: usize = 8;
/// No UID is longer.
const MAX_UID: usize = 128;
/// The memory that the values of a review may take. Small objects take a hundred times their text.
const MAX_VALUES: usize = 96 << 20;
/// The most memory that an object with one field takes, and that any other value does.
const OBJECT: usize = 640;
const VALUE: usize = 40;

/// A question. The objects in it are read when they are needed, as what they are.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the answer refers to.
    pub uid: String,
    /// The object's kind.
    pub kind: String,
    /// The same, as in paths.
    pub resource: String,
    /// The object's name; empty where the API server is to give it one.
    pub name: String,
    /// The object's namespace.
    pub namespace: Option<String>,
    body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    api_version: String,
    #[serde(borrow)]
    request: Option<ReviewRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewRequest<'a> {
    uid: String,
    kind: Kind,
    resource: ReviewResource,
    #[serde(default)]
    name: String,
    namespace: Option<String>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct ReviewResource {
    resource: String,
}

/// An object before and after: absent where it is made, or deleted.
type States<K> = (Option<K>, Option<K>);

impl Question {
    /// The object as it is, and as it would be.
    ///
    /// # Errors
    /// Where one is not such an object.
    pub fn states<K: DeserializeOwned>(&self) -> serde_json::Result<States<K>> {
        let review: Review = serde_json::from_slice(&self.body)?;
        let Some(request) = review.request else { return Ok((None, None)) };
        let read = |object: Option<&RawValue>| object.map(|object| serde_json::from_str(object.get())).transpose();
        Ok((read(request.old_object)?, read(request.object)?))
    }
}

/// What was sent is no question.
#[derive(Debug, thiserror::Error)]
pub enum NoReview {
    /// It cannot be read.
    #[error("this is no AdmissionReview of admission.k8s.io/v1: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A review of another version, or an answer.
    #[error("this is no AdmissionReview of admission.k8s.io/v1 with a request: {kind} of {version}")]
    Other {
        /// Its kind.
        kind: String,
        /// Its API version.
        version: String,
    },
    /// Reading it would take too much memory.
    #[error("this has too many values to be reviewed")]
    TooMuch,
}

/// Reads a question.
///
/// # Errors
/// Where it is none, or too much.
pub fn read(body: Bytes) -> Result<Question, NoReview> {
    if weight(&body) > MAX_VALUES {
        return Err(NoReview::TooMuch);
    }
    let review: Review = serde_json::from_slice(&body)?;
    let (kind, version) = (review.kind, review.api_version);
    let is_known = kind == "AdmissionReview" && version == "admission.k8s.io/v1";
    let request = review.request.filter(|request| is_known && request.uid.len() <= MAX_UID);
    let Some(request) = request else { return Err(NoReview::Other { kind, version }) };
    let (uid, kind, resource) = (request.uid, request.kind.kind, request.resource.resource);
    let (name, namespace) = (request.name, request.namespace);
    Ok(Question { uid, kind, resource, name, namespace, body })
}

/// About how much memory the values in a JSON text take at most.
fn weight(body: &[u8]) -> usize {
    let of_byte = |byte: &u8| match byte {
        b'{' => OBJECT,
        b'[' | b',' => VALUE,
        _ => 1,
    };
    body.iter().map(of_byte).sum()
}

/// The answer to a question.
#[must_use]
pub fn answer(question: &Question, verdict: &AdmissionVerdict) -> AdmissionReview<DynamicObject> {
    let mut response = AdmissionResponse::invalid("");
    response.uid.clone_from(&question.uid);
    response.allowed = true;
    response.result = Status::default();
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

fn refuse(response: AdmissionResponse, refused: &Problem) -> AdmissionResponse {
    let mut response = response.deny(refused);
    response.result.status = Some(StatusSummary::Failure);
    response.result.code = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
    response.result.reason = refused.reason.to_string();
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
    within_characters(line, MAX_WARNING)
}

#[cfg(test)]
mod tests {
    use super::{answer, broken, read};
    use crate::{
        core::{problem::Problem, reason::ReasonCode},
        evaluation::admission::AdmissionVerdict,
    };
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

    fn answered(verdict: &AdmissionVerdict) -> Value {
        let question = read(question().to_string().into()).unwrap();
        serde_json::to_value(answer(&question, verdict)).unwrap()
    }

    #[test]
    fn a_yes_has_the_questions_uid_and_no_more() {
        let expected = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {"uid": "u-1", "allowed": true, "status": {}},
        });
        assert_eq!(answered(&AdmissionVerdict::default()), expected);
    }

    #[test]
    fn a_no_has_the_reason_and_the_sentence() {
        let refused = Some(Problem::new(ReasonCode::Duplicate, "there is one"));
        let response = answered(&AdmissionVerdict { refused, warnings: vec!["beware".to_owned()] })["response"].clone();
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
    fn the_objects_are_read_as_what_they_are() {
        let question = read(question().to_string().into()).unwrap();
        assert_eq!((question.kind.as_str(), question.resource.as_str()), ("Organization", "organizations"));
        assert_eq!((question.name.as_str(), &question.namespace), ("acme", &None));
        let (before, after) = question.states::<Value>().unwrap();
        assert_eq!(before.unwrap()["metadata"]["name"], "acme");
        assert_eq!(after, None);
        assert!(question.states::<crate::api::Organization>().is_err(), "it has no spec");
    }

    #[test]
    fn what_would_take_too_much_memory_is_not_read() {
        let mut question = question();
        question["request"]["oldObject"]["spec"] = json!(vec![json!({}); 160_000]);
        assert!(read(question.to_string().into()).unwrap_err().to_string().contains("too many values"));
        question["request"]["oldObject"]["spec"] = json!("{,[ ".repeat(10_000));
        assert!(read(question.to_string().into()).is_ok());
        question["request"]["oldObject"]["spec"] = json!("x".repeat(3 << 20));
        assert!(read(question.to_string().into()).is_ok());
        question["request"]["uid"] = json!("u".repeat(1000));
        assert!(read(question.to_string().into()).is_err());
    }

    #[test]
    fn warnings_fit_into_a_header() {
        let mut warnings = vec!["two\nlines".to_owned(), "ä".repeat(300), "ö".repeat(256)];
        warnings.extend((0..8).map(|number| number.to_string()));
        let response = answered(&AdmissionVerdict { refused: None, warnings })["response"].clone();
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
            let error = read(body.into()).unwrap_err();
            assert_eq!(error.to_string(), problem);
            let answer = serde_json::to_value(broken(&error)).unwrap();
            assert_eq!(answer["response"]["allowed"], false);
            assert_eq!(answer["response"]["status"]["message"], problem);
        }
    }
}
