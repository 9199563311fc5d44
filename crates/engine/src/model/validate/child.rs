//! The program inside of the sandbox: reads a model and a request, answers twice, and says what it took.
//!
//! Input: the length of the model in 8 bytes, little-endian; the model; the request as JSON. Output: the answers as JSON.

use std::{
    io::{self, Read, Write},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use stemma_core::{endpoint::prediction::LoggedTensor, signature::Signature};
use stemma_onnx::Model;
use stemma_tensor::logged;

/// What the model is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    pub inputs: Vec<LoggedTensor>,
}

/// What it said, twice.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answers {
    pub signature: Signature,
    pub first: Vec<LoggedTensor>,
    pub second: Vec<LoggedTensor>,
    pub load_us: u64,
    /// Of the first answer.
    pub answer_us: u64,
}

/// The bytes that the child reads.
pub fn request(model: &[u8], asked: &Asked) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(model.len() + 4096);
    bytes.extend_from_slice(&(model.len() as u64).to_le_bytes());
    bytes.extend_from_slice(model);
    serde_json::to_writer(&mut bytes, asked)?;
    Ok(bytes)
}

/// Serves one request; what goes wrong is the error of the program.
pub fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let mut model = Vec::new();
    (&mut input).take(u64::from_le_bytes(length)).read_to_end(&mut model)?;
    let asked: Asked = serde_json::from_reader(input)?;
    let began = Instant::now();
    let model = Model::parse(&model).map_err(io::Error::other)?;
    let load_us = micros(began);
    let inputs = logged::to_tensors(&asked.inputs).map_err(io::Error::other)?;
    let began = Instant::now();
    let first = logged::from_tensors(&model.run(inputs.clone()).map_err(io::Error::other)?);
    let answer_us = micros(began);
    let second = logged::from_tensors(&model.run(inputs).map_err(io::Error::other)?);
    let answers = Answers { signature: model.signature().clone(), first, second, load_us, answer_us };
    serde_json::to_writer(&mut output, &answers)?;
    output.flush()
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}
