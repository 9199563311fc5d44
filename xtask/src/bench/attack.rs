//! What a prediction takes while somebody tries to stall the server, beside what it takes while nobody does.

mod kinds;

use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use self::kinds::{Attack, Target};
use super::deployed::{self, ENDPOINT};
use crate::{checkout::Checkout, desk::Desk, http::Connection, payload, process, server::Server};

/// How often the rows of the test data are repeated for evaluations that take long.
const REPEATS: usize = 500;
/// An attack has begun to hurt by then, if it does.
const SETTLE: Duration = Duration::from_secs(2);
const BETWEEN_PREDICTIONS: Duration = Duration::from_millis(2);

/// What predictions take under attacks that try to stall the server, as a ratio to quiet times
#[derive(Debug, Args)]
pub struct AttackArgs {
    /// Turns of quiet and attack, alternating
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// Length of each turn in seconds
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Only attacks whose name holds this
    #[arg(long, default_value = "")]
    only: String,
}

/// What was seen in turns of one kind.
#[derive(Default)]
struct Seen {
    took_ms: Vec<f64>,
    failed: u64,
    rss_mb_max: u64,
}

pub fn run(checkout: &Checkout, args: &AttackArgs) -> Result<()> {
    raise_file_limit()?;
    let desk = deployed::desk(checkout, "bench-attack", "durable")?;
    let target = prepare(&desk)?;
    for attack in Attack::ALL.iter().filter(|attack| attack.name().contains(&args.only)) {
        // each on a fresh server: what one leaves behind is not the other's
        let server = Server::start(&desk, 0)?;
        let (mut quiet, mut attacked) = (Seen::default(), Seen::default());
        for _ in 0..args.rounds {
            quiet.watch(&server, &target.prediction, args.seconds)?;
            let under_way = attack.begin(&desk, server.address, &target)?;
            thread::sleep(SETTLE);
            attacked.watch(&server, &target.prediction, args.seconds)?;
            under_way.end();
        }
        println!("{}", report(attack.name(), &mut quiet, &mut attacked));
        server.stop()?;
    }
    Ok(())
}

/// Thousands of connections are thousands of files here, too.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("can't raise the limit of files")
}

/// Big data to evaluate on, files of nothing but delimiters, and content that is long to download.
fn prepare(desk: &Desk) -> Result<Target> {
    let test = fs::read_to_string(desk.work.join("data/test.csv"))?;
    let (header, rows) = test.split_once('\n').context("the test data are empty")?;
    fs::write(desk.work.join("data/big.csv"), format!("{header}\n{}", rows.repeat(REPEATS)))?;
    fs::write(desk.work.join("data/commas.csv"), ",".repeat(20_000_000))?;
    let noise: Vec<u8> = (0..64u64 << 20).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    fs::write(desk.work.join("data/long.bin"), noise)?;
    let toml = desk.work.join("stemma.toml");
    let declared = fs::read_to_string(&toml)?;
    fs::write(&toml, declared.replacen("data = \"data/test.csv\"", "data = \"data/big.csv\"", 1))?;
    let steps: [&[&str]; 2] = [&["add", "data/big.csv", "data/commas.csv", "data/long.bin"], &["policy", "apply"]];
    for arguments in steps {
        process::output(&mut desk.stemma(arguments)?)?;
    }
    let lock = fs::read_to_string(desk.work.join("stemma.lock"))?;
    let server = Server::start(desk, 0)?;
    let prediction =
        payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?.swap_remove(0);
    server.stop()?;
    Ok(Target { prediction, commas: digest(&lock, "data/commas.csv")?, long: digest(&lock, "data/long.bin")? })
}

/// The digest on a path's line of `stemma.lock`.
fn digest(lock: &str, path: &str) -> Result<String> {
    let line = lock.lines().find(|line| line.contains(path));
    let digest = line.and_then(|line| line.split_whitespace().find(|word| word.starts_with("b3:")));
    digest.map(str::to_owned).with_context(|| format!("`stemma.lock` does not name `{path}`"))
}

impl Seen {
    /// Predicts for a time, each on the connection that is there, or a new one.
    fn watch(&mut self, server: &Server, body: &str, seconds: u64) -> Result<()> {
        let path = format!("/v2/models/{ENDPOINT}/infer");
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut connection = None;
        while Instant::now() < until {
            let began = Instant::now();
            match predict(&mut connection, server.address, &path, body) {
                true => self.took_ms.push(began.elapsed().as_secs_f64() * 1000.0),
                false => self.failed += 1,
            }
            thread::sleep(BETWEEN_PREDICTIONS);
        }
        self.rss_mb_max = self.rss_mb_max.max(rss_mb(server.id())?);
        ensure!(!self.took_ms.is_empty(), "nothing was answered");
        Ok(())
    }

    fn quantile(&mut self, share: f64) -> f64 {
        self.took_ms.sort_by(f64::total_cmp);
        self.took_ms[((self.took_ms.len() - 1) as f64 * share).round() as usize]
    }
}

/// Connections that were cut in between are opened anew, once.
fn predict(connection: &mut Option<Connection>, address: SocketAddr, path: &str, body: &str) -> bool {
    for _ in 0..2 {
        let answered = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(address),
        };
        if let Ok(mut open) = answered
            && let Ok(answer) = open.post(path, body)
        {
            *connection = Some(open);
            return answer.status == 200;
        }
    }
    false
}

/// The most memory that a process has had.
fn rss_mb(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024)
}

fn report(name: &str, quiet: &mut Seen, attacked: &mut Seen) -> Value {
    let (quiet_p99, attacked_p99) = (quiet.quantile(0.99), attacked.quantile(0.99));
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    json!({
        "attack": name,
        "p99_ms_quiet": rounded(quiet_p99),
        "p99_ms_attacked": rounded(attacked_p99),
        "p99_ratio": rounded(attacked_p99 / quiet_p99),
        "p50_ms": [rounded(quiet.quantile(0.5)), rounded(attacked.quantile(0.5))],
        "answered": [quiet.took_ms.len(), attacked.took_ms.len()],
        "failed": [quiet.failed, attacked.failed],
        "server_rss_mb_max": [quiet.rss_mb_max, attacked.rss_mb_max],
    })
}
