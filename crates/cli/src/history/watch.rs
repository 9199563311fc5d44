//! The comparison that every command makes by the way: the home's head comes in the headers of the answers, with the proof
//! that the newest head that is remembered is a beginning of it.

use stemma_api::{client::HeadShown, types::History};
use stemma_core::{
    Clock as _, ErrorKind, Problem, SystemClock,
    history::{Departure, Disagreement, SeenHead, compare},
    id::HomeId,
};
use stemma_engine::Engine;
use stemma_workspace::{Workspace, memory::Memory};

use super::{
    remembered::{Remembered, lines, sizes},
    source::{Source, not_believed},
};
use crate::{print::Output, settings};

/// Whether a command writes the home's head into `stemma.heads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineRule {
    /// It changes neither `stemma.lock` nor the registry.
    #[default]
    Leave,
    Keep,
}

/// What a home has shown of its history while a command talked to it.
pub enum Shown {
    Nothing,
    /// It answered, and showed no head.
    Withheld,
    History(Box<History>),
}

/// A command's eye on the history of the home at a place.
pub struct Watch {
    place: String,
    memory: Option<Memory>,
    workspace: Option<Workspace>,
    /// The size that the home is asked about.
    remembered: u64,
}

impl Watch {
    /// `place` is the address of a server, or the folder of a home.
    pub fn begin(place: String, workspace: Option<&Workspace>) -> Self {
        let memory = settings::config_dir().map(|dir| Memory::in_config(&dir));
        let workspace = workspace.cloned();
        // only which proof comes without being asked for depends on it; at the end all is read anew, and failures told
        let remembered = newest_size(&place, memory.as_ref(), workspace.as_ref()).ok().flatten().unwrap_or_default();
        Self { place, memory, workspace, remembered }
    }

    /// The size to ask about.
    pub const fn remembered(&self) -> u64 {
        self.remembered
    }

    pub fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Compares what was shown, remembers it if it continues what is known, and says what has to be said.
    pub async fn end(&self, shown: Result<Shown, Problem>, source: Source<'_>, rule: LineRule, output: &Output) {
        let settled = match shown {
            Ok(Shown::Nothing) => Ok(()),
            Ok(Shown::Withheld) => self.withheld(),
            Ok(Shown::History(history)) => self.settle(*history, source, rule).await,
            Err(problem) => Err(problem),
        };
        if let Err(warning) = settled {
            output.warn(&warning);
        }
    }

    /// What a home of this process shows.
    pub async fn shown_by_own(&self, engine: &Engine) -> Result<Shown, Problem> {
        let history = engine.history(&[self.remembered].into()).await;
        // why it can't be signed was said already
        Ok(history.map_or(Shown::Withheld, |history| Shown::History(Box::new(history))))
    }

    /// The home that was at the place, if it was another one.
    pub fn other_home(&self, home: HomeId) -> Result<Option<HomeId>, Problem> {
        let before = self.memory.as_ref().map(|memory| memory.home_at(&self.place)).transpose()?.flatten();
        Ok(before.filter(|before| *before != home))
    }

    fn withheld(&self) -> Result<(), Problem> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let newest = memory.home_at(&self.place)?.map(|home| memory.newest(home)).transpose()?.flatten();
        newest.map_or(Ok(()), |newest| {
            let (size, seen) = (newest.signed.size(), newest.seen);
            let message = format!(
                "the home at `{}` does not show the head of its history, so it was not compared with the {size} events that \
                 this machine saw on {seen}",
                self.place
            );
            Err(Problem::new(ErrorKind::Corrupt, message).hint("`stemma audit verify` says why, if it is this home"))
        })
    }

    async fn settle(&self, mut history: History, source: Source<'_>, rule: LineRule) -> Result<(), Problem> {
        let home = history.head.home;
        let newest = self.memory.as_ref().map(|memory| memory.newest(home)).transpose()?.flatten();
        let (lines, faults) = lines(self.workspace.as_ref(), home)?;
        let at_hand = at_hand(newest.as_ref(), &lines, history.head.signed.size());
        let mut compared = compare(&at_hand, &history.today());
        if compared.as_ref().is_err_and(|departure| departure.how <= Disagreement::Unproved) {
            // another command has remembered more since, or the key has changed: the answers' headers do not say enough
            history = source.history(&sizes(&at_hand)).await?;
            compared = compare(&at_hand, &history.today());
        }
        if compared.is_err() {
            // everything that is remembered tells more exactly where it begins
            let remembered = Remembered::read(self.memory.as_ref(), self.workspace.as_ref(), home)?;
            if let (_, Err(departure)) = remembered.compare(source).await? {
                return Err(departed(home, &departure));
            }
        }
        if let Some(before) = self.other_home(home)? {
            return Err(other_home(&self.place, before, home));
        }
        self.remember(&history, newest.as_ref())?;
        match (rule, &self.workspace) {
            (LineRule::Keep, Some(_)) if !faults.is_empty() => Err(not_kept(&faults[0])),
            (LineRule::Keep, Some(workspace)) => keep_line(workspace, history, &lines, source).await,
            _ => Ok(()),
        }
    }

    fn remember(&self, history: &History, newest: Option<&SeenHead>) -> Result<(), Problem> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let is_known = newest.is_some_and(|newest| newest.signed == history.head.signed);
        if !is_known || memory.home_at(&self.place)?.is_none() {
            memory.remember(&self.place, &history.head, newest)?;
        }
        Ok(())
    }
}

/// The size of the newest head that is known here of the home at a place.
fn newest_size(place: &str, memory: Option<&Memory>, workspace: Option<&Workspace>) -> Result<Option<u64>, Problem> {
    if let Some(memory) = memory
        && let Some(home) = memory.home_at(place)?
        && let Some(newest) = memory.newest(home)?
    {
        return Ok(Some(newest.signed.size()));
    }
    // a fresh clone remembers what its repository does
    let Some(workspace) = workspace else {
        return Ok(None);
    };
    let (heads, _) = stemma_workspace::heads::read(&workspace.heads_file())?;
    Ok(heads.iter().map(|head| head.signed.size()).max())
}

/// What can be compared without asking for more: the newest of this machine, or else all lines; and lines that are not
/// shorter than the home.
fn at_hand(newest: Option<&SeenHead>, lines: &[SeenHead], size: u64) -> Vec<SeenHead> {
    let is_needed = |line: &&SeenHead| newest.is_none() || line.signed.size() >= size;
    let mut at_hand: Vec<SeenHead> = newest.into_iter().chain(lines.iter().filter(is_needed)).cloned().collect();
    at_hand.sort_by_key(|head| head.signed.size());
    at_hand
}

/// Keeps the head as the project's line, in the place of those that are shown to be beginnings of it.
async fn keep_line(
    workspace: &Workspace,
    history: History,
    lines: &[SeenHead],
    source: Source<'_>,
) -> Result<(), Problem> {
    if lines.iter().any(|line| line.signed == history.head.signed) {
        return Ok(());
    }
    let history = match lines.iter().all(|line| history.proofs.contains_key(&line.signed.size())) {
        true => history,
        false => source.history(&sizes(lines)).await?,
    };
    if let Err(departure) = compare(lines, &history.today()) {
        return Err(departed(history.head.home, &departure));
    }
    Ok(workspace.remember_head(&history.head, lines)?)
}

pub fn departed(home: HomeId, departure: &Departure) -> Problem {
    let hint = match departure.how {
        Disagreement::Unproved => "`stemma audit verify` asks again",
        Disagreement::OtherKey => "a key is changed with `stemma audit rotate-key`; nobody did that here",
        Disagreement::WentBack | Disagreement::Differs => {
            "trust nothing that it says until you know why; if a backup was brought back on purpose, say so with \
             `stemma audit accept-head --reason TEXT`"
        }
    };
    Problem::new(ErrorKind::Corrupt, format!("{departure} (home {home})")).hint(hint)
}

pub fn other_home(place: &str, before: HomeId, home: HomeId) -> Problem {
    let message = format!("`{place}` was the home {before}, and is another one now: {home}");
    Problem::new(ErrorKind::Corrupt, message)
        .hint("if that is on purpose, say so with `stemma audit accept-head --reason TEXT`")
}

fn not_kept(fault: &stemma_core::history::LineFault) -> Problem {
    let message = format!("`stemma.heads` line {}: {}; the home's head was not kept", fault.line, fault.reason);
    Problem::new(ErrorKind::Corrupt, message).hint("`git log -p stemma.heads` shows who changed it; remove the line")
}

/// Reads what the client has seen.
pub fn shown_by(shown: HeadShown) -> Result<Shown, Problem> {
    match shown {
        HeadShown::Nothing => Ok(Shown::Nothing),
        HeadShown::Withheld => Ok(Shown::Withheld),
        HeadShown::Head { head, proof } => {
            let history = History::from_headers(&head, proof.as_deref(), SystemClock.now());
            history.map(Box::new).map(Shown::History).map_err(|why| not_believed(&why))
        }
    }
}
