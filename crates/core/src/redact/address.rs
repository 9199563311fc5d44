//! Secrets in addresses: a token in place of the user, and parameters whose name says what they are.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    name::key_kind,
    secret::SecretKind,
    value::{is_count, is_harmless, looks_made_up},
};

static USER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?P<front>\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s/@:"'<>«»]{8,})@"#)
        .expect("the pattern is constant and tested")
});

static PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?P<front>[?&](?P<key>[A-Za-z_][A-Za-z0-9_.-]{0,60})=)(?P<value>[^\s&"'<>#«»]+)"#)
        .expect("the pattern is constant and tested")
});

pub(super) fn addresses(text: &str, found: &mut Vec<SecretKind>) -> String {
    let users = USER.replace_all(text, |captures: &Captures<'_>| match looks_made_up(&captures["user"]) {
        true => {
            found.push(SecretKind::Token);
            format!("{}{}@", &captures["front"], SecretKind::Token.mark())
        }
        false => captures[0].to_owned(),
    });
    let parameters = PARAMETER.replace_all(&users, |captures: &Captures<'_>| {
        let (key, value) = (&captures["key"], &captures["value"]);
        match key_kind(key).filter(|kind| !is_harmless(key, value) && !is_count(*kind, value)) {
            Some(kind) => {
                found.push(kind);
                format!("{}{}", &captures["front"], kind.mark())
            }
            None => captures[0].to_owned(),
        }
    });
    parameters.into_owned()
}
