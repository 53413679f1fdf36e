//! Whose token that is: the API server says it, and it is believed for a minute.
//!
//! With the API server gone, a token that it has reviewed counts for reads until it expires, so that no service stops serving
//! because the control plane is being upgraded.

use super::{
    caller::ApiCaller,
    reviews::{ApiReviews, NotReviewed},
};
use crate::{
    core::{calendar::Instant, secret::Secret},
    metrics::ApiMetrics,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use moka::{Expiry, future::Cache};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    sync::Arc,
    time::{Duration, Instant as Clock},
};

/// Whom tokens have to be for: a token that a workload has for the API server, or for another service, is of no use here.
pub const AUDIENCE: &str = "entitlements.dev";

/// How long a review counts.
const BELIEVED: Duration = Duration::from_mins(1);
/// The same of a token that is nobody's: so long whoever tries the same again costs nothing.
const DISBELIEVED: Duration = Duration::from_secs(10);
/// How many tokens are known at once. Those that are used most stay, however many others are tried.
const KNOWN: u64 = 10_000;
/// A token that says of itself until when it counts may do so for a day where nobody can be asked; any other for as long as its
/// review.
const LONGEST: Duration = Duration::from_hours(24);
/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 16 << 10;

/// A token as it is known: by its hash, so that nothing that is kept can be used.
type TokenHash = [u8; 32];

/// What a review came to.
#[derive(Clone, Debug)]
enum TokenOwner {
    /// It is that caller's, until then where it says so itself.
    Of(Arc<ApiCaller>, Option<Instant>),
    /// It is nobody's.
    Nobodys,
}

/// Why nobody is known by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There is none, or it is nobody's.
    #[error("a token for the audience {AUDIENCE} is needed: Authorization: Bearer TOKEN")]
    Unknown,
    /// The API server cannot be asked now.
    #[error("the API server cannot be asked now whose token this is: try again")]
    Unanswered,
}

/// Who is known by which token.
#[derive(Clone)]
pub struct Tokens {
    reviews: ApiReviews<TokenReview>,
    fresh: Cache<TokenHash, TokenOwner>,
    /// Those that were reviewed once, for when nobody can be asked.
    seen: Cache<TokenHash, (Arc<ApiCaller>, Instant)>,
}

impl Tokens {
    /// Of a cluster.
    #[must_use]
    pub fn new(client: Client, metrics: ApiMetrics) -> Self {
        Self {
            reviews: ApiReviews::new(client, "tokenreviews", metrics),
            fresh: Cache::builder().max_capacity(KNOWN).expire_after(Belief).build(),
            seen: Cache::builder().max_capacity(KNOWN).time_to_live(LONGEST).build(),
        }
    }

    /// Whose token that is.
    ///
    /// # Errors
    /// Where it is nobody's, or that cannot be asked now.
    pub async fn caller(&self, token: &Secret<String>, now: Instant) -> Result<Arc<ApiCaller>, TokenRefusal> {
        let token_text = token.expose_secret();
        if token_text.is_empty() || token_text.len() > LONGEST_TOKEN {
            return Err(TokenRefusal::Unknown);
        }
        let hash: TokenHash = Sha256::digest(token_text.as_bytes()).into();
        match self.fresh.try_get_with(hash, self.review(token)).await {
            Ok(TokenOwner::Of(_, Some(until))) if until <= now => Err(TokenRefusal::Unknown),
            Ok(TokenOwner::Of(caller, until)) => {
                let until = until.unwrap_or(now + BELIEVED).min(now + LONGEST);
                self.seen.insert(hash, (Arc::clone(&caller), until)).await;
                Ok(caller)
            }
            Ok(TokenOwner::Nobodys) => {
                self.seen.invalidate(&hash).await;
                Err(TokenRefusal::Unknown)
            }
            Err(_) => {
                let known = self.seen.get(&hash).await.filter(|(_, until)| *until > now);
                known.map(|(caller, _)| caller).ok_or(TokenRefusal::Unanswered)
            }
        }
    }

    async fn review(&self, token: &Secret<String>) -> Result<TokenOwner, NotReviewed> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.expose_secret().clone()),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let answer = self.reviews.ask(&review).await?;
        Ok(reviewed(answer, token.expose_secret()))
    }
}

fn reviewed(answer: TokenReview, token: &str) -> TokenOwner {
    let Some(status) = answer.status.filter(|status| status.authenticated == Some(true)) else {
        return TokenOwner::Nobodys;
    };
    // An API server that knows nothing of audiences names none.
    if !status.audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE) {
        return TokenOwner::Nobodys;
    }
    let caller = status.user.and_then(ApiCaller::of);
    caller.map_or(TokenOwner::Nobodys, |caller| TokenOwner::Of(Arc::new(caller), expiry(token)))
}

/// Until when a token counts, as it says itself (RFC 7519, `exp`). It is believed once the API server has reviewed it.
fn expiry(token: &str) -> Option<Instant> {
    #[derive(Deserialize)]
    struct TokenClaims {
        exp: i64,
    }
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: TokenClaims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

/// How long a review counts.
struct Belief;

impl Expiry<TokenHash, TokenOwner> for Belief {
    fn expire_after_create(&self, _: &TokenHash, reviewed: &TokenOwner, _: Clock) -> Option<Duration> {
        Some(match reviewed {
            TokenOwner::Of(..) => BELIEVED,
            TokenOwner::Nobodys => DISBELIEVED,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AUDIENCE, TokenOwner, expiry, reviewed};
    use crate::core::calendar::parse_instant;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewStatus, UserInfo};
    use rstest::rstest;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
    }

    #[rstest]
    #[case(r#"{"exp": 1798761600}"#, Some("2027-01-01T00:00:00Z"))]
    #[case(r#"{"exp": "1798761600"}"#, None)]
    #[case(r#"{"exp": 1e30}"#, None)]
    #[case(r#"{"exp": 9223372036854775807}"#, None)]
    #[case("{}", None)]
    #[case("garbage", None)]
    fn a_token_says_itself_until_when_it_counts(#[case] claims: &str, #[case] until: Option<&str>) {
        assert_eq!(expiry(&token(claims)), until.map(|until| parse_instant(until).unwrap()));
    }

    #[rstest]
    #[case("opaque")]
    #[case("a.b")]
    #[case("a.b.c")]
    #[case("a.b.c.d")]
    #[case("..")]
    fn what_is_no_such_token_says_nothing(#[case] token: &str) {
        assert_eq!(expiry(token), None);
    }

    fn review(authenticated: Option<bool>, audiences: Option<&[&str]>, user: Option<&str>) -> TokenReview {
        let audiences = audiences.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        let user = user.map(|name| UserInfo { username: Some(name.to_owned()), ..UserInfo::default() });
        let status = TokenReviewStatus { authenticated, audiences, user, error: None };
        TokenReview { status: Some(status), ..TokenReview::default() }
    }

    #[rstest]
    #[case(Some(true), Some(&[AUDIENCE][..]), Some("bob"), true)]
    #[case(Some(true), Some(&["other", AUDIENCE][..]), Some("bob"), true)]
    #[case(Some(true), Some(&["other"][..]), Some("bob"), false)]
    #[case(Some(true), Some(&[][..]), Some("bob"), false)]
    #[case(Some(true), None, Some("bob"), false)]
    #[case(Some(true), Some(&[AUDIENCE][..]), Some(""), false)]
    #[case(Some(true), Some(&[AUDIENCE][..]), None, false)]
    #[case(Some(false), Some(&[AUDIENCE][..]), Some("bob"), false)]
    #[case(None, Some(&[AUDIENCE][..]), Some("bob"), false)]
    fn a_token_counts_for_its_audience_alone(
        #[case] authenticated: Option<bool>,
        #[case] audiences: Option<&[&str]>,
        #[case] user: Option<&str>,
        #[case] is_known: bool,
    ) {
        let found = reviewed(review(authenticated, audiences, user), "opaque");
        assert_eq!(matches!(found, TokenOwner::Of(..)), is_known);
    }
}
