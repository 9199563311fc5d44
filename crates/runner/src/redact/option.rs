//! Short options that take a password, by the programs that have them.

use super::value::is_plain;

/// Programs whose short options take a password: (program, option, whether the next word is meant as well).
pub(super) const SHORT_OPTIONS: [(&str, &str, bool); 12] = [
    ("sshpass", "-p", true),
    ("mysql", "-p", false),
    ("mysqldump", "-p", false),
    ("mariadb", "-p", false),
    ("mongo", "-p", true),
    ("mongosh", "-p", true),
    ("curl", "-u", true),
    ("curl", "--user", true),
    ("redis-cli", "-a", true),
    ("ldapsearch", "-w", true),
    ("sqlcmd", "-P", true),
    ("unzip", "-P", true),
];

/// The program's name, if the argument starts one whose short options take a password.
pub(super) fn password_program(argument: &str) -> Option<&'static str> {
    let name = argument.rsplit('/').next()?;
    SHORT_OPTIONS.iter().map(|(program, ..)| *program).find(|program| *program == name)
}

/// The option of `-pSECRET`, for the programs that read it so.
pub(super) fn joined_option(argument: &str, program: &str) -> Option<&'static str> {
    let (_, option, _) = SHORT_OPTIONS.iter().find(|(name, ..)| *name == program)?;
    let value = argument.strip_prefix(option)?;
    let is_another_option = argument.starts_with("--");
    (!is_another_option && !is_plain(value)).then_some(*option)
}
