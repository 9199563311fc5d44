use stemma_core::{ErrorKind, Problem};
use stemma_store::StoreError;
use stemma_workspace::WorkspaceError;

/// Does work on the store on a thread that may block.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| WorkspaceError::from(error).into()),
        Err(error) => Err(Problem::new(ErrorKind::Internal, error.to_string())),
    }
}
