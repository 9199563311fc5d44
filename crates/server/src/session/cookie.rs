//! The cookie that holds a session.

use http::{HeaderMap, HeaderValue, header};
use stemma_core::{ErrorKind, Problem};

use super::SessionKey;
use crate::guard::Scheme;

/// Over https it is bound to this host and can't be set by another (RFC 6265bis, section 4.1.3.2).
const SECURE: &str = "__Host-stemma";
const PLAIN: &str = "stemma_session";

const fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Https => SECURE,
        Scheme::Http => PLAIN,
    }
}

/// The session that a browser shows; nothing if it shows none, or several.
pub fn read(headers: &HeaderMap, scheme: Scheme) -> Option<SessionKey> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(given, _)| *given == name(scheme)).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(SessionKey::sent(one)),
        _ => None,
    }
}

/// Hands a session to a browser. Links from elsewhere bring it along, forms from elsewhere don't, and no script reads it.
pub fn set(key: &SessionKey, scheme: Scheme) -> Result<HeaderValue, Problem> {
    written(key.text(), scheme, "")
}

/// Has a browser forget it.
pub fn clear(scheme: Scheme) -> Result<HeaderValue, Problem> {
    written("", scheme, "; Max-Age=0")
}

fn written(value: &str, scheme: Scheme, more: &str) -> Result<HeaderValue, Problem> {
    let secure = if scheme == Scheme::Https { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", name(scheme));
    HeaderValue::from_str(&text).map_err(|error| Problem::new(ErrorKind::Internal, format!("a cookie: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(cookies: &[&str], scheme: Scheme) -> Option<String> {
        let mut headers = HeaderMap::new();
        for text in cookies {
            headers.append(header::COOKIE, text.parse().unwrap());
        }
        read(&headers, scheme).map(|key| key.text().to_owned())
    }

    #[test]
    fn what_was_set_is_read_and_nothing_else() {
        let key = SessionKey::sent("abc");
        let text = set(&key, Scheme::Http).unwrap();
        assert_eq!(text, "stemma_session=abc; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(set(&key, Scheme::Https).unwrap(), "__Host-stemma=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(clear(Scheme::Http).unwrap().to_str().unwrap().ends_with("; Max-Age=0"));
        assert_eq!(read_from(&["a=b; stemma_session=abc; c=d"], Scheme::Http).as_deref(), Some("abc"));
        assert_eq!(read_from(&["__Host-stemma=abc"], Scheme::Https).as_deref(), Some("abc"));
        // one of a plain connection counts for nothing on a secure one, and of two nobody knows which
        assert_eq!(read_from(&["stemma_session=abc"], Scheme::Https), None);
        assert_eq!(read_from(&["stemma_session=abc; stemma_session=def"], Scheme::Http), None);
        assert_eq!(read_from(&["stemma_session=abc", "stemma_session=abc"], Scheme::Http), None);
        assert_eq!(read_from(&["xstemma_session=abc", "stemma_sessions=1"], Scheme::Http), None);
    }
}
