//! How much a change matters: how much better it is, and how much slower.

use stemma_api::types::{Importance, ModelVersion};
use stemma_core::{Problem, event::EvidenceKind, name::ProjectName, policy::ImportanceSpec, record::Latency};
use stemma_stats::ImportanceWeights;

use super::standing::is_about_content;
use crate::{Known, model::gate::gate_report};

/// `improvement` is that of the primary metric, if it could be measured.
pub async fn importance(
    known: &Known,
    project: &ProjectName,
    [a, b]: [&ModelVersion; 2],
    improvement: Option<f64>,
) -> Result<Importance, Problem> {
    let weights = known.policy_or_default(project, &b.model).await?.importance.unwrap_or_default();
    let told = |value: Result<f64, String>, latency| {
        let (value, why) = match value {
            Ok(value) => (Some(value), None),
            Err(why) => (None, Some(why)),
        };
        Importance { value, why, weights, improvement, latency }
    };
    let measured = async { Ok([latency(known, project, a).await?, latency(known, project, b).await?]) };
    match measured.await {
        Ok(latency) => Ok(told(value(weights, improvement, latency, [&a.name(), &b.name()]), latency)),
        Err(problem) if is_about_content(&problem) => Ok(told(Err(problem.message), [None, None])),
        Err(problem) => Err(problem),
    }
}

fn value(
    weights: ImportanceSpec,
    improvement: Option<f64>,
    latency: [Option<Latency>; 2],
    names: [&str; 2],
) -> Result<f64, String> {
    let improvement = improvement.ok_or("how much better b is, is not known")?;
    let [a, b] = match latency {
        [Some(a), Some(b)] => [a, b],
        _ => {
            let missing = names.iter().zip(latency).filter(|(_, latency)| latency.is_none());
            let missing: Vec<String> = missing.map(|(name, _)| format!("`stemma validate {name}`")).collect();
            return Err(format!("how long answers take is not known of both; {} measures it", missing.join(", ")));
        }
    };
    if a.rows != b.rows {
        return Err(format!("latency was measured on {} and {} rows at once, which can't be compared", a.rows, b.rows));
    }
    let added_ms = (b.p50_us as f64 - a.p50_us as f64) / 1000.0;
    let weights = ImportanceWeights::new(weights.improvement, weights.latency);
    weights.and_then(|weights| weights.importance(improvement, added_ms)).map_err(|error| error.to_string())
}

/// As the newest validation measured it, by itself or as a gate; what could not be loaded then has none.
async fn latency(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<Option<Latency>, Problem> {
    let evidence = known.evidence(project, version).await?;
    let may_tell = evidence.iter().rev().filter(|one| one.subject == version.digest);
    for one in may_tell.filter(|one| matches!(one.kind, EvidenceKind::Validation | EvidenceKind::Gate)) {
        let what = format!("what validated {}", version.name());
        if let Some(latency) = gate_report(known, one.report, &what).await?.and_then(|report| report.latency) {
            return Ok(Some(latency));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_better_and_slower_is_weighed_and_what_is_not_known_is_no_0() {
        let latency = |p50_us, rows| Some(Latency { p50_us, answers: 101, rows });
        let of = |improvement, latency| value(ImportanceSpec::default(), improvement, latency, ["m@1.0.0", "m@1.1.0"]);
        // 0.7 · 0.1 − 0.3 · 50 / 1000
        let found = of(Some(0.1), [latency(20_000, 100), latency(70_000, 100)]).unwrap();
        assert!((found - 0.055).abs() < 1e-15, "{found}");
        let why = of(Some(0.1), [latency(20_000, 100), None]).unwrap_err();
        assert_eq!(why, "how long answers take is not known of both; `stemma validate m@1.1.0` measures it");
        let why = of(Some(0.1), [latency(20_000, 100), latency(20_000, 4)]).unwrap_err();
        assert_eq!(why, "latency was measured on 100 and 4 rows at once, which can't be compared");
        assert!(of(None, [latency(1, 1), latency(1, 1)]).is_err());
    }
}
