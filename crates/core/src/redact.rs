//! Takes secrets out of command lines, variables and diffs before they become part of something immutable.
//!
//! Three kinds of evidence: the format of a known kind of token, a name beside the value that says "secret", and the
//! place (the password of a URL). A random-looking value alone is none: digests, ids and seeds look random too.

mod address;
mod format;
mod name;
mod option;
mod secret;
mod value;

use std::sync::LazyLock;

use regex::{Captures, Regex};

pub use self::secret::{SecretKind, is_redacted};
use self::{
    address::addresses,
    format::formats,
    name::key_kind,
    option::{joined_option, option_kind, options, password_program, user_and_password},
    value::{is_count, is_expression, is_harmless, looks_made_up},
};

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    pub text: String,
    /// What was taken out, in the order it was found.
    pub found: Vec<SecretKind>,
}

/// Arguments without their secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactedArgs {
    pub args: Vec<String>,
    pub found: Vec<SecretKind>,
}

/// Redacts prose, code, configuration and diffs. Redacting twice changes nothing more.
pub fn redact_text(text: &str) -> Redacted {
    let mut found = Vec::new();
    let text = formats(text, &mut found);
    let text = addresses(&text, &mut found);
    let text = options(&text, &mut found);
    let text = pairs(&text, Context::Text, &mut found);
    Redacted { text, found }
}

/// Redacts a command line: also `--token X`, `KEY=VALUE` and headers.
pub fn redact_args(args: &[String]) -> RedactedArgs {
    let mut found = Vec::new();
    let mut awaited: Option<(SecretKind, &str)> = None;
    let (mut program, mut before) = ("", "");
    let mut redacted = Vec::with_capacity(args.len());
    for argument in args {
        if let Some((kind, option)) = awaited.take()
            && !argument.starts_with("--")
            && !is_harmless(option, argument)
            && !is_count(kind, argument)
            && (kind != SecretKind::Cookie || argument.contains('='))
        {
            found.push(kind);
            redacted.push(kind.mark());
            continue;
        }
        let previous = std::mem::replace(&mut before, argument);
        if let Some(user) = user_and_password(previous, argument, args) {
            found.push(SecretKind::Password);
            redacted.push(format!("{user}:{}", SecretKind::Password.mark()));
            continue;
        }
        program = password_program(argument).unwrap_or(program);
        awaited = option_kind(argument, program).map(|kind| (kind, argument.as_str()));
        redacted.push(redact_argument(argument, program, &mut found));
    }
    RedactedArgs { args: redacted, found }
}

fn redact_argument(argument: &str, program: &str, found: &mut Vec<SecretKind>) -> String {
    if let Some(option) = joined_option(argument, program) {
        found.push(SecretKind::Password);
        return format!("{option}{}", SecretKind::Password.mark());
    }
    let argument = addresses(&formats(argument, found), found);
    let whole = argument.split_once('=').and_then(|(key, value)| Some((key, value, assigned_kind(key)?)));
    match whole {
        Some((key, value, kind)) if is_harmless(key, value) || is_count(kind, value) => argument,
        Some((key, _, kind)) => {
            found.push(kind);
            format!("{key}={}", kind.mark())
        }
        None => pairs(&argument, Context::Argument, found),
    }
}

/// The kind of a whole `KEY=VALUE` argument; a key with spaces or brackets in it is prose or code.
fn assigned_kind(key: &str) -> Option<SecretKind> {
    let is_one_word = !key.contains(|letter: char| letter.is_whitespace() || "(){}\"'".contains(letter));
    if is_one_word { key_kind(key) } else { None }
}

/// Redacts the value of one variable.
pub fn redact_variable(name: &str, value: &str) -> Redacted {
    match key_kind(name) {
        Some(kind) if !is_harmless(name, value) => Redacted { text: kind.mark(), found: vec![kind] },
        _ => redact_text(value),
    }
}

/// The front of `key = value`, `"key": "value"`, `x["key"] = value` and `Authorization: Bearer value`.
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?P<key> [A-Za-z_] [A-Za-z0-9_.-]{0,120} )
        (?P<sign> ["']? [\t\x20]* (?: := | => | = | : ) [\t\x20]* | ["']? \s* \] \s* = \s* )
        (?P<scheme> (?i: bearer | basic | token ) \x20+ )?"#,
    )
    .expect("the pattern is constant and tested")
});

/// How eagerly values without quotes are taken for secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Code and prose talk about passwords far more often than they hold one.
    Text,
    Argument,
}

fn pairs(text: &str, context: Context, found: &mut Vec<SecretKind>) -> String {
    let mut output = String::with_capacity(text.len());
    let mut done = 0;
    // Not `replace_all`: the value of one pair may hold the key of the next, as in `headers: token=x`.
    while let Some(front) = KEY.captures_at(text, done) {
        let Some(key) = front.name("key") else { break };
        let secret = key_kind(key.as_str()).and_then(|kind| {
            let pair = Pair::of(&front, text).filter(|pair| !is_harmless(key.as_str(), pair.value))?;
            pair.holds_secret(kind, context).then_some((kind, pair))
        });
        match secret {
            Some((kind, pair)) => {
                output.push_str(&text[done..pair.start]);
                output.push_str(&kind.mark());
                found.push(kind);
                done = pair.end(text);
            }
            None => {
                output.push_str(&text[done..key.end()]);
                done = key.end();
            }
        }
    }
    output.push_str(&text[done..]);
    output
}

/// What is looked at of a value to judge it; a file may be one long line.
const JUDGED_BYTES_MAX: usize = 256;

/// A key that may name a secret, and the value beside it.
struct Pair<'t> {
    sign: &'t str,
    has_scheme: bool,
    quote: Option<char>,
    start: usize,
    /// The value, as far as it is judged.
    value: &'t str,
    /// What follows it on the line.
    rest: &'t str,
}

impl<'t> Pair<'t> {
    fn of(front: &Captures<'t>, text: &'t str) -> Option<Self> {
        let value_at = front.get(0)?.end();
        let after = &text[value_at..];
        let quoted = after.trim_start_matches(|letter| "bBfFrRuU".contains(letter));
        let prefix_length = after.len() - quoted.len();
        let quote = quoted.chars().next().filter(|first| prefix_length <= 2 && "\"'".contains(*first));
        let start = if quote.is_some() { value_at + prefix_length + 1 } else { value_at };
        let value = up_to(&text[start..], quote, JUDGED_BYTES_MAX);
        Some(Self {
            sign: front.name("sign")?.as_str(),
            has_scheme: front.name("scheme").is_some(),
            quote,
            start,
            value,
            rest: start_of_line(&text[start + value.len()..]),
        })
    }

    /// Where the whole value ends, which may be behind what was judged.
    fn end(&self, text: &str) -> usize {
        self.start + up_to(&text[self.start..], self.quote, usize::MAX).len()
    }

    fn holds_secret(&self, kind: SecretKind, context: Context) -> bool {
        let is_vague = matches!(kind, SecretKind::Token | SecretKind::Credential);
        if is_count(kind, self.value) {
            return false;
        }
        if self.quote.is_some() {
            return !is_vague || looks_made_up(self.value);
        }
        if is_expression(self.value) {
            return false;
        }
        if self.has_scheme || context == Context::Argument {
            return true;
        }
        match kind {
            SecretKind::Password => !self.is_prose() && !self.is_variable(),
            _ => looks_made_up(self.value),
        }
    }

    /// `password: must be long`; a value stands at the end of its line or before a separator.
    fn is_prose(&self) -> bool {
        self.sign.contains(':')
            && self.rest.starts_with([' ', '\t'])
            && !self.rest.trim_start().starts_with('#')
            && !self.rest.trim().is_empty()
    }

    /// `password = given` and `connect(password=given)` in code.
    fn is_variable(&self) -> bool {
        let is_name = self.value.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_');
        let is_assigned_in_code = self.sign.trim() != self.sign && self.sign.contains('=');
        is_name && (is_assigned_in_code || self.rest.starts_with([',', ')']))
    }
}

/// A value: to the closing quote or the end of the line, or without quotes to the next separator.
fn up_to(text: &str, quote: Option<char>, bytes_max: usize) -> &str {
    let ends = |letter: char| match quote {
        Some(quote) => letter == quote || letter == '\n',
        None => letter.is_whitespace() || "\"'`,;&)]}".contains(letter),
    };
    let is_end = |(at, letter): &(usize, char)| ends(*letter) || *at >= bytes_max;
    let end = text.char_indices().find(is_end).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// The next few letters on the same line; a bound, because a line may be the whole of a large file.
fn start_of_line(text: &str) -> &str {
    const LETTERS_MAX: usize = 40;
    let is_end = |(at, letter): &(usize, char)| *letter == '\n' || *at >= LETTERS_MAX;
    let end = text.char_indices().find(is_end).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `§` stands where the secret was.
    fn check_text(text: &str, expected: &str) {
        let redacted = redact_text(text);
        let marked = Regex::new("«redacted:[a-z-]+»").unwrap().replace_all(&redacted.text, "§").into_owned();
        assert_eq!(marked, expected, "of {text}");
        assert_eq!(redacted.found.len(), expected.matches('§').count(), "of {text}");
        assert_eq!(redact_text(&redacted.text).text, redacted.text, "twice: {text}");
    }

    fn check_args(args: &[&str], expected: &[&str]) {
        let args: Vec<String> = args.iter().map(|argument| (*argument).to_owned()).collect();
        let redacted = redact_args(&args);
        let mark = Regex::new("«redacted:[a-z-]+»").unwrap();
        let marked: Vec<String> = redacted.args.iter().map(|arg| mark.replace_all(arg, "§").into_owned()).collect();
        assert_eq!(marked, expected);
        assert_eq!(redact_args(&redacted.args).args, redacted.args, "twice");
    }

    /// Built here from parts, so that no scanner takes the source for a leak.
    fn alphanumeric(length: usize) -> String {
        "Zq3xW8rT5yU1iK7oP2aD9fG4hJ6".chars().cycle().take(length).collect()
    }

    #[test]
    fn known_formats_are_found_anywhere() {
        let table = [
            (SecretKind::AwsKey, format!("AKIA{}", "IOSFODNN7EXAMPLE")),
            (SecretKind::GithubToken, format!("ghp_{}", alphanumeric(36))),
            (SecretKind::GithubToken, format!("github_pat_{}", alphanumeric(30))),
            (SecretKind::GitlabToken, format!("glpat-{}", alphanumeric(20))),
            (SecretKind::SlackToken, format!("xoxb-{}", alphanumeric(24))),
            (SecretKind::GoogleKey, format!("AIza{}", alphanumeric(35))),
            (SecretKind::HuggingFaceToken, format!("hf_{}", alphanumeric(34))),
            (SecretKind::SkKey, format!("sk-proj-{}", alphanumeric(40))),
            (SecretKind::SkKey, format!("sk-{}", alphanumeric(48))),
            (SecretKind::PypiToken, format!("pypi-{}", alphanumeric(60))),
            (SecretKind::StemmaToken, format!("stm_{}", alphanumeric(32))),
            (SecretKind::Jwt, format!("eyJ{a}.eyJ{a}.{a}", a = alphanumeric(20))),
        ];
        for (kind, secret) in table {
            let redacted = redact_text(&format!("see {secret}, please"));
            assert_eq!(redacted.text, format!("see «redacted:{}», please", kind.name()));
            assert_eq!(redacted.found, [kind]);
        }
    }

    #[test]
    fn private_keys_are_taken_out_whole_even_when_cut_off() {
        let dashes = "-----";
        let key = format!("{dashes}BEGIN RSA PRIVATE KEY{dashes}\nMIIE\nabc=\n{dashes}END RSA PRIVATE KEY{dashes}");
        check_text(&format!("a\n{key}\nb"), "a\n§\nb");
        check_text(&format!("a\n{dashes}BEGIN PRIVATE KEY{dashes}\nMIIE"), "a\n§");
        let public = format!("{dashes}BEGIN PUBLIC KEY{dashes}\nMIIE\n{dashes}END PUBLIC KEY{dashes}");
        check_text(&public, &public);
    }

    #[test]
    fn values_beside_a_secret_name_are_taken_out() {
        for (text, expected) in [
            ("password = \"hunter2\"", "password = \"§\""),
            ("+    db_password: 'pass phrase'  # old", "+    db_password: '§'  # old"),
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=§"),
            ("password: hunter", "password: §"),
            ("host=db password=hunter user=ada", "host=db password=§ user=ada"),
            ("{\"apiKey\": \"abc\", \"model\": \"x\"}", "{\"apiKey\": \"§\", \"model\": \"x\"}"),
            ("os.environ[\"API_KEY\"] = \"abc\"", "os.environ[\"API_KEY\"] = \"§\""),
            ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+bPx", "aws_secret_access_key = §"),
            ("token = \"a1b2c3d4e5f6a7b8\"", "token = \"§\""),
            ("auth_token: 9f8e7d6c5b4a39281706f5e4d3c2b1a0", "auth_token: §"),
            ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer §"),
            ("Authorization: Basic YWRhOmh1bnRlcjI=", "Authorization: Basic §"),
            ("password=b'hunter2'", "password=b'§'"),
            ("password = \"cut off", "password = \"§"),
            ("clientSecret: 'x1'", "clientSecret: '§'"),
            ("config: token=a1b2c3d4e5f6a7b8", "config: token=§"),
            ("postgres://ada:hunter2@db:5432/x", "postgres://ada:§@db:5432/x"),
            ("postgres://ada:hun@ter2@db:5432/x", "postgres://ada:§@db:5432/x"),
            ("redis://:hunter2@cache/0", "redis://:§@cache/0"),
            ("PGPASSWORD=hunter psql", "PGPASSWORD=§ psql"),
            ("pwd: hunter2", "pwd: §"),
            ("pass: hunter2", "pass: §"),
            ("db_pass = 'hunter2'", "db_pass = '§'"),
            ("{\"dbPass\": \"h1\", \"smtppass\": \"h2\"}", "{\"dbPass\": \"§\", \"smtppass\": \"§\"}"),
            ("MYSQL_PWD=hunter2", "MYSQL_PWD=§"),
            ("password_prod = \"x1\"; password2 = \"x2\"", "password_prod = \"§\"; password2 = \"§\""),
            ("ssh_passphrase: 'a b c'", "ssh_passphrase: '§'"),
            ("Driver=x;UID=sa;PWD=hunter2;", "Driver=x;UID=sa;PWD=§;"),
            ("sshpass -p hunter2 ssh x", "sshpass -p § ssh x"),
            ("mysql -u root -phunter2 credit", "mysql -u root -p§ credit"),
            ("curl -s -u ada:hunter2 https://x", "curl -s -u ada:§ https://x"),
            ("https://x.blob.net/c?sv=1&sig=AbCd%2B1234567890abcd%3D", "https://x.blob.net/c?sv=1&sig=§"),
        ] {
            check_text(text, expected);
        }
    }

    #[test]
    fn what_is_no_secret_survives() {
        for text in [
            "learning_rate = 0.001",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            "digest = \"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\"",
            "commit 9bb90112f3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8",
            "id = 018f3c5e-7b1a-7c3d-9e4f-5a6b7c8d9e0f",
            "max_tokens = 512",
            "max_new_token=512",
            "pad_token = \"[PAD]\"",
            "eos_token_id: 50256",
            "tokenizer = \"bert-base-uncased-v2-2024\"",
            "token = tokenizer.encode(text)[0]",
            "for token in tokens: print(token)",
            "def connect(user: str, password: str, token: str = None):",
            "password = getpass.getpass()",
            "password = os.environ[\"DB_PASSWORD\"]",
            "connect(user=user, password=given)",
            "connect(password=db_password)",
            "api_key = settings.api_key",
            "password: ${DB_PASSWORD}",
            "password: {{ vault.password }}",
            "secret_key = None",
            "password: must be at least eight letters long",
            "fetch(url, {credentials: \"include\"})",
            "credentials = \"/etc/keys/sa1.json\"",
            "private_key_path = \"/home/ada/.ssh/id_ed25519\"",
            "PWD=/home/ada/credit",
            "OLDPWD=/home/ada",
            "pwd = \"/home/ada\"",
            "compass = \"north42west\"",
            "passenger: ada77",
            "bypass=always1",
            "forward_pass = \"eager2\"",
            "pass_rate = 0.93125",
            "tests: pass: ok",
            "if x: pass",
            "mysql -u root -p credit",
            "mkdir -p data/raw",
            "monkey = \"a1b2c3d4e5f6a7b8\"",
            "keyboard: a1b2c3d4e5f6a7b8",
            "https://example.org:8080/a@b",
            "git@github.com:stemma/stemma.git",
            "task-force sk-learn risk-assessment-2024-final-version-of-it",
            "password_policy = strict1",
            "headers[\"authorization\"] = \"Basic \" + encoded",
            "{'HAVE_STRUCT_PASSWD': 1}",
            "stm_short",
        ] {
            check_text(text, text);
        }
    }

    #[test]
    fn command_lines_lose_their_secrets_and_nothing_else() {
        check_args(
            &["python", "train.py", "--token", "abc", "--lr", "0.1", "--api-key=xyz", "--password", "--verbose"],
            &["python", "train.py", "--token", "§", "--lr", "0.1", "--api-key=§", "--password", "--verbose"],
        );
        check_args(&["env", "DB_PASSWORD=hunter", "train"], &["env", "DB_PASSWORD=§", "train"]);
        check_args(&["curl", "-H", "X-Api-Key: short"], &["curl", "-H", "X-Api-Key: §"]);
        check_args(
            &["curl", "-H", "Authorization: Bearer abc", "https://ada:pw@host/x"],
            &["curl", "-H", "Authorization: Bearer §", "https://ada:§@host/x"],
        );
        check_args(
            &["x", "db.password=hunter2", "model.max_token=512"],
            &["x", "db.password=§", "model.max_token=512"],
        );
        check_args(
            &["x", "--pass=hunter", "--db-pass", "h2", "-pwd", "y"],
            &["x", "--pass=§", "--db-pass", "§", "-pwd", "§"],
        );
        check_args(&["sshpass", "-p", "hunter", "ssh", "-p", "22"], &["sshpass", "-p", "§", "ssh", "-p", "22"]);
        check_args(&["curl", "-u", "ada:hunter", "https://x"], &["curl", "-u", "§", "https://x"]);
        check_args(&["docker", "run", "-p", "8080:80"], &["docker", "run", "-p", "8080:80"]);
        check_args(&["train.py", "-u", "ada:hunter"], &["train.py", "-u", "ada:§"]);
        check_args(&["wget", "--user", "ada:h2", "-q"], &["wget", "--user", "ada:§", "-q"]);
        check_args(&["docker", "run", "-u", "ada:staff", "x"], &["docker", "run", "-u", "ada:staff", "x"]);
        check_args(&["x", "-u", "1000:1000", "-u", "C:/x"], &["x", "-u", "1000:1000", "-u", "C:/x"]);
        check_args(&["curl", "-b", "session=abc"], &["curl", "-b", "§"]);
        check_args(&["curl", "-b", "cookies.txt"], &["curl", "-b", "cookies.txt"]);
        check_args(&["curl", "-H", "Cookie: session=abc; x=y"], &["curl", "-H", "Cookie: §"]);
        check_args(&["/usr/bin/mysql", "-phunter", "credit"], &["/usr/bin/mysql", "-p§", "credit"]);
        let harmless = [
            "train.py",
            "-p",
            "8080",
            "--compass",
            "north",
            "--two-pass",
            "x.csv",
            "--pwd",
            "/home/ada",
            "--tokenizer",
            "bert",
            "--max-tokens",
            "512",
            "--use-auth-token",
            "run.py",
            "--seed=42",
            "--data",
            "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            "--pad-token",
            "[PAD]",
            "--password-file",
            "pw.txt",
            "--secret=$SECRET",
            "learning_rate=0.01",
        ];
        check_args(&harmless, &harmless);
    }

    #[test]
    fn variables_are_judged_by_their_names() {
        assert_eq!(redact_variable("WANDB_API_KEY", "short").text, "«redacted:api-key»");
        assert_eq!(redact_variable("AWS_SECRET_ACCESS_KEY", "x1").found.len(), 1);
        assert_eq!(redact_variable("OMP_NUM_THREADS", "2").text, "2");
        assert_eq!(redact_variable("PWD", "/home/ada").text, "/home/ada");
        assert_eq!(redact_variable("PGPASSWORD", "hunter").text, "«redacted:password»");
        assert_eq!(redact_variable("DB_PASS", "hunter").text, "«redacted:password»");
    }

    #[test]
    fn secrets_in_the_places_where_people_leave_them() {
        let key = alphanumeric(40);
        for (text, expected) in [
            // headers and cookies, in prose, in code and as curl has them
            ("Cookie: session=abc123; csrf=def456", "Cookie: §"),
            ("Set-Cookie: sid=31d4d96e407aad42; Path=/; HttpOnly", "Set-Cookie: §"),
            ("curl -H 'Cookie: session=abc' https://x", "curl -H 'Cookie: §' https://x"),
            ("headers = {\"Cookie\": \"session=abc\"}", "headers = {\"Cookie\": \"§\"}"),
            ("curl -b 'session=abc' https://x", "curl -b '§' https://x"),
            ("curl --cookie session=abc https://x", "curl --cookie § https://x"),
            ("Proxy-Authorization: Basic dXNlcjpwYXNz", "Proxy-Authorization: Basic §"),
            ("authorization: bearer abc", "authorization: bearer §"),
            (
                "Authorization: Digest username=\"ada\", response=\"6629fae49393a05397450978507c4ef1\"",
                "Authorization: Digest §",
            ),
            (
                "Authorization: AWS4-HMAC-SHA256 Credential=AKIDX/20260101/x, Signature=fe5f80f77d5fa3beca038a248ff027",
                "Authorization: § §",
            ),
            ("X-Auth-Token: hunter2abc", "X-Auth-Token: §"),
            ("X-Api-Key: hunter2abc", "X-Api-Key: §"),
            // programs
            ("wget --user ada --password hunter2 https://x", "wget --user ada --password § https://x"),
            ("http -a ada:hunter2 https://x", "http -a ada:§ https://x"),
            ("train.py -u ada:hunter2", "train.py -u ada:§"),
            ("psql postgresql://ada:hunter2@db/x", "psql postgresql://ada:§@db/x"),
            ("train.py --db-pass hunter2 --epochs 3", "train.py --db-pass § --epochs 3"),
            ("train.py --token=abc --epochs=3", "train.py --token=§ --epochs=3"),
            ("train.py --pwd=hunter2", "train.py --pwd=§"),
            ("mysqldump -pHunter2 db", "mysqldump -p§ db"),
            // connection strings
            (
                "AccountName=x;AccountKey=abcDEF123+/abcDEF123+/==;EndpointSuffix=y",
                "AccountName=x;AccountKey=§;EndpointSuffix=y",
            ),
            ("Server=db;User Id=sa;Password=hunter2;", "Server=db;User Id=sa;Password=§;"),
            ("amqp://ada:hunter2@mq/%2f", "amqp://ada:§@mq/%2f"),
            ("mongodb+srv://ada:hunter2@c.example/x", "mongodb+srv://ada:§@c.example/x"),
            ("jdbc:postgresql://db/x?user=ada&password=hunter2", "jdbc:postgresql://db/x?user=ada&password=§"),
            ("https://ghp_x1y2z3token@github.com/a/b.git", "https://§@github.com/a/b.git"),
            (
                "https://x.example/f?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe",
                "https://x.example/f?X-Amz-Signature=§",
            ),
            ("https://x.example/f?access_token=abc&page=2", "https://x.example/f?access_token=§&page=2"),
            ("https://x.example/f?api_key=abc", "https://x.example/f?api_key=§"),
            ("SharedAccessSignature=sv%3D2026%26sig%3Dabc", "SharedAccessSignature=§"),
            // .netrc and friends
            ("machine x.example login ada password hunter2", "machine x.example login ada password §"),
            ("//registry.example/:_authToken=abcdef012345", "//registry.example/:_authToken=§"),
        ] {
            check_text(text, expected);
        }
        for secret in [
            format!("sk-ant-api03-{key}"),
            format!("xapp-1-A0-{key}"),
            format!("npm_{}", alphanumeric(36)),
            format!("dop_v1_{}", "0a1b2c3d".repeat(8)),
            format!("SG.{}.{}", alphanumeric(22), alphanumeric(43)),
            format!("AccountKey={}==", alphanumeric(86)),
            format!("rk_live_{}", alphanumeric(24)),
            format!("dapi{}", "0a1b2c3d".repeat(4)),
            format!("wandb_v1_{key}"),
            format!("ya29.{key}"),
        ] {
            assert!(!redact_text(&format!("see {secret} there")).found.is_empty(), "{secret}");
        }
    }

    #[test]
    fn talk_of_secrets_is_none() {
        for text in [
            "the column password_strength is left out",
            "password_strength = 3",
            "--pass-through",
            "the password was changed on Monday",
            "token counts per row; cookies are not used",
            "cookie policy: strict",
            "cookie_consent = 0.3",
            "user -u 1000:1000",
            "docker run -u 1000:1000 -v a:b x",
            "chown ada:staff file",
            "scp ada@host:/data/x .",
            "https://x.example/f?page=2&sort=token",
            "https://user@x.example/f",
            "ssh://git@github.com/a/b.git",
            "approved: authorization matrix is complete",
            "the signature is (a: f32[?]) -> label",
            "Basic checks passed",
            "bearer of bad news",
            "see key findings in the report",
        ] {
            check_text(text, text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_redacted_without_failure_and_twice_is_once(text in "[ -~é\n«»]{0,200}") {
            let once = redact_text(&text);
            prop_assert_eq!(&redact_text(&once.text).text, &once.text);
        }

        #[test]
        fn a_password_never_survives_beside_its_name(secret in "[a-z]{3,8}[0-9]{2,8}[a-z]{2,8}", spaces in " {0,2}") {
            for text in [format!("password{spaces}={spaces}\"{secret}\""), format!("api_key:{spaces}'{secret}'")] {
                prop_assert!(!redact_text(&text).text.contains(&secret));
            }
            let args = ["--password".to_owned(), secret.clone(), format!("SECRET={secret}")];
            prop_assert!(!redact_args(&args).args.concat().contains(&secret));
        }
    }
}
