//! Models, policies, versions and aliases.

use stemma_core::{
    Digest,
    event::VersionRegistered,
    id::RunId,
    name::{AliasName, ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    version::{Step, VersionNumber},
};

use super::{Fact, View, facts};
use crate::{
    LedgerError,
    sql::{Row, Value},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub project: ProjectName,
    pub model: ModelName,
    pub created: Fact,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub policy: ModelPolicy,
    pub set: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    pub model: ModelName,
    pub alias: AliasName,
    pub target: VersionNumber,
    pub moved: Fact,
}

/// A version as it was registered, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    pub version: VersionRegistered,
    pub stage: Stage,
    /// Number of the event that brought it into its stage.
    pub stage_seq: u64,
    /// Sorted by name.
    pub aliases: Vec<AliasName>,
    pub registered: Fact,
}

impl ModelVersion {
    fn from_row(row: &Row) -> Result<Self, LedgerError> {
        let version = VersionRegistered {
            project: row.parse("project")?,
            model: row.parse("model")?,
            number: row.parse("number")?,
            integer: row.number("mlflow_number")?,
            step: row.word("step", step)?,
            reason: row.text("reason")?.to_owned(),
            digest: row.digest("digest")?,
            sha256: row.opt_sha256("sha256")?,
            size: row.number("size")?,
            file_name: row.text("file_name")?.to_owned(),
            format: row.text("format")?.to_owned(),
            signature: row.json("signature")?,
            run: row.opt_parse("run")?,
            trainer: row.opt_parse("trainer")?,
            reference: row.opt_parse("reference")?,
            evaluation: row.opt_parse("evaluation")?,
            target: row.opt_text("target")?.map(str::to_owned),
            facts: row.digest("facts")?,
        };
        Ok(Self {
            version,
            stage: row.word("stage", Stage::parse)?,
            stage_seq: row.number("stage_seq")?,
            aliases: Vec::new(),
            registered: Fact::from_row(row)?,
        })
    }
}

fn step(text: &str) -> Option<Step> {
    [Step::First, Step::Major, Step::Minor, Step::Pipeline].into_iter().find(|step| step.as_str() == text)
}

/// Versions `x` with their stage `s` at `$1`.
macro_rules! versions {
    ($rest:literal) => {
        concat!(
            "SELECT x.*, s.stage, s.from_seq AS stage_seq,
                e.time AS made_time, e.actor AS made_actor, e.auth AS made_auth
             FROM model_version x JOIN event e ON e.seq = x.from_seq
             JOIN version_stage s ON s.project = x.project AND s.model = x.model AND s.number = x.number
                AND s.from_seq <= $1 AND (s.to_seq IS NULL OR s.to_seq > $1)
             WHERE x.from_seq <= $1 AND (x.to_seq IS NULL OR x.to_seq > $1) ",
            $rest
        )
    };
}

impl View {
    /// All models of a project, in the order in which they were made.
    pub async fn models(&mut self, project: &ProjectName) -> Result<Vec<Model>, LedgerError> {
        let sql = facts!("model", "AND x.project = $2 ORDER BY x.from_seq");
        self.current(sql, [Value::text(project)], model).await
    }

    pub async fn model(&mut self, project: &ProjectName, name: &ModelName) -> Result<Option<Model>, LedgerError> {
        let sql = facts!("model", "AND x.project = $2 AND x.model = $3");
        self.current_one(sql, [Value::text(project), Value::text(name)], model).await
    }

    /// The policy that was set last; none if none ever was.
    pub async fn policy(&mut self, project: &ProjectName, model: &ModelName) -> Result<Option<Policy>, LedgerError> {
        let sql = facts!("model_policy", "AND x.project = $2 AND x.model = $3");
        let read = |row: &Row| Ok(Policy { policy: row.json("policy")?, set: Fact::from_row(row)? });
        self.current_one(sql, [Value::text(project), Value::text(model)], read).await
    }

    /// All versions of a model, oldest first.
    pub async fn versions(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<ModelVersion>, LedgerError> {
        let sql = versions!("AND x.project = $2 AND x.model = $3 ORDER BY x.from_seq");
        let versions = self.current(sql, [Value::text(project), Value::text(model)], ModelVersion::from_row).await?;
        self.with_aliases(versions).await
    }

    pub async fn version(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<ModelVersion>, LedgerError> {
        let sql = versions!("AND x.project = $2 AND x.model = $3 AND x.number = $4");
        let values = [Value::text(project), Value::text(model), Value::text(number)];
        let versions = self.current(sql, values, ModelVersion::from_row).await?;
        Ok(self.with_aliases(versions).await?.pop())
    }

    /// The newest version that was registered from the same facts.
    pub async fn version_by_facts(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        facts: Digest,
    ) -> Result<Option<ModelVersion>, LedgerError> {
        let sql = versions!("AND x.project = $2 AND x.model = $3 AND x.facts = $4 ORDER BY x.from_seq DESC LIMIT 1");
        let values = [Value::text(project), Value::text(model), facts.into()];
        let versions = self.current(sql, values, ModelVersion::from_row).await?;
        Ok(self.with_aliases(versions).await?.pop())
    }

    /// Every version of a project with this content, oldest first.
    pub async fn versions_with_digest(
        &mut self,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Vec<ModelVersion>, LedgerError> {
        let sql = versions!("AND x.digest = $2 AND x.project = $3 ORDER BY x.from_seq");
        let versions = self.current(sql, [digest.into(), Value::text(project)], ModelVersion::from_row).await?;
        self.with_aliases(versions).await
    }

    /// Every version of a project that was registered from a run, oldest first.
    pub async fn versions_of_run(
        &mut self,
        project: &ProjectName,
        run: RunId,
    ) -> Result<Vec<ModelVersion>, LedgerError> {
        let sql = versions!("AND x.run = $2 AND x.project = $3 ORDER BY x.from_seq");
        let versions = self.current(sql, [Value::text(run), Value::text(project)], ModelVersion::from_row).await?;
        self.with_aliases(versions).await
    }

    /// What an alias points at.
    pub async fn alias(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        name: &AliasName,
    ) -> Result<Option<Alias>, LedgerError> {
        let sql = facts!("model_alias", "AND x.project = $2 AND x.model = $3 AND x.alias = $4");
        let values = [Value::text(project), Value::text(model), Value::text(name)];
        self.current_one(sql, values, alias).await
    }

    /// All aliases of a model, sorted by name.
    pub async fn aliases(&mut self, project: &ProjectName, model: &ModelName) -> Result<Vec<Alias>, LedgerError> {
        let sql = facts!("model_alias", "AND x.project = $2 AND x.model = $3");
        let mut aliases = self.current(sql, [Value::text(project), Value::text(model)], alias).await?;
        aliases.sort_by(|a, b| a.alias.cmp(&b.alias));
        Ok(aliases)
    }

    async fn with_aliases(&mut self, mut versions: Vec<ModelVersion>) -> Result<Vec<ModelVersion>, LedgerError> {
        let mut models: Vec<(ProjectName, ModelName)> =
            versions.iter().map(|one| (one.version.project.clone(), one.version.model.clone())).collect();
        models.sort();
        models.dedup();
        for (project, model) in models {
            for alias in self.aliases(&project, &model).await? {
                let target = versions.iter_mut().find(|one| {
                    one.version.number == alias.target && one.version.model == model && one.version.project == project
                });
                if let Some(target) = target {
                    target.aliases.push(alias.alias);
                }
            }
        }
        Ok(versions)
    }
}

fn model(row: &Row) -> Result<Model, LedgerError> {
    Ok(Model { project: row.parse("project")?, model: row.parse("model")?, created: Fact::from_row(row)? })
}

fn alias(row: &Row) -> Result<Alias, LedgerError> {
    Ok(Alias {
        model: row.parse("model")?,
        alias: row.parse("alias")?,
        target: row.parse("number")?,
        moved: Fact::from_row(row)?,
    })
}
