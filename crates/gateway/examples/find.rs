//! How long it takes to find one unit among many sealed predictions, in files as large as the log makes them; what the Bloom
//! filters cost; and how many bytes are read for it.
//!
//! `cargo run --release -p stemma-gateway --example find -- [FILES] [ROWS]`

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use parquet::file::reader::{ChunkReader, Length};
use serde_json::json;
use stemma_core::{
    Digest, SystemClock, Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{
            ArmTaken, Chosen, Draw, GivenBy, LoggedTensor, NodeEnding, NodeRecord, Outcome, PredictionKey,
            PredictionRecord, RECORD_VERSION,
        },
        search::Wanted,
        target::{Identity, StepKind},
    },
    name::ProjectName,
    signature::Datatype,
};
use stemma_gateway::{LogOptions, NewRecord, OpenPart, PredictionLog, SealedPart};

type Failure = Box<dyn std::error::Error>;

/// A file that counts what is read of it.
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Length for Counted {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Counted {
    type T = <File as ChunkReader>::T;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        self.file.get_bytes(start, length)
    }
}

fn record(number: u64) -> Result<PredictionRecord, Failure> {
    let number_as_float = number as f64;
    let inputs = (0..10).map(|feature| {
        let name = format!("feature_{feature}");
        let data = json!([number_as_float * f64::from(feature) / 7.0]);
        LoggedTensor { name, datatype: Datatype::Fp64, shape: vec![1, 1], data }
    });
    Ok(PredictionRecord {
        v: RECORD_VERSION,
        time: Timestamp(1_772_366_400_000_000 + number as i64 * 50),
        endpoint: "credit-offer".parse()?,
        revision: 1,
        revision_digest: Digest::of(b"revision"),
        request_id: Some(format!("order-{number}")),
        caller: "shop@example.org".parse()?,
        trace: None,
        subject: None,
        draw: Some(Draw {
            unit: format!("customer-{number}"),
            given_by: GivenBy::Caller,
            salt: Some("credit-offer".to_owned()),
            bucket: Some(4_089_099_642_262_096),
            partition: None,
            allocation: Some(0),
        }),
        arm: Some(ArmTaken { name: "single".to_owned(), chosen: Chosen::Drawn { propensity: 1.0 } }),
        outcome: Outcome::Answered,
        inputs: inputs.collect(),
        outputs: vec![LoggedTensor {
            name: "p".to_owned(),
            datatype: Datatype::Fp64,
            shape: vec![1, 1],
            data: json!([(number_as_float * 0.37).sin()]),
        }],
        nodes: vec![NodeRecord {
            node: "single".to_owned(),
            kind: StepKind::Model,
            what: Identity::Digest(Digest::of(b"model")),
            model: Some("credit-score".parse()?),
            version: Some("1.0.2".parse()?),
            began_us: Some(300),
            latency_us: number % 97,
            ended: Some(NodeEnding::Answered),
            outputs: Vec::new(),
        }],
        overrides: Vec::new(),
        latency_us: number % 997,
        reported: None,
    })
}

/// Makes so many files of the rows that a segment of the default length has.
async fn make(log: &PredictionLog, files: u64, rows: u64) -> Result<Vec<SealedPart>, Failure> {
    let project = ProjectName::default_project();
    let mut parts = Vec::new();
    for file in 0..files {
        for number in file * rows..(file + 1) * rows {
            let record = record(number)?;
            let new = NewRecord { project: &project, ordinal: 1, record: &record };
            log.append(LogMode::Fast, new.encode()?).await?;
        }
        let segment = log.rotate().await?.ok_or("nothing was appended")?;
        parts.extend(log.seal(segment)?);
    }
    Ok(parts)
}

/// Looks for a unit in all files; returns how many rows are left over, how many files were read, and what it took.
fn find(parts: &[SealedPart], wanted: &Wanted) -> Result<(usize, u64, u64, f64), Failure> {
    let bytes = Arc::new(AtomicU64::new(0));
    let (mut rows, mut read) = (0, 0);
    let start = Instant::now();
    for part in parts.iter().rev() {
        let reader = Counted { file: File::open(&part.file)?, bytes: Arc::clone(&bytes) };
        let sifted = OpenPart::open(reader, part.first_row)?.sift(wanted)?;
        rows += sifted.rows.len();
        read += u64::from(sifted.effort.rows > 0);
    }
    Ok((rows, read, bytes.load(Ordering::Relaxed), start.elapsed().as_secs_f64()))
}

fn number(at: usize, otherwise: u64) -> Result<u64, Failure> {
    Ok(std::env::args().nth(at).map(|text| text.parse()).transpose()?.unwrap_or(otherwise))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (files, rows) = (number(1, 40)?, number(2, 45_000)?);
    let folder = std::env::temp_dir().join(format!("stemma-find-{}", std::process::id()));
    let options = LogOptions { segment_bytes_max: 8 << 30, queue_bytes_max: 1 << 30, ..LogOptions::default() };
    let log = PredictionLog::open(&folder, PredictionKey::from_bytes([7; 32]), Arc::new(SystemClock), options)?;
    let start = Instant::now();
    let parts = make(&log, files, rows).await?;
    let (all, bytes) = (files * rows, 0);
    let bytes = parts.iter().try_fold(bytes, |sum, part| part.file.metadata().map(|file| sum + file.len()))?;
    println!(
        "{all} predictions in {files} files, {} bytes a row; made in {:.1} s",
        bytes / all,
        start.elapsed().as_secs_f64()
    );
    for (what, unit) in [("in one of them", format!("customer-{}", all / 3)), ("in none", "nobody".to_owned())] {
        let wanted = Wanted { unit: Some(unit), ..Wanted::default() };
        find(&parts, &wanted)?;
        let (found, read, bytes, seconds) = find(&parts, &wanted)?;
        println!(
            "a unit that is {what}: {found} rows in {:.1} ms, {:.0} us and {} bytes a file; columns of {read} files were read",
            seconds * 1e3,
            seconds * 1e6 / files as f64,
            bytes / files,
        );
    }
    drop(log);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
