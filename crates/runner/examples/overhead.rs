//! Measures what watching costs: `overhead N command…` runs the command N times at each level, interleaved.

use std::time::{Duration, Instant};

use stemma_runner::{
    CaptureLevel, CaptureMode, Command,
    command::{Stream, Streams},
    run,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().ok_or("usage: overhead ROUNDS COMMAND…")?.parse()?;
    let argv: Vec<String> = arguments.collect();
    let mut least = CaptureLevel::ALL.map(|level| (level, Duration::MAX));
    for _ in 0..rounds {
        for (level, best) in &mut least {
            let mut command = Command::new(argv.clone(), std::env::current_dir()?);
            command.capture = CaptureMode::AtMost(*level);
            command.streams = Streams { stdin: Stream::Null, stdout: Stream::Null, stderr: Stream::Inherit };
            let began = Instant::now();
            run(&command, |_| {})?;
            *best = (*best).min(began.elapsed());
        }
    }
    let plain = least[0].1.as_secs_f64();
    for (level, best) in least {
        let seconds = best.as_secs_f64();
        println!("{:<16}{seconds:>9.3} s{:>8.2} x", level.name(), seconds / plain);
    }
    Ok(())
}
