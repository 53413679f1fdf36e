//! Which operation a request asks for, how long it may take, and what is counted of it.

use super::{ofrep::refused, problem::CheckProblem};
use crate::metrics::ApiMetrics;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

/// How long a request may take in all.
const LONGEST: Duration = Duration::from_secs(10);
/// What nothing answers is told together.
const NONE: &str = "none";

/// The operations by their paths and methods, under the names that they are described by.
#[derive(Debug)]
pub struct ApiOperations {
    names: BTreeMap<String, Vec<(Method, Arc<str>)>>,
    none: Arc<str>,
    metrics: ApiMetrics,
}

impl ApiOperations {
    /// Those that are described.
    #[must_use]
    pub fn of(description: &OpenApi, metrics: ApiMetrics) -> Self {
        let names = description.paths.paths.iter().map(|(path, item)| (path.clone(), operations(item))).collect();
        Self { names, none: NONE.into(), metrics }
    }

    fn name(&self, path: Option<&str>, method: &Method) -> Arc<str> {
        let operations = path.and_then(|path| self.names.get(path)).map(Vec::as_slice).unwrap_or_default();
        let found = operations.iter().find(|(of, _)| of == method);
        Arc::clone(found.map_or(&self.none, |(_, name)| name))
    }
}

fn operations(item: &PathItem) -> Vec<(Method, Arc<str>)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
    ];
    let name = |operation: &Option<Operation>| operation.as_ref()?.operation_id.as_deref().map(Arc::from);
    all.into_iter().filter_map(|(method, operation)| Some((method, name(operation)?))).collect()
}

/// Answers a request within the time that it may take, and counts it.
pub async fn counted(State(operations): State<Arc<ApiOperations>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let operation = operations.name(path, request.method());
    let mut asked = AskedOperation { operation, metrics: &operations.metrics, since: Instant::now(), status: None };
    let address = request.uri().path().to_owned();
    let response = timeout(LONGEST, next.run(request)).await.unwrap_or_else(|_| {
        refused(&address, CheckProblem::Unavailable("it could not be answered in time: try again".to_owned()))
    });
    asked.status = Some(response.status().as_u16());
    response
}

/// A request until it is answered, or whoever asked is gone: this is what is counted then.
struct AskedOperation<'a> {
    operation: Arc<str>,
    metrics: &'a ApiMetrics,
    since: Instant,
    status: Option<u16>,
}

impl Drop for AskedOperation<'_> {
    fn drop(&mut self) {
        self.metrics.answered(&self.operation, self.status, self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::ApiOperations;
    use crate::{checks::description, metrics::Metrics};
    use http::Method;
    use rstest::rstest;

    #[rstest]
    #[case(Method::GET, Some("/v1/organizations/{organization}/entitlements"), "listEntitlements")]
    #[case(Method::GET, Some("/v1/organizations/{organization}/entitlements/{entitlement}"), "checkEntitlement")]
    #[case(Method::PUT, Some("/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}"), "putUse")]
    #[case(Method::DELETE, Some("/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}"), "deleteUse")]
    #[case(Method::POST, Some("/v1/events"), "sendEvents")]
    #[case(Method::GET, Some("/v1/events"), "none")]
    #[case(Method::PATCH, Some("/v1/events"), "none")]
    #[case(Method::GET, Some("/v2"), "none")]
    #[case(Method::GET, None, "none")]
    fn an_operation_is_known_by_its_path(#[case] method: Method, #[case] path: Option<&str>, #[case] expected: &str) {
        let operations = ApiOperations::of(&description(), Metrics::default().api().clone());
        assert_eq!(&*operations.name(path, &method), expected);
    }
}
