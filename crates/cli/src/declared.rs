//! The rules that `stemma.toml` declares for a model, and how they reach the home.

use stemma_api::types::{ContentClaim, Page, PolicyState, SetPolicy};
use stemma_core::{
    Digest, ErrorKind, Problem, case,
    name::{ModelName, TreePath},
    near,
    policy::{GateSpec, ModelPolicy},
};
use stemma_workspace::Lock;

use crate::{
    print::Output,
    session::{Session, blocking},
};

/// Returns what the workspace declares for a model, with files named as dataset versions and regression cases sent;
/// `None` if nothing.
pub async fn policy(session: &Session, model: &ModelName, output: &Output) -> Result<Option<ModelPolicy>, Problem> {
    let Some(workspace) = &session.workspace else {
        return Ok(None);
    };
    match workspace.settings().models.get(model) {
        Some(declared) => resolve(session, declared, output).await.map(Some),
        None => Ok(None),
    }
}

/// The home's policy of a model; `None` if it knows no such model.
pub async fn current(session: &Session, model: &ModelName) -> Result<Option<ModelPolicy>, Problem> {
    match session.client.policy(&session.project, model).await {
        Ok(state) => Ok(Some(state.policy)),
        Err(problem) if problem.kind == ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Makes the home's policy what the workspace declares.
pub async fn apply(session: &Session, model: &ModelName, policy: ModelPolicy) -> Result<PolicyState, Problem> {
    let set = SetPolicy { policy };
    session.client.set_policy(&session.project, model, &set).await
}

/// Replaces paths by the dataset versions that `stemma.lock` and the home know for them.
async fn resolve(session: &Session, declared: &ModelPolicy, output: &Output) -> Result<ModelPolicy, Problem> {
    let lock = Lock::read(session.workspace()?.root())?;
    let mut policy = declared.clone();
    if let Some(evaluation) = &mut policy.evaluation {
        evaluation.data = dataset(session, &lock, &evaluation.data).await?;
    }
    for gate in policy.gates.values_mut() {
        for data in gate.datasets_mut() {
            *data = dataset(session, &lock, data).await?;
        }
        if let GateSpec::RegressionCases { path, cases } = gate {
            *cases = Some(send_cases(session, path, output).await?);
        }
    }
    Ok(policy)
}

/// Packs the cases of a folder and sends them, so that the rules can name them by their digest.
async fn send_cases(session: &Session, folder: &TreePath, output: &Output) -> Result<Digest, Problem> {
    let bytes = case::pack(session.workspace()?.cases(folder)?)?;
    let size = bytes.len() as u64;
    let store = session.store()?.clone();
    let info = blocking(move || store.put_bytes(&bytes)).await?;
    session.ensure_content(&[ContentClaim { digest: info.digest, size, like: None }], output).await?;
    Ok(info.digest)
}

/// A path in the lock file becomes `name@number`; anything else is the home's to understand.
async fn dataset(session: &Session, lock: &Lock, data: &str) -> Result<String, Problem> {
    let Some(entry) = lock.get(data) else {
        if data.contains('/') {
            let hint = near::hint(data, lock.entries().map(|(path, _)| path.as_str()), "add it with `stemma add`");
            let message = format!("`{data}` is declared as data of a model but is not in stemma.lock");
            return Err(Problem::new(ErrorKind::Config, message).hint(hint));
        }
        return Ok(data.to_owned());
    };
    let unknown = || {
        let message = format!("the home does not know `{data}` as stemma.lock has it");
        Problem::not_found(message).hint(format!("run `stemma add {data}`"))
    };
    let versions = async |page: &_| session.client.dataset_versions(&session.project, &entry.name, page).await;
    let versions = match Page::all(versions).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => return Err(unknown()),
        versions => versions?.items,
    };
    let version = versions.iter().find(|version| version.digest == entry.digest).ok_or_else(unknown)?;
    Ok(format!("{}@{}", version.dataset, version.number))
}
