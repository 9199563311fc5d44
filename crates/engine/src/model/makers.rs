//! Who made a version: whoever registered it, and whoever ran what its bytes come from. Four eyes are about them.

use std::collections::HashSet;

use stemma_api::types::ModelVersion;
use stemma_core::{
    Digest, Problem, Timestamp,
    id::RunId,
    lineage::origin::FileUse,
    name::{PrincipalName, ProjectName},
    policy::{CodeOf, Maker, Makers, ModelPolicy, Part, Stage, committers, rule_makers},
    record::{Actor, RunRecord},
};
use stemma_ledger::{Access, RunFile};

use crate::{Known, problem::ledger_problem};

/// Most runs that are looked at behind one version.
const RUNS_MAX: usize = 1_000;
/// Most files of the runs of one step.
const FILES_MAX: usize = 100_000;

/// All whose yes to a version for a stage says nothing: who made it, who committed the code that made it, and who
/// declared the rules that it has to keep.
pub(crate) async fn barred(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    stage: Stage,
) -> Result<Makers, Problem> {
    let (mut makers, codes) = makers_and_code(known, project, version).await?;
    let policies = known.policies(project, &version.model).await?;
    for actor in rule_makers(&policies, stage) {
        makers.people.push(Maker { actor: actor.clone(), part: Part::Ruled });
    }
    let unruled = ModelPolicy::default();
    let policy = policies.last().map_or(&unruled, |(_, policy)| policy);
    let people: Vec<PrincipalName> = known.principals().await?.into_iter().map(|one| one.principal).collect();
    let (coders, unknown) = committers(policy, &people, &codes);
    makers.people.extend(coders);
    makers.unknown = unknown;
    Ok(makers)
}

pub(crate) async fn makers(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<Makers, Problem> {
    Ok(makers_and_code(known, project, version).await?.0)
}

async fn makers_and_code(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
) -> Result<(Makers, Vec<CodeOf>), Problem> {
    let run = match version.run {
        Some(run) => Some(run),
        // its run may have been recorded only after it was registered
        None => writer_before(known, project, version.digest, version.registered.time).await?,
    };
    let registrar = Actor { principal: version.registered.actor.clone(), auth: version.registered.auth };
    let (mut makers, codes) = behind(known, project, &registrar, run).await?;
    // a record of the run as it was when the version was registered
    let known = version.trainer.iter().all(|trainer| makers.include(trainer));
    makers.is_cut |= !known;
    Ok((makers, codes))
}

/// Those who would have made what somebody registers now.
pub(crate) async fn makers_behind(
    known: &Known,
    project: &ProjectName,
    registrar: &Actor,
    run: Option<RunId>,
) -> Result<Makers, Problem> {
    Ok(behind(known, project, registrar, run).await?.0)
}

/// Whoever registers something, all who ran what it comes from, and where the code of their runs is from.
async fn behind(
    known: &Known,
    project: &ProjectName,
    registrar: &Actor,
    run: Option<RunId>,
) -> Result<(Makers, Vec<CodeOf>), Problem> {
    let registered = Maker { actor: registrar.clone(), part: Part::Registered };
    let (mut makers, mut codes) = (Makers { people: vec![registered], ..Makers::default() }, Vec::new());
    let mut seen: HashSet<RunId> = run.into_iter().collect();
    let mut next: Vec<RunId> = seen.iter().copied().collect();
    while !next.is_empty() {
        let records = known.ledger().runs_by_id(project, &next).await.map_err(ledger_problem)?;
        makers.is_cut |= records.len() < next.len();
        makers.people.extend(records.iter().map(|record| maker(record, run)));
        codes.extend(records.iter().map(CodeOf::from));
        let (writers, is_cut) = writers_for(known, project, &next).await?;
        makers.is_cut |= is_cut;
        next = writers.into_iter().filter(|run| seen.insert(*run)).collect();
        if seen.len() > RUNS_MAX {
            makers.is_cut = true;
            break;
        }
    }
    Ok((makers, codes))
}

/// The runs that wrote what some runs read, data as well as code; and whether there is more than was looked at.
async fn writers_for(known: &Known, project: &ProjectName, runs: &[RunId]) -> Result<(Vec<RunId>, bool), Problem> {
    let read = [Access::Input, Access::Code];
    let (files, is_cut) =
        known.ledger().files_of_runs(project, runs, &read, FILES_MAX).await.map_err(ledger_problem)?;
    let uses: Vec<FileUse> = files.iter().map(RunFile::as_use).collect();
    let candidates = known.ledger().candidates(project, &uses).await.map_err(ledger_problem)?;
    let writers = uses.iter().zip(&candidates).filter_map(|(used, candidates)| {
        candidates.by_path(used).or_else(|| candidates.by_bytes()).map(|(write, _)| write.run)
    });
    Ok((writers.collect(), is_cut))
}

/// The last run that wrote some bytes anywhere and had ended then.
async fn writer_before(
    known: &Known,
    project: &ProjectName,
    digest: Digest,
    time: Timestamp,
) -> Result<Option<RunId>, Problem> {
    let used = FileUse { path: String::new(), digest, workspace: None, since: time, until: time, run: None };
    let found = known.ledger().candidates(project, std::slice::from_ref(&used)).await.map_err(ledger_problem)?;
    Ok(found.first().and_then(|candidates| candidates.by_bytes()).map(|(write, _)| write.run))
}

fn maker(record: &RunRecord, training: Option<RunId>) -> Maker {
    let part = if Some(record.id) == training { Part::Trained(record.id) } else { Part::Prepared(record.id) };
    Maker { actor: record.actor.clone(), part }
}
