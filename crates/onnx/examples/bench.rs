//! Prints how long the recorded models take for a row: alone, and in a batch.
//!
//! `cargo run --release -p stemma-onnx --example bench`

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use stemma_core::signature::{Datatype, Field};
use stemma_onnx::Model;
use stemma_tensor::{Tensor, TensorData};

const BATCH_ROWS: usize = 256;
const TIME_EACH: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    paths.sort();
    println!("{:28} {:>12} {:>18}", "model", "one row, µs", "row of a batch, µs");
    for path in paths {
        let model = Model::parse(&fs::read(&path)?)?;
        let alone = time(&model, 1)?;
        let batched = time(&model, BATCH_ROWS)? / BATCH_ROWS as f64;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name:28} {alone:12.2} {batched:18.3}");
    }
    Ok(())
}

/// Microseconds for a run with so many rows, the copy of the inputs not counted.
fn time(model: &Model, rows: usize) -> Result<f64, Box<dyn Error>> {
    let inputs: Vec<Tensor> = model
        .signature()
        .inputs
        .iter()
        .enumerate()
        .map(|(number, field)| made_up(field, rows, number))
        .collect::<Result<_, _>>()?;
    let mut copies = Vec::new();
    let (mut runs, mut spent) = (0u32, Duration::ZERO);
    while spent < TIME_EACH {
        copies.extend((0..64).map(|_| inputs.clone()));
        let start = Instant::now();
        for copy in copies.drain(..) {
            black_box(model.run_positional(copy)?);
            runs += 1;
        }
        spent += start.elapsed();
    }
    Ok(spent.as_secs_f64() * 1e6 / f64::from(runs))
}

/// Categories that the models know.
fn words(input: &str) -> [&'static str; 2] {
    match input {
        "housing" => ["own", "rent"],
        _ => ["car", "house"],
    }
}

/// Numbers that go both ways in most trees, or one of a few words.
fn made_up(field: &Field, rows: usize, seed: usize) -> Result<Tensor, Box<dyn Error>> {
    let shape: Vec<usize> = field.shape.iter().map(|&size| usize::try_from(size).unwrap_or(rows)).collect();
    let count: usize = shape.iter().product();
    let places = (0..count).map(|place| (place * 7 + seed * 13) % 101);
    let data: TensorData = match field.datatype {
        Datatype::Bytes => places.map(|place| words(&field.name)[place % 2].to_owned()).collect::<Vec<_>>().into(),
        Datatype::Fp32 => places.map(|place| (place as f32 - 50.0) / 25.0).collect::<Vec<_>>().into(),
        other => return Err(format!("no numbers are made up for {other}").into()),
    };
    Ok(Tensor::new(shape, data)?)
}
