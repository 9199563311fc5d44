//! By what versions of models and datasets are found: a row of what each has one of, and rows of what it may have many of.
//! Everything follows from events; what lies in contents only is not searched.

use stemma_core::{
    canonical,
    event::{DatasetVersionAdded, Event, EvidenceKind, EvidenceRecorded, Promoted, VersionRegistered},
    name::{AliasName, ModelName, ProjectName},
    policy::Stage,
    search::Realm,
    signature::{Field, Signature},
    version::VersionNumber,
};

use super::adopt::adopt as adopt_events;
use crate::{
    LedgerError,
    event::Leaf,
    row::{
        file::text,
        search::{ALIAS, CLAIMED, EVALUATED, Fact, GATE, METRIC},
    },
    sql::{Session, Value},
};

/// Rows in one statement.
const CHUNK: usize = 2000;
/// Longest ending of a file's name that is a format.
const ENDING_CHARS_MAX: usize = 16;
/// Kinds of events that say something by which things are found.
const KINDS: &str = "'version_registered', 'version_named', 'promoted', 'alias_moved', 'alias_removed', 'evidence_recorded', \
     'approved', 'dataset_version_added'";

/// Applies one event to the tables of search.
pub async fn apply(session: &mut Session, leaf: &Leaf, event: &Event) -> Result<(), LedgerError> {
    let mut to = Index { session, leaf };
    match event {
        Event::VersionRegistered(version) => to.register(version).await,
        Event::DatasetVersionAdded(added) => to.add_dataset(added).await,
        Event::Promoted(promoted) => to.promote(promoted).await,
        Event::AliasMoved { project, model, alias, to: number, .. } => {
            to.move_alias(project, model, alias, *number).await
        }
        Event::AliasRemoved { project, model, alias, .. } => to.end_alias(project, model, alias).await,
        Event::EvidenceRecorded(one) => to.note_evidence(one).await,
        Event::VersionNamed(named) => {
            let Some(id) = to.version(&named.project, &named.model, named.version).await? else { return Ok(()) };
            to.add_words(id, &named.name.to_string()).await
        }
        Event::Approved(one) => {
            let Some(id) = to.version(&one.project, &one.model, one.version).await? else { return Ok(()) };
            to.add_words(id, &one.reason).await
        }
        _ => Ok(()),
    }
}

/// Takes in the things of a ledger that had no such tables.
pub async fn adopt(session: &mut Session) -> Result<(), LedgerError> {
    adopt_events(session, KINDS, apply).await
}

struct Index<'a> {
    session: &'a mut Session,
    leaf: &'a Leaf,
}

/// What a thing has one of.
struct Entry<'a> {
    realm: Realm,
    project: &'a ProjectName,
    name: &'a str,
    version: String,
    number: u32,
    stage: &'a str,
    format: &'a str,
    run: String,
    digest: String,
    contract: i64,
}

impl Index<'_> {
    async fn register(&mut self, version: &VersionRegistered) -> Result<(), LedgerError> {
        let contract = self.contract(&version.signature).await?;
        self.insert_entry(Entry {
            realm: Realm::Versions,
            project: &version.project,
            name: version.model.as_str(),
            version: version.number.to_string(),
            number: version.integer,
            stage: Stage::Development.as_str(),
            format: &version.format,
            run: version.run.map(|run| run.to_string()).unwrap_or_default(),
            digest: version.digest.to_string(),
            contract,
        })
        .await?;
        let mut facts = Fact::words([version.model.as_str(), &version.reason, &version.file_name]);
        if let Some(claims) = &version.claims {
            facts.extend(Fact::params(&claims.params));
            facts.extend(Fact::numbers(CLAIMED, &claims.metrics));
        }
        self.insert_facts(self.seq(), &facts).await
    }

    async fn add_dataset(&mut self, added: &DatasetVersionAdded) -> Result<(), LedgerError> {
        self.insert_entry(Entry {
            realm: Realm::Datasets,
            project: &added.project,
            name: added.dataset.as_str(),
            version: added.number.to_string(),
            number: added.number,
            stage: "",
            format: &ending(&added.path),
            run: added.run.map(|run| run.to_string()).unwrap_or_default(),
            digest: added.digest.to_string(),
            contract: 0,
        })
        .await?;
        let said = [added.source.as_deref(), added.why.as_deref()].into_iter().flatten();
        let texts = [added.dataset.as_str(), &added.path].into_iter().chain(said);
        self.insert_facts(self.seq(), &Fact::words(texts)).await
    }

    async fn promote(&mut self, promoted: &Promoted) -> Result<(), LedgerError> {
        let Some(id) = self.version(&promoted.project, &promoted.model, promoted.version).await? else {
            return Ok(());
        };
        // the row that holds goes on with another stage
        let columns =
            "realm, id, project, name, version, number, format, registrant, registered, run, digest, contract";
        let seq = Value::Int(self.seq());
        let end = "UPDATE search_entry SET to_seq = $1 WHERE id = $2 AND to_seq IS NULL";
        self.session.execute(end, &[seq.clone(), Value::Int(id)]).await?;
        let go_on = format!(
            "INSERT INTO search_entry ({columns}, stage, from_seq) SELECT {columns}, $1, $2 FROM search_entry \
             WHERE id = $3 AND to_seq = $2"
        );
        self.session.execute(&go_on, &[text(promoted.to), seq, Value::Int(id)]).await?;
        self.add_words(id, &promoted.reason).await
    }

    async fn move_alias(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        alias: &AliasName,
        number: VersionNumber,
    ) -> Result<(), LedgerError> {
        self.end_alias(project, model, alias).await?;
        let Some(id) = self.version(project, model, number).await? else { return Ok(()) };
        self.insert_facts(id, &[Fact::text(ALIAS, "", alias.as_str())]).await
    }

    async fn end_alias(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        alias: &AliasName,
    ) -> Result<(), LedgerError> {
        let end = "UPDATE search_fact SET to_seq = $1 WHERE kind = $2 AND name = '' AND text = $3 AND to_seq IS NULL \
                   AND id IN (SELECT id FROM search_entry WHERE realm = $4 AND project = $5 AND name = $6 \
                   AND to_seq IS NULL)";
        let values = [
            Value::Int(self.seq()),
            ALIAS.into(),
            text(alias),
            Realm::Versions.as_str().into(),
            text(project),
            text(model),
        ];
        self.session.execute(end, &values).await.map(drop)
    }

    async fn note_evidence(&mut self, one: &EvidenceRecorded) -> Result<(), LedgerError> {
        let Some(id) = self.version(&one.project, &one.model, one.version).await? else { return Ok(()) };
        match (one.kind, &one.gate) {
            (EvidenceKind::Evaluation, _) => {
                self.end_facts(id, METRIC, None).await?;
                self.end_facts(id, EVALUATED, None).await?;
                let facts: Vec<Fact> = match &one.metrics {
                    Some(metrics) => Fact::numbers(METRIC, metrics).collect(),
                    None => vec![Fact::text(EVALUATED, "", "")],
                };
                self.insert_facts(id, &facts).await
            }
            (EvidenceKind::Gate, Some(gate)) => {
                self.end_facts(id, GATE, Some(gate.as_str())).await?;
                let verdict = if one.passed { "passed" } else { "failed" };
                self.insert_facts(id, &[Fact::text(GATE, gate.as_str(), verdict)]).await
            }
            (
                EvidenceKind::Gate | EvidenceKind::Reproduction | EvidenceKind::Validation | EvidenceKind::Behaviour,
                _,
            ) => Ok(()),
        }
    }

    /// The number of a contract, which is made if it is new; 0 of an unknown one.
    async fn contract(&mut self, signature: &Signature) -> Result<i64, LedgerError> {
        if signature.inputs.is_empty() && signature.outputs.is_empty() {
            return Ok(0);
        }
        let digest = text(canonical::digest(signature)?.0);
        let find = "SELECT from_seq FROM contract WHERE digest = $1";
        if let Some(row) = self.session.row(find, std::slice::from_ref(&digest)).await? {
            return row.int("from_seq");
        }
        let seq = self.seq();
        let insert = "INSERT INTO contract (digest, body, from_seq) VALUES ($1, $2, $3)";
        self.session
            .execute(insert, &[digest, Value::Text(serde_json::to_string(signature)?), Value::Int(seq)])
            .await?;
        let field =
            |direction: &'static str| move |field: &Field| (direction, field.name.clone(), i64::from(field.optional));
        let inputs = signature.inputs.iter().map(field("input"));
        let fields: Vec<_> = inputs.chain(signature.outputs.iter().map(field("output"))).collect();
        let sql = format!(
            "INSERT INTO contract_field (contract, direction, name, optional, from_seq) SELECT $1, list.value->>0, \
             list.value->>1, CAST(list.value->>2 AS BIGINT), $1 FROM {}",
            self.session.list_at(2)
        );
        for chunk in fields.chunks(CHUNK) {
            self.session.execute(&sql, &[Value::Int(seq), Value::list(chunk)?]).await?;
        }
        Ok(seq)
    }

    /// The id of a version; nothing if it was never registered.
    async fn version(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Option<i64>, LedgerError> {
        let sql = "SELECT id FROM search_entry \
                   WHERE realm = $1 AND project = $2 AND name = $3 AND version = $4 AND to_seq IS NULL";
        let key = [Realm::Versions.as_str().into(), text(project), text(model), text(number)];
        self.session.row(sql, &key).await?.map(|row| row.int("id")).transpose()
    }

    async fn insert_entry(&mut self, entry: Entry<'_>) -> Result<(), LedgerError> {
        let sql = "INSERT INTO search_entry (realm, id, project, name, version, number, stage, format, registrant, \
                   registered, run, digest, contract, from_seq) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $2)";
        let values = [
            entry.realm.as_str().into(),
            Value::Int(self.seq()),
            text(entry.project),
            entry.name.into(),
            entry.version.into(),
            Value::Int(i64::from(entry.number)),
            entry.stage.into(),
            entry.format.into(),
            text(&self.leaf.actor.principal),
            Value::Int(self.leaf.time.micros()),
            entry.run.into(),
            entry.digest.into(),
            Value::Int(entry.contract),
        ];
        self.session.execute(sql, &values).await.map(drop)
    }

    async fn insert_facts(&mut self, id: i64, facts: &[Fact]) -> Result<(), LedgerError> {
        let sql = format!(
            "INSERT INTO search_fact (id, kind, name, text, rank, from_seq) SELECT $1, list.value->>0, list.value->>1, \
             list.value->>2, CAST(list.value->>3 AS BIGINT), $2 FROM {}",
            self.session.list_at(3)
        );
        let (id, seq) = (Value::Int(id), Value::Int(self.seq()));
        for chunk in facts.chunks(CHUNK) {
            self.session.execute(&sql, &[id.clone(), seq.clone(), Value::list(chunk)?]).await?;
        }
        Ok(())
    }

    /// Adds the words of a reason. That some are there already does no harm: a word is there, or it is not.
    async fn add_words(&mut self, id: i64, reason: &str) -> Result<(), LedgerError> {
        self.insert_facts(id, &Fact::words([reason])).await
    }

    async fn end_facts(&mut self, id: i64, kind: &str, name: Option<&str>) -> Result<(), LedgerError> {
        // found by the thing, of whose facts there are few
        let holds = format!("{} IS NULL", self.session.unindexed("to_seq"));
        let mut sql = format!("UPDATE search_fact SET to_seq = $1 WHERE id = $2 AND kind = $3 AND {holds}");
        let mut values = vec![Value::Int(self.seq()), Value::Int(id), kind.into()];
        if let Some(name) = name {
            sql.push_str(" AND name = $4");
            values.push(name.into());
        }
        self.session.execute(&sql, &values).await.map(drop)
    }

    fn seq(&self) -> i64 {
        self.leaf.seq as i64
    }
}

/// The format of a file as its name tells it; empty if it doesn't.
fn ending(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    let is_plain = |ending: &String| {
        ending.chars().count() <= ENDING_CHARS_MAX && ending.chars().all(|letter| letter.is_ascii_alphanumeric())
    };
    ending.filter(is_plain).unwrap_or_default()
}
