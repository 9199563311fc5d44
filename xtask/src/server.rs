//! `stemma serve` as a child: started, asked where it is, stopped as an operator would or killed as a machine would.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{desk::Desk, http::Connection, process};

/// A running server; it does not outlive this value.
pub struct Server {
    child: Child,
    /// Kept open: a server whose output nobody can read might stop.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts a server of the desk's home and waits until it listens; port 0 takes a free one.
    pub fn start(desk: &Desk, port: u16) -> Result<Self> {
        let log = desk.folder.join("server.log");
        let stderr = File::create(&log).with_context(|| format!("can't write `{}`", log.display()))?;
        let mut command = desk.stemma(&["serve", "--listen", &format!("127.0.0.1:{port}")])?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().with_context(|| format!("can't run `{}`", process::words(&command)))?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut stdout = BufReader::new(stdout);
        // the first line is the address; without one the server has ended
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("http://").and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            let status = child.wait()?;
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("`{}` ended with {status}\n{}", process::words(&command), process::tail(&said));
        };
        Ok(Self { child, _stdout: stdout, address, log })
    }

    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address).with_context(|| format!("can't reach the server at {}", self.address))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill().context("the server was not there to be killed")?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it as Ctrl-C does, and fails if it does not stop well.
    pub fn stop(mut self) -> Result<()> {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::INT).context("the server was not there to be stopped")?;
        let status: ExitStatus = self.child.wait()?;
        if !status.success() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("the server ended with {status}\n{}", process::tail(&said));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // both fail if it has ended already, which is what is wanted
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
