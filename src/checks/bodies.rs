//! How much of what is sent is held in memory at once, so that who sends slowly, or much, leaves room for others.
//!
//! Small bodies need no room: how many of them there can be is limited by the connections.

use super::{site::MOST_BYTES, turns::FairTurns};
use axum::body::{Body, Bytes, HttpBody as _};
use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is small.
const SMALL: usize = 16 << 10;
/// How much room there is: for so many of the largest at once.
const LARGEST_AT_ONCE: usize = 32;
/// And for so many of one sender.
const LARGEST_OF_ONE: usize = 4;

/// The room for large bodies, by whoever sends them.
pub struct BodyRoom {
    all: Arc<Semaphore>,
    of_one: FairTurns<Arc<str>>,
}

/// The room of one body, until it is dropped.
pub struct BodyPlace {
    _places: Vec<OwnedSemaphorePermit>,
}

impl Default for BodyRoom {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(LARGEST_AT_ONCE * MOST_BYTES)),
            of_one: FairTurns::new(LARGEST_OF_ONE * MOST_BYTES),
        }
    }
}

impl BodyRoom {
    /// Waits until there is room for a body. One that is too large is not read, and needs none. Of one that does not say how long it
    /// is, as much is read as would be small.
    pub async fn take_in(&self, sender: &Arc<str>, body: Body) -> (Body, BodyPlace) {
        let (body, bytes) = measured(body).await;
        let place = self.place(sender, bytes).await;
        (body, place)
    }

    /// A place for so many bytes (None: nobody knows how many, and as many as there may be).
    async fn place(&self, sender: &Arc<str>, bytes: Option<u64>) -> BodyPlace {
        let bytes = bytes.map_or(MOST_BYTES, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut places = Vec::new();
        if (SMALL + 1..=MOST_BYTES).contains(&bytes) {
            let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
            // One's own first, so that whoever waits for these keeps nobody else waiting.
            for turns in [self.of_one.of(sender), Arc::clone(&self.all)] {
                places.extend(turns.acquire_many_owned(permits).await);
            }
        }
        BodyPlace { _places: places }
    }
}

/// The same body, and how long it is at most; None where it does not say so and is not small.
async fn measured(mut body: Body) -> (Body, Option<u64>) {
    if let Some(most) = body.size_hint().upper() {
        return (body, Some(most));
    }
    let mut begun = Vec::new();
    while begun.len() <= SMALL {
        match body.frame().await {
            Some(Ok(frame)) => begun.extend(frame.into_data().unwrap_or_default()),
            // Whoever reads it is told.
            Some(Err(error)) => return (Body::from_stream(stream::iter([Err::<Bytes, _>(error)])), Some(0)),
            None => {
                let bytes = u64::try_from(begun.len()).ok();
                return (Body::from(begun), bytes);
            }
        }
    }
    let begun = stream::iter([Ok(Bytes::from(begun))]);
    (Body::from_stream(begun.chain(body.into_data_stream())), None)
}

#[cfg(test)]
mod tests {
    use super::{BodyPlace, BodyRoom, LARGEST_AT_ONCE, LARGEST_OF_ONE, SMALL, measured};
    use crate::checks::site::MOST_BYTES;
    use axum::body::{Body, Bytes, to_bytes};
    use futures::{FutureExt, stream};
    use rstest::rstest;
    use std::{io, sync::Arc};

    const LARGEST: Option<u64> = Some(MOST_BYTES as u64);

    /// None where it has to wait.
    fn place(room: &BodyRoom, sender: &str, bytes: Option<u64>) -> Option<BodyPlace> {
        room.place(&Arc::from(sender), bytes).now_or_never()
    }

    #[test]
    fn one_sender_leaves_room_for_others() {
        let room = BodyRoom::default();
        let mut held: Vec<_> = (0..LARGEST_OF_ONE).map(|_| place(&room, "a", LARGEST).unwrap()).collect();
        assert!(place(&room, "a", LARGEST).is_none() && place(&room, "a", None).is_none());
        // What is small, and what is not read, needs no room.
        for bytes in [0, SMALL as u64, MOST_BYTES as u64 + 1, u64::MAX] {
            assert!(place(&room, "a", Some(bytes)).is_some(), "{bytes}");
        }
        assert!(place(&room, "b", LARGEST).is_some());
        held.pop();
        assert!(place(&room, "a", None).is_some());
    }

    #[test]
    fn all_together_have_so_much() {
        let room = BodyRoom::default();
        let senders: Vec<String> = (0..LARGEST_AT_ONCE).map(|number| number.to_string()).collect();
        let mut held: Vec<_> = senders.iter().map(|sender| place(&room, sender, LARGEST).unwrap()).collect();
        assert!(place(&room, "another", LARGEST).is_none());
        held.pop();
        assert!(place(&room, "another", LARGEST).is_some());
    }

    /// A body in parts that does not say how long it is.
    fn parts(parts: &[usize]) -> Body {
        let parts: Vec<_> = parts.iter().map(|bytes| Ok::<_, io::Error>(Bytes::from(vec![b'a'; *bytes]))).collect();
        Body::from_stream(stream::iter(parts))
    }

    #[rstest]
    #[case::said(Body::from(vec![b'a'; SMALL + 5]), Some(SMALL + 5), SMALL + 5)]
    #[case::none(parts(&[]), Some(0), 0)]
    #[case::small(parts(&[3, 0, 4]), Some(7), 7)]
    #[case::as_large_as_small_may_be(parts(&[SMALL - 1, 1]), Some(SMALL), SMALL)]
    #[case::larger(parts(&[SMALL, 1, 2]), None, SMALL + 3)]
    #[tokio::test]
    async fn nothing_is_lost_of_a_body_that_is_measured(
        #[case] body: Body,
        #[case] bytes: Option<usize>,
        #[case] whole: usize,
    ) {
        let (body, measured) = measured(body).await;
        assert_eq!(measured, bytes.map(|bytes| bytes as u64));
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), vec![b'a'; whole]);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_broken() {
        let broken = [Ok(Bytes::from_static(b"a")), Err(io::Error::other("gone"))];
        let (body, measured) = measured(Body::from_stream(stream::iter(broken))).await;
        assert_eq!(measured, Some(0));
        assert!(to_bytes(body, usize::MAX).await.is_err());
    }
}
