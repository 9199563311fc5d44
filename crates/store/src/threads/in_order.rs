//! Work on several threads whose results come in the order of the jobs, with a bounded number of jobs on their way.

use std::{
    collections::BTreeMap,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
};

use crate::error::Result;

/// Jobs per thread that are on their way.
const JOBS_AHEAD: usize = 3;

/// Does `work` on every job that `next` gives, by at most so many threads, and hands the results to `take`, in order and
/// on the calling thread, where `next` is called too. Ends at the first failure of either.
pub(crate) fn in_order<J: Send, R: Send>(
    threads_max: usize,
    next: &mut dyn FnMut() -> Result<Option<J>>,
    work: &(dyn Fn(J) -> R + Sync),
    take: &mut dyn FnMut(R) -> Result<()>,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(threads_max);
    let (jobs, waiting) = channel::<(u64, J)>();
    let (finished, done) = channel::<(u64, thread::Result<R>)>();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (waiting, finished) = (&waiting, finished.clone());
            scope.spawn(move || {
                while let Some((number, job)) = receive(waiting) {
                    // a panic is brought to the thread that waits for this result
                    let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                    if finished.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(finished);
        // dropped on every way out, so that the threads end
        let jobs = jobs;
        let mut results = Results { done: &done, early: BTreeMap::new(), given: 0, taken: 0 };
        while let Some(job) = next()? {
            jobs.send((results.given, job)).expect("the receiver outlives the scope");
            results.given += 1;
            if results.given - results.taken >= (threads * JOBS_AHEAD) as u64 {
                take(results.next())?;
            }
        }
        while results.taken < results.given {
            take(results.next())?;
        }
        Ok(())
    })
}

fn receive<J>(waiting: &Mutex<Receiver<J>>) -> Option<J> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

struct Results<'a, R> {
    done: &'a Receiver<(u64, thread::Result<R>)>,
    /// Results whose turn has not come.
    early: BTreeMap<u64, thread::Result<R>>,
    given: u64,
    taken: u64,
}

impl<R> Results<'_, R> {
    fn next(&mut self) -> R {
        let number = self.taken;
        self.taken += 1;
        loop {
            if let Some(result) = self.early.remove(&number) {
                return result.unwrap_or_else(|panic| resume_unwind(panic));
            }
            let (number, result) = self.done.recv().expect("the threads answer every job");
            self.early.insert(number, result);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::StoreError;

    fn numbers(until: u64) -> impl FnMut() -> Result<Option<u64>> {
        let mut range = 0..until;
        move || Ok(range.next())
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut seen = Vec::new();
        let uneven = |job: u64| {
            std::hint::black_box((0..(job * 7919) % 5000).map(std::hint::black_box).sum::<u64>());
            job
        };
        let mut take = |result| {
            seen.push(result);
            Ok(())
        };
        in_order(8, &mut numbers(1000), &uneven, &mut take).unwrap();
        assert_eq!(seen, (0..1000).collect::<Vec<u64>>());
    }

    proptest! {
        #[test]
        fn any_number_of_threads_is_as_one(
            threads in 1usize..9,
            count in 0u64..200,
            fails_at in proptest::option::of(0u64..200),
        ) {
            let mut taken = Vec::new();
            let work = |job| if fails_at == Some(job) { Err(StoreError::BatchFailed) } else { Ok(job) };
            let mut take = |result: Result<u64>| {
                taken.push(result?);
                Ok(())
            };
            let done = in_order(threads, &mut numbers(count), &work, &mut take);
            let until = fails_at.map_or(count, |at| at.min(count));
            prop_assert_eq!(done.is_ok(), until == count);
            prop_assert_eq!(taken, (0..until).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn a_failure_ends_it_and_all_threads() {
        let mut taken = 0;
        let mut take = |result| {
            taken += 1;
            if result == 5 { Err(StoreError::BatchFailed) } else { Ok(()) }
        };
        let ended = in_order(8, &mut numbers(1000), &|job| job, &mut take);
        assert!(matches!(ended, Err(StoreError::BatchFailed)));
        assert_eq!(taken, 6);
        let mut fails = || Err(StoreError::BatchFailed);
        assert!(in_order::<u64, u64>(8, &mut fails, &|job| job, &mut |_| Ok(())).is_err());
    }
}
