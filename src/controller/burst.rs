//! Lines of the log of which very many may come at once, such as at midnight, or in an outage of one kind: some are told one by one,
//! and then how many more there were, so that the log stays one that a person can read. All of them are there at the level `debug`.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

/// How many lines of a sort there were lately; `T` says which of them are counted together.
#[derive(Debug)]
pub struct Burst<T> {
    /// How many are told one by one in that time.
    most: usize,
    window: Duration,
    lately: Mutex<BurstWindow<T>>,
    begins: Notify,
}

#[derive(Debug)]
struct BurstWindow<T> {
    is_open: bool,
    told: usize,
    /// Those that were not told one by one.
    more: BTreeMap<T, usize>,
}

impl<T> Default for BurstWindow<T> {
    fn default() -> Self {
        Self { is_open: false, told: 0, more: BTreeMap::new() }
    }
}

/// Lines that were counted in the place of being told.
#[derive(Debug, PartialEq, Eq)]
pub struct UntoldLines {
    /// How many.
    pub count: usize,
    /// How many of each sort.
    pub counts: String,
}

impl<T: Ord> Burst<T> {
    /// So many of them are told one by one in that time.
    pub fn of(most: usize, window: Duration) -> Self {
        Self { most, window, lately: Mutex::default(), begins: Notify::new() }
    }

    /// There is one more. Whether it is told by itself.
    pub fn is_one_of_few(&self, sort: T) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut lately.is_open, true) {
            self.begins.notify_one();
        }
        if lately.told < self.most {
            lately.told += 1;
            return true;
        }
        *lately.more.entry(sort).or_default() += 1;
        false
    }

    /// The window closes; what was left out in it.
    fn close(&self, name: impl Fn(&T) -> String) -> Option<UntoldLines> {
        let BurstWindow { more, .. } = std::mem::take(&mut *self.lately.lock().unwrap_or_else(PoisonError::into_inner));
        let mut counts = String::new();
        for (sort, count) in &more {
            let separator = if counts.is_empty() { "" } else { ", " };
            let _ = write!(counts, "{separator}{}: {count}", name(sort));
        }
        (!more.is_empty()).then(|| UntoldLines { count: more.values().sum(), counts })
    }

    /// Sums up what was left out, for ever.
    pub async fn sum_up(&self, name: impl Fn(&T) -> String, tell: impl Fn(UntoldLines)) {
        loop {
            self.begins.notified().await;
            sleep(self.window).await;
            if let Some(untold) = self.close(&name) {
                tell(untold);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Burst, UntoldLines};
    use std::{cell::RefCell, time::Duration};
    use tokio::time::{sleep, timeout};

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn of_a_burst_some_are_told_and_the_others_counted() {
        let burst = Burst::of(50, WINDOW);
        let told = |count: usize, sort: &'static str| (0..count).filter(|_| burst.is_one_of_few(sort)).count();
        assert_eq!((told(30, "b"), told(3000, "a"), told(100, "b")), (30, 20, 0));
        let close = || burst.close(|sort| format!("sort {sort}"));
        let untold = UntoldLines { count: 3080, counts: "sort a: 2980, sort b: 100".to_owned() };
        assert_eq!(close(), Some(untold));
        assert_eq!(close(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_burst_is_another() {
        let (burst, summed) = (Burst::of(50, WINDOW), RefCell::new(Vec::new()));
        let happens = async {
            for _ in 0..3 {
                assert_eq!((0..1000).filter(|_| burst.is_one_of_few("a")).count(), 50);
                sleep(WINDOW + Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = burst.sum_up(|sort| (*sort).to_owned(), |untold| summed.borrow_mut().push(untold.count)) => {}
            done = timeout(Duration::from_hours(1), happens) => done.unwrap(),
        }
        assert_eq!(summed.into_inner(), [950, 950, 950]);
    }
}
