//! Register: content becomes a model version; its number is decided from facts.

mod chosen;
mod examined;
mod performance;
mod prepared;
mod writer;

use stemma_api::types::{CommandAnswers, GivenNames, ModelVersion, RegisterVersion, Registered};
use stemma_core::{
    Digest, Problem, canonical,
    event::{Event, VersionRegistered},
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    record::RunRecord,
    signature::{Contract, Signature},
    version::{Candidate, Claims, Performance, ReferenceVersion, decide, line},
};

use crate::{
    Caller, Engine, Known,
    model::{
        evaluate::{
            Evaluation, EvaluationData,
            asked::{asked_here, not_answered},
            command::evaluate_by_command,
            evaluate_model, evaluation_data, evidence_event,
        },
        makers::{makers, makers_behind},
        names::{Unnamed, name, naming_events},
        register::{
            chosen::chosen,
            examined::{Examined, examine},
            performance::performance,
            prepared::Prepared,
            writer::run_registered,
        },
        require::check_registration,
    },
    resolve::find_version,
};

/// What is evaluated: content, what it was found to be, and what a command answered for it.
#[derive(Clone, Copy)]
struct Subject<'a> {
    digest: Digest,
    examined: &'a Examined,
    answers: Option<&'a CommandAnswers>,
}

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
        check(&register)?;
        let content = self.known().readable_content(project, register.digest).await?;
        let policy = self.known().policy_or_default(project, model).await?;
        let declared = register.signature.as_ref().or(policy.signature.as_ref());
        let examined = examine(self.known(), &content, &register.file_name, declared).await?;
        let (run, run_certainty) = run_registered(self.known(), project, &content, &register).await?.unzip();
        let chosen = chosen(&register, run.as_ref())?;
        let claims = register.claims.filter(|claims| !claims.is_empty());
        let facts = facts_of(content.digest, run.as_ref(), &examined, claims.as_ref());
        let names = register.names;
        if let Some(version) = same_version(self.known(), caller, project, model, facts, run.as_ref()).await? {
            return unchanged(self, caller, request, version, names).await;
        }
        // what lacks anyway is told before anything is computed
        check_registration(self.known(), project, model, &policy, (run.as_ref(), Ok(()))).await?;
        let asked = Subject { digest: content.digest, examined: &examined, answers: register.answers.as_ref() };
        let evaluation = self.declared_evaluation(project, &policy, asked, run.as_ref()).await?;
        let prepared = Prepared {
            content,
            file_name: register.file_name,
            examined,
            claims,
            names,
            chosen,
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
            return unchanged(self, caller, request, version, prepared.names).await;
        }
        let number = events.iter().find_map(|event| match event {
            Event::VersionRegistered(version) => Some(version.number),
            _ => None,
        });
        let number = number.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        let version = find_version(self.known(), project, model, &number.to_string()).await?;
        Ok(Registered {
            version,
            unchanged: false,
            evaluation: prepared.evaluation.ok().map(|(_, found)| found.report),
            behaves_as: None,
            behaviour_unknown: None,
        })
    }

    /// The error says in a clause why the content is not evaluated.
    async fn declared_evaluation(
        &self,
        project: &ProjectName,
        policy: &ModelPolicy,
        subject: Subject<'_>,
        run: Option<&RunRecord>,
    ) -> Result<Result<(EvaluationData, Evaluation), String>, Problem> {
        let Some(spec) = &policy.evaluation else {
            return Ok(Err("no evaluation is declared".to_owned()));
        };
        let Subject { digest, examined, answers } = subject;
        if let (Err(why), None, true) = (&examined.model, answers, spec.command.is_empty()) {
            return Ok(Err(why.clone()));
        }
        let data = evaluation_data(self.known(), project, spec).await?;
        let evaluation = match answers {
            Some(answers) => evaluate_by_command(self, project, digest, &data, run, answers).await?,
            None => {
                let Some(model) = asked_here(self.known(), digest, &data).await? else {
                    return Err(not_answered(&data));
                };
                evaluate_model(self, project, &model, digest, &data, run).await?
            }
        };
        Ok(Ok((data, evaluation)))
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
        let policy = self.known().policy_or_default(project, model).await?;
        let evaluated = prepared.evaluation.as_ref().map(drop).map_err(String::clone);
        check_registration(self.known(), project, model, &policy, (prepared.run.as_ref(), evaluated)).await?;
        let versions = self.known().versions_if_any(project, model).await?;
        if versions.is_none() {
            events.push(Event::ModelCreated { project: project.clone(), model: model.clone() });
        }
        let versions = versions.unwrap_or_default();
        let live = versions.iter().filter(|version| version.stage != Stage::Archived);
        let references: Vec<ReferenceVersion> = live
            .map(|version| ReferenceVersion {
                number: version.number,
                signature: version.known_signature().cloned(),
                target: version.target.clone(),
            })
            .collect();
        let mut candidate = Candidate {
            signature: prepared.examined.signature.clone(),
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
        let reason =
            [Some(decision.reason), prepared.chosen.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        let evidence = prepared.evaluation.is_ok().then(EvidenceId::generate);
        events.push(Event::VersionRegistered(VersionRegistered {
            project: project.clone(),
            model: model.clone(),
            number: decision.number,
            integer: versions.iter().map(|version| version.integer).max().unwrap_or(0) + 1,
            step: decision.step,
            reason,
            digest: prepared.content.digest,
            sha256: prepared.content.sha256,
            size: prepared.content.size,
            file_name: prepared.file_name.clone(),
            format: prepared.examined.look.format.to_string(),
            look: Some(prepared.examined.look.clone()),
            signature: candidate.signature.unwrap_or_default(),
            contract: Some(prepared.examined.contract),
            claims: prepared.claims.clone(),
            run: prepared.run.as_ref().map(|run| run.id),
            run_certainty: prepared.run_certainty,
            trainer: prepared.run.as_ref().map(|run| run.actor.principal.clone()),
            reference: decision.reference,
            comparison: decision.comparison,
            evaluation: evidence,
            target: candidate.target,
            facts: prepared.facts,
        }));
        if let (Some(evidence), Ok((data, evaluation))) = (evidence, &prepared.evaluation) {
            events.push(evidence_event(evidence, project, model, decision.number, data, evaluation));
        }
        let unnamed = Unnamed {
            project,
            model,
            number: decision.number,
            digest: prepared.content.digest,
            step: decision.step,
            reference: decision.reference,
        };
        let policy = self.known().policy_or_default(project, model).await?;
        events.extend(naming_events(&unnamed, &versions, &policy, prepared.names.each())?);
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

/// The version that there is already; it gets names that it lacks.
async fn unchanged(
    engine: &Engine,
    caller: &Caller,
    request: RequestId,
    version: ModelVersion,
    names: GivenNames,
) -> Result<Registered, Problem> {
    let version = match names.is_empty() {
        true => version,
        false => name(engine, caller, request, &version, &names).await?,
    };
    let evaluation = engine.known().newest_evaluation_report(&version.project, &version).await?;
    Ok(Registered { version, unchanged: true, evaluation, behaves_as: None, behaviour_unknown: None })
}

/// Refuses what somebody says about the version if it can't be kept.
fn check(register: &RegisterVersion) -> Result<(), Problem> {
    if let Some(signature) = &register.signature {
        signature.check()?;
    }
    register.claims.as_ref().map_or(Ok(()), Claims::check)
}

/// What makes two registrations the same: the content, the recipe of the run that wrote it, and what was declared.
fn facts_of(content: Digest, run: Option<&RunRecord>, examined: &Examined, claims: Option<&Claims>) -> Digest {
    let run = run.map(RunRecord::input_key);
    let declared: Option<&Signature> = match examined.contract {
        Contract::Declared => examined.signature.as_ref().ok(),
        Contract::Content | Contract::Unknown => None,
    };
    let digest = match (declared, claims) {
        (None, None) => canonical::digest(&(content, run)),
        declared => canonical::digest(&(content, run, declared)),
    };
    digest.expect("digests, texts and finite numbers are always JSON").0
}
