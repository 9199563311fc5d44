//! T25, T41: what content does to a browser, and to a disk.

use std::{fs, path::Path};

use axum::body::{Body, Bytes};
use futures::stream;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use stemma_core::Digest;

use super::furnished::Furnished;
use crate::world::{Answer, HERE};

#[tokio::test]
async fn t25_content_that_is_opened_directly_is_saved_and_not_shown() {
    let furnished = Furnished::new().await;
    let script = "<script>alert(document.domain)</script>";
    for (name, text) in [
        ("page.html", format!("<!doctype html><html><body>{script}</body></html>")),
        ("picture.svg", format!("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>{script}</svg>")),
        (
            "paper.pdf",
            "%PDF-1.7\n1 0 obj <</Type /Catalog /OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>> >>".to_owned(),
        ),
        ("page.xhtml", format!("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>{script}</html>")),
        ("style.xml", "<?xml version='1.0'?><?xml-stylesheet href='javascript:alert(1)'?><a/>".to_owned()),
        ("table.csv", format!("a,b\n{script},=cmd|' /C calc'!A0\n")),
        ("notes.md", format!("# [x](javascript:alert(1))\n{script}\n")),
    ] {
        let digest = Digest::of(text.as_bytes());
        let content = furnished.content(digest);
        assert_eq!(furnished.send_bytes(Method::PUT, &content, text).await.status, StatusCode::OK);
        for path in [
            content.clone(),
            format!("{content}?bytes=0..10"),
            format!("{content}/rows?rows=0..1&name={name}"),
            format!("{content}?response-content-type=text/html"),
        ] {
            let answer = as_browser(&furnished, &path).await;
            if answer.status != StatusCode::OK {
                // what is no table has no rows; what is said of it is no page either
                assert!(path.contains("/rows") && answer.status.is_client_error(), "{path}: {}", answer.text());
                assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
                continue;
            }
            let is = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
            assert_eq!(is("content-disposition"), "attachment", "{path}");
            assert_eq!(is("content-security-policy"), "sandbox; default-src 'none'", "{path}");
            assert_eq!(is("x-content-type-options"), "nosniff", "{path}");
            let media =
                ["application/octet-stream", "text/csv; charset=utf-8", "text/csv", "text/plain; charset=utf-8"];
            assert!(media.contains(&is("content-type")), "{path}: {}", is("content-type"));
        }
    }
}

async fn as_browser(furnished: &Furnished, path: &str) -> Answer {
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {}", furnished.world.owner))
        .header(header::ACCEPT, "text/html,image/svg+xml,*/*");
    furnished.world.request(request.body(Body::empty()).unwrap(), HERE).await
}

/// Bytes that nothing makes shorter.
fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => bytes_below(&entry.path()),
        false => entry.metadata().unwrap().len(),
    });
    sizes.sum()
}

/// 96 MiB stand for the 10 GB: half of what was announced comes, in pieces of 1 MiB.
#[tokio::test]
async fn t41_an_upload_that_breaks_off_leaves_nothing_behind_a_collection() {
    const PIECES: u64 = 48;
    const PIECE: usize = 1 << 20;
    let furnished = Furnished::new().await;
    let home = furnished.world.folder.path().join("home");
    let collect = async || {
        let body = json!({ "dry_run": false, "grace_seconds": 0 });
        let answer = furnished.post(&furnished.world.owner, "content/collect", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    };
    collect().await;
    let before = bytes_below(&home);

    let digest = Digest::of(b"what would have come");
    for (what, fails) in [("breaks off", true), ("ends early", false)] {
        let pieces = (0..PIECES).map(|at| Ok(noise(at + 1, PIECE)));
        let end = fails.then(|| Err(std::io::Error::other("the connection is gone")));
        let body = Body::from_stream(stream::iter(pieces.chain(end)));
        let answer = furnished.send_bytes(Method::PUT, &furnished.content(digest), body).await;
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text());
        let read = furnished.get(&furnished.world.owner, &furnished.content(digest)).await;
        assert_eq!(read.status, StatusCode::NOT_FOUND, "{what}");
    }
    collect().await;
    let left = bytes_below(&home).saturating_sub(before);
    assert!(left < PIECE as u64, "{left} bytes of {} are left", 2 * PIECES * PIECE as u64);

    // what was there is there, and the same can be sent whole
    let table = furnished.get(&furnished.world.owner, &furnished.content(furnished.table)).await;
    assert_eq!(table.status, StatusCode::OK);
    let whole: Vec<u8> = (0..PIECES).flat_map(|at| noise(at + 1, PIECE)).collect();
    let content = furnished.content(Digest::of(&whole));
    assert_eq!(furnished.send_bytes(Method::PUT, &content, whole).await.status, StatusCode::OK);
}
