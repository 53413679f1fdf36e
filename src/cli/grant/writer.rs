//! The only requests by which the command writes: it makes or changes a grant or a subscription, with the caller's own rights. It
//! never overwrites or deletes anything.

use crate::{
    api::{GROUP, VERSION},
    cli::{
        cluster::{ClusterError, connect, explain},
        terminal::harmless,
    },
    connection::Connection,
    core::source::SourceId,
    offline::{Status as SourceStatus, Subject},
};
use http::{HeaderMap, Request, header::WARNING};
use kube::{
    Client,
    api::{GetParams, Patch, PatchParams, PostParams},
    client::Body,
    core::{Status, request::Request as Requests},
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Names the command in `metadata.managedFields`.
pub const FIELD_MANAGER: &str = "kubectl-entitlements";
/// How long is waited between two looks at what the operator has to judge.
const PAUSE: Duration = Duration::from_millis(200);

/// What was written.
pub struct WriteOutcome {
    /// The grant or subscription, as the API server has it.
    pub object: Value,
    /// What the API server and its webhooks warn of.
    pub warnings: Vec<String>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something of that name is there.
    #[error("{0} is there already: somebody else was faster")]
    Exists(SourceId),
    /// It is not as it was when it was looked at.
    #[error("{0} was changed meanwhile, so nothing was done: look again")]
    Changed(SourceId),
    /// It, or its namespace, is not there.
    #[error("it could not be written: {0}")]
    Gone(String),
    /// The caller's rights do not reach that far.
    #[error("you may not {0}: {1}")]
    Forbidden(String, String),
    /// An admission webhook or policy, or the API server itself, takes it not.
    #[error("the cluster refuses it: {0}")]
    Denied(String),
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What it answers, or is to be sent, is no object.
    #[error("the cluster's answer cannot be read: {0}")]
    Unreadable(String),
}

/// Writes to a cluster.
pub struct ClusterWriter {
    client: Client,
    url: String,
}

impl ClusterWriter {
    /// To that cluster.
    pub async fn new(connection: &Connection) -> Result<Self, ClusterError> {
        let (client, url) = connect(connection).await?;
        Ok(Self { client, url })
    }

    /// Makes a grant or a subscription, unless there is one of its name.
    pub async fn create(&self, id: &SourceId, manifest: &Value) -> Result<WriteOutcome, Refused> {
        let body = serde_json::to_vec(manifest).map_err(|error| Refused::Unreadable(error.to_string()))?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        self.send(id, "make", requests(id).create(&params, body)).await
    }

    /// Changes a grant or a subscription, unless it is another than at `resource_version`.
    pub async fn change(&self, id: &SourceId, patch: &Value, resource_version: &str) -> Result<WriteOutcome, Refused> {
        let mut patch = patch.clone();
        patch["metadata"]["resourceVersion"] = resource_version.into();
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let request = requests(id).patch(&id.name, &params, &Patch::Merge(&patch));
        self.send(id, "change", request).await
    }

    /// Waits until the operator has judged what was written, and returns its status then; absent where it did not in time, or
    /// where the caller may not look.
    pub async fn judged(&self, id: &SourceId, written: &Value, patience: Duration) -> Option<SourceStatus> {
        let started = Instant::now();
        let kind = Subject::source(id).kind;
        let uid = &written["metadata"]["uid"];
        let generation = written["metadata"]["generation"].as_i64().unwrap_or(1);
        loop {
            let request = requests(id).get(&id.name, &GetParams::default()).ok()?;
            // A connection that fails for once is tried again.
            match self.client.request::<Value>(request).await {
                Ok(there) if there["metadata"]["uid"] == *uid => {
                    let status = &there["status"];
                    if status["observedGeneration"].as_i64().is_some_and(|observed| observed >= generation) {
                        return SourceStatus::of_source(kind, status).ok();
                    }
                }
                Ok(_) => return None,
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => return None,
                Err(_) => {}
            }
            if started.elapsed() >= patience {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send(
        &self,
        id: &SourceId,
        what: &str,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<WriteOutcome, Refused> {
        let request = request.map_err(|error| Refused::Unreadable(error.to_string()))?;
        let fail =
            |error: kube::Error| Refused::Cluster(explain(&error, &format!("the {}", id.kind.noun()), "", &self.url));
        let response = self.client.send(request.map(Body::from)).await.map_err(fail)?;
        let (status, warnings) = (response.status(), warnings(response.headers()));
        let body = response.into_body().collect_bytes().await.map_err(fail)?;
        if !status.is_success() {
            let answer: Status = serde_json::from_slice(&body).unwrap_or_default();
            return Err(self.refused(id, what, status.as_u16(), &answer));
        }
        let object = serde_json::from_slice(&body).map_err(|error| Refused::Unreadable(error.to_string()))?;
        Ok(WriteOutcome { object, warnings })
    }

    fn refused(&self, id: &SourceId, what: &str, code: u16, answer: &Status) -> Refused {
        let message = harmless(&answer.message);
        match (code, answer.reason.as_str()) {
            (401, _) => Refused::Cluster(ClusterError::Unauthorized(self.url.clone())),
            (409, "AlreadyExists") => Refused::Exists(id.clone()),
            (409, "Conflict") => Refused::Changed(id.clone()),
            (404, _) => Refused::Gone(message),
            (403, "Forbidden") if message.contains(" cannot ") => {
                let advice =
                    "ask for the right to (a Role in that namespace), or hand the manifest to somebody who has it";
                let what = format!("{what} {}s in namespace {}", id.kind.noun(), id.namespace);
                Refused::Forbidden(what, advice.to_owned())
            }
            _ => Refused::Denied(plain(&message).to_owned()),
        }
    }
}

/// Those of the objects of its kind in its namespace.
fn requests(id: &SourceId) -> Requests {
    let plural = format!("{}s", Subject::source(id).kind.as_str().to_ascii_lowercase());
    Requests::new(format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{plural}", id.namespace))
}

/// What a webhook says, without what the API server says around it.
fn plain(message: &str) -> &str {
    message.split_once("denied the request: ").map_or(message, |(_, said)| said)
}

/// The texts of warnings (RFC 7234, 5.5), as the API server sends them: `299 - "text"`.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(WARNING).into_iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    texts
        .filter_map(|text| {
            let (_, quoted) = text.split_once('"')?;
            let (inner, _) = quoted.rsplit_once('"')?;
            Some(harmless(&inner.replace("\\\"", "\"").replace("\\\\", "\\")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn warnings_are_read_as_the_api_server_writes_them() {
        let mut headers = HeaderMap::new();
        headers.append(WARNING, HeaderValue::from_static(r#"299 - "the end is \"past\"""#));
        headers.append(WARNING, HeaderValue::from_static(r#"299 kube "more""#));
        headers.append(WARNING, HeaderValue::from_static("nonsense"));
        assert_eq!(warnings(&headers), [r#"the end is "past""#, "more"]);
    }

    #[test]
    fn what_a_webhook_says_is_told_in_its_own_words() {
        let said = "admission webhook \"validate.entitlements.dev\" denied the request: Duplicate: held already";
        assert_eq!(plain(said), "Duplicate: held already");
        assert_eq!(plain("it is invalid"), "it is invalid");
    }
}
