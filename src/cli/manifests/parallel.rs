//! Work on many items, shared among threads.

use rayon::{
    ThreadPoolBuilder,
    iter::{IntoParallelRefIterator, ParallelIterator},
};
use std::{
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// More threads than this bring nothing: the rest of the work is not shared.
const MAX_THREADS: usize = 8;
/// The stack of a thread. Each level of nesting in a document takes some of it.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// The results for all items, in their order; absent where a thread failed or could not be made.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Option<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let pool = ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build().ok()?;
    let all = || pool.install(|| items.par_iter().map(&work).collect());
    catch_unwind(AssertUnwindSafe(all)).ok()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_have_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled = map(&items, |item| item * 2).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(map(&[], |item: &u32| item * 2).unwrap(), Vec::<u32>::new());
    }

    #[test]
    fn work_that_fails_gives_nothing() {
        assert_eq!(map(&[1, 2, 3], |item| assert_ne!(*item, 2)), None);
    }
}
