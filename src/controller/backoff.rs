//! How long what has failed waits before it is tried again: twice as long each time, up to a longest.

use futures::{Stream, StreamExt, stream};
use kube::runtime::watcher::{Error, Event};
use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};
use tokio::time::sleep;

/// For a watch. The longest delay is how late a kind that has come (back) is seen; kube's own delays reach 30 seconds.
const WATCH: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// Delays that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// From the first delay to the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The delay after so many failures in a row.
    pub fn delay(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest)
    }

    /// Between half of that and the whole, so that many that failed together come apart.
    pub fn scattered(self, failures: u32, jitter: &RandomState, key: impl Hash) -> Duration {
        let whole = self.delay(failures);
        let share = jitter.hash_one((key, failures)) % 512;
        whole / 2 + whole / 1024 * u32::try_from(share).unwrap_or(0)
    }
}

/// The delays of one watch after one failure after the other.
#[derive(Debug, Default)]
pub struct WatchDelays {
    failures: u32,
    jitter: RandomState,
}

impl WatchDelays {
    /// It has failed once more, and waits so long.
    pub fn next_delay(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        WATCH.scattered(self.failures, &self.jitter, ())
    }

    /// It works.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The events of a watch, which waits after each failure. kube's own way of waiting takes the `Init` of a list for a success;
/// but that comes before anyone has been asked, so lists that fail would be asked for at the first delay for ever.
pub fn patiently<K>(watch: impl Stream<Item = Result<Event<K>, Error>>) -> impl Stream<Item = Result<Event<K>, Error>> {
    let start = (Box::pin(watch), WatchDelays::default(), Duration::ZERO);
    stream::unfold(start, |(mut watch, mut delays, delay)| async move {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let event = watch.next().await?;
        let delay = match &event {
            Ok(Event::Init) => Duration::ZERO,
            Ok(_) => {
                delays.reset();
                Duration::ZERO
            }
            Err(_) => delays.next_delay(),
        };
        Some((event, (watch, delays, delay)))
    })
}

#[cfg(test)]
mod tests {
    use super::{Backoff, WATCH, WatchDelays, patiently};
    use futures::{StreamExt, stream};
    use kube::runtime::watcher::{Error, Event};
    use std::{hash::RandomState, pin::pin, time::Duration};
    use tokio::time::Instant;

    #[test]
    fn delays_double_up_to_a_limit() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        let delays: Vec<u64> = (0..9).map(|failures| backoff.delay(failures).as_secs()).collect();
        assert_eq!(delays, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.delay(u32::MAX), Duration::from_mins(1));
        let jitter = RandomState::new();
        for (failures, key) in (1..80).flat_map(|failures| (0..20).map(move |key| (failures, key))) {
            let (whole, delay) = (backoff.delay(failures), backoff.scattered(failures, &jitter, key));
            assert!(delay >= whole / 2 && delay <= whole, "{delay:?} of {whole:?}");
        }
    }

    #[test]
    fn those_of_a_watch_begin_anew_once_it_works() {
        let mut delays = WatchDelays::default();
        for failures in 1..40 {
            let (whole, delay) = (WATCH.delay(failures), delays.next_delay());
            assert!(delay >= whole / 2 && delay <= whole, "{delay:?} of {whole:?}");
        }
        delays.reset();
        assert!(delays.next_delay() <= WATCH.first);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_fails_is_asked_for_ever_more_rarely_until_it_works() {
        let failed = || [Ok(Event::Init), Err(Error::NoResourceVersion)];
        let worked = [Ok(Event::Init), Ok(Event::InitApply(1)), Ok(Event::InitDone)];
        let events = stream::iter((0..8).flat_map(|_| failed()).chain(worked).chain(failed()).chain(failed()));
        let mut events = pin!(patiently(events));
        let mut waited = Vec::new();
        let mut before = Instant::now();
        while let Some(event) = events.next().await {
            if matches!(event, Ok(Event::Init)) {
                waited.push(before.elapsed());
            }
            before = Instant::now();
        }
        let wholes = [0, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000, 0, 250].map(Duration::from_millis);
        assert_eq!(waited.len(), wholes.len());
        for (waited, whole) in waited.into_iter().zip(wholes) {
            // tokio's timer counts whole milliseconds.
            assert!(waited >= whole / 2 && waited <= whole + Duration::from_millis(1), "{waited:?} of {whole:?}");
        }
    }
}
