//! Bytes in and out, by digest, per project.

use axum::{body::Body, response::Response};
use futures::TryStreamExt as _;
use http::{HeaderValue, header};
use stemma_api::{
    bundle::{BUNDLE_BYTES_MAX, Record},
    paths::pattern,
    types::{
        CollectGarbage, ContentList, ContentStored, ContentUsage, ContentVersions, ContentsKept, ContentsStored,
        GarbageCollected, MissingContent, Purge, Purged, Resolved,
    },
};
use stemma_core::{ContentId, Digest, ErrorKind, Problem, policy::Action};
use stemma_engine::NODE_BYTES_MAX;

use super::{Route, json_route, raw_route};
use crate::{app::Peer, body::broke_off, context::Context};

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(POST pattern::CONTENT_MISSING, Track, "which contents this project can't read yet", missing, ContentList => MissingContent),
        json_route!(POST pattern::CONTENT_CLAIM, Track, "give the project contents that lie in the shared local store", claim, ContentList => MissingContent),
        json_route!(GET pattern::CONTENT_USAGE, Read, "what versions take up", usage, => ContentUsage),
        json_route!(POST pattern::CONTENT_COLLECT, ManageRights, "remove content that nobody needs, of all projects", collect, CollectGarbage => GarbageCollected),
        json_route!(POST pattern::CONTENT_PURGE, ManageRights, "remove content for good, with a reason", purge, Purge => Purged),
        json_route!(POST pattern::CONTENT_VERSIONS, Read, "which versions need contents", versions, ContentList => ContentVersions),
        json_route!(POST pattern::CONTENT_UPLOAD, Track, "upload many small contents; every digest is checked", upload_many, => ContentsStored),
        raw_route!(POST pattern::CONTENT_DOWNLOAD, Read, "download many small contents", download_many),
        json_route!(POST pattern::CONTENT_KEEP, Track, "keep contents although no version or run names them", keep, ContentList => ContentsKept),
        json_route!(PUT pattern::CONTENT, Track, "upload content; the digest is checked", upload, => ContentStored),
        raw_route!(GET pattern::CONTENT, Read, "download content", download),
        raw_route!(GET pattern::CONTENT_ROWS, Read, "rows of a table, as `rows=0..5000`", rows),
        json_route!(GET pattern::RESOLVE, Read, "what a reference stands for", resolve, => Resolved),
    ]
}

async fn missing(mut context: Context) -> Result<MissingContent, Problem> {
    let project = context.project()?;
    let list: ContentList = context.json().await?;
    let missing = context.app.engine().missing_content(&project, &list.contents).await?;
    Ok(MissingContent { missing })
}

async fn versions(mut context: Context) -> Result<ContentVersions, Problem> {
    let project = context.project()?;
    let list: ContentList = context.json().await?;
    context.app.known().content_versions(&project, &list.contents).await
}

/// Only who can read our files anyway may claim without sending: a digest alone grants nothing.
async fn claim(mut context: Context) -> Result<MissingContent, Problem> {
    if context.peer != Peer::SameUser {
        return Err(Problem::new(ErrorKind::Forbidden, "content can only be claimed by the owner of the store")
            .hint("upload it instead"));
    }
    let project = context.project()?;
    let list: ContentList = context.json().await?;
    let missing = context.app.engine().claim_content(&project, &list.contents).await?;
    Ok(MissingContent { missing })
}

async fn usage(context: Context) -> Result<ContentUsage, Problem> {
    context.app.known().content_usage(&context.project()?).await
}

/// Collects for all projects at once: a right in one of them is not enough.
async fn collect(mut context: Context) -> Result<GarbageCollected, Problem> {
    context.caller.may(Action::ManageRights, None)?;
    let ask: CollectGarbage = context.json().await?;
    context.app.engine().collect_garbage(ask).await
}

async fn purge(mut context: Context) -> Result<Purged, Problem> {
    let project = context.project()?;
    let ask: Purge = context.json().await?;
    context.app.engine().purge(&context.caller, context.request, &project, ask).await
}

async fn upload(mut context: Context) -> Result<ContentStored, Problem> {
    let project = context.project()?;
    let digest: Digest = context.path("digest")?;
    if context.query("kind").as_deref() == Some("tree") {
        let node = context.bytes(NODE_BYTES_MAX).await?;
        return context.app.engine().upload_tree_node(&project, digest, node).await;
    }
    let body = std::mem::take(&mut context.body);
    let body = body.into_data_stream().map_err(|error| broke_off(&error));
    context.app.engine().upload_content(&project, digest, body).await
}

/// A bundle that is cut keeps nothing: its sender begins it again.
async fn upload_many(mut context: Context) -> Result<ContentsStored, Problem> {
    let project = context.project()?;
    let records = Record::read_all(context.bytes(BUNDLE_BYTES_MAX).await?)?;
    context.app.engine().upload_bundle(&project, records).await
}

async fn keep(mut context: Context) -> Result<ContentsKept, Problem> {
    let project = context.project()?;
    let list: ContentList = context.json().await?;
    let contents = list.contents.iter().map(|claim| claim.digest).collect();
    context.app.engine().keep_pushed(&context.caller, &project, contents).await
}

async fn download_many(mut context: Context) -> Result<Response, Problem> {
    let project = context.project()?;
    let list: ContentList = context.json().await?;
    let digests = list.contents.iter().map(|claim| claim.digest).collect();
    let records = context.app.known().download_bundle(&project, digests).await?;
    Ok(foreign("application/octet-stream", Body::from_stream(records)))
}

async fn download(context: Context) -> Result<Response, Problem> {
    let project = context.project()?;
    let id: ContentId = context.path("digest")?;
    if let Some(bytes) = context.query("bytes") {
        let (range, length, stream) = context.app.known().content_bytes(&project, id, bytes.parse()?).await?;
        let mut response = foreign("application/octet-stream", Body::from_stream(stream));
        let size = range.end - range.start;
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        response.headers_mut().insert(CONTENT_SIZE, HeaderValue::from(length));
        return Ok(response);
    }
    let (size, stream) = context.app.known().download_content(&context.caller, &project, id).await?;
    let mut response = foreign("application/octet-stream", Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

/// Header with the length of the whole content of which a part is sent.
const CONTENT_SIZE: &str = "x-stemma-content-size";
/// Header with the rows that are sent.
const ROWS: &str = "x-stemma-rows";

async fn rows(context: Context) -> Result<Response, Problem> {
    let project = context.project()?;
    let id: ContentId = context.path("digest")?;
    let wanted = context.query("rows").unwrap_or_else(|| "..".to_owned()).parse()?;
    let name = context.query("name").unwrap_or_else(|| id.to_string());
    let slice = context.app.known().content_rows(&project, id, &name, wanted).await?;
    let mut response = foreign(slice.media_type, Body::from_stream(slice.pieces));
    let rows = format!("{}..{}", slice.rows.start, slice.rows.end);
    let rows = HeaderValue::from_str(&rows).map_err(|error| Problem::invalid(error.to_string()))?;
    response.headers_mut().insert(ROWS, rows);
    Ok(response)
}

/// Content is other people's: a browser must neither run nor show it.
fn foreign(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

async fn resolve(context: Context) -> Result<Resolved, Problem> {
    let project = context.project()?;
    let reference = context.query("ref").ok_or_else(|| Problem::invalid("the query parameter `ref` is missing"))?;
    context.app.known().resolve_for(&context.caller, &project, &reference).await
}
