//! Register: content becomes a model version; its number is decided from facts.

mod performance;
mod prepared;

use std::sync::Arc;

use stemma_api::types::{ModelVersion, RegisterVersion, Registered};
use stemma_core::{
    Digest, Problem, canonical,
    event::{Event, VersionRegistered},
    id::{EvidenceId, RequestId},
    lineage::Certainty,
    name::{ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    record::RunRecord,
    version::{Candidate, Performance, ReferenceVersion, decide, line},
};
use stemma_onnx::Model;

use crate::{
    Caller, Engine, Known,
    lineage::trace::writer_now,
    model::{
        evaluate::{Evaluation, EvaluationData, evaluate_model, evaluation_data, evidence_event},
        makers::{makers, makers_behind},
        register::{performance::performance, prepared::Prepared},
    },
    resolve::find_version,
};

impl Engine {
    /// Registers content as a version of a model, evaluates it as declared, and decides its number.
    ///
    /// The same content from the same facts is the same version: it is returned, and nothing is written.
    pub async fn register(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        register: RegisterVersion,
    ) -> Result<Registered, Problem> {
        let content = self.known().readable_content(project, register.digest).await?;
        let loaded = self.known().load_model(content.digest).await?;
        let (run, run_certainty) = self.run_registered(project, &register).await?.unzip();
        let facts = facts_of(content.digest, run.as_ref());
        if let Some(version) = same_version(self.known(), caller, project, model, facts, run.as_ref()).await? {
            return unchanged(self.known(), project, version).await;
        }
        let policy = self.known().policy_or_default(project, model).await?;
        let evaluation = self.declared_evaluation(project, &policy, &loaded, content.digest, run.as_ref()).await?;
        let prepared = Prepared {
            content,
            file_name: register.file_name,
            model: loaded,
            run,
            run_certainty,
            facts,
            target: policy.evaluation.as_ref().map(|spec| spec.target.clone()),
            min_improvement: policy.evaluation.as_ref().map_or(0.0, |spec| spec.min_improvement),
            evaluation,
        };
        let events = self.change(caller, request, || self.decide_version(caller, project, model, &prepared)).await?;
        if events.is_empty()
            && let Some(version) =
                same_version(self.known(), caller, project, model, facts, prepared.run.as_ref()).await?
        {
            return unchanged(self.known(), project, version).await;
        }
        let number = events.iter().find_map(|event| match event {
            Event::VersionRegistered(version) => Some(version.number),
            _ => None,
        });
        let number = number.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        let version = find_version(self.known(), project, model, &number.to_string()).await?;
        Ok(Registered { version, unchanged: false, evaluation: prepared.evaluation.map(|(_, found)| found.report) })
    }

    /// The run that wrote the file, and how surely: the one that was named, else the last that wrote to its path.
    async fn run_registered(
        &self,
        project: &ProjectName,
        register: &RegisterVersion,
    ) -> Result<Option<(RunRecord, Certainty)>, Problem> {
        if let Some(run) = register.run {
            let run = wrote(self.known().run_record(project, run).await?, register.digest)?;
            return Ok(Some((run, Certainty::Observed)));
        }
        let RegisterVersion { digest, path, workspace, .. } = register;
        match writer_now(self.known(), project, *digest, path.as_deref(), *workspace).await? {
            Some((run, certainty)) => Ok(Some((self.known().run_record(project, run).await?, certainty))),
            None => Ok(None),
        }
    }

    async fn declared_evaluation(
        &self,
        project: &ProjectName,
        policy: &ModelPolicy,
        model: &Arc<Model>,
        digest: Digest,
        run: Option<&RunRecord>,
    ) -> Result<Option<(EvaluationData, Evaluation)>, Problem> {
        let Some(spec) = &policy.evaluation else {
            return Ok(None);
        };
        let data = evaluation_data(self.known(), project, spec).await?;
        let evaluation = evaluate_model(self, project, model, digest, &data, run).await?;
        Ok(Some((data, evaluation)))
    }

    /// The events of a registration, decided on the model's versions as they are now.
    async fn decide_version(
        &self,
        caller: &Caller,
        project: &ProjectName,
        model: &ModelName,
        prepared: &Prepared,
    ) -> Result<Vec<Event>, Problem> {
        let mut events = Vec::new();
        // somebody else may have registered the same meanwhile
        if same_version(self.known(), caller, project, model, prepared.facts, prepared.run.as_ref()).await?.is_some() {
            return Ok(events);
        }
        let versions = self.known().versions_if_any(project, model).await?;
        if versions.is_none() {
            events.push(Event::ModelCreated { project: project.clone(), model: model.clone() });
        }
        let versions = versions.unwrap_or_default();
        let live = versions.iter().filter(|version| version.stage != Stage::Archived);
        let references: Vec<ReferenceVersion> = live
            .map(|version| ReferenceVersion {
                number: version.number,
                signature: version.signature.clone(),
                target: version.target.clone(),
            })
            .collect();
        let mut candidate = Candidate {
            signature: prepared.model.signature().clone(),
            target: prepared.target.clone(),
            performance: Performance::Unknown { why: String::new() },
            min_improvement: prepared.min_improvement,
        };
        let line: Vec<_> = line(&references, &candidate).iter().map(|version| version.number).collect();
        if !line.is_empty() {
            candidate.performance = performance(self, project, &versions, &line, prepared).await?;
        }
        let used: Vec<_> = versions.iter().map(|version| version.number).collect();
        let decision = decide(&references, &used, &candidate);
        let evidence = prepared.evaluation.as_ref().map(|_| EvidenceId::generate());
        events.push(Event::VersionRegistered(VersionRegistered {
            project: project.clone(),
            model: model.clone(),
            number: decision.number,
            integer: versions.iter().map(|version| version.integer).max().unwrap_or(0) + 1,
            step: decision.step,
            reason: decision.reason,
            digest: prepared.content.digest,
            sha256: prepared.content.sha256,
            size: prepared.content.size,
            file_name: prepared.file_name.clone(),
            format: "onnx".to_owned(),
            signature: candidate.signature,
            run: prepared.run.as_ref().map(|run| run.id),
            run_certainty: prepared.run_certainty,
            trainer: prepared.run.as_ref().map(|run| run.actor.principal.clone()),
            reference: decision.reference,
            comparison: decision.comparison,
            evaluation: evidence,
            target: candidate.target,
            facts: prepared.facts,
        }));
        if let (Some(evidence), Some((data, evaluation))) = (evidence, &prepared.evaluation) {
            events.push(evidence_event(evidence, project, model, decision.number, data, evaluation));
        }
        Ok(events)
    }
}

/// The version that these facts made before. One whose makers are not all proved can't be promoted, so it may be
/// registered again when all of them are.
async fn same_version(
    known: &Known,
    caller: &Caller,
    project: &ProjectName,
    model: &ModelName,
    facts: Digest,
    run: Option<&RunRecord>,
) -> Result<Option<ModelVersion>, Problem> {
    let Some(earlier) = known.version_by_facts(project, model, facts).await? else { return Ok(None) };
    if makers(known, project, &earlier).await?.unproved().is_empty() {
        return Ok(Some(earlier));
    }
    let now = makers_behind(known, project, &caller.actor, run.map(|run| run.id)).await?;
    Ok(Some(earlier).filter(|_| !now.unproved().is_empty()))
}

async fn unchanged(known: &Known, project: &ProjectName, version: ModelVersion) -> Result<Registered, Problem> {
    let evaluation = known.newest_evaluation_report(project, &version).await?;
    Ok(Registered { version, unchanged: true, evaluation })
}

/// Only a run that wrote the content can have produced it: its inputs decide what the version may be judged on.
fn wrote(run: RunRecord, content: Digest) -> Result<RunRecord, Problem> {
    if run.outputs.iter().any(|file| file.digest == content) {
        return Ok(run);
    }
    Err(Problem::invalid(format!("run `{}` did not write this content", run.id))
        .hint(format!("`stemma show {}` lists what it wrote", run.id)))
}

/// What makes two registrations the same: the content, and the recipe of the run that wrote it.
fn facts_of(content: Digest, run: Option<&RunRecord>) -> Digest {
    let key = (content, run.map(RunRecord::input_key));
    canonical::digest(&key).expect("digests are always JSON").0
}
