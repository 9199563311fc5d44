//! A few versions beside the first of them, on the rows that were kept of their evaluations.

use std::sync::Arc;

use stemma_api::types::{BesideFirst, PairedTest};
use stemma_core::{Digest, ErrorKind, Problem, version::Comparison};

use super::{
    at_once::AT_ONCE,
    significance::{correct, paired_test, tested_metric},
    standing::is_about_content,
};
use crate::{
    Known,
    model::evaluate::{Evaluation, Pair, check_same_rows, compare, losses::Losses, stored::with_predictions},
    problem::internal,
};

/// A version, and the report of its newest evaluation.
pub struct Judged {
    pub version: String,
    pub report: Option<Digest>,
}

/// Each other version beside the first; nothing is evaluated anew, and the rows of two are in memory at a time.
pub async fn beside_first(known: &Known, versions: Vec<Judged>) -> Result<Vec<BesideFirst>, Problem> {
    let _slot = AT_ONCE.acquire().await.map_err(internal)?;
    let mut versions = versions.into_iter();
    let Some(first) = versions.next() else { return Ok(Vec::new()) };
    let first = Arc::new(kept_rows(known, &first).await?);
    let mut found = Vec::new();
    for version in versions {
        let (first, other) = (first.clone(), kept_rows(known, &version).await?);
        let compare = move || match (&*first, &other) {
            (Ok(first), Ok(other)) => compare_pair(first, other),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        let compared = tokio::task::spawn_blocking(compare).await.map_err(internal)?;
        found.push(told(version.version, compared));
    }
    let tests = found.iter_mut().filter_map(|one| one.test.as_mut()).collect();
    correct(tests).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(found)
}

/// The rows of the newest evaluation, or why they are not at hand.
async fn kept_rows(known: &Known, of: &Judged) -> Result<Result<Evaluation, String>, Problem> {
    let Judged { version, report } = of;
    let Some(digest) = *report else {
        return Ok(Err(format!("{version} was never evaluated")));
    };
    let read = async {
        let report = known.evaluation_report(digest).await?;
        if !report.is_current() {
            return Err(Problem::new(ErrorKind::Gone, "they were judged by older rules"));
        }
        with_predictions(known, digest, report).await
    };
    match read.await {
        Ok(evaluation) => Ok(Ok(evaluation)),
        Err(problem) if is_about_content(&problem) => {
            Ok(Err(format!("the rows of {version} are not at hand: {}", problem.message)))
        }
        Err(problem) => Err(problem),
    }
}

/// A comparison, and a test or why there is none.
type Compared = (Comparison, Result<PairedTest, String>);

fn told(version: String, compared: Result<Compared, String>) -> BesideFirst {
    let (comparison, test, why) = match compared {
        Err(why) => (None, None, Some(why)),
        Ok((comparison, Err(why))) => (Some(comparison), None, Some(why)),
        Ok((comparison, Ok(test))) => (Some(comparison), Some(test), None),
    };
    BesideFirst { version, comparison, test, why }
}

/// `Err` says why they can't be compared.
fn compare_pair(first: &Evaluation, other: &Evaluation) -> Result<Compared, String> {
    check_same_rows(first, other)?;
    let comparison = compare(first, other)?;
    let pair = Pair::of(first, other, &|_| true)?;
    let losses = Losses::of(&pair.old, &pair.new, pair.primary).ok();
    let test = match tested_metric(&pair, losses.as_ref()).map(|metric| paired_test(&pair, metric)) {
        Some(Ok(Some(test))) => Ok(test),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(None)) | None => Err(format!("no paired test fits {}", pair.primary)),
    };
    Ok((comparison, test))
}
