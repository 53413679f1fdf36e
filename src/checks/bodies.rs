//! How much of what is sent is held in memory at once, so that who sends slowly, or much, leaves room for others.
//!
//! Small bodies need no room: how many of them there can be is limited by the connections.

use super::{site::MOST_BYTES, turns::FairTurns};
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
    /// Waits until there is room for a body of so many bytes (None: nobody knows how many). One that is too large is not read, and
    /// needs none.
    pub async fn place(&self, sender: &Arc<str>, bytes: Option<u64>) -> BodyPlace {
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

#[cfg(test)]
mod tests {
    use super::{BodyPlace, BodyRoom, LARGEST_AT_ONCE, LARGEST_OF_ONE, SMALL};
    use crate::checks::site::MOST_BYTES;
    use futures::FutureExt;
    use std::sync::Arc;

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
}
