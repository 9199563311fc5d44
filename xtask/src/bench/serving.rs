//! Serving beside `mlflow models serve`: the same model, the same rows, in turns, loaded by `wrk`.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustix::process::{Signal, kill_process};

use super::deployed;
use crate::{
    checkout::Checkout,
    desk::Desk,
    http::Connection,
    process,
    server::Server,
    setup::{self, Python},
};

/// MLflow imports for a while before it listens.
const MLFLOW_START: Duration = Duration::from_secs(180);

/// Requests per second and latencies of an endpoint, beside `mlflow models serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Turns of each server, alternating
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Length of each turn in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// When a request is answered: `durable`, `fast` or `off`
    #[arg(long, default_value = "durable")]
    log: String,
    /// What MLflow serves: `sklearn`, as its users do, or the exported model as `onnx`
    #[arg(long, default_value = "sklearn")]
    flavor: String,
}

pub fn run(checkout: &Checkout, args: &ServeArgs) -> Result<()> {
    setup::ensure_program("wrk", "wrk")?;
    let desk = deployed::desk(checkout, "bench-serve", &args.log)?;
    let folder = checkout.root.join("benches/serving");
    let lock = folder.join("requirements-bench.lock");
    let bench_python = setup::python(&checkout.target.join("venv-bench"), &[lock])?;
    let stemma = Server::start(&desk, 0)?;
    let mlflow = Mlflow::start(checkout, &desk, &bench_python, &args.flavor)?;
    let mut bench = Command::new(bench_python.interpreter());
    bench
        .arg(folder.join("bench.py"))
        .args(["--stemma", &format!("http://{}", stemma.address), "--stemma-pid", &stemma.id().to_string()])
        .args(["--mlflow", &format!("http://{}", mlflow.address), "--mlflow-pid", &mlflow.child.id().to_string()])
        .args(["--mlflow-flavor", &args.flavor, "--endpoint", deployed::ENDPOINT])
        .args(["--rounds", &args.rounds.to_string(), "--seconds", &args.seconds.to_string()])
        .args(["--connections", "1", "8", "--rows"])
        .arg(desk.work.join("data/test.csv"));
    process::run(&mut bench)?;
    stemma.stop()
}

/// A running `mlflow models serve`; it does not outlive this value.
struct Mlflow {
    child: Child,
    address: SocketAddr,
}

impl Mlflow {
    fn start(checkout: &Checkout, desk: &Desk, python: &Python, flavor: &str) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = desk.folder.join("mlflow.log");
        let output = File::create(&log).with_context(|| format!("can't write `{}`", log.display()))?;
        let mut command = desk.command(python.interpreter())?;
        python.activate(&mut command)?;
        command
            .arg(checkout.root.join("benches/serving/mlflow_serve.py"))
            .args(["--model", deployed::MODEL, "--flavor", flavor, "--port", &address.port().to_string(), "--train"])
            .arg(desk.work.join("data/train.csv"))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command.spawn().context("can't start MLflow")?;
        let mut mlflow = Self { child, address };
        mlflow.wait_until_it_answers().with_context(|| format!("see `{}`", log.display()))?;
        Ok(mlflow)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < MLFLOW_START {
            if let Some(status) = self.child.try_wait()? {
                bail!("MLflow ended with {status}");
            }
            let ping = Connection::open(self.address).and_then(|mut connection| connection.get("/ping"));
            if ping.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("MLflow does not answer after {} s", MLFLOW_START.as_secs())
    }
}

impl Drop for Mlflow {
    fn drop(&mut self) {
        // its workers would outlive it
        for process in process::family(self.child.id()) {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
