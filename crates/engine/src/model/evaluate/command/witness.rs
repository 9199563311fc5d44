//! What the run of a command shows: that it read the model and the rows, wrote the answers, and could not know what is
//! true.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Digest, Problem,
    leak::SearchOutcome,
    record::{FileRef, RunKind, RunRecord},
};

use stemma_store::TreeEntry;

use super::super::{
    evaluation::EvaluationData,
    leak::{leaked_rows, look_beside},
};
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
        if self.read_of_subject(known)?.bytes == 0 {
            return refuse("did not read the model", "let it load the model from `{model}`");
        }
        Ok(())
    }

    /// All that it read, with the files that it ran.
    fn read(&self) -> impl Iterator<Item = &FileRef> {
        self.run.inputs.iter().chain(&self.run.code.files)
    }

    /// How much of the model it read; of a folder, which files count once each.
    fn read_of_subject(&self, known: &Known) -> Result<Share, Problem> {
        let read: HashSet<Digest> = self.read().filter(|file| !file.mutated).map(|file| file.digest).collect();
        if read.contains(&self.subject) {
            return Ok(Share { bytes: 1, of: 1 });
        }
        let files = self.files_of_subject(known)?;
        let read = files.iter().filter(|(file, _)| read.contains(*file)).map(|(_, size)| size).sum();
        Ok(Share { bytes: read, of: files.values().sum() })
    }

    /// The files of a model that is a folder, and how long they are.
    fn files_of_subject(&self, known: &Known) -> Result<HashMap<Digest, u64>, Problem> {
        let Some(entries) = known.store().tree_entries(&self.subject).map_err(store_problem)? else {
            return Ok(HashMap::new());
        };
        let file = |entry| match entry {
            Ok((_, TreeEntry::File { digest, size, .. })) => Some(Ok((digest, size))),
            Ok(_) => None,
            Err(error) => Some(Err(store_problem(error))),
        };
        entries.filter_map(file).collect()
    }

    /// Why it may have known what is true all the same; refuses it where it did.
    pub async fn doubts(&self, known: &Known, data: &EvaluationData) -> Result<Vec<String>, Problem> {
        let mut own: HashSet<Digest> = self.files_of_subject(known)?.into_keys().collect();
        own.insert(self.subject);
        let inputs: Vec<FileRef> = self.read().filter(|file| file.digest != self.question).cloned().collect();
        let others = RunRecord { inputs, ..self.run.clone() };
        // the files that rows name it has to read
        let search = leaked_rows(known, data, &others).await?.search;
        let tells = |outcome: &SearchOutcome| matches!(outcome, SearchOutcome::Searched { found: 1.., .. });
        let tells = search.inputs.iter().find(|input| tells(&input.outcome)).map(|input| input.path.clone());
        let beside = look_beside(known, data, &search, own.clone()).await?;
        if let Some(path) = tells.or(beside.tells) {
            let message = format!("run `{}` read `{path}`, which says what is true of rows", self.run.id);
            return Err(Problem::invalid(message)
                .hint(format!("{} asks nobody who can look it up; let the command read `{{data}}` alone", data.name)));
        }
        let others = search.inputs.iter().filter(|input| !own.contains(&input.digest));
        let unsearched = others.filter_map(|input| input.not_searched());
        let unsearched =
            unsearched.map(|(path, why)| format!("the command read `{path}`, which could not be searched: {why}"));
        let unseen = search.unseen.iter().map(|why| why.replace("the run that made the model", "the command's run"));
        let part = self.read_of_subject(known)?.doubt();
        Ok(unsearched.chain(beside.doubts).chain(unseen).chain(part).collect())
    }
}

/// How much of the model was read, in bytes.
struct Share {
    bytes: u64,
    of: u64,
}

impl Share {
    /// Another model may have answered, if most of this one was not read.
    fn doubt(&self) -> Option<String> {
        let Self { bytes, of } = self;
        (bytes.saturating_mul(2) < *of).then(|| format!("the command read {bytes} of the {of} bytes of the model"))
    }
}
