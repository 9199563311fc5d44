//! Asking the person at the terminal.

use std::io::{IsTerminal as _, Write as _};

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// Nobody is at the terminal.
    NobodyThere,
}

/// Whether somebody is there to be asked.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no; anything but yes is no.
pub fn ask(question: &str) -> Answer {
    if !is_possible() {
        return Answer::NobodyThere;
    }
    let (mut answer, mut terminal) = (String::new(), std::io::stderr());
    let asked = write!(terminal, "{} [y/N] ", crate::print::harmless(question)).and_then(|()| terminal.flush());
    let answered = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    let is_yes = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
    if answered.is_ok() && is_yes { Answer::Yes } else { Answer::No }
}
