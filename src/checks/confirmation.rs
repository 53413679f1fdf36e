//! Whether what is in memory can be counted by: the cluster is watched, and its clock and this one agree. Otherwise a right that was
//! withdrawn long ago could be used up still.

use super::problem::CheckProblem;
use crate::{
    controller::{Knowledge, clock},
    core::calendar::Instant as Moment,
};
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, Request, header::DATE};
use kube::{Client, client::Body};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// How long a confirmation counts.
const LASTS: Duration = Duration::from_mins(1);
/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(10);
/// The same where it was not confirmed.
const SOONER: Duration = Duration::from_millis(250);
/// How long the API server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far clocks may be apart. The API server tells whole seconds.
const APART: TimeDelta = TimeDelta::seconds(5);
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// When that was confirmed last.
#[derive(Clone, Debug)]
pub struct Confirmation {
    since: Instant,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Default for Confirmation {
    fn default() -> Self {
        Self { since: Instant::now(), last: Arc::default() }
    }
}

impl Confirmation {
    /// Looks again and again, for ever.
    pub async fn keep(self, client: Client, knowledge: Knowledge) {
        loop {
            let is_confirmed = knowledge.follows_the_cluster() && agrees(&client).await;
            if is_confirmed {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            sleep(if is_confirmed { INTERVAL } else { SOONER }).await;
        }
    }

    /// That it was confirmed within the last minute.
    ///
    /// # Errors
    /// Where it was not.
    pub fn require(&self) -> Result<(), CheckProblem> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < LASTS) {
            return Ok(());
        }
        if last.is_none() && self.since.elapsed() < LASTS {
            return Err(CheckProblem::Unavailable(
                "nothing can be counted yet, as the operator has just started, and has not compared its clock with that of the API \
                 server of Kubernetes: send the same again in a second"
                    .to_owned(),
            ));
        }
        Err(CheckProblem::Unavailable(
            "nothing can be counted now, as for a minute the operator has not heard from the API server of Kubernetes who has what, or \
             their clocks are apart by more than 5 s: send the same again later, and see the operator's log"
                .to_owned(),
        ))
    }
}

/// Whether the API server's clock says what this one does. Any answer tells it, whatever rights there are.
async fn agrees(client: &Client) -> bool {
    let Ok(request) = Request::get("/version").body(Body::empty()) else { return false };
    let Ok(Ok(answer)) = timeout(PATIENCE, client.send(request)).await else { return false };
    date(answer.headers()).is_some_and(|date| is_near(date, clock::now()))
}

fn date(headers: &HeaderMap) -> Option<Moment> {
    let said = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(said).ok()?.with_timezone(&Utc))
}

fn is_near(said: Moment, now: Moment) -> bool {
    let ahead = now.signed_duration_since(said);
    -APART <= ahead && ahead <= APART + SECOND
}

#[cfg(test)]
mod tests {
    use super::{Confirmation, date, is_near};
    use crate::core::calendar::parse_instant;
    use http::{HeaderMap, HeaderValue};
    use rstest::rstest;
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    #[rstest]
    #[case("2027-01-10T11:59:55Z", true)]
    #[case("2027-01-10T11:59:54Z", false)]
    #[case("2027-01-10T12:00:06Z", true)]
    #[case("2027-01-10T12:00:07Z", false)]
    fn clocks_may_be_apart_by_five_seconds(#[case] now: &str, #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert("date", HeaderValue::from_static("Sun, 10 Jan 2027 12:00:00 GMT"));
        assert_eq!(is_near(date(&headers).unwrap(), parse_instant(now).unwrap()), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_confirmation_lasts_a_minute() {
        let confirmation = Confirmation::default();
        let told = |confirmation: &Confirmation| confirmation.require().unwrap_err().to_string();
        assert!(told(&confirmation).contains("the operator has just started"));
        advance(Duration::from_mins(1)).await;
        assert!(told(&confirmation).contains("for a minute the operator has not heard"));
        *confirmation.last.lock().unwrap() = Some(Instant::now());
        advance(Duration::from_secs(59)).await;
        assert_eq!(confirmation.require(), Ok(()));
        advance(Duration::from_secs(1)).await;
        assert!(told(&confirmation).contains("for a minute the operator has not heard"));
    }
}
