//! Work on many items, shared among threads.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Builder},
};

/// More threads than this bring nothing: the rest of the work is not shared.
const MAX_THREADS: usize = 8;
/// The most items that a thread takes at a time.
const MAX_BATCH: usize = 64;
/// How often a thread comes back for more, so that all end at about the same time.
const ROUNDS: usize = 8;
/// The stack of a thread. Each level of nesting in a document takes some of it.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// The results for all items, in their order; absent where a thread failed or could not be made. Each thread makes a
/// worker of its own.
pub fn map<T: Sync, R: Send, W: FnMut(&T) -> R>(items: &[T], worker: impl Fn() -> W + Sync) -> Option<Vec<R>> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let batch = (items.len() / (processors * ROUNDS)).clamp(1, MAX_BATCH);
    let threads = processors.min(items.len().div_ceil(batch));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<R>)>> = Mutex::new(Vec::new());
    let work = || {
        let mut work_on = worker();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = items.chunks(batch).nth(index) else { return };
            let results = batch.iter().map(&mut work_on).collect();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, results));
        }
    };
    let is_done = thread::scope(|scope| {
        let spawn = |_| Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok();
        let threads: Option<Vec<_>> = (0..threads).map(spawn).collect();
        threads.is_some_and(|threads| threads.into_iter().all(|thread| thread.join().is_ok()))
    });
    if !is_done {
        return None;
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    Some(done.into_iter().flat_map(|(_, results)| results).collect())
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_have_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled = map(&items, || |item: &u32| item * 2).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(map(&[], || |item: &u32| item * 2).unwrap(), Vec::<u32>::new());
    }
}
