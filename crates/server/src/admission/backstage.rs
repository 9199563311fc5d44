//! Threads of their own for whatever computes or copies for long, which yield to the threads that answer predictions.

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

/// By how much these threads stand back: a thread that answers gets about nine tenths of a processor that both want.
const NICENESS: i32 = 10;
/// Depth of calls that a reader of other people's files may need; each reader bounds its own below it.
const STACK_BYTES: usize = 8 << 20;
/// Threads for what blocks in heavy acts, beside the one that each transfer holds.
const THREADS_FOR_HEAVY: usize = 32;

pub struct Backstage {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Backstage {
    pub fn open(limits: &Limits) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.heavy.at_once.max(2))
            // transfers of both doors
            .max_blocking_threads(2 * limits.transfers.at_once + THREADS_FOR_HEAVY)
            .thread_stack_size(STACK_BYTES)
            .thread_name("backstage")
            .on_thread_start(stand_back)
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Runs to the end whether or not anybody waits for it; an error if it panics.
    pub async fn run<T: Send + 'static>(&self, act: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
        self.handle.spawn(act).await
    }

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
fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "a thread for heavy acts runs with the priority of all others");
    }
}
