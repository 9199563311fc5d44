//! A PostgreSQL server for tests: Debian's binaries, a fresh cluster in a temporary folder, gone when dropped.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A running server on a free loopback port.
pub struct Postgres {
    folder: PathBuf,
    binaries: PathBuf,
    port: u16,
}

impl Postgres {
    /// Installs the server if it is missing, makes a cluster and starts it.
    pub fn start() -> Result<Self> {
        let binaries = match find_binaries() {
            Some(binaries) => binaries,
            None => {
                install()?;
                find_binaries().context("PostgreSQL was installed, but its server is not below /usr/lib/postgresql")?
            }
        };
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("stemma-postgres-{}-{port}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("can't make `{}`", folder.display()))?;
        let server = Self { folder, binaries, port };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&server.folder))?;
        }
        let data = server.folder.join("data");
        // not what the machine's language would choose: some choices can't hold all texts
        let choices = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"];
        run(server.tool("initdb").args(choices).arg(&data))?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c max_connections=500 \
             -c unix_socket_directories={}",
            server.folder.display()
        );
        let log = server.folder.join("log");
        run(server.tool("pg_ctl").arg("-D").arg(&data).args(["-w", "-o", &options, "-l"]).arg(&log).arg("start"))?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// A server program, run as the user that may run it: PostgreSQL refuses root.
    fn tool(&self, name: &str) -> Command {
        let program = self.binaries.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stopped =
            run(self.tool("pg_ctl").arg("-D").arg(self.folder.join("data")).args(["-m", "immediate", "stop"]));
        if let Err(error) = stopped {
            eprintln!("note: PostgreSQL was not stopped: {error:#}");
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("note: `{}` was not removed: {error}", self.folder.display());
        }
    }
}

/// The newest installed server's folder of programs.
fn find_binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let binaries = entry.path().join("bin");
            has_server(&binaries).then_some((version, binaries))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, binaries)| binaries)
}

fn has_server(binaries: &Path) -> bool {
    ["postgres", "initdb", "pg_ctl"].iter().all(|name| binaries.join(name).exists())
}

fn install() -> Result<()> {
    if !is_root() {
        bail!("the tests need a PostgreSQL server: install Debian's package `postgresql`");
    }
    println!("installing PostgreSQL from Debian's packages");
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get").args(["install", "-y", "-qq", "postgresql"]).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    // the owner of our own process, without a crate for one number
    fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

fn run(command: &mut Command) -> Result<()> {
    let program = format!("{command:?}");
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("can't run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim())
}
