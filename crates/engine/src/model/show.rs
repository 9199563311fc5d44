//! A model and a version, as they are shown.

use std::collections::{BTreeMap, BTreeSet};

use stemma_api::types::{ModelDetail, ModelVersion, Page, VersionDetail};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
    policy::Stage,
    record::EvaluationReport,
};

use crate::{Known, model::promote::promotion_grounds, resolve::find_version};

impl Known {
    /// A version with its run, evidence, approvals and what it still lacks.
    pub async fn version(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<VersionDetail, Problem> {
        let version = find_version(self, project, model, version).await?;
        let policy = self.policy_or_default(project, model).await?;
        let missing = match promotion_grounds(self, project, &version, &policy, Stage::Production).await {
            Ok(_) => Vec::new(),
            Err(problem) => problem.missing,
        };
        let run = match version.run {
            None => None,
            Some(run) => Some(self.run(project, run).await?),
        };
        Ok(VersionDetail {
            run,
            evaluation: self.newest_evaluation_report(project, &version).await?,
            behaves_as: self.behaviour(project, &version).await?,
            evidence: self.evidence(project, &version).await?,
            approvals: self.approvals(project, &version).await?,
            promotions: self.promotions(project, &version).await?,
            revisions: self.revisions_serving(project, &version).await?,
            waiting: self.waiting_requests_of(project, &version).await?,
            missing_for_production: missing,
            version,
        })
    }

    /// A model with a page of its versions, newest first.
    pub async fn model(
        &self,
        project: &ProjectName,
        model: &ModelName,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<ModelDetail, Problem> {
        let Some(summary) = self.model_summary_if_any(project, model).await? else {
            // says what is near
            find_version(self, project, model, "newest").await?;
            return Err(Problem::not_found(format!("there is no model `{model}`")));
        };
        // what is summed up was read whole
        let newest_first = self.versions_if_any(project, model).await?.unwrap_or_default().into_iter().rev();
        let behind = newest_first.filter(|one| cursor.is_none_or(|cursor| one.registered.seq < cursor)).collect();
        let Page { items: versions, next } = Page::of(behind, limit, |last: &ModelVersion| last.registered.seq);
        let (mut primary, mut by_command) = (BTreeMap::new(), BTreeSet::new());
        for version in &versions {
            let report = self.newest_evaluation_report(project, version).await?.filter(EvaluationReport::is_current);
            let Some(report) = report else { continue };
            if let Some(value) = report.primary_value() {
                primary.insert(version.number.to_string(), value);
            }
            if report.by_command.is_some() {
                by_command.insert(version.number.to_string());
            }
        }
        let policy = self.policy_or_default(project, model).await?;
        Ok(ModelDetail { summary, versions, next, policy, primary, by_command })
    }
}
