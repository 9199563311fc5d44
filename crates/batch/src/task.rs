use stemma_core::{ErrorKind, Problem};
use tokio::task::JoinHandle;

/// What a task has to say; one that panicked says so.
pub async fn joined<T>(task: JoinHandle<Result<T, Problem>>) -> Result<T, Problem> {
    task.await.unwrap_or_else(|error| Err(Problem::new(ErrorKind::Internal, error.to_string())))
}
