//! What the run of a command shows: that it read the model and the rows, wrote the answers, and could not know what is
//! true.

use std::collections::HashSet;

use stemma_core::{
    Digest, Problem,
    leak::SearchOutcome,
    record::{FileRef, RunKind, RunRecord},
};

use stemma_store::TreeEntry;

use super::super::{evaluation::EvaluationData, leak::leaked_rows};
use crate::{Known, problem::store_problem};

/// The run, and what it should have read and written.
pub struct Witness<'a> {
    pub run: &'a RunRecord,
    /// The content that is judged.
    pub subject: Digest,
    pub question: Digest,
    pub answers: Digest,
}

impl Witness<'_> {
    /// Refuses a run that can't have asked the model these rows, or that read what is true.
    pub fn check(&self, known: &Known, data: &EvaluationData) -> Result<(), Problem> {
        let run = self.run.id;
        let refuse = |what: &str, hint: &str| Err(Problem::invalid(format!("run `{run}` {what}")).hint(hint));
        let again = "`stemma evaluate` runs the command and sends what it answered";
        if self.run.kind != RunKind::Evaluation {
            return refuse("is no run of an evaluation's command", again);
        }
        if !self.run.exit.is_success() {
            return refuse("failed, so what it wrote are no answers", again);
        }
        if !self.run.outputs.iter().any(|file| file.digest == self.answers) {
            return refuse("did not write these answers", again);
        }
        if !self.read().any(|file| file.digest == self.question && !file.mutated) {
            return refuse(&format!("did not read the rows of {} as they are asked today", data.name), again);
        }
        if self.read().any(|file| file.digest == data.digest) {
            let hint = format!("let it read `{{data}}` alone: the same rows without `{}`", data.spec.target);
            return refuse(&format!("read {} itself, which says what is true", data.name), &hint);
        }
        if !self.read_subject(known)? {
            return refuse("did not read the model", "let it load the model from `{model}`");
        }
        Ok(())
    }

    /// All that it read, with the files that it ran.
    fn read(&self) -> impl Iterator<Item = &FileRef> {
        self.run.inputs.iter().chain(&self.run.code.files)
    }

    /// Whether it read the model, or some file of a model that is a folder.
    fn read_subject(&self, known: &Known) -> Result<bool, Problem> {
        let read: HashSet<Digest> = self.read().filter(|file| !file.mutated).map(|file| file.digest).collect();
        if read.contains(&self.subject) {
            return Ok(true);
        }
        Ok(self.files_of_subject(known)?.iter().any(|file| read.contains(file)))
    }

    fn files_of_subject(&self, known: &Known) -> Result<HashSet<Digest>, Problem> {
        let Some(entries) = known.store().tree_entries(&self.subject).map_err(store_problem)? else {
            return Ok(HashSet::new());
        };
        let digest = |entry| match entry {
            Ok((_, TreeEntry::File { digest, .. })) => Some(Ok(digest)),
            Ok(_) => None,
            Err(error) => Some(Err(store_problem(error))),
        };
        entries.filter_map(digest).collect()
    }

    /// Why it may have known what is true all the same; refuses it where it did.
    pub async fn doubts(&self, known: &Known, data: &EvaluationData) -> Result<Vec<String>, Problem> {
        let mut own = self.files_of_subject(known)?;
        own.extend([self.subject, self.question]);
        let inputs: Vec<FileRef> = self.read().filter(|file| !own.contains(&file.digest)).cloned().collect();
        let others = RunRecord { inputs, ..self.run.clone() };
        // the files that rows name it has to read
        let found = leaked_rows(known, data, &others).await?;
        let tells = |outcome: &SearchOutcome| matches!(outcome, SearchOutcome::Searched { found: 1.., .. });
        if let Some(input) = found.search.inputs.iter().find(|input| tells(&input.outcome)) {
            let message = format!("run `{}` read `{}`, which says what is true of rows", self.run.id, input.path);
            return Err(Problem::invalid(message)
                .hint(format!("{} asks nobody who can look it up; let the command read `{{data}}` alone", data.name)));
        }
        let searched = found.search.inputs.iter().filter_map(|input| input.not_searched());
        let searched =
            searched.map(|(path, why)| format!("the command read `{path}`, which could not be searched: {why}"));
        let unseen =
            found.search.unseen.iter().map(|why| why.replace("the run that made the model", "the command's run"));
        Ok(searched.chain(unseen).collect())
    }
}
