//! Short options that take a password, by the programs that have them.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    name::{key_kind, words},
    secret::{SecretKind, is_redacted},
    value::{is_count, is_harmless, is_plain},
};

/// Programs whose short options take a password: (program, option, whether the next word is meant as well).
const SHORT_OPTIONS: [(&str, &str, bool); 15] = [
    ("sshpass", "-p", true),
    ("mysql", "-p", false),
    ("mysqldump", "-p", false),
    ("mariadb", "-p", false),
    ("mongo", "-p", true),
    ("mongosh", "-p", true),
    ("curl", "-u", true),
    ("curl", "--user", true),
    ("curl", "-b", true),
    ("curl", "--cookie", true),
    ("redis-cli", "-a", true),
    ("redis-cli", "--pass", true),
    ("ldapsearch", "-w", true),
    ("sqlcmd", "-P", true),
    ("unzip", "-P", true),
];

/// The program's name, if the argument starts one whose short options take a password.
pub(super) fn password_program(argument: &str) -> Option<&'static str> {
    let name = argument.rsplit('/').next()?;
    SHORT_OPTIONS.iter().map(|(program, ..)| *program).find(|program| *program == name)
}

/// What the argument after this one holds, if this is an option that takes a secret.
pub(super) fn option_kind(argument: &str, program: &str) -> Option<SecretKind> {
    const SWITCHES: [&str; 9] = ["use", "no", "with", "ask", "prompt", "has", "enable", "disable", "skip"];
    if SHORT_OPTIONS.contains(&(program, argument, true)) {
        return Some(if matches!(argument, "-b" | "--cookie") { SecretKind::Cookie } else { SecretKind::Password });
    }
    let is_option = argument.starts_with('-') && !argument.contains(['=', ' ']) && !is_redacted(argument);
    let is_switch = words(argument).first().is_some_and(|first| SWITCHES.contains(&first.as_str()));
    if is_option && !is_switch { key_kind(argument) } else { None }
}

/// The option of `-pSECRET`, for the programs that read it so.
pub(super) fn joined_option(argument: &str, program: &str) -> Option<&'static str> {
    let (_, option, _) = SHORT_OPTIONS.iter().find(|(name, ..)| *name == program)?;
    let value = argument.strip_prefix(option)?;
    let is_another_option = argument.starts_with("--");
    (!is_another_option && !is_plain(value)).then_some(*option)
}

/// Programs to which `-u NAME:NAME` is a user and a group.
const USER_AND_GROUP: [&str; 5] = ["docker", "podman", "nerdctl", "systemd-run", "install"];

/// The user of `-u USER:PASSWORD`, whatever the program.
pub(super) fn user_and_password<'a>(option: &str, argument: &'a str, command: &[String]) -> Option<&'a str> {
    let (user, password) =
        argument.split_once(':').filter(|_| matches!(option, "-u" | "--user" | "--userpwd" | "--auth"))?;
    let name_of = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    let means_group = command.iter().any(|word| USER_AND_GROUP.contains(&name_of(word).as_str()));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_pair = !user.is_empty() && !is_number(user) && !user.contains(['/', '$', '=', '«']);
    (is_pair && !means_group && !password.starts_with(['/', '\\']) && !is_plain(password) && !is_number(password))
        .then_some(user)
}

/// `--db-pass hunter2` and `--token=abc` within a text.
static OPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)(?P<front>(?:^|[\s"'`(])(?P<option>--?[A-Za-z][A-Za-z0-9_.-]*)(?P<sign>=|[\t\x20]+)["']?)(?P<value>[^\s"'`«»]+)"#)
        .expect("the pattern is constant and tested")
});

/// The same for `-u USER:PASSWORD`.
static USER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)(?P<front>(?:^|[\s"'`(])(?P<option>-u|--user|--userpwd|--auth)[\t\x20=]["']?)(?P<value>[^\s"'`«»]+)"#,
    )
    .expect("the pattern is constant and tested")
});

/// Redacts what options in a text hold. After a space it must look like no word: people talk about options too.
pub(super) fn options(text: &str, found: &mut Vec<SecretKind>) -> String {
    let pairs = OPTION.replace_all(text, |captures: &Captures<'_>| {
        let (option, value) = (&captures["option"], &captures["value"]);
        let is_word =
            &captures["sign"] != "=" && value.chars().all(|letter| letter.is_alphabetic() || ",.;:".contains(letter));
        let kind = option_kind(option, "").filter(|kind| !is_harmless(option, value) && !is_count(*kind, value));
        match kind.filter(|_| !is_word && !value.starts_with('-')) {
            Some(kind) => {
                found.push(kind);
                format!("{}{}", &captures["front"], kind.mark())
            }
            None => captures[0].to_owned(),
        }
    });
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let users = USER.replace_all(&pairs, |captures: &Captures<'_>| {
        match user_and_password(&captures["option"], &captures["value"], &words) {
            Some(user) => {
                found.push(SecretKind::Password);
                format!("{}{user}:{}", &captures["front"], SecretKind::Password.mark())
            }
            None => captures[0].to_owned(),
        }
    });
    users.into_owned()
}
