//! The program inside of the sandbox: reads a model and a request, answers twice and as often as it has time to, and says
//! what it took.
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

/// Answers that are timed, so that the median of quick ones is a good one.
const ANSWERS_MAX: usize = 101;

/// What the model is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    pub inputs: Vec<LoggedTensor>,
    /// How long it may be asked the same for the sake of time alone, in microseconds.
    pub timing_us: u64,
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
    /// The median of all answers.
    pub p50_us: u64,
    /// How many there were.
    pub answers: u64,
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
    let ask = || -> io::Result<(Vec<LoggedTensor>, u64)> {
        let began = Instant::now();
        let answer = model.run(inputs.clone()).map_err(io::Error::other)?;
        let took = micros(began);
        Ok((logged::from_tensors(&answer), took))
    };
    let ((first, answer_us), (second, again_us)) = (ask()?, ask()?);
    let times = times(vec![answer_us, again_us], asked.timing_us, || Ok(ask()?.1))?;
    let (p50_us, answers) = (times[times.len() / 2], times.len() as u64);
    let answers = Answers { signature: model.signature().clone(), first, second, load_us, answer_us, p50_us, answers };
    serde_json::to_writer(&mut output, &answers)?;
    output.flush()
}

/// How long answers take, in order: those that there are, and as many as fit into some time. A slow model is not asked
/// until it runs into its limits.
fn times(mut times: Vec<u64>, within: u64, mut ask: impl FnMut() -> io::Result<u64>) -> io::Result<Vec<u64>> {
    let (began, slowest) = (Instant::now(), times.iter().copied().max().unwrap_or(0));
    while times.len() < ANSWERS_MAX && micros(began).saturating_add(slowest) < within {
        times.push(ask()?);
    }
    times.sort_unstable();
    Ok(times)
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_timed_as_long_as_there_is_time() {
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            Ok(asked)
        };
        // even one more would take longer than there is
        assert_eq!(times(vec![9, 7], 9, &mut ask).unwrap(), [7, 9]);
        let all = times(vec![9, 7], u64::MAX, &mut ask).unwrap();
        assert!(all.len() == ANSWERS_MAX && all.is_sorted(), "{all:?}");
        assert!(times(vec![0], u64::MAX, || Err(io::Error::other("no"))).is_err());
    }
}
