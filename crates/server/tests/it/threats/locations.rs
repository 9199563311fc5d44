//! T01–T08: no text leads to a file outside of the home, wherever it stands in a request.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use stemma_api::act::Declaration;
use stemma_core::Digest;
use stemma_server::declarations;

use super::{
    furnished::Furnished,
    schema::{bodies, questions},
    spellings::{Canary, Spelling},
};

/// Acts that take something away.
const TAKE_AWAY: [&str; 5] = ["/content/collect", "/content/purge", "/undeploy", "/links/withdraw", "/revocations"];

fn takes_away(pattern: &str) -> bool {
    TAKE_AWAY.iter().any(|end| pattern.ends_with(end))
}

fn parameters(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

async fn world() -> (Furnished, Canary) {
    let furnished = Furnished::new().await;
    let canary = Canary::beside_home(furnished.world.folder.path());
    (furnished, canary)
}

/// Puts every spelling in the place of every parameter of every path that is asked for; returns how many requests that was.
async fn try_paths(furnished: &Furnished, canary: &Canary, is_asked_for: impl Fn(&Method, &str) -> bool) -> usize {
    let declared = declarations().into_iter().map(|act| (act.method.clone(), act.pattern));
    let routes = declared.chain(furnished.world.data_plane()).filter(|(method, pattern)| is_asked_for(method, pattern));
    let mut tried = 0;
    for (method, pattern) in routes {
        for parameter in parameters(pattern) {
            for spelling in canary.spellings() {
                let path = furnished.path(pattern, Some((parameter, &spelling.encoded)));
                let body = (method != Method::GET).then(|| json!({}));
                let owner = Some(furnished.world.owner.as_str());
                let answer = furnished.world.send(method.clone(), &path, owner, body).await;
                let whom = format!("{method} {path}");
                canary.assert_alone(&answer.text(), &whom);
                let is_refused = matches!(answer.status.as_u16(), 400 | 403 | 404 | 405);
                // an old address leads to where pages are now, whatever is in it
                let is_moved = answer.status == StatusCode::PERMANENT_REDIRECT
                    && answer.headers["location"].to_str().unwrap().starts_with("/projects/default/");
                let is_harmless = spelling.is_plain && answer.status.as_u16() < 500;
                assert!(is_refused || is_moved || is_harmless, "{whom}: {} {}", answer.status, answer.text());
                tried += 1;
            }
        }
    }
    tried
}

/// Puts every spelling in the place of every text in every body that is asked for; returns how many requests that was.
async fn try_bodies(furnished: &Furnished, canary: &Canary, is_asked_for: impl Fn(&str) -> bool) -> usize {
    let mut tried = 0;
    for act in declarations().into_iter().filter(|act| is_asked_for(act.pattern)) {
        let path = furnished.path(act.pattern, None);
        for sample in bodies(act) {
            for place in &sample.places {
                for (spelling, text) in texts(canary) {
                    let body = sample.with(place, &text);
                    let owner = Some(furnished.world.owner.as_str());
                    let answer = furnished.world.send(act.method.clone(), &path, owner, Some(body)).await;
                    let whom = format!("{} {path} with {text:?} at {}", act.method, place.pointer);
                    canary.assert_alone(&answer.text(), &whom);
                    // a person may be called as an option is; such names are in no path
                    let is_name = place
                        .kind
                        .as_ref()
                        .is_some_and(|kind| (kind.ends_with("Name") && kind != "PrincipalName") || kind == "TreePath");
                    let may_pass = !is_name || spelling.is_plain;
                    let is_fine = answer.status.is_client_error() || (may_pass && answer.status.is_success());
                    assert!(is_fine, "{whom}: {} {}", answer.status, answer.text());
                    tried += 1;
                }
            }
        }
    }
    tried
}

/// Spellings that are texts once they are decoded, which is what bodies hold.
fn texts(canary: &Canary) -> Vec<(Spelling, String)> {
    let spellings = canary.spellings().into_iter();
    spellings.filter_map(|spelling| spelling.text.clone().map(|text| (spelling, text))).collect()
}

#[tokio::test]
async fn t01_no_path_that_is_read_leads_out_of_the_home() {
    let (furnished, canary) = world().await;
    let tried = try_paths(&furnished, &canary, |method, _| method == Method::GET).await;
    assert!(tried > 60 * 60, "{tried}");
    canary.assert_it_would_have_sung();
}

#[tokio::test]
async fn t02_no_query_of_a_list_or_a_search_leads_out_of_the_home() {
    let (furnished, canary) = world().await;
    let reads = |act: &&Declaration| act.method == Method::GET;
    let mut tried = 0;
    for act in declarations().into_iter().filter(reads) {
        let names = questions(act);
        let known = |but: &str| -> String {
            let others = names.iter().filter(|name| *name != but);
            others.filter_map(|name| Some(format!("&{name}={}", furnished.question(name)?))).collect()
        };
        let path = furnished.path(act.pattern, None);
        for name in &names {
            for spelling in canary.spellings() {
                let path = format!("{path}?{name}={}{}", spelling.encoded, known(name));
                let answer = furnished.get(&furnished.world.owner, &path).await;
                canary.assert_alone(&answer.text(), &path);
                let is_fine = answer.status.is_success() || answer.status.is_client_error();
                assert!(is_fine || answer.status.is_redirection(), "{path}: {} {}", answer.status, answer.text());
                tried += 1;
            }
        }
    }
    assert!(tried > 60 * 60, "{tried}");
    canary.assert_it_would_have_sung();
}

#[tokio::test]
async fn t03_nothing_that_is_written_leads_out_of_the_home() {
    let (furnished, canary) = world().await;
    let writes = |method: &Method, pattern: &str| method != Method::GET && !takes_away(pattern);
    let paths = try_paths(&furnished, &canary, writes).await;
    let texts = try_bodies(&furnished, &canary, |pattern| !takes_away(pattern)).await;
    assert!(paths > 60 * 30 && texts > 60 * 60, "{paths} {texts}");
    canary.assert_it_would_have_sung();
}

#[tokio::test]
async fn t04_nothing_that_is_taken_away_lies_outside_of_the_home() {
    let (furnished, canary) = world().await;
    for end in TAKE_AWAY {
        assert!(declarations().iter().any(|act| act.pattern.ends_with(end)), "no act ends with {end}");
    }
    let paths = try_paths(&furnished, &canary, |_, pattern| takes_away(pattern)).await;
    let texts = try_bodies(&furnished, &canary, takes_away).await;
    assert!(paths >= 60 * 5 && texts >= 60 * 8, "{paths} {texts}");
    canary.assert_it_would_have_sung();
}

/// A field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (low, high) = (bytes.len() as u8 & 0x7f | 0x80, u8::try_from(bytes.len() >> 7).unwrap());
    assert!(high < 0x80);
    [&[number << 3 | 2, low, high], bytes].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A graph `y = x + w` whose tensor `w` is said to lie in another file.
fn with_external_data(location: &str) -> Vec<u8> {
    let entry = [field(1, b"location"), field(2, location.as_bytes())].concat();
    let tensor = [number(1, 1), number(2, 1), field(8, b"w"), field(13, &entry), number(14, 1)].concat();
    let shape = field(2, &field(1, &[number(1, 1), field(2, &field(1, &number(1, 1)))].concat()));
    let value = |name: &[u8]| [field(1, name), shape.clone()].concat();
    let node = [field(1, b"x"), field(1, b"w"), field(2, b"y"), field(4, b"Add")].concat();
    let graph = [field(1, &node), field(2, b"g"), field(5, &tensor), field(11, &value(b"x")), field(12, &value(b"y"))];
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph.concat()), field(8, &opset)].concat()
}

#[tokio::test]
async fn t06_numbers_of_a_graph_in_another_file_are_refused_wherever_it_is() {
    let (furnished, canary) = world().await;
    for (_, text) in texts(&canary) {
        let graph = with_external_data(&text);
        let digest = Digest::of(&graph);
        let stored = furnished.send_bytes(Method::PUT, &furnished.content(digest), graph).await;
        assert_eq!(stored.status, StatusCode::OK);
        let register = json!({ "digest": digest, "file_name": "model.onnx" });
        let answer = furnished.post(&furnished.world.owner, "models/elsewhere/versions", register).await;
        canary.assert_alone(&answer.text(), &text);
        assert!(answer.status.is_client_error(), "{text}: {}", answer.text());
        let told = answer.text();
        assert!(told.contains("`model.onnx` is not the whole model: tensor `w` keeps its data in"), "{text}: {told}");
    }
    canary.assert_it_would_have_sung();
}

#[tokio::test]
async fn t08_where_data_is_said_to_come_from_is_only_text() {
    let (furnished, canary) = world().await;
    let owner = &furnished.world.owner;
    let post = async |dataset: &str, kind: &str, body: Value| {
        furnished.post(owner, &format!("datasets/{dataset}/{kind}"), body).await
    };
    for (at, (_, text)) in texts(&canary).into_iter().enumerate() {
        let dataset = format!("said-{at}");
        let said = json!({ "digest": furnished.table, "path": text, "source": text, "why": text });
        let answer = post(&dataset, "versions", said).await;
        canary.assert_alone(&answer.text(), &text);
        // what a database can't keep is told, and all else is kept as it was said
        let expected = if text.contains('\0') { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "{text}: {}", answer.text());
        let parents = json!({ "digest": furnished.model, "path": "x", "derived_from": [text] });
        let external = json!({ "external": { "kind": "delta", "uri": text, "version": "1" } });
        for (kind, body) in [("versions", parents), ("external", external)] {
            let answer = post(&dataset, kind, body).await;
            canary.assert_alone(&answer.text(), &text);
            assert!(answer.status.as_u16() < 500, "{text}: {}", answer.text());
        }
        let content = furnished.content(furnished.table);
        for path in [
            format!("/projects/default/datasets/{dataset}"),
            format!("/api/v1/projects/default/datasets/{dataset}/versions"),
            format!("/api/v1/projects/default/datasets/{dataset}/blame?key=a=1"),
            format!("/api/v1/projects/default/lineage?of={dataset}@1&direction=up"),
            format!("{content}/rows?rows=0..1&name={}", stemma_api::act::percent_encode(&text)),
        ] {
            let answer = furnished.get(owner, &path).await;
            canary.assert_alone(&answer.text(), &path);
            assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
        }
    }
    canary.assert_it_would_have_sung();
}
