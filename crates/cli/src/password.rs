//! A password that somebody types: nobody sees it, and it is in no history of a shell.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use stemma_core::{Problem, name::PrincipalName, password::check_password};

/// Longer lines are no password.
const LINE_BYTES_MAX: u64 = 4096;

/// Reads a new password: typed twice on the terminal, or the first line of standard input. What can't be one is refused
/// before it is sent.
pub fn new_password(of: &PrincipalName, from_stdin: bool) -> Result<String, Problem> {
    let password = if from_stdin { first_line()? } else { typed_twice(of)? };
    check_password(&password, of)?;
    Ok(password)
}

fn first_line() -> Result<String, Problem> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(|error| Problem::invalid(format!("standard input can't be read: {error}")))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn typed_twice(of: &PrincipalName) -> Result<String, Problem> {
    if !io::stdin().is_terminal() {
        return Err(Problem::invalid("a password is typed on a terminal").hint("or give it by `--stdin`"));
    }
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map_err(|error| Problem::invalid(format!("the terminal can't be read: {error}")))
    };
    let first = ask(format!("new password of {of}: "))?;
    match ask("the same again: ".to_owned())? == first {
        true => Ok(first),
        false => Err(Problem::invalid("what was typed the second time is something else")),
    }
}
