//! Threads of their own for all that is not a prediction, which yield to the threads that answer predictions.

use std::{
    future::Future,
    io,
    sync::{Mutex, PoisonError},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinError,
};

use crate::limits::Limits;

/// Depth of calls that a reader of other people's files may need; each reader bounds its own below it.
const STACK_BYTES: usize = 8 << 20;
/// Threads for what blocks in acts, beside the one that each transfer holds.
const BLOCKING_THREADS: usize = 32;

/// Some threads for acts of a kind.
pub struct Backstage {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

/// What is done on some threads.
struct Stage {
    name: &'static str,
    workers: usize,
    blocking: usize,
    /// By how much they stand back, as the command `nice` counts it: 10 leaves nine tenths of a processor to a thread
    /// that answers, if both want it.
    niceness: i32,
}

impl Backstage {
    /// For acts that read and answer little.
    pub fn for_ordinary() -> io::Result<Self> {
        Self::open(Stage { name: "ordinary acts", workers: 2, blocking: BLOCKING_THREADS, niceness: 5 })
    }

    /// For transfers of both doors and heavy acts.
    pub fn for_heavy(limits: &Limits) -> io::Result<Self> {
        let (workers, transfers) = (limits.heavy.at_once.max(2), 2 * limits.transfers.at_once);
        Self::open(Stage { name: "heavy acts", workers, blocking: transfers + BLOCKING_THREADS, niceness: 10 })
    }

    fn open(stage: Stage) -> io::Result<Self> {
        let niceness = stage.niceness;
        let runtime = Builder::new_multi_thread()
            .worker_threads(stage.workers)
            .max_blocking_threads(stage.blocking)
            .thread_stack_size(STACK_BYTES)
            .thread_name(stage.name)
            .on_thread_start(move || stand_back(niceness))
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Runs to the end whether or not anybody waits for it; an error if it panics.
    pub async fn run<T: Send + 'static>(&self, act: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
        self.handle.spawn(act).await
    }

    /// Ends what runs at its next step, without waiting for it.
    pub fn close(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Backstage {
    fn drop(&mut self) {
        self.close();
    }
}

/// On Linux the priority is of a thread alone; those that it starts have it too.
fn stand_back(niceness: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::warn!(%error, "a thread for acts has the same priority as those that answer predictions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn acts_stand_back_and_a_panic_is_an_error_of_one() {
        let stage = Backstage::for_heavy(&Limits::default()).unwrap();
        let there = stage.run(async { rustix::process::getpriority_process(None).unwrap() }).await.unwrap();
        assert_eq!(there, 10);
        let blocking =
            async { tokio::task::spawn_blocking(|| rustix::process::getpriority_process(None).unwrap()).await };
        assert_eq!(stage.run(blocking).await.unwrap().unwrap(), there);
        assert!(stage.run(async { panic!("on purpose") }).await.is_err());
        assert_eq!(stage.run(async { 1 }).await.unwrap(), 1);
    }
}
