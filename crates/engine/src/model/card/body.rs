//! The part of a card that is judged.

use stemma_api::types::{Evidence, Meaning, ModelVersion, RunDetail};
use stemma_core::{
    Problem,
    card::{
        CARD_VERSION, CardBody, CardContent, CardEvaluation, CardEvidence, CardGate, CardInput, CardNumber, CardRun,
        CardSlice, CardStatement, CardVerdict,
    },
    event::EvidenceKind,
    meaning::Thing,
    name::ProjectName,
    policy::ModelPolicy,
    record::EvaluationReport,
};

use crate::Known;

/// What a version's card says now.
pub async fn body_of(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<CardBody, Problem> {
    let thing = Thing::Version(version.model.clone(), version.number);
    let policy = known.policy_or_default(project, &version.model).await?;
    let evidence = known.evidence(project, version).await?;
    let of_these_bytes: Vec<&Evidence> = evidence.iter().filter(|one| one.subject == version.digest).collect();
    let mut unseen = Vec::new();
    let made = match version.run {
        None => None,
        Some(run) => Some(made_by(known.run(project, run).await?)),
    };
    let newest = of_these_bytes.iter().rev().find(|one| one.kind == EvidenceKind::Evaluation);
    let evaluation = match newest {
        None => None,
        Some(newest) => evaluation(known, newest, &mut unseen).await,
    };
    let is_other = |one: &&Evidence| matches!(one.kind, EvidenceKind::Validation | EvidenceKind::Reproduction);
    Ok(CardBody {
        v: CARD_VERSION,
        version: version.name(),
        content: content(version),
        said: said(&known.meaning_of(project, thing).await?),
        made,
        evaluation,
        gates: gates(&policy, &of_these_bytes),
        evidence: of_these_bytes.into_iter().filter(is_other).map(card_evidence).collect(),
        unseen,
    })
}

fn content(version: &ModelVersion) -> CardContent {
    CardContent {
        digest: version.digest,
        file_name: version.file_name.clone(),
        format: version.format.clone(),
        size: version.size,
        signature: version.known_signature().cloned().unwrap_or_default(),
        reason: version.reason.clone(),
        event: version.registered.seq,
        registered_by: version.registered.actor.clone(),
    }
}

fn said(meaning: &Meaning) -> Vec<CardStatement> {
    let statements = meaning.all().map(|(one, is_own)| CardStatement {
        aspect: one.aspect,
        key: one.key.clone(),
        text: one.text.clone(),
        of_model: !is_own,
        event: one.said.seq,
        by: one.said.actor.clone(),
    });
    let mut statements: Vec<CardStatement> = statements.collect();
    statements.sort_by(|a, b| (a.aspect, &a.key).cmp(&(b.aspect, &b.key)));
    statements
}

fn made_by(run: RunDetail) -> CardRun {
    let RunDetail { record, datasets, hermetic_grade, hermetic_reasons, .. } = run;
    let input = |file: &stemma_core::record::FileRef| CardInput {
        path: file.path.clone(),
        digest: file.digest,
        datasets: datasets.get(&file.digest).cloned().unwrap_or_default(),
    };
    CardRun {
        run: record.id,
        command: record.command.join(" "),
        by: record.actor.principal.clone(),
        code: record.code.key(),
        capture_level: record.capture.level,
        hermetic_grade,
        hermetic_reasons,
        inputs: record.inputs.iter().map(input).collect(),
    }
}

/// The newest evaluation as its report has it; a report that can't be read is named among what was not seen.
async fn evaluation(known: &Known, evidence: &Evidence, unseen: &mut Vec<String>) -> Option<CardEvaluation> {
    let report = match known.evaluation_report(evidence.report).await {
        Ok(report) => report,
        Err(problem) => {
            unseen.push(format!("the evaluation's report: {}", problem.message));
            return None;
        }
    };
    let number = |(name, value): (String, f64)| CardNumber { name, value };
    let slice = |slice: &stemma_core::record::SliceSummary| CardSlice {
        column: slice.column.clone(),
        value: slice.value.clone(),
        rows: slice.metrics.rows(),
        primary: slice.metrics.value(&report.primary),
    };
    let doubts = report.leak_doubt().into_iter();
    Some(CardEvaluation {
        evidence: evidence.evidence,
        report: evidence.report,
        event: evidence.recorded.seq,
        data: report.data.clone(),
        rows: report.overall.rows(),
        target: report.target.clone(),
        primary: report.primary.clone(),
        leaky_rows: report.leaky_rows,
        by_command: report.by_command.is_some(),
        metrics: report.overall.all().into_iter().map(number).collect(),
        slices: report.slices.iter().map(slice).collect(),
        notes: report.notes().into_iter().chain(doubts).chain(outdated(&report)).collect(),
    })
}

fn outdated(report: &EvaluationReport) -> Option<String> {
    (!report.is_current()).then(|| "an earlier program made this evaluation; it does not count any more".to_owned())
}

fn gates(policy: &ModelPolicy, evidence: &[&Evidence]) -> Vec<CardGate> {
    let gate = |gate: &stemma_core::name::GateName| {
        let newest =
            evidence.iter().rev().find(|one| one.kind == EvidenceKind::Gate && one.gate.as_ref() == Some(gate));
        let verdict = match newest {
            None => CardVerdict::NotRun,
            Some(newest) if policy.gate_digest(gate) != Some(newest.spec_digest) => CardVerdict::Stale,
            Some(newest) if newest.passed => CardVerdict::Passed,
            Some(_) => CardVerdict::Failed,
        };
        CardGate { gate: gate.clone(), verdict, evidence: newest.map(|newest| card_evidence(newest)) }
    };
    policy.gates.keys().map(gate).collect()
}

fn card_evidence(one: &Evidence) -> CardEvidence {
    CardEvidence {
        evidence: one.evidence,
        kind: one.kind,
        passed: one.passed,
        summary: one.summary.clone(),
        report: one.report,
        event: one.recorded.seq,
    }
}
