//! Commands as a person types them at a desk: shown, run, and what they say shown below.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{
    desk::{Desk, expect_exit},
    process,
};

pub const INDENT: &str = "   ";
/// Characters that begin every token; the rest is not for the screen.
pub const TOKEN_START: &str = "stm_";

/// Says what happens, in a line or two.
pub fn say(text: &str) {
    for line in text.lines() {
        println!("{INDENT}{line}");
    }
}

/// Shows a command, runs it, shows what it says, and checks how it ended; returns what it said.
pub fn type_in(command: &mut Command, before: &str, exit_code: i32) -> Result<String> {
    println!("{INDENT}$ {before}{}", process::words(command));
    let (reader, writer) = std::io::pipe().context("no pipe")?;
    // one pipe for both, so that lines are shown in the order in which they were written
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("can't run `{}`", process::words(command)))?;
    // the command holds our end of the pipe, too
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut said = String::new();
    for line in BufReader::new(reader).lines() {
        let line = line.context("the command printed something else than text")?;
        println!("{INDENT}  {}", masked(&line));
        said.push_str(&line);
        said.push('\n');
    }
    expect_exit(command, child.wait()?, &said, exit_code)?;
    Ok(said)
}

/// Shows and runs `stemma` at a desk; it must succeed.
pub fn stemma(desk: &Desk, arguments: &[&str]) -> Result<String> {
    type_in(&mut desk.stemma(arguments)?, "", 0)
}

/// Shows and runs a Python script under `stemma run`.
pub fn run(desk: &Desk, script: &[&str]) -> Result<()> {
    stemma(desk, &[&["run", "--", "python"], script].concat())?;
    Ok(())
}

/// Takes the secret part out of tokens.
fn masked(text: &str) -> String {
    let mut parts = text.split(TOKEN_START);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(part.len());
        out.push_str(TOKEN_START);
        out.push('…');
        out.push_str(&part[end..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_not_shown() {
        assert_eq!(masked("the token\n\n  stm_aB3_-x\n\nkept; stm_q, end"), "the token\n\n  stm_…\n\nkept; stm_…, end");
        assert_eq!(masked("nothing"), "nothing");
    }
}
