//! Whose token that is: the API server says it, and it is believed for a minute.
//!
//! With the API server gone, a token that it has reviewed counts for reads until it expires, so that no service stops serving
//! because the control plane is being upgraded.

use super::{
    caller::ApiCaller,
    reviews::{ApiReviews, NotReviewed},
    turns::FairTurns,
};
use crate::{
    core::{calendar::Instant, secret::Secret},
    metrics::ApiMetrics,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use moka::{Expiry, future::Cache};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant as Clock},
};
use tokio::sync::Semaphore;

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
/// How many reviews are under way of tokens that were somebody's before, as that is asked again each minute.
const ACQUAINTED: usize = 16;
/// The same of other tokens.
const NEWCOMERS: usize = 16;
/// The same of those from one network.
const OF_ONE_NETWORK: usize = 4;
/// The same of tokens that say nothing of themselves, which a webhook of the API server's may know: anybody can invent them. No
/// other waits for their turns.
const OPAQUE: usize = 4;
/// Of those, the ones from one network.
const OPAQUE_OF_ONE_NETWORK: usize = 2;
/// How long after its end a token is shown to the API server, whose clock counts.
const LEEWAY: TimeDelta = TimeDelta::minutes(1);

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

impl TokenOwner {
    /// Who may ask with it.
    fn caller(self, now: Instant) -> Result<Arc<ApiCaller>, TokenRefusal> {
        match self {
            Self::Of(_, Some(until)) if until <= now => Err(TokenRefusal::Unknown),
            Self::Of(caller, _) => Ok(caller),
            Self::Nobodys => Err(TokenRefusal::Unknown),
        }
    }
}

/// Who is known by a token.
#[derive(Clone, Debug)]
pub struct KnownCaller {
    /// Who.
    pub caller: Arc<ApiCaller>,
    /// Whether the API server has said so within a minute: otherwise it cannot be asked, and the token counts for reads alone.
    pub is_reviewed: bool,
}

impl KnownCaller {
    fn reviewed(caller: Arc<ApiCaller>) -> Self {
        Self { caller, is_reviewed: true }
    }
}

/// Why nobody is known by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There is none.
    #[error(
        "a token for the audience {AUDIENCE} is needed, in one header Authorization: Bearer TOKEN: kubectl create token NAME \
         --audience {AUDIENCE} makes one"
    )]
    Absent,
    /// It is nobody's.
    #[error(
        "this token does not count: it has to be for the audience {AUDIENCE}, and not over: kubectl create token NAME --audience \
         {AUDIENCE} makes one"
    )]
    Unknown,
    /// The API server cannot be asked now.
    #[error("the API server cannot be asked now whose token this is: try again")]
    Unanswered,
    /// Too many ask whose tokens nobody has seen yet.
    #[error("too many tokens that nobody has seen yet are to be looked at: try again in a second")]
    Busy,
}

/// How many reviews of tokens are under way at once, so that whoever tries many keeps the API server from nothing else, and
/// nobody else from being served.
struct TokenTurns {
    /// Those of tokens that were somebody's before: no other can take them.
    acquainted: Arc<Semaphore>,
    newcomers: Arc<Semaphore>,
    /// Of those, the ones of each network.
    networks: FairTurns<IpAddr>,
    opaque: Arc<Semaphore>,
    opaque_networks: FairTurns<IpAddr>,
}

impl Default for TokenTurns {
    fn default() -> Self {
        let of = |at_once| Arc::new(Semaphore::new(at_once));
        Self {
            acquainted: of(ACQUAINTED),
            newcomers: of(NEWCOMERS),
            networks: FairTurns::new(OF_ONE_NETWORK),
            opaque: of(OPAQUE),
            opaque_networks: FairTurns::new(OPAQUE_OF_ONE_NETWORK),
        }
    }
}

impl TokenTurns {
    /// Those that a token takes which nobody has seen yet. Whoever waits for a turn of its own network takes none of all.
    fn of_stranger(&self, kind: TokenKind, network: IpAddr) -> [Arc<Semaphore>; 2] {
        match kind {
            TokenKind::Stated => [self.networks.of(&network), Arc::clone(&self.newcomers)],
            TokenKind::Opaque => [self.opaque_networks.of(&network), Arc::clone(&self.opaque)],
        }
    }
}

/// What a token is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    /// It says of itself for whom it is and until when, as those of service accounts and of `OpenID` Connect do.
    Stated,
    /// It says nothing.
    Opaque,
}

/// Who is known by which token.
pub struct Tokens {
    reviews: ApiReviews<TokenReview>,
    turns: TokenTurns,
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
            turns: TokenTurns::default(),
            fresh: Cache::builder().max_capacity(KNOWN).expire_after(Belief).build(),
            seen: Cache::builder().max_capacity(KNOWN).time_to_live(LONGEST).build(),
        }
    }

    /// Whose token that is, which has come from that network.
    ///
    /// # Errors
    /// Where it is nobody's, or that cannot be asked now.
    pub async fn caller(
        &self,
        token: &Secret<String>,
        network: IpAddr,
        now: Instant,
    ) -> Result<KnownCaller, TokenRefusal> {
        let token_text = token.expose_secret();
        let hash: TokenHash = Sha256::digest(token_text.as_bytes()).into();
        if let Some(owner) = self.fresh.get(&hash).await {
            return owner.caller(now).map(KnownCaller::reviewed);
        }
        let kind = kind(token_text, now).ok_or(TokenRefusal::Unknown)?;
        let reviewed = async {
            let owner = if self.seen.contains_key(&hash) {
                self.review(token, [Arc::clone(&self.turns.acquainted)]).await?
            } else {
                self.review(token, self.turns.of_stranger(kind, network)).await?
            };
            self.remember(hash, &owner, now).await;
            Ok(owner)
        };
        match self.fresh.try_get_with(hash, reviewed).await {
            Ok(owner) => owner.caller(now).map(KnownCaller::reviewed),
            Err(why) => {
                let known = self.seen.get(&hash).await.filter(|(_, until)| *until > now);
                known.map(|(caller, _)| KnownCaller { caller, is_reviewed: false }).ok_or(match *why {
                    NotReviewed::Busy => TokenRefusal::Busy,
                    NotReviewed::Unanswered => TokenRefusal::Unanswered,
                })
            }
        }
    }

    async fn remember(&self, hash: TokenHash, owner: &TokenOwner, now: Instant) {
        match owner {
            TokenOwner::Of(caller, until) => {
                let until = until.unwrap_or(now + BELIEVED).min(now + LONGEST);
                self.seen.insert(hash, (Arc::clone(caller), until)).await;
            }
            TokenOwner::Nobodys => self.seen.invalidate(&hash).await,
        }
    }

    async fn review<const N: usize>(
        &self,
        token: &Secret<String>,
        turns: [Arc<Semaphore>; N],
    ) -> Result<TokenOwner, NotReviewed> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.expose_secret().clone()),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let answer = self.reviews.ask(&review, turns).await?;
        Ok(reviewed(answer, token.expose_secret()))
    }
}

fn reviewed(answer: TokenReview, token: &str) -> TokenOwner {
    let Some(status) = answer.status.filter(|status| status.authenticated == Some(true)) else {
        return TokenOwner::Nobodys;
    };
    // What knows nothing of audiences names none: its tokens are for the API server alone.
    if !status.audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE) {
        return TokenOwner::Nobodys;
    }
    let caller = status.user.and_then(ApiCaller::of);
    caller.map_or(TokenOwner::Nobodys, |caller| {
        TokenOwner::Of(Arc::new(caller), claims(token).and_then(|claims| claims.until()))
    })
}

/// What a token says of itself (RFC 7519). It is believed once the API server has reviewed it.
#[derive(Debug, Deserialize)]
struct TokenClaims {
    exp: i64,
    #[serde(default)]
    aud: TokenAudiences,
}

/// For whom a token is: one, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TokenAudiences {
    One(String),
    Several(Vec<String>),
}

impl Default for TokenAudiences {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl TokenClaims {
    fn until(&self) -> Option<Instant> {
        DateTime::from_timestamp(self.exp, 0)
    }

    /// Whether it can be a token for this audience that has not ended. Of any other the API server says no, so it is not asked:
    /// tokens of Kubernetes for an audience say both.
    fn may_count(&self, now: Instant) -> bool {
        let is_for_this = match &self.aud {
            TokenAudiences::One(audience) => audience == AUDIENCE,
            TokenAudiences::Several(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
        };
        is_for_this && self.until().is_some_and(|until| until > now - LEEWAY)
    }
}

/// What a token is like, if it can be somebody's.
fn kind(token: &str, now: Instant) -> Option<TokenKind> {
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return None;
    }
    if payload(token).is_none_or(|payload| serde_json::from_slice::<Map<String, Value>>(&payload).is_err()) {
        return Some(TokenKind::Opaque);
    }
    claims(token).filter(|claims| claims.may_count(now)).map(|_| TokenKind::Stated)
}

/// What a token says of itself; None where it is no such token.
fn claims(token: &str) -> Option<TokenClaims> {
    serde_json::from_slice(&payload(token)?).ok()
}

fn payload(token: &str) -> Option<Vec<u8>> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    URL_SAFE_NO_PAD.decode(payload).ok()
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
mod tests;
