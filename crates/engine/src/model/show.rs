//! A model and a version, as they are shown.

use std::collections::BTreeMap;

use stemma_api::types::{ModelDetail, VersionDetail};
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
            evidence: self.evidence(project, &version).await?,
            approvals: self.approvals(project, &version).await?,
            promotions: self.promotions(project, &version).await?,
            revisions: self.revisions_serving(project, &version).await?,
            missing_for_production: missing,
            version,
        })
    }

    pub async fn model(&self, project: &ProjectName, model: &ModelName) -> Result<ModelDetail, Problem> {
        // says what is near if there is no such model
        if self.versions_if_any(project, model).await?.is_none() {
            find_version(self, project, model, "newest").await?;
        }
        let summary = self.models(project).await?.into_iter().find(|one| one.model == *model);
        let summary = summary.ok_or_else(|| Problem::not_found(format!("there is no model `{model}`")))?;
        let mut versions = self.versions_if_any(project, model).await?.unwrap_or_default();
        versions.reverse();
        let mut primary = BTreeMap::new();
        for version in &versions {
            let report = self.newest_evaluation_report(project, version).await?.filter(EvaluationReport::is_current);
            if let Some(value) = report.and_then(|report| report.primary_value()) {
                primary.insert(version.number.to_string(), value);
            }
        }
        Ok(ModelDetail { summary, versions, policy: self.policy_or_default(project, model).await?, primary })
    }
}
