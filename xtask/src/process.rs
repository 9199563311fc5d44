//! Running other programs: by lists of arguments, never through a shell.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::Pid;

/// Lines of a failed program's last words that are shown.
const LAST_LINES: usize = 25;

/// Runs a program that speaks for itself; fails if it does.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("`{}` ended with {status}", words(command));
    }
    Ok(())
}

/// Runs a program silently and returns what it printed to standard output; its last words are in the error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = capture(command)?;
    if !output.status.success() {
        bail!("`{}` ended with {}\n{}", words(command), output.status, last_words(&output));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something else than text", words(command)))
}

/// Runs a program silently, whatever comes of it.
pub fn capture(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| cannot_run(command))
}

fn cannot_run(command: &Command) -> String {
    format!("can't run `{}`", words(command))
}

fn last_words(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    tail(&text)
}

/// The last lines of a long text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// The command as a person would type it, the program by its bare name.
pub fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where a program is, if it is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A process and everything that it started and that lives.
pub fn family(process: u32) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let started = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> = started.flat_map(|line| numbers(&line)).collect();
    let own = i32::try_from(process).ok().and_then(Pid::from_raw);
    own.into_iter().chain(children.into_iter().flat_map(family)).collect()
}

fn numbers(line: &str) -> Vec<u32> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_could_be_typed() {
        let mut command = Command::new("/usr/bin/stemma");
        command.args(["add", "data/a b.csv", "--why", "", "it's"]);
        assert_eq!(words(&command), r"stemma add 'data/a b.csv' --why '' 'it'\''s'");
    }

    #[test]
    fn a_failure_carries_the_programs_last_words() {
        let error = output(Command::new("ls").arg("/no/such/folder")).unwrap_err().to_string();
        assert!(error.starts_with("`ls /no/such/folder` ended with exit status: 2\n"), "{error}");
        assert!(error.contains("No such file"), "{error}");
        let error = format!("{:#}", output(&mut Command::new("/no/such/program")).unwrap_err());
        assert!(error.starts_with("can't run `program`: "), "{error}");
    }

    #[test]
    fn a_family_is_a_process_and_what_it_started() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let found = family(std::process::id()).contains(&Pid::from_child(&child));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program"), None);
    }
}
