//! What who asks may: the API server says it, and it is believed for ten seconds.

use super::{
    caller::ApiCaller,
    reviews::{ApiReviews, NotReviewed},
};
use crate::metrics::ApiMetrics;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use moka::future::Cache;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How long a review counts.
const BELIEVED: Duration = Duration::from_secs(10);
/// How long what was allowed counts where nobody can be asked: for as long as a token may.
const LONGEST: Duration = Duration::from_hours(24);
/// The same of what may be reported: for as long as what is in memory may be counted by.
const COUNTED: Duration = Duration::from_mins(1);
/// How many are known at once.
const KNOWN: u64 = 100_000;
/// How many reviews are under way at once, so that whoever asks much keeps the API server from nothing else.
const AT_ONCE: usize = 16;

/// What is wanted of an organization's entitlements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckVerb {
    /// To see what it is entitled to, and what is left.
    Check,
    /// To say what it has used.
    Report,
}

impl CheckVerb {
    /// The verb on `organizations.entitlements.dev`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Report => "report",
        }
    }
}

/// A question to the API server.
type AccessWanted = (Arc<ApiCaller>, Arc<str>, CheckVerb);

/// What is known of who may what.
#[derive(Clone)]
pub struct AccessReviews {
    reviews: ApiReviews<SubjectAccessReview>,
    turns: Arc<Semaphore>,
    known: Cache<AccessWanted, bool>,
    /// What was allowed once, and when, for when nobody can be asked: a service goes on serving while the control plane is being upgraded.
    allowed: Cache<AccessWanted, Instant>,
}

/// The API server has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server cannot be asked now what you may: try again")]
pub struct AccessUnanswered;

impl AccessReviews {
    /// Of a cluster.
    #[must_use]
    pub fn new(client: Client, metrics: ApiMetrics) -> Self {
        Self {
            reviews: ApiReviews::new(client, "subjectaccessreviews", metrics),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            known: Cache::builder().max_capacity(KNOWN).time_to_live(BELIEVED).build(),
            allowed: Cache::builder().max_capacity(KNOWN).time_to_live(LONGEST).build(),
        }
    }

    /// Whether somebody may do that with an organization.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn allow(
        &self,
        caller: &Arc<ApiCaller>,
        organization: &Arc<str>,
        verb: CheckVerb,
    ) -> Result<bool, AccessUnanswered> {
        let question = (Arc::clone(caller), Arc::clone(organization), verb);
        let asked = async {
            let is_allowed = self.ask(caller, organization, verb).await?;
            if is_allowed {
                self.allowed.insert(question.clone(), Instant::now()).await;
            } else {
                self.allowed.invalidate(&question).await;
            }
            Ok(is_allowed)
        };
        let answered: Result<bool, Arc<NotReviewed>> = self.known.try_get_with_by_ref(&question, asked).await;
        if let Ok(is_allowed) = answered {
            return Ok(is_allowed);
        }
        let reviewed = self.allowed.get(&question).await.ok_or(AccessUnanswered)?;
        // Whoever was allowed to read stays so; who may no more report could use up what a client has.
        let counts = verb == CheckVerb::Check || reviewed.elapsed() < COUNTED;
        counts.then_some(true).ok_or(AccessUnanswered)
    }

    async fn ask(&self, caller: &ApiCaller, organization: &str, verb: CheckVerb) -> Result<bool, NotReviewed> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(caller.user.to_string()),
                uid: caller.uid.as_deref().map(str::to_owned),
                groups: Some(caller.groups.clone()),
                extra: Some(caller.extra.clone()),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(crate::api::GROUP.to_owned()),
                    resource: Some("organizations".to_owned()),
                    name: Some(organization.to_owned()),
                    verb: Some(verb.as_str().to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = self.reviews.ask(&review, [Arc::clone(&self.turns)]).await?;
        Ok(answer.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessReviews, AccessUnanswered, COUNTED, CheckVerb};
    use crate::{checks::caller::ApiCaller, metrics::Metrics};
    use kube::{Client, client::Body};
    use rstest::rstest;
    use std::{
        collections::BTreeMap,
        convert::Infallible,
        future,
        sync::Arc,
        time::{Duration, Instant},
    };

    /// Of an API server that answers nothing.
    fn silent() -> AccessReviews {
        let service =
            tower::service_fn(|_: http::Request<Body>| future::pending::<Result<http::Response<Body>, Infallible>>());
        AccessReviews::new(Client::new(service, "default"), Metrics::default().api().clone())
    }

    #[rstest]
    #[case(CheckVerb::Check, Duration::from_hours(1), Ok(true))]
    #[case(CheckVerb::Report, COUNTED.saturating_sub(Duration::from_secs(5)), Ok(true))]
    #[case(CheckVerb::Report, COUNTED, Err(AccessUnanswered))]
    #[tokio::test(start_paused = true)]
    async fn while_nobody_can_be_asked_what_was_allowed_counts_longer_for_reads(
        #[case] verb: CheckVerb,
        #[case] ago: Duration,
        #[case] expected: Result<bool, AccessUnanswered>,
    ) {
        let (reviews, organization) = (silent(), Arc::from("acme"));
        let caller = Arc::new(ApiCaller { user: "bob".into(), uid: None, groups: Vec::new(), extra: BTreeMap::new() });
        assert_eq!(reviews.allow(&caller, &organization, verb).await, Err(AccessUnanswered));
        let question = (Arc::clone(&caller), Arc::clone(&organization), verb);
        reviews.allowed.insert(question, Instant::now().checked_sub(ago).unwrap()).await;
        assert_eq!(reviews.allow(&caller, &organization, verb).await, expected);
    }
}
