//! Models, their versions, and what was found and decided about them.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use stemma_core::{
    Digest,
    event::{Approved, EvidenceKind, EvidenceRecorded, Promoted, VersionRegistered},
    id::{ApprovalId, EvidenceId, RunId},
    lineage::{EdgeKind, NodeKind},
    name::{AliasName, ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    version::{Naming, VersionNumber, derived},
};

use super::view::{Key, Reading, View, recorded, text};
use crate::{
    LedgerError, Recorded,
    sql::{Row, Value},
    writing::note,
};

/// Things named in one question to the database.
const IDS_CHUNK: usize = 2000;

/// A version as registered, and where it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    pub version: VersionRegistered,
    pub stage: Stage,
    pub aliases: Vec<AliasName>,
    pub names: BTreeMap<Naming, String>,
    /// Why it is in quarantine, if it is.
    pub quarantine: Option<Recorded<String>>,
}

/// Which version of a model is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichVersion<'a> {
    Numbered(VersionNumber),
    Alias(&'a str),
    /// By a name that never moves.
    Named(&'a str),
    /// The newest that stands in a stage.
    NewestIn(Stage),
    /// The newest that stands in any other.
    NewestNotIn(Stage),
}

impl View {
    pub async fn models(&self, project: &ProjectName) -> Result<Vec<Recorded<ModelName>>, LedgerError> {
        let rows = self.read().await?.facts("t.model AS model", "model", &[("project", text(project))]).await?;
        rows.iter().map(|row| recorded(row, row.parsed("model")?)).collect()
    }

    pub async fn policy(&self, project: &ProjectName, model: &ModelName) -> Result<Option<ModelPolicy>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model))];
        Ok(self.read().await?.bodies("policy", &key).await?.pop().map(|policy| policy.value))
    }

    /// All versions of a model, oldest first; `None` if there is no such model.
    pub async fn versions(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Option<Vec<Recorded<VersionRow>>>, LedgerError> {
        let mut read = self.read().await?;
        let key: Key = &[("project", text(project)), ("model", text(model))];
        if read.facts("t.model AS model", "model", key).await?.is_empty() {
            return Ok(None);
        }
        let versions: Vec<Recorded<VersionRegistered>> = read.bodies("model_version", key).await?;
        let stages = read.facts("t.number AS number, t.stage AS stage", "stage", key).await?;
        let mut aliases = Vec::new();
        for row in read.facts("t.alias AS alias, t.number AS number", "alias", key).await? {
            aliases.push((row.parsed::<AliasName>("alias")?, row.text("number")?));
        }
        aliases.sort();
        let given = given_names(&mut read, project, model).await?;
        // what follows from a registration is the name of the first version that came to it
        let mut derived_names = BTreeSet::new();
        let kept_back = read.facts("t.number AS number, t.reason AS reason", "quarantine", key).await?;
        let mut found = Vec::with_capacity(versions.len());
        for Recorded { value: version, fact } in versions {
            let number = version.number.to_string();
            let mut stage = Stage::Development;
            for row in &stages {
                if row.text("number")? == number {
                    stage = stage_of(row)?;
                }
            }
            let mut names: BTreeMap<Naming, String> = derived(version.integer, &version.digest, version.run, fact.time)
                .into_iter()
                .filter(|(_, name)| derived_names.insert(name.clone()))
                .collect();
            names.extend(given.get(&number).into_iter().flatten().cloned());
            let aliases = aliases.iter().filter(|(_, of)| *of == number).map(|(alias, _)| alias.clone()).collect();
            let mut quarantine = None;
            for row in &kept_back {
                if row.text("number")? == number {
                    quarantine = Some(recorded(row, row.text("reason")?)?);
                }
            }
            found.push(Recorded { value: VersionRow { version, stage, aliases, names, quarantine }, fact });
        }
        Ok(Some(found))
    }

    /// One version of a model, found without reading the others.
    pub async fn version(
        &self,
        project: &ProjectName,
        model: &ModelName,
        which: WhichVersion<'_>,
    ) -> Result<Option<Recorded<VersionRow>>, LedgerError> {
        let mut read = self.read().await?;
        let number = match which {
            WhichVersion::Numbered(number) => Some(number.to_string()),
            WhichVersion::Alias(alias) => {
                let key = [("project", text(project)), ("model", text(model)), ("alias", text(alias))];
                read.facts("t.number AS number", "alias", &key)
                    .await?
                    .pop()
                    .map(|row| row.text("number"))
                    .transpose()?
            }
            WhichVersion::Named(name) => {
                let key = [("project", text(project)), ("model", text(model)), ("name", text(name))];
                let row = read.facts("t.number AS number", "version_name", &key).await?.pop();
                row.map(|row| row.text("number")).transpose()?
            }
            WhichVersion::NewestIn(stage) => newest(&mut read, project, model, "=", stage).await?,
            WhichVersion::NewestNotIn(stage) => newest(&mut read, project, model, "<>", stage).await?,
        };
        let Some(number) = number else { return Ok(None) };
        let key = [("project", text(project)), ("model", text(model)), ("number", text(&number))];
        let Some(Recorded { value: version, fact }) = read.bodies("model_version", &key).await?.pop() else {
            return Ok(None);
        };
        let mut stage = Stage::Development;
        if let Some(row) = read.facts("t.stage AS stage", "stage", &key).await?.pop() {
            stage = stage_of(&row)?;
        }
        let mut aliases = Vec::new();
        for row in read.facts("t.alias AS alias", "alias", &key).await? {
            aliases.push(row.parsed("alias")?);
        }
        aliases.sort();
        let mut names = BTreeMap::new();
        for row in read.facts("t.scheme AS scheme, t.name AS name", "version_name", &key).await? {
            names.insert(naming_of(&row)?, row.text("name")?);
        }
        let quarantine = read.facts("t.reason AS reason", "quarantine", &key).await?.pop();
        let quarantine = quarantine.map(|row| recorded(&row, row.text("reason")?)).transpose()?;
        Ok(Some(Recorded { value: VersionRow { version, stage, aliases, names, quarantine }, fact }))
    }

    /// Versions of a model that were made from the same facts, oldest first.
    pub async fn versions_by_facts(
        &self,
        project: &ProjectName,
        model: &ModelName,
        facts: Digest,
    ) -> Result<Vec<VersionNumber>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model)), ("facts", text(facts))];
        let versions = self.read().await?.bodies::<VersionRegistered>("model_version", &key).await?;
        Ok(versions.into_iter().map(|version| version.value.number).collect())
    }

    /// Model versions that a run produced.
    pub async fn versions_of_run(
        &self,
        project: &ProjectName,
        run: RunId,
    ) -> Result<Vec<VersionRegistered>, LedgerError> {
        let key = [("project", text(project)), ("run", text(run))];
        let versions = self.read().await?.bodies("model_version", &key).await?;
        Ok(versions.into_iter().map(|version| version.value).collect())
    }

    pub async fn evidence(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<EvidenceRecorded>>, LedgerError> {
        self.of_version("evidence", project, model, number).await
    }

    /// All evidence of one kind on any version of a model, oldest first.
    pub async fn evidence_of_model(
        &self,
        project: &ProjectName,
        model: &ModelName,
        kind: EvidenceKind,
    ) -> Result<Vec<Recorded<EvidenceRecorded>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model)), ("kind", text(kind.as_str()))];
        self.read().await?.bodies("evidence", &key).await
    }

    /// All evidence that rests on a dataset version, as in `test@1`, oldest first.
    pub async fn evidence_on(&self, project: &ProjectName, data: &str) -> Result<Vec<EvidenceRecorded>, LedgerError> {
        let mut read = self.read().await?;
        note("evidence", &[("project", text(project))]);
        let wheres = format!(
            "t.project = $1 AND {} AND t.evidence IN (SELECT edge.to_key FROM fact_edge edge WHERE edge.project = $1 \
             AND edge.from_kind = $2 AND edge.from_key = $3 AND edge.kind = $4 AND {})",
            read.holds("t"),
            read.holds("edge"),
        );
        let (from, kind) = (NodeKind::DatasetVersion.as_str(), EdgeKind::EvaluatedOn.as_str());
        let values = [text(project), text(from), text(data), text(kind)];
        let rows = read.facts_where("t.body AS body", "evidence", &wheres, &values).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    pub async fn approvals(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<Approved>>, LedgerError> {
        self.of_version("approval", project, model, number).await
    }

    pub async fn promotions(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<Promoted>>, LedgerError> {
        self.of_version("promotion", project, model, number).await
    }

    async fn of_version<T: DeserializeOwned>(
        &self,
        table: &'static str,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<T>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model)), ("number", text(number))];
        self.read().await?.bodies(table, &key).await
    }

    /// Evidence by its ids, to say what it is.
    pub async fn evidence_by_id(
        &self,
        project: &ProjectName,
        evidence: &[EvidenceId],
    ) -> Result<Vec<EvidenceRecorded>, LedgerError> {
        self.by_id(project, "evidence", evidence).await
    }

    /// Approvals by their ids, to say what they are.
    pub async fn approvals_by_id(
        &self,
        project: &ProjectName,
        approvals: &[ApprovalId],
    ) -> Result<Vec<Approved>, LedgerError> {
        self.by_id(project, "approval", approvals).await
    }

    /// Rows of a table whose column of the same name is one of these.
    async fn by_id<T: DeserializeOwned>(
        &self,
        project: &ProjectName,
        table: &'static str,
        ids: &[impl std::fmt::Display],
    ) -> Result<Vec<T>, LedgerError> {
        let mut read = self.read().await?;
        note(table, &[("project", text(project))]);
        let wheres = format!(
            "t.project = $1 AND {} AND t.{table} IN (SELECT list.value->>0 FROM {})",
            read.holds("t"),
            read.session.list_at(2)
        );
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS_CHUNK) {
            let list = Value::list(chunk.iter().map(|id| [id.to_string()]))?;
            let rows = read.facts_where("t.body AS body", table, &wheres, &[text(project), list]).await?;
            found.extend(rows.iter().map(|row| row.json("body")).collect::<Result<Vec<T>, _>>()?);
        }
        Ok(found)
    }
}

/// The names that somebody gave, by the numbers of their versions.
async fn given_names(
    read: &mut Reading,
    project: &ProjectName,
    model: &ModelName,
) -> Result<BTreeMap<String, Vec<(Naming, String)>>, LedgerError> {
    let mut names: BTreeMap<String, Vec<(Naming, String)>> = BTreeMap::new();
    for naming in [Naming::Semver, Naming::Label] {
        let key = [("project", text(project)), ("model", text(model)), ("scheme", text(naming))];
        for row in read.facts("t.number AS number, t.name AS name", "version_name", &key).await? {
            names.entry(row.text("number")?).or_default().push((naming, row.text("name")?));
        }
    }
    Ok(names)
}

fn naming_of(row: &Row) -> Result<Naming, LedgerError> {
    let scheme = row.text("scheme")?;
    Naming::parse(&scheme).ok_or_else(|| LedgerError::Damaged(format!("scheme `{scheme}` of names")))
}

fn stage_of(row: &Row) -> Result<Stage, LedgerError> {
    let name = row.text("stage")?;
    Stage::parse(&name).ok_or_else(|| LedgerError::Damaged(format!("stage `{name}`")))
}

/// The number of the newest version whose stage is, or is not, this one.
async fn newest(
    read: &mut Reading,
    project: &ProjectName,
    model: &ModelName,
    comparison: &str,
    stage: Stage,
) -> Result<Option<String>, LedgerError> {
    let key = [("project", text(project)), ("model", text(model))];
    note("model_version", &key);
    note("stage", &key);
    let sql = format!(
        "SELECT t.number AS number FROM model_version t \
         JOIN stage ON stage.project = t.project AND stage.model = t.model AND stage.number = t.number \
         WHERE t.project = $1 AND t.model = $2 AND {} AND {} AND stage.stage {comparison} $3 \
         ORDER BY t.from_seq DESC LIMIT 1",
        read.holds("t"),
        read.holds("stage"),
    );
    let row = read.session.row(&sql, &[text(project), text(model), text(stage)]).await?;
    row.map(|row| row.text("number")).transpose()
}
