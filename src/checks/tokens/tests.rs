use super::{AUDIENCE, LONGEST_TOKEN, TokenKind, TokenOwner, TokenRefusal, Tokens, claims, kind, reviewed};
use crate::{
    core::{
        calendar::{Instant, parse_instant},
        secret::Secret,
    },
    metrics::Metrics,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewStatus, UserInfo};
use kube::{Client, client::Body};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    future,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time};

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
    let said = super::claims(&token(claims)).and_then(|claims| claims.until());
    assert_eq!(said, until.map(|until| parse_instant(until).unwrap()));
}

#[rstest]
#[case("opaque")]
#[case("a.b")]
#[case("a.b.c")]
#[case("a.b.c.d")]
#[case("..")]
fn what_is_no_such_token_says_nothing(#[case] token: &str) {
    assert!(claims(token).is_none());
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

#[rstest]
#[case::one(json!({"exp": 1_798_761_600, "aud": AUDIENCE}), true)]
#[case::several(json!({"exp": 1_798_761_600, "aud": ["other", AUDIENCE]}), true)]
#[case::just_over(json!({"exp": 1_798_761_541, "aud": AUDIENCE}), true)]
#[case::over(json!({"exp": 1_798_761_540, "aud": AUDIENCE}), false)]
#[case::for_others(json!({"exp": 1_798_761_600, "aud": ["other"]}), false)]
#[case::for_nobody(json!({"exp": 1_798_761_600}), false)]
#[case::without_end(json!({"aud": AUDIENCE}), false)]
fn what_cannot_count_is_shown_to_nobody(#[case] said: Value, #[case] expected: bool) {
    let now = now();
    assert_eq!(kind(&token(&said.to_string()), now), expected.then_some(TokenKind::Stated));
}

#[rstest]
#[case::a_word("opaque".to_owned(), Some(TokenKind::Opaque))]
#[case::two_parts("a.b".to_owned(), Some(TokenKind::Opaque))]
#[case::three_parts_that_are_no_json("a.b.c".to_owned(), Some(TokenKind::Opaque))]
#[case::a_number(token("1"), Some(TokenKind::Opaque))]
#[case::nothing(String::new(), None)]
#[case::too_long("a".repeat(LONGEST_TOKEN + 1), None)]
fn what_says_nothing_of_itself_is_shown_to_the_api_server(#[case] token: String, #[case] expected: Option<TokenKind>) {
    assert_eq!(kind(&token, now()), expected);
}

fn now() -> Instant {
    parse_instant("2027-01-01T00:00:00Z").unwrap()
}

/// A token of that user that counts for another hour.
fn token_of(user: &str) -> Secret<String> {
    let claims = json!({"exp": now().timestamp() + 3600, "aud": [AUDIENCE], "sub": user});
    Secret::new(token(&claims.to_string()))
}

/// The answer to a review: tokens of attackers never get one.
async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let asked: TokenReview = serde_json::from_slice(&body).unwrap();
    let token = asked.spec.token.unwrap();
    let user = match claims(&token) {
        Some(_) => claims_of(&token)["sub"].as_str().unwrap().to_owned(),
        None => token,
    };
    if user.starts_with("attacker") {
        future::pending::<()>().await;
    }
    let answer = review(Some(true), Some(&[AUDIENCE]), Some(&user));
    Ok(Response::new(Body::from(serde_json::to_vec(&answer).unwrap())))
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Those of an API server before which attackers from five networks wait, each with thirty tokens of their own.
async fn attacked(before: impl AsyncFnOnce(&Tokens)) -> (Arc<Tokens>, JoinSet<Option<TokenRefusal>>) {
    let client = Client::new(tower::service_fn(answer), "default");
    let tokens = Arc::new(Tokens::new(client, Metrics::default().api().clone()));
    before(&tokens).await;
    let mut attackers = JoinSet::new();
    for number in 0..150_u8 {
        let tokens = Arc::clone(&tokens);
        attackers.spawn(async move {
            let network = IpAddr::from([10, 0, 0, number % 5]);
            tokens.caller(&token_of(&format!("attacker-{number}")), network, now()).await.err()
        });
    }
    time::sleep(Duration::from_millis(10)).await;
    (tokens, attackers)
}

const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 1));

#[tokio::test(start_paused = true)]
async fn who_was_known_before_is_served_however_many_strangers_ask() {
    let known = token_of("bob");
    let (tokens, _attackers) = attacked(async |tokens| {
        tokens.caller(&known, OWN, now()).await.unwrap();
        tokens.fresh.invalidate_all();
        tokens.fresh.run_pending_tasks().await;
    })
    .await;
    let begun = time::Instant::now();
    assert_eq!(&*tokens.caller(&known, OWN, now()).await.unwrap().caller.user, "bob");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_network_leaves_turns_to_others() {
    let client = Client::new(tower::service_fn(answer), "default");
    let tokens = Arc::new(Tokens::new(client, Metrics::default().api().clone()));
    let mut attackers = JoinSet::new();
    for number in 0..50 {
        let tokens = Arc::clone(&tokens);
        let network = IpAddr::from([10, 0, 0, 1]);
        attackers
            .spawn(async move { tokens.caller(&token_of(&format!("attacker-{number}")), network, now()).await.err() });
    }
    time::sleep(Duration::from_millis(10)).await;
    let begun = time::Instant::now();
    assert_eq!(&*tokens.caller(&token_of("alice"), OWN, now()).await.unwrap().caller.user, "alice");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // Of the attackers, four are looked at, and the others are told within two seconds that they are too many.
    let refused = attackers.join_all().await;
    let of = |refusal| refused.iter().filter(|one| **one == Some(refusal)).count();
    assert_eq!((of(TokenRefusal::Unanswered), of(TokenRefusal::Busy)), (4, 46));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_is_told_soon_that_there_are_too_many() {
    let (tokens, _attackers) = attacked(async |_| {}).await;
    let begun = time::Instant::now();
    let refused = tokens.caller(&token_of("alice"), OWN, now()).await.unwrap_err();
    assert_eq!((refused, begun.elapsed().as_secs()), (TokenRefusal::Busy, 2));
    // Once the reviews have ended, there is room again.
    time::sleep(Duration::from_secs(5)).await;
    assert_eq!(&*tokens.caller(&token_of("alice"), OWN, now()).await.unwrap().caller.user, "alice");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_say_nothing_are_reviewed_a_few_at_a_time_and_keep_no_others_waiting() {
    let client = Client::new(tower::service_fn(answer), "default");
    let tokens = Arc::new(Tokens::new(client, Metrics::default().api().clone()));
    let opaque = |token: &str| Secret::new(token.to_owned());
    assert_eq!(&*tokens.caller(&opaque("bob"), OWN, now()).await.unwrap().caller.user, "bob");
    let mut attackers = JoinSet::new();
    for number in 0..60_u8 {
        let (tokens, token) = (Arc::clone(&tokens), opaque(&format!("attacker-{number}")));
        attackers.spawn(async move { tokens.caller(&token, IpAddr::from([10, 0, 0, number % 3]), now()).await.err() });
    }
    time::sleep(Duration::from_millis(10)).await;
    let begun = time::Instant::now();
    for known in [opaque("bob"), token_of("alice")] {
        tokens.caller(&known, OWN, now()).await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let refused = attackers.join_all().await;
    let of = |refusal| refused.iter().filter(|one| **one == Some(refusal)).count();
    assert_eq!((of(TokenRefusal::Unanswered), of(TokenRefusal::Busy)), (4, 56));
}

#[tokio::test(start_paused = true)]
async fn while_nobody_can_be_asked_a_token_is_known_and_not_reviewed() {
    let is_gone = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&is_gone);
    let service = tower::service_fn(move |request| {
        let is_gone = gone.load(Ordering::SeqCst);
        async move {
            if is_gone {
                future::pending::<()>().await;
            }
            answer(request).await
        }
    });
    let tokens = Tokens::new(Client::new(service, "default"), Metrics::default().api().clone());
    let is_reviewed = async || tokens.caller(&token_of("bob"), OWN, now()).await.unwrap().is_reviewed;
    assert!(is_reviewed().await);
    is_gone.store(true, Ordering::SeqCst);
    assert!(is_reviewed().await);
    tokens.fresh.invalidate_all();
    tokens.fresh.run_pending_tasks().await;
    assert!(!is_reviewed().await);
}
