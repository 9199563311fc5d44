//! Everything that is remembered here of one home.

use std::collections::BTreeSet;

use stemma_api::types::History;
use stemma_core::{
    Problem,
    history::{Agreement, Departure, LineFault, SeenHead, compare},
    id::HomeId,
};
use stemma_workspace::{Workspace, heads, memory::Memory};

use super::source::Source;

/// Heads of one home, by who has kept them.
#[derive(Debug, Default)]
pub struct Remembered {
    /// By this machine.
    pub memory: Vec<SeenHead>,
    /// By `stemma.heads`.
    pub lines: Vec<SeenHead>,
    /// Lines of `stemma.heads` that can't be believed; of which home they were to be is not known.
    pub faults: Vec<LineFault>,
}

impl Remembered {
    pub fn read(memory: Option<&Memory>, workspace: Option<&Workspace>, home: HomeId) -> Result<Self, Problem> {
        let memory = memory.map(|memory| memory.heads(home)).transpose()?.unwrap_or_default();
        let (lines, faults) = lines(workspace, home)?;
        Ok(Self { memory, lines, faults })
    }

    pub fn all(&self) -> Vec<SeenHead> {
        let mut all = [&self.memory[..], &self.lines].concat();
        all.sort_by_key(|head| head.signed.size());
        all
    }

    /// Asks for what it takes to compare everything, and compares.
    pub async fn compare(&self, source: Source<'_>) -> Result<(History, Result<Agreement, Box<Departure>>), Problem> {
        let all = self.all();
        let history = source.history(&sizes(&all)).await?;
        let compared = compare(&all, &history.today());
        Ok((history, compared))
    }
}

/// The lines of `stemma.heads` about a home, and those that can't be believed.
pub fn lines(workspace: Option<&Workspace>, home: HomeId) -> Result<(Vec<SeenHead>, Vec<LineFault>), Problem> {
    let Some(workspace) = workspace else {
        return Ok(Default::default());
    };
    let (heads, faults) = heads::read(&workspace.heads_file())?;
    Ok((heads.of(home), faults))
}

pub fn sizes(heads: &[SeenHead]) -> BTreeSet<u64> {
    heads.iter().map(|head| head.signed.size()).collect()
}
