//! Earlier versions of data, stretches of them, and the story of one record.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use stemma_api::types::{AddDatasetVersion, AddExternalVersion, AskLineage, Blame, Link, RecordFate};
use stemma_core::{
    ContentId, Digest, ErrorKind, ManualClock, Problem, Timestamp,
    external::{External, ExternalKind},
    id::RequestId,
    lineage::{Direction, EdgeKind},
};
use stemma_delivery::Delivery;
use stemma_engine::resolve::resolve;
use stemma_engine::{Caller, Engine, Known, key_cell};

use crate::world::project;

const DAY: i64 = 86_400_000_000;

struct Archive {
    _folder: tempfile::TempDir,
    delivery: Delivery,
    owner: Caller,
    clock: Arc<ManualClock>,
}

impl Archive {
    fn engine(&self) -> &Engine {
        self.delivery.engine()
    }

    fn known(&self) -> &Known {
        self.delivery.known()
    }

    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-03-01T12:00:00Z").unwrap()));
        let (home, owner) = (folder.path().join("home"), "olga@bank.example".parse().unwrap());
        let (delivery, token) = Delivery::create(&home, owner, clock.clone()).await.unwrap();
        let owner = delivery.known().authenticate(&token).unwrap();
        Self { _folder: folder, delivery, owner, clock }
    }

    async fn upload(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        let stream = futures::stream::iter([Ok::<_, stemma_core::Problem>(Bytes::from(bytes))]);
        self.engine().upload_content(&project(), digest, stream).await.unwrap().digest
    }

    /// Adds a version of `people` and lets a day pass.
    async fn add(&self, bytes: impl Into<Vec<u8>>, why: &str) -> Digest {
        let digest = self.upload(bytes.into()).await;
        let why = Some(why.to_owned());
        let add = AddDatasetVersion {
            digest,
            path: "people.csv".into(),
            source: None,
            why,
            derived_from: vec![],
            workspace: None,
        };
        let name = "people".parse().unwrap();
        self.engine().add_dataset_version(&self.owner, RequestId::generate(), &project(), &name, add).await.unwrap();
        self.clock.advance_micros(DAY);
        digest
    }

    async fn blame(&self, key: &[&str]) -> Result<Blame, Problem> {
        let key = key.iter().map(|text| key_cell(text).unwrap()).collect();
        self.known().blame(&project(), &"people".parse().unwrap(), key).await
    }

    async fn rows(&self, bytes: impl Into<Vec<u8>>, rows: &str) -> Result<String, Problem> {
        let id = ContentId::Blake3(self.upload(bytes.into()).await);
        let slice = self.known().content_rows(&project(), id, "table", rows.parse()?).await?;
        text(slice.pieces).await
    }
}

async fn text(pieces: impl Stream<Item = Result<Bytes, std::io::Error>>) -> Result<String, Problem> {
    let pieces: Vec<Bytes> = pieces.try_collect().await.map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(String::from_utf8(pieces.concat()).unwrap())
}

fn parquet(ids: &[i64], names: &[&str]) -> Vec<u8> {
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from(ids.to_vec()))), ("name", Arc::new(StringArray::from(names.to_vec())))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(2));
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_found_by_the_time_at_which_it_was_current() {
    let archive = Archive::new().await;
    let (first, second) = (archive.add("id\n1\n", "").await, archive.add("id\n2\n", "").await);
    for (reference, digest) in [
        ("people@{2026-03-01}", first),
        ("people@{2026-03-02T11:59:59Z}", first),
        ("people@{2026-03-02T11:59}", first),
        ("people@{2026-03-02T12:00}", second),
        ("people@{2026-03-02T12:00:00Z}", second),
        ("people@{2026-03-02T12:00:00+00:01}", first),
        ("people@{2030-01-01}", second),
        ("people@1", first),
    ] {
        let resolved = resolve(archive.known(), &project(), reference).await.unwrap();
        assert_eq!(resolved.digest, digest, "{reference}");
    }
    let early = resolve(archive.known(), &project(), "people@{2026-02-28}").await.unwrap_err();
    assert_eq!(early.message, "dataset `people` had no version yet at 2026-02-28T23:59:59.999999Z");
    assert_eq!(early.hint.unwrap(), "the first is from 2026-03-01T12:00:00Z");
    let wrong = resolve(archive.known(), &project(), "people@{soon}").await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_text_come_as_they_stand_with_their_header() {
    let archive = Archive::new().await;
    let csv = "id,text\n1,one\n2,\"two\nlines, a comma\"\n3,three";
    for (rows, expected) in [
        ("0..1", "id,text\n1,one\n"),
        ("1..2", "id,text\n2,\"two\nlines, a comma\"\n"),
        ("1..", "id,text\n2,\"two\nlines, a comma\"\n3,three"),
        ("2..9", "id,text\n3,three"),
        ("..", csv),
    ] {
        assert_eq!(archive.rows(csv, rows).await.unwrap(), expected, "{rows}");
    }
    let windows = "\u{feff}id;n\r\n1;a\r\n2;b\r\n3;c\r\n";
    assert_eq!(archive.rows(windows, "1..2").await.unwrap(), "\u{feff}id;n\r\n2;b\r\n");
    let lines = "{\"id\":1}\n\n{\"id\":2}\n{\"id\":3}\n";
    assert_eq!(archive.rows(lines, "1..2").await.unwrap(), "\n{\"id\":2}\n");
    assert_eq!(archive.rows("id\n", "..5").await.unwrap(), "id\n");

    let beyond = archive.rows(csv, "3..").await.unwrap_err();
    assert_eq!(beyond.message, "`table` has 3 rows, none from 3 on");
    assert!(archive.rows(lines, "7..9").await.unwrap_err().hint.is_some());
    let ragged = archive.rows("a,b\n1,2\n3\n4,5\n", "1..").await.unwrap_err();
    assert!(ragged.message.contains("line: 3"), "{ragged}");
    assert_eq!(archive.rows("a,b\n1,2\n3\n", "..1").await.unwrap(), "a,b\n1,2\n", "what is behind is not read");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_parquet_come_as_json_lines_and_bytes_as_they_are() {
    let archive = Archive::new().await;
    let bytes = parquet(&[1, 2, 3, 4, 5], &["a", "b", "c", "d", "e"]);
    let found = archive.rows(bytes.clone(), "2..4").await.unwrap();
    assert_eq!(found, "{\"id\":3,\"name\":\"c\"}\n{\"id\":4,\"name\":\"d\"}\n");
    assert_eq!(archive.rows(bytes.clone(), "4..9").await.unwrap(), "{\"id\":5,\"name\":\"e\"}\n");
    assert_eq!(archive.rows(bytes.clone(), "5..").await.unwrap_err().kind, ErrorKind::Invalid);
    let mut broken = bytes;
    broken.truncate(40);
    assert_eq!(archive.rows(broken, "0..1").await.unwrap_err().kind, ErrorKind::Invalid);

    let id = ContentId::Blake3(archive.upload(b"0123456789".to_vec()).await);
    let (delivery, here) = (&archive.delivery, project());
    let bytes = |span: &str| delivery.known().content_bytes(&here, id, span.parse().unwrap());
    let (range, length, pieces) = bytes("3..6").await.unwrap();
    assert_eq!((range, length, text(pieces).await.unwrap().as_str()), (3..6, 10, "345"));
    let (_, _, pieces) = bytes("8..").await.unwrap();
    assert_eq!(text(pieces).await.unwrap(), "89");
    let Err(beyond) = bytes("10..").await else { panic!("nothing is there") };
    assert_eq!(beyond.message, "the content has 10 bytes, none from 10 on");
    let other = "other".parse().unwrap();
    assert!(archive.known().content_bytes(&other, id, "..".parse().unwrap()).await.is_err(), "a digest grants nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_record_is_told_over_all_versions_and_formats() {
    let archive = Archive::new().await;
    archive.add("name\nmax\n", "no key yet").await;
    archive.add("id,name\n1,ada\n", "first").await;
    archive.add("id,name\n1,ada\n42,bob\n", "bob came").await;
    archive.add("id,name\n42,bob\n1,ada lovelace\n", "another record").await;
    archive.add(parquet(&[1, 42], &["ada lovelace", "robert"]), "now Parquet").await;
    archive.add("{\"id\":42,\"name\":\"robert\",\"age\":30}\n{\"id\":1}\n", "with ages").await;
    archive.add("id,name\n1,ada king\n", "bob left").await;

    let blame = archive.blame(&["id=42"]).await.unwrap();
    let told: Vec<_> = blame.changes.iter().map(|change| (change.version.as_str(), change.what)).collect();
    assert_eq!(
        told,
        [
            ("people@3", RecordFate::Added),
            ("people@5", RecordFate::Changed),
            ("people@6", RecordFate::Changed),
            ("people@7", RecordFate::Removed),
        ]
    );
    let cells = |at: usize| -> Vec<(&str, Option<&str>, Option<&str>)> {
        let cells = blame.changes[at].cells.iter();
        cells.map(|cell| (cell.column.as_str(), cell.before.as_deref(), cell.after.as_deref())).collect()
    };
    assert_eq!(cells(0), [("id", None, Some("42")), ("name", None, Some("bob"))]);
    assert_eq!(cells(1), [("name", Some("bob"), Some("robert"))]);
    assert_eq!(cells(2), [("age", None, Some("30"))]);
    assert_eq!(blame.changes[0].why.as_deref(), Some("bob came"));
    assert_eq!((blame.versions, blame.notes), (7, vec!["`people@1` has no column `id`".to_owned()]));
    let both = archive.blame(&["id=1", "name=ada"]).await.unwrap();
    assert_eq!(both.changes.len(), 2, "added, and gone under this key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_one_is_refused() {
    let archive = Archive::new().await;
    archive.add("id,day\n1,mon\n1,tue\n", "").await;
    let twice = archive.blame(&["id=1"]).await.unwrap_err();
    assert_eq!(twice.message, "`people@1` has more than one record with `id=1`: rows 0 and 1");
    assert_eq!(archive.blame(&["id=1", "day=tue"]).await.unwrap().changes.len(), 1);
    let absent = archive.blame(&["id=7"]).await.unwrap_err();
    assert_eq!(
        (absent.kind, absent.message.as_str()),
        (ErrorKind::NotFound, "no version of `people` has a record with `id=7`")
    );
    let column = archive.blame(&["idd=7"]).await.unwrap_err();
    assert_eq!(column.hint.unwrap(), "did you mean `id`?");
    assert_eq!(archive.blame(&["id=1", "id=1"]).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(archive.blame(&[]).await.unwrap_err().kind, ErrorKind::Invalid);
    assert!(key_cell("=1").is_err() && key_cell("id").is_err());
    archive.add("id,day\n1,\"mon\n", "").await;
    assert!(archive.blame(&["id=1", "day=mon"]).await.is_ok(), "an open quote at the end is a cell");
    archive.add("id,day\n1,mon,more\n", "").await;
    let malformed = archive.blame(&["id=1", "day=mon"]).await.unwrap_err();
    assert!(malformed.message.starts_with("`people@3` can't be read as a table"), "{malformed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_kept_elsewhere_is_a_version_that_nobody_hashed() {
    let archive = Archive::new().await;
    let (name, project) = ("orders".parse().unwrap(), project());
    let add = |version: &str| AddExternalVersion {
        external: External { kind: ExternalKind::Delta, uri: "s3://lake/orders".into(), version: version.into() },
        source: None,
        why: None,
        derived_from: vec![],
    };
    let delivery = &archive.delivery;
    let register = |version: &str| {
        delivery.engine().add_external_version(&archive.owner, RequestId::generate(), &project, &name, add(version))
    };
    let first = register("17").await.unwrap().version;
    assert_eq!((first.number, first.size, first.sha256), (1, 0, None));
    assert_eq!(first.external, Some(add("17").external));
    assert!(register("17").await.unwrap().unchanged);
    assert_eq!(register("18").await.unwrap().version.number, 2);
    assert_eq!(register("latest").await.unwrap_err().kind, ErrorKind::Invalid);

    let resolved = resolve(delivery.known(), &project, "orders@1").await.unwrap();
    assert_eq!((resolved.kind.as_str(), resolved.digest), ("external", first.digest));
    let blame = delivery.known().blame(&project, &name, vec![key_cell("id=1").unwrap()]).await.unwrap_err();
    assert_eq!(blame.hint.unwrap().split(';').next().unwrap(), "none of its versions is kept here");
    let link = Link { from: "orders@1".into(), to: "people@1".into(), kind: EdgeKind::Derived, why: "exported".into() };
    archive.add("id\n1\n", "").await;
    delivery.engine().link(&archive.owner, RequestId::generate(), &project, link).await.unwrap();
    let ask = AskLineage { of: "people@1".into(), direction: Direction::Up, depth: None, kinds: vec![] };
    let lineage = delivery.lineage(&archive.owner, &project, &ask).await.unwrap();
    let node = lineage.tree.nodes.iter().find(|node| node.node.key == "orders@1").unwrap();
    assert_eq!(node.detail, "delta s3://lake/orders version 17, not hashed by us");
}
