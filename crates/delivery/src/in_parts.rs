//! Many things worked on by all processors at once, with the results in their order.

use std::{num::NonZero, panic::resume_unwind, thread};

/// Fewer than so many for each thread are not worth a thread.
const EACH_MIN: usize = 500;

/// What `work` gives for every item, in order. It computes on the calling thread and others: never on an async one.
pub fn in_parts<T: Send, R: Send>(mut items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(items.len() / EACH_MIN).max(1);
    let each = items.len().div_ceil(threads);
    let mut results = Vec::with_capacity(items.len());
    thread::scope(|scope| {
        // from the back: what is left is the first part
        let work = &work;
        let parts: Vec<Vec<T>> = (1..threads).rev().map(|part| items.split_off(items.len().min(part * each))).collect();
        let others: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>())).collect();
        results.extend(items.into_iter().map(work));
        for part in others.into_iter().rev() {
            results.extend(part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
    });
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_come_in_order_however_many_there_are() {
        for count in [0, 1, EACH_MIN - 1, 2 * EACH_MIN, 2 * EACH_MIN + 1, 20 * EACH_MIN + 7] {
            let doubled = in_parts((0..count).collect(), |item| item * 2);
            assert_eq!(doubled, (0..count).map(|item| item * 2).collect::<Vec<_>>(), "{count}");
        }
    }
}
