//! Waiting for something that another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks: short beside what is waited for, long beside the cost of a look.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` returns `Ok`.
///
/// # Errors
/// What the last look saw, once `within` has passed.
pub fn until<Found, Seen>(within: Duration, mut look: impl FnMut() -> Result<Found, Seen>) -> Result<Found, Seen> {
    let started = Instant::now();
    loop {
        match look() {
            Err(_) if started.elapsed() < within => thread::sleep(PAUSE),
            last => return last,
        }
    }
}
